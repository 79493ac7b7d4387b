//! What a live API server says of applying an object: its dry run, as plain data.

use std::collections::HashMap;

use super::{Fidelity, FieldChange, ObjectRef, Op, Policy};
use crate::diag::Cause;
use crate::model::ObjectId;
use crate::yaml::{NodeId, Tree, View};

/// The dry run of one object.
#[derive(Debug)]
pub struct Answer {
    pub fidelity: Fidelity,
    /// The object as it would be stored; `None` where it is refused, or the server could not be asked.
    pub stored: Option<(Tree, NodeId)>,
    pub refusal: Option<Refusal>,
    /// Fields that others own and that apply would set to another value.
    pub conflicts: Vec<Conflict>,
    /// Texts of the `Warning` headers.
    pub warnings: Vec<String>,
    /// Why the answer is no more than [`Answer::fidelity`] says; empty for the server's own.
    pub note: String,
    /// Whether the server would take a new object in place of one that cannot be changed; `None` where it was not asked.
    pub anew: Option<Anew>,
    /// kplan has applied the object before.
    pub is_known: bool,
    /// Managers that kplan succeeds: what they applied and nobody writes any more goes away.
    pub inherits: Vec<String>,
    /// Old members of unions that the server filled in and that are cleared, named as conflicts are.
    pub clears: Vec<String>,
    /// The ApplySet that has the object, where it is applied as a member of another one.
    pub other_set: Option<OtherSet>,
    /// The object is being deleted; what holds it.
    pub going: Option<String>,
    /// Fields that people set by hand beside those that kplan applied, and who did: they stay.
    pub by_hand: Vec<Conflict>,
    /// Fields that are stored otherwise than they are written, as conflicts name them.
    pub changed: Vec<String>,
}

/// An ApplySet that has an object already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSet {
    /// Value of the label of its members; rules know it by that, as its manager.
    pub id: String,
    /// Its parent, `ConfigMap shop/web`, where that is known, else the id.
    pub title: String,
}

/// What the server says of a new object.
#[derive(Debug)]
pub enum Anew {
    /// It is taken; as it would be stored, where that is known.
    Taken(Option<(Tree, NodeId)>),
    Refused(String),
}

impl Answer {
    /// An answer that has yet to be filled in.
    pub fn new(fidelity: Fidelity) -> Answer {
        Answer {
            fidelity,
            stored: None,
            refusal: None,
            conflicts: Vec::new(),
            warnings: Vec::new(),
            note: String::new(),
            anew: None,
            is_known: false,
            inherits: Vec::new(),
            clears: Vec::new(),
            other_set: None,
            going: None,
            by_hand: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// The new object that would take the place of one that cannot be changed.
    pub(super) fn made_anew(&self) -> Option<View<'_>> {
        match &self.anew {
            Some(Anew::Taken(Some((tree, root)))) => Some(tree.view(*root)),
            _ => None,
        }
    }

    pub(super) fn stored(&self) -> Option<View<'_>> {
        self.stored.as_ref().map(|(tree, root)| tree.view(*root))
    }
}

/// Why the API server would not take an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    /// `metav1.StatusReason`.
    pub reason: &'static str,
    pub message: String,
    pub causes: Vec<Cause>,
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The API server's path: `.spec.replicas`, list items by their key.
    pub field: String,
    /// `kube-controller-manager`; with what it used to write, where that is not apply: `kubectl-edit using apps/v1`.
    pub manager: String,
    /// Written by an update, as `kubectl edit` does; not applied.
    pub is_update: bool,
}

/// Whether a field is an address or port that the server gives a Service; that of a dry run will be given to another.
pub(super) fn is_made_up(kind: &str, field: &FieldChange) -> bool {
    const GIVEN: [&str; 4] =
        ["spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort", "spec.ports[*].nodePort"];
    let is_given = |given: &&str| match given.split_once('*') {
        Some((start, end)) => field.path.starts_with(start) && field.path.ends_with(end),
        None => field.path == **given,
    };
    kind == "Service" && field.op == Op::Add && GIVEN.iter().any(is_given)
}

/// What a diff knows besides its two bundles.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// By object of the desired bundle; empty where no server was asked.
    pub answers: HashMap<ObjectId, Answer>,
    pub policy: Policy,
    /// Members of the ApplySet that the manifests no longer have; they stay in the cluster.
    pub left: Vec<ObjectRef>,
}
