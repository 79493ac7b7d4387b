//! Selecting objects by their labels, and nodes by labels and name.
//!
//! Rules: apimachinery `pkg/labels/selector.go`, `pkg/apis/meta/v1/helpers.go` and component-helpers
//! `scheduling/corev1/nodeaffinity` (Kubernetes 1.36). The types hold what a manifest says; whether
//! it may say so is for validation.

use std::collections::BTreeMap;
use std::fmt;

use super::names::{is_qualified_name, is_valid_label_value};

/// Something that has labels.
pub trait Labels {
    /// The value of a label, if it is there.
    fn label(&self, key: &str) -> Option<&str>;
}

impl Labels for BTreeMap<String, String> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Labels for [(K, V)] {
    fn label(&self, key: &str) -> Option<&str> {
        let pair = self.iter().find(|(own, _)| own.as_ref() == key);
        pair.map(|(_, value)| value.as_ref())
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Labels for Vec<(K, V)> {
    fn label(&self, key: &str) -> Option<&str> {
        self.as_slice().label(key)
    }
}

/// How the values of a requirement bind a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// The one value, as `matchLabels` asks. Not written in manifests.
    Equals,
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Operator {
    /// The operator of that name in `matchExpressions`.
    pub fn parse(name: &str) -> Option<Operator> {
        match name {
            "In" => Some(Operator::In),
            "NotIn" => Some(Operator::NotIn),
            "Exists" => Some(Operator::Exists),
            "DoesNotExist" => Some(Operator::DoesNotExist),
            _ => None,
        }
    }
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Requirement {
    pub key: String,
    pub op: Operator,
    pub values: Vec<String>,
}

impl Requirement {
    /// The condition of one entry of `matchLabels`.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Requirement {
        Requirement { key: key.into(), op: Operator::Equals, values: vec![value.into()] }
    }

    /// Whether labels satisfy the condition. A label that is missing satisfies `NotIn`.
    pub fn matches<L: Labels + ?Sized>(&self, labels: &L) -> bool {
        let value = labels.label(&self.key);
        let listed = value.is_some_and(|value| self.values.iter().any(|own| own == value));
        match self.op {
            Operator::Equals | Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.op {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// A label selector. What a field that is left out means, none or all, is the field's matter; by
/// itself an absent selector is [`Selector::Nothing`] and an empty one matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Matches no object: the selector is absent (`null`).
    Nothing,
    /// Matches objects that satisfy all of the requirements, which are ordered by key.
    All(Vec<Requirement>),
}

impl Selector {
    /// The selector that every object satisfies: `{}`.
    pub fn everything() -> Selector {
        Selector::All(Vec::new())
    }

    /// Joins requirements, as of `matchLabels` and then `matchExpressions`.
    pub fn new(requirements: impl IntoIterator<Item = Requirement>) -> Selector {
        let mut all: Vec<_> = requirements.into_iter().collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Selector::All(all)
    }

    /// The selector that a plain map is, as in a Service. An empty map matches everything here;
    /// a Service without one selects nothing, which its reader has to know.
    pub fn from_map<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Selector {
        Selector::new(labels.into_iter().map(|(key, value)| Requirement::equals(key, value)))
    }

    /// Whether an object with these labels is selected.
    pub fn matches<L: Labels + ?Sized>(&self, labels: &L) -> bool {
        match self {
            Selector::Nothing => false,
            Selector::All(all) => all.iter().all(|requirement| requirement.matches(labels)),
        }
    }

    /// Whether it asks for nothing and so matches every object.
    pub fn is_everything(&self) -> bool {
        matches!(self, Selector::All(all) if all.is_empty())
    }

    /// The text of tables: `app=web,tier in (a,b)`, and `<none>` where there is nothing to say.
    pub fn describe(&self) -> String {
        let text = self.to_string();
        if text.is_empty() { "<none>".to_owned() } else { text }
    }
}

/// As `labels.Selector` prints; empty both for nothing and for everything.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selector::All(all) = self else {
            return Ok(());
        };
        for (i, requirement) in all.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

/// How the values of a node requirement bind a node's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeOperator {
    /// One of the operators that all selectors have.
    Plain(Operator),
    /// The label is a whole number above the one value.
    Gt,
    /// The label is a whole number below the one value.
    Lt,
}

impl NodeOperator {
    /// The operator of that name in a node selector.
    pub fn parse(name: &str) -> Option<NodeOperator> {
        match name {
            "Gt" => Some(NodeOperator::Gt),
            "Lt" => Some(NodeOperator::Lt),
            _ => Operator::parse(name).map(NodeOperator::Plain),
        }
    }
}

/// One condition on a node's label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeRequirement {
    pub key: String,
    pub op: NodeOperator,
    pub values: Vec<String>,
}

impl NodeRequirement {
    /// Whether a node's labels satisfy the condition; one that compares with anything but one
    /// 64-bit whole number is never satisfied.
    pub fn matches<L: Labels + ?Sized>(&self, labels: &L) -> bool {
        let above = match self.op {
            NodeOperator::Plain(op) => {
                let (key, values) = (self.key.clone(), self.values.clone());
                return Requirement { key, op, values }.matches(labels);
            }
            NodeOperator::Gt => true,
            NodeOperator::Lt => false,
        };
        let number = |text: &str| text.parse::<i64>().ok();
        let label = labels.label(&self.key).and_then(number);
        let [value] = self.values.as_slice() else {
            return false;
        };
        match (label, number(value)) {
            (Some(label), Some(value)) if above => label > value,
            (Some(label), Some(value)) => label < value,
            _ => false,
        }
    }

    /// Whether key and values fit the operator and are fit for a label, without which the whole term
    /// matches nothing.
    fn sound(&self) -> bool {
        let named = is_qualified_name(&self.key).is_empty();
        if !named || !self.values.iter().all(|value| is_valid_label_value(value).is_empty()) {
            return false;
        }
        match self.op {
            NodeOperator::Plain(Operator::In | Operator::NotIn) => !self.values.is_empty(),
            NodeOperator::Plain(Operator::Exists | Operator::DoesNotExist) => self.values.is_empty(),
            NodeOperator::Plain(Operator::Equals) => self.values.len() == 1,
            NodeOperator::Gt | NodeOperator::Lt => {
                matches!(self.values.as_slice(), [value] if value.parse::<i64>().is_ok())
            }
        }
    }
}

impl fmt::Display for NodeRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.op {
            NodeOperator::Plain(op) => {
                let (key, values) = (key.clone(), self.values.clone());
                Requirement { key, op, values }.fmt(f)
            }
            NodeOperator::Gt => write!(f, "{key}>{values}"),
            NodeOperator::Lt => write!(f, "{key}<{values}"),
        }
    }
}

