//! The cases of a run: object `number` of `seed` is always the same.

use kplan::schema::{Kind, Schema};
use serde_json::Value;

use crate::mutate::mutate;
use crate::random::Random;

/// An object to ask about.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `Pod 17/3: value, delete`
    pub(crate) name: String,
    pub(crate) object: Value,
    /// The object that it replaces; its index among the bases.
    pub(crate) old: Option<(usize, Value)>,
}

/// What cases are made of.
pub(crate) struct Generator<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) bases: Vec<Value>,
    /// Indices of bases by apiVersion and kind: kinds with many bases are not asked more often.
    kinds: Vec<Vec<usize>>,
    pub(crate) seed: u64,
    /// Of a hundred cases so many are updates.
    pub(crate) updates: usize,
}

impl<'s> Generator<'s> {
    pub(crate) fn new(schema: &'s Schema, bases: Vec<Value>, seed: u64, updates: usize) -> Self {
        let mut names: Vec<(&str, &str)> = Vec::new();
        let mut kinds: Vec<Vec<usize>> = Vec::new();
        for (index, base) in bases.iter().enumerate() {
            let name = names_of(base);
            match names.iter().position(|known| *known == name) {
                Some(at) => kinds[at].push(index),
                None => {
                    names.push(name);
                    kinds.push(vec![index]);
                }
            }
        }
        Self { schema, kinds, bases, seed, updates }
    }

    /// The kinds that are asked about.
    pub(crate) fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The object that updates of a base replace; a base without a name is never stored.
    pub(crate) fn old(&self, index: usize) -> Option<Value> {
        let mut object = self.bases.get(index)?.clone();
        let name = format!("{}-{}-{index}", object["metadata"]["name"].as_str()?, self.seed);
        object["metadata"]["name"] = name.into();
        // Where the others are they would decide over pods.
        if ["LimitRange", "ResourceQuota"].contains(&names_of(&object).1) {
            object["metadata"]["namespace"] = "oracle-limits".into();
        }
        // With a finalizer it could not be deleted again.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("finalizers");
        }
        Some(object)
    }

    /// A case; one in fifty is a base as it is.
    pub(crate) fn case(&self, number: u64) -> Option<Case> {
        let mut random = Random::new(self.seed, number);
        let indices = random.pick(self.kinds.as_slice());
        let index = *random.pick(indices.as_slice());
        let base = self.bases.get(index)?;
        let kind = kind_of(self.schema, base)?;
        let replaces = random.percent(self.updates) && base["metadata"]["name"].is_string();
        let mut object = base.clone();
        let changes = match random.below(50) {
            0 => 0,
            1..33 => 1,
            33..46 => 2,
            _ => 3,
        };
        let names: Vec<&str> = (0..changes).map(|_| mutate(self.schema, kind, &mut object, &mut random)).collect();
        let word = if replaces { "update" } else { "create" };
        let name = format!("{} {}/{number} {word}: {}", kind.kind, self.seed, names.join(", "));
        let old = if replaces { self.old(index).map(|old| (index, old)) } else { None };
        if let Some((_, old)) = &old {
            keep_identity(&mut object, old);
        }
        Some(Case { name, object, old })
    }
}

/// apiVersion and kind.
pub(crate) fn names_of(object: &Value) -> (&str, &str) {
    (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default())
}

pub(crate) fn kind_of<'s>(schema: &'s Schema, object: &Value) -> Option<&'s Kind> {
    let (api_version, kind) = names_of(object);
    schema.served(api_version, kind)
}

/// An update is one of the same object: kubectl puts name and namespace into the address.
fn keep_identity(object: &mut Value, old: &Value) {
    if !object["metadata"].is_object() {
        object["metadata"] = old["metadata"].clone();
    }
    object["metadata"]["name"] = old["metadata"]["name"].clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("generateName");
        match old["metadata"].get("namespace") {
            Some(namespace) => metadata.insert("namespace".to_owned(), namespace.clone()),
            None => metadata.shift_remove("namespace"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bases;
    use kplan::model::Version;

    #[test]
    fn a_seed_decides_its_cases() {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let cases = |seed| {
            let generator = Generator::new(schema, bases::all(), seed, 20);
            (0..200).map(|number| generator.case(number).unwrap().object.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(cases(7), cases(7));
        assert_ne!(cases(7), cases(8));
    }

    #[test]
    fn every_base_is_of_a_served_kind() {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        for base in bases::all().iter().chain(&bases::cluster()) {
            assert!(kind_of(schema, base).is_some(), "{base}");
        }
    }
}
