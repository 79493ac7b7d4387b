//! Selecting objects by their labels.
//!
//! Rules: apimachinery `pkg/labels/selector.go` (Kubernetes 1.36). The types hold what a selector says; whether it may
//! say so is for validation.

use std::collections::BTreeMap;
use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, op: &str, values: &[&str]) -> Requirement {
        let values = values.iter().map(ToString::to_string).collect();
        Requirement { key: key.to_owned(), op: Operator::parse(op).unwrap(), values }
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
}