/// One alternative of a node selector: all of its conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerm {
    /// Conditions on labels.
    pub expressions: Vec<NodeRequirement>,
    /// Conditions on fields, of which `metadata.name` is the only one.
    pub fields: Vec<NodeRequirement>,
}

impl NodeTerm {
    /// Whether a node of that name with these labels satisfies the term. A term without conditions,
    /// or with one that makes no sense, is satisfied by no node.
    pub fn matches<L: Labels + ?Sized>(&self, labels: &L, name: &str) -> bool {
        if self.expressions.is_empty() && self.fields.is_empty() {
            return false;
        }
        let sound = self.expressions.iter().all(NodeRequirement::sound);
        let field = |requirement: &NodeRequirement| {
            let own = if requirement.key == "metadata.name" { name } else { "" };
            match (requirement.op, requirement.values.as_slice()) {
                (NodeOperator::Plain(Operator::In), [value]) => own == value,
                (NodeOperator::Plain(Operator::NotIn), [value]) => own != value,
                _ => false,
            }
        };
        sound && self.expressions.iter().all(|requirement| requirement.matches(labels)) && self.fields.iter().all(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, op: &str, values: &[&str]) -> Requirement {
        let values = values.iter().map(ToString::to_string).collect();
        Requirement { key: key.to_owned(), op: Operator::parse(op).unwrap(), values }
    }

    fn node(key: &str, op: &str, values: &[&str]) -> NodeRequirement {
        let values = values.iter().map(ToString::to_string).collect();
        NodeRequirement { key: key.to_owned(), op: NodeOperator::parse(op).unwrap(), values }
    }

    #[test]
    fn absent_and_empty_differ() {
        let labels = [("app", "web")];
        assert!(!Selector::Nothing.matches(&labels[..]));
        assert!(Selector::everything().matches(&labels[..]));
        assert!(Selector::everything().is_everything());
        assert_eq!(Selector::Nothing.describe(), "<none>");
    }

    #[test]
    fn operators() {
        let labels = [("app", "web"), ("empty", "")];
        let holds = |op, key, values| requirement(key, op, values).matches(&labels[..]);
        assert!(holds("In", "app", &["db", "web"]));
        assert!(!holds("In", "app", &["db"]));
        assert!(!holds("In", "tier", &[""]));
        assert!(holds("In", "empty", &[""]));
        assert!(holds("NotIn", "tier", &["web"]));
        assert!(!holds("NotIn", "app", &["web"]));
        assert!(holds("Exists", "empty", &[]));
        assert!(!holds("Exists", "tier", &[]));
        assert!(holds("DoesNotExist", "tier", &[]));
        assert!(!holds("DoesNotExist", "app", &[]));
    }

    #[test]
    fn prints_as_the_api() {
        let selector = Selector::new([
            Requirement::equals("tier", "front"),
            requirement("zone", "DoesNotExist", &[]),
            requirement("app", "In", &["web", "api"]),
            requirement("rack", "Exists", &[]),
            requirement("env", "NotIn", &["dev"]),
        ]);
        let text = "app in (api,web),env notin (dev),rack,tier=front,!zone";
        assert_eq!(selector.to_string(), text);
        assert_eq!(Selector::from_map([("a", "b")]).describe(), "a=b");
    }

    #[test]
    fn node_numbers() {
        let labels = [("cores", "8"), ("name", "eight"), ("plus", "+8")];
        let holds = |op, key, values| node(key, op, values).matches(&labels[..]);
        assert!(holds("Gt", "cores", &["7"]));
        assert!(holds("Gt", "plus", &["7"]));
        assert!(!holds("Gt", "cores", &["8"]));
        assert!(holds("Lt", "cores", &["9"]));
        assert!(!holds("Lt", "cores", &["9", "10"]));
        assert!(!holds("Gt", "name", &["7"]));
        assert!(!holds("Gt", "cores", &["x"]));
        assert!(!holds("Lt", "missing", &["7"]));
        assert!(!holds("Gt", "cores", &["99999999999999999999"]));
        assert_eq!(node("cores", "Gt", &["7"]).to_string(), "cores>7");
    }

    #[test]
    fn node_terms() {
        let labels = [("zone", "a")];
        let term = |expressions, fields| NodeTerm { expressions, fields }.matches(&labels[..], "n1");
        assert!(!term(vec![], vec![]));
        assert!(term(vec![node("zone", "In", &["a"])], vec![]));
        assert!(term(vec![], vec![node("metadata.name", "In", &["n1"])]));
        assert!(!term(vec![], vec![node("metadata.name", "In", &["n1", "n2"])]));
        assert!(!term(vec![node("zone", "In", &["a"])], vec![node("metadata.name", "NotIn", &["n1"])]));
        assert!(!term(vec![node("rack", "NotIn", &[])], vec![]));
        assert!(!term(vec![node("rack", "NotIn", &["-3"])], vec![]));
    }
}
