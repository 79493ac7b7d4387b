//! What a live API server says of applying an object: its dry run, as plain data.

use std::collections::HashMap;

use super::{Fidelity, FieldChange, Op};
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
}

impl Answer {
    /// An answer that has yet to be filled in.
    pub fn new(fidelity: Fidelity) -> Answer {
        let (conflicts, warnings, note) = (Vec::new(), Vec::new(), String::new());
        Answer { fidelity, stored: None, refusal: None, conflicts, warnings, note }
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
}

impl Conflict {
    /// Whether the field is taken over: kubectl's own names stand for the people who now use kplan.
    pub fn is_taken_over(&self) -> bool {
        self.manager.starts_with("kubectl") || self.manager == "before-first-apply"
    }
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
    /// Fields that others own are taken from them.
    pub force_conflicts: bool,
}
