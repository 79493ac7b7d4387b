//! What differs between two bundles: the `changes` part of the report, field by field.

use serde::Serialize;
use serde_json::Value;

use crate::model::ObjectId;

/// What apply would do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Create,
    Update,
    Replace,
    Delete,
    Unchanged,
    /// Only in the base, and not ours to delete.
    Keep,
    Conflict,
}

/// How much a change can hurt, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    DataLoss,
    Delete,
    Replace,
    Outage,
    Disruptive,
    Conflict,
    Widens,
    Safe,
}

/// How sure the prediction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fidelity {
    /// The API server's own dry run.
    Server,
    /// A dry run under another name.
    Dummy,
    /// Computed here.
    Approx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Op {
    Add,
    Change,
    Remove,
}

/// Names an object in the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    pub api_version: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectRef {
    /// `Deployment default/web`.
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

/// One field that differs; secret values are masked before they get here.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// The API server's path; list items by index of the side that has them.
    pub path: String,
    pub op: Op,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub sensitive: bool,
    pub owner: Option<String>,
}

/// One object of the plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub action: Action,
    pub object: ObjectRef,
    pub risk: Risk,
    /// One line that says why the risk is what it is.
    pub why: String,
    pub fidelity: Fidelity,
    pub fields: Vec<FieldChange>,
    /// Pods that are replaced.
    pub restarts: u64,
    /// 1-based; everything in a wave can be applied at once.
    pub wave: u32,
    /// What more there is to say of it, one line each; for people, not part of the JSON contract.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Fields of kubectl's managers become kplan's.
    #[serde(skip)]
    pub takes_over: bool,
    /// Fields that are left to others, as the API server's conflicts name them.
    #[serde(skip)]
    pub leaves: Vec<String>,
    /// Managers whose record becomes kplan's before it is applied.
    #[serde(skip)]
    pub inherits: Vec<String>,
    /// What only the server wrote and the apply is to take away, as the API server's conflicts name it.
    #[serde(skip)]
    pub clears: Vec<String>,
    /// The object is being deleted already.
    #[serde(skip)]
    pub is_going: bool,
    /// A replacement that is carried out only where its kind is named.
    #[serde(skip)]
    pub needs_leave: bool,
    /// Where the object stands in the desired and in the base bundle.
    #[serde(skip)]
    pub desired: Option<ObjectId>,
    #[serde(skip)]
    pub base: Option<ObjectId>,
}

/// What is said of an object whose hashed name changed.
pub(super) fn takes_place(old: &str) -> String {
    format!("takes the place of {old}, which stays until it is deleted")
}

impl Change {
    /// A change that says nothing yet but what becomes of which object.
    pub fn new(action: Action, object: ObjectRef) -> Change {
        Change {
            action,
            object,
            risk: Risk::Safe,
            why: String::new(),
            fidelity: Fidelity::Approx,
            fields: Vec::new(),
            restarts: 0,
            wave: 0,
            notes: Vec::new(),
            takes_over: false,
            leaves: Vec::new(),
            inherits: Vec::new(),
            clears: Vec::new(),
            is_going: false,
            needs_leave: false,
            desired: None,
            base: None,
        }
    }

    /// The same difference seen from the other side; what a server would say of it is left out.
    pub fn reversed(mut self) -> Change {
        let renamed = self.action == Action::Create && self.base.is_some();
        self.action = match self.action {
            Action::Create if !renamed => Action::Delete,
            Action::Delete | Action::Keep => Action::Create,
            Action::Replace | Action::Conflict => Action::Update,
            action => action,
        };
        for field in &mut self.fields {
            std::mem::swap(&mut field.before, &mut field.after);
            field.op = match field.op {
                Op::Add => Op::Remove,
                Op::Remove => Op::Add,
                Op::Change => Op::Change,
            };
        }
        std::mem::swap(&mut self.desired, &mut self.base);
        let name =
            self.fields.iter().find(|field| field.path == "metadata.name").and_then(|field| field.after.as_ref());
        if let Some(name) = name.and_then(Value::as_str).filter(|_| renamed) {
            let old = std::mem::replace(&mut self.object.name, name.to_owned());
            self.why = takes_place(&old);
        }
        self
    }
}
