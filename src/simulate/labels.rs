//! Labels and the selectors over them: `labels.Selector` of apimachinery (Kubernetes 1.36).

use std::collections::BTreeMap;

use crate::yaml::View;

/// Labels of a node, pod or namespace.
pub type Labels = BTreeMap<String, String>;

/// How a requirement compares a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
    pub values: Vec<String>,
}

impl Requirement {
    /// Reads an entry of `matchExpressions`; `None` for an operator that does not exist.
    pub fn read(view: View<'_>) -> Option<Requirement> {
        let operator = match view.get_str("operator")? {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => return None,
        };
        let values = view.list("values").filter_map(View::str).map(str::to_owned).collect();
        Some(Requirement { key: view.get_str("key")?.to_owned(), operator, values })
    }

    /// Whether a label's value, or its absence, satisfies the requirement.
    pub fn matches_value(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|other| other == value);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compare(value).is_some_and(|(label, bound)| label > bound),
            Operator::Lt => self.compare(value).is_some_and(|(label, bound)| label < bound),
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else {
            return None;
        };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }
}

/// Requirements that must all hold; the empty selector matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    pub requirements: Vec<Requirement>,
}

impl Selector {
    /// Reads a `metav1.LabelSelector`; `None` when it cannot match because an operator is unknown.
    pub fn read(view: View<'_>) -> Option<Selector> {
        let mut selector = Selector::from_map(view.get("matchLabels"));
        for expression in view.list("matchExpressions") {
            selector.requirements.push(Requirement::read(expression)?);
        }
        Some(selector)
    }

    /// A selector of equal labels, as Services and ReplicationControllers have it.
    pub fn from_map(view: Option<View<'_>>) -> Selector {
        let mut selector = Selector::default();
        for (key, value) in view.into_iter().flat_map(View::fields) {
            selector.require(key, value.str().unwrap_or(""));
        }
        selector
    }

    /// Adds `key=value`.
    pub fn require(&mut self, key: &str, value: &str) {
        let requirement = Requirement { key: key.to_owned(), operator: Operator::In, values: vec![value.to_owned()] };
        if !self.requirements.contains(&requirement) {
            self.requirements.push(requirement);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches_value(labels.get(&requirement.key).map(String::as_str)))
    }
}

/// One term of a node selector: all of it must hold, and an empty term holds nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeTerm {
    pub expressions: Vec<Requirement>,
    /// Over `metadata.name`.
    pub fields: Vec<Requirement>,
    /// Could not be read in full, so that it matches nothing.
    pub broken: bool,
}

impl NodeTerm {
    pub fn read(view: View<'_>) -> NodeTerm {
        let read = |key: &str| view.list(key).map(Requirement::read).collect::<Option<Vec<_>>>();
        let (expressions, fields) = (read("matchExpressions"), read("matchFields"));
        let broken = expressions.is_none() || fields.is_none();
        NodeTerm { expressions: expressions.unwrap_or_default(), fields: fields.unwrap_or_default(), broken }
    }

    /// Whether a node of that name with those labels satisfies the term.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        if self.broken || (self.expressions.is_empty() && self.fields.is_empty()) {
            return false;
        }
        let label = |wanted: &Requirement| wanted.matches_value(labels.get(&wanted.key).map(String::as_str));
        let field = |wanted: &Requirement| wanted.key == "metadata.name" && wanted.matches_value(Some(name));
        self.expressions.iter().all(label) && self.fields.iter().all(field)
    }
}

/// Reads `nodeSelectorTerms`.
pub fn node_terms(selector: View<'_>) -> Vec<NodeTerm> {
    selector.list("nodeSelectorTerms").map(NodeTerm::read).collect()
}

/// Reads a map of strings.
pub fn labels(view: Option<View<'_>>) -> Labels {
    view.into_iter()
        .flat_map(View::fields)
        .map(|(key, value)| (key.to_owned(), value.str().unwrap_or_default().to_owned()))
        .collect()
}
