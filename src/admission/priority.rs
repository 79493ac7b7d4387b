//! Priority: a pod's priority from its class, and at most one class that is the default.
//!
//! `plugin/pkg/admission/priority/admission.go`, `pkg/apis/scheduling/types.go` (Kubernetes 1.36).

use std::collections::BTreeMap;

use super::{Plugin, Refusal, set_str};
use crate::yaml::{NodeId, Tree, Value, View};

/// Classes that the API server makes itself (`SystemPriorityClasses`).
const SYSTEM: [(&str, i64); 2] = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

const PREEMPTS: &str = "PreemptLowerPriority";

#[derive(Clone, Copy, Debug)]
struct Class<'b> {
    value: i64,
    is_default: bool,
    policy: &'b str,
}

/// The classes by name.
#[derive(Clone, Debug, Default)]
pub struct PriorityClasses<'b> {
    classes: BTreeMap<&'b str, Class<'b>>,
    /// The default classes, in the order in which they are made.
    defaults: Vec<&'b str>,
}

impl<'b> PriorityClasses<'b> {
    pub(super) fn read(&mut self, name: &'b str, class: View<'b>) {
        let is_default = class.get_bool("globalDefault");
        let policy = class.get_str("preemptionPolicy").unwrap_or(PREEMPTS);
        self.classes.insert(name, Class { value: class.get_int("value").unwrap_or(0), is_default, policy });
        self.defaults.retain(|known| *known != name);
        if is_default {
            self.defaults.push(name);
        }
    }

    pub(super) fn has_default(&self) -> bool {
        !self.defaults.is_empty()
    }

    /// `getDefaultPriorityClass`: the lowest, where there are several.
    fn default_class(&self) -> Option<(&'b str, Class<'b>)> {
        let classes = self.classes.iter().filter(|(_, class)| class.is_default);
        classes.min_by_key(|(_, class)| class.value).map(|(name, class)| (*name, *class))
    }

    /// `admitPod`
    pub(super) fn admit(&self, tree: &mut Tree, spec: NodeId) -> Result<(), Refusal> {
        let refused = |message: String| Refusal::new(Plugin::Priority, message);
        let view = tree.view(spec);
        let name = view.get_str("priorityClassName").unwrap_or_default().to_owned();
        let (name, class) = self.establish(name)?;
        let (given, policy) = (view.get_int("priority"), view.get_str("preemptionPolicy"));
        if let Some(given) = given.filter(|given| *given != class.value) {
            return Err(refused(format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
                 computed {} from the given PriorityClass name",
                class.value
            )));
        }
        if let Some(policy) = policy.filter(|policy| *policy != class.policy) {
            return Err(refused(format!(
                "the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; priority admission \
                 controller computed {} from the given PriorityClass name",
                class.policy
            )));
        }
        if !name.is_empty() {
            set_str(tree, spec, "priorityClassName", &name);
        }
        let value = tree.push(tree.node(spec).span, Value::Int(class.value));
        tree.insert(spec, "priority", value);
        set_str(tree, spec, "preemptionPolicy", class.policy);
        Ok(())
    }

    /// `establishPriority`
    fn establish(&self, name: String) -> Result<(String, Class<'b>), Refusal> {
        let built_in = |value| Class { value, is_default: false, policy: PREEMPTS };
        if name.is_empty() {
            let default = self.default_class();
            return Ok(default.map_or((name, built_in(0)), |(name, class)| (name.to_owned(), class)));
        }
        let system = SYSTEM.iter().find(|(known, _)| *known == name).map(|(_, value)| built_in(*value));
        match system.or_else(|| self.classes.get(name.as_str()).copied()) {
            Some(class) => Ok((name, class)),
            None => {
                let message = format!("no PriorityClass with name {name} was found");
                Err(Refusal { is_absence: true, ..Refusal::new(Plugin::Priority, message) })
            }
        }
    }

    /// `validatePriorityClass`, for the classes of a set in the order in which they stand.
    pub(super) fn refuses_class(&self, name: &str, class: View<'_>) -> Option<String> {
        let first = self.defaults.first().filter(|first| **first != name && class.get_bool("globalDefault"))?;
        Some(format!("PriorityClass {first} is already marked as default. Only one default can exist"))
    }
}
