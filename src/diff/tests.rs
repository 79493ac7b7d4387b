//! Properties of the field diff.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::fields::compare;
use super::place::Place;
use super::{FieldChange, Op};
use crate::model::Version;
use crate::model::path::{Step, parse};
use crate::schema::Schema;
use crate::source::SourceText;

fn fields(before: &Value, after: &Value) -> Vec<FieldChange> {
    let read = |value: &Value| crate::yaml::read(&SourceText::from(value.to_string()));
    let (a, b) = (read(before), read(after));
    let view = |file: &crate::yaml::File| file.documents[0].root.unwrap();
    let text = |key: &str| after[key].as_str().unwrap().to_owned();
    let place = Place::of(Schema::of(Version::DEFAULT), &text("apiVersion"), &text("kind"));
    compare(Some(a.tree.view(view(&a))), Some(b.tree.view(view(&b))), place, &[])
}

/// Makes the one from the other: removals by the old indices from the last on, then the rest by the new ones.
fn apply(mut object: Value, fields: &[FieldChange]) -> Value {
    for field in fields.iter().rev().filter(|field| field.op == Op::Remove) {
        change(&mut object, &parse(&field.path), None);
    }
    for field in fields.iter().filter(|field| field.op != Op::Remove) {
        change(&mut object, &parse(&field.path), Some((field.op, field.after.clone().unwrap())));
    }
    object
}

fn change(at: &mut Value, steps: &[Step<'_>], new: Option<(Op, Value)>) {
    let (first, rest) = steps.split_first().unwrap();
    match (first, at) {
        (Step::Index(index), Value::Array(items)) => match (rest.is_empty(), new) {
            (true, None) => drop(items.remove(*index)),
            (true, Some((Op::Add, value))) => items.insert(*index, value),
            (true, Some((_, value))) => items[*index] = value,
            (false, new) => change(&mut items[*index], rest, new),
        },
        (Step::Field(key) | Step::Key(key), Value::Object(map)) => match (rest.is_empty(), new) {
            (true, None) => drop(map.remove(*key).unwrap()),
            (true, Some((_, value))) => drop(map.insert((*key).to_owned(), value)),
            (false, new) => change(map.get_mut(*key).unwrap(), rest, new),
        },
        (step, at) => panic!("no {step:?} in {at}"),
    }
}

/// A JSON value without null, as a custom resource may hold it.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-9i64..9).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]|a\\.b|c/d", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

fn custom(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec})
}

/// A Deployment whose lists have keys; no value is one that the API drops.
fn deployment() -> impl Strategy<Value = Value> {
    let named = |key: &'static str| {
        prop::collection::btree_map("[a-f]", "[x-z]{1,2}", 1..5)
            .prop_shuffle_map(move |name, value| json!({"name": name, key: value}))
    };
    let ports = prop::collection::btree_map((1..5i64, prop::bool::ANY), "[p-r]", 1..4).prop_shuffle_map(|key, name| {
        let (port, udp) = key;
        if udp {
            json!({"containerPort": port, "protocol": "UDP", "name": name})
        } else {
            json!({"containerPort": port, "name": name})
        }
    });
    let tolerations = prop::collection::vec("[k-m]", 1..3)
        .prop_map(|keys| Value::from(keys.into_iter().map(|key| json!({"key": key})).collect::<Vec<_>>()));
    let container = ("[i-k]", named("value"), ports, prop::collection::vec("[a-c]", 1..3));
    let containers =
        prop::collection::btree_map("[a-e]", container, 1..4).prop_shuffle_map(|name, (image, env, ports, args)| {
            json!({"name": name, "image": image, "env": env, "ports": ports, "args": args})
        });
    let labels = prop::collection::btree_map("[a-d]|a\\.b/c", "[x-z]", 1..4);
    (containers, tolerations, labels, 1..5i64).prop_map(|(containers, tolerations, labels, replicas)| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                "template": {"spec": {"containers": containers, "tolerations": tolerations}}}})
    })
}

/// Turns a map into a list in any order.
trait ShuffleMap<K, V>: Strategy<Value = std::collections::BTreeMap<K, V>> + Sized {
    fn prop_shuffle_map(self, item: impl Fn(K, V) -> Value + Clone) -> impl Strategy<Value = Value>
    where
        K: Clone + std::fmt::Debug,
        V: Clone + std::fmt::Debug,
    {
        self.prop_map(|map| map.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(move |items| Value::from(items.into_iter().map(|(k, v)| item(k, v)).collect::<Vec<_>>()))
    }
}

impl<K, V, S: Strategy<Value = std::collections::BTreeMap<K, V>>> ShuffleMap<K, V> for S {}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_differs_from_itself(spec in anything(), deployment in deployment()) {
        let thing = custom(spec);
        prop_assert!(fields(&thing, &thing).is_empty());
        prop_assert!(fields(&deployment, &deployment).is_empty());
    }

    #[test]
    fn fields_of_custom_resources_lead_to_the_new_version(a in anything(), b in anything()) {
        let (a, b) = (custom(a), custom(b));
        let changes = fields(&a, &b);
        prop_assert_eq!(apply(a, &changes), b);
    }

    #[test]
    fn fields_of_keyed_lists_lead_to_the_new_version(a in deployment(), b in deployment()) {
        let changes = fields(&a, &b);
        prop_assert_eq!(apply(a, &changes), b);
    }

    #[test]
    fn an_added_item_is_one_field(mut a in deployment(), at in 0usize..5) {
        let b = a.clone();
        let env = a["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        let at = at % env.len();
        let removed = env.remove(at);
        prop_assume!(!env.is_empty());
        let changes = fields(&a, &b);
        prop_assert_eq!(changes.len(), 1);
        prop_assert_eq!(&changes[0].path, &format!("spec.template.spec.containers[0].env[{at}]"));
        prop_assert_eq!(changes[0].after.clone(), Some(removed));
    }
}

#[test]
fn zero_values_are_absent_where_go_drops_them() {
    let of = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    let same = [
        (json!({"hostNetwork": false}), json!({})),
        (json!({"nodeSelector": {}, "tolerations": []}), json!({})),
        (json!({"containers": [{"name": "a", "resources": {"limits": {}}}]}), json!({"containers": [{"name": "a"}]})),
        (
            json!({"containers": [{"name": "a", "env": [{"name": "E", "value": ""}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "E"}]}]}),
        ),
        (
            json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": 1, "memory": "0.5Gi"}}}]}),
            json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}}}]}),
        ),
    ];
    for (a, b) in same {
        assert!(fields(&of(a.clone()), &of(b.clone())).is_empty(), "{a} {b}");
    }
    let differ = [
        (json!({"affinity": {}}), json!({})),
        (json!({"securityContext": {"runAsNonRoot": false}}), json!({"securityContext": {}})),
        (json!({"volumes": [{"name": "a", "emptyDir": {}}]}), json!({"volumes": [{"name": "a"}]})),
        (json!({"enableServiceLinks": false}), json!({})),
    ];
    for (a, b) in differ {
        assert_eq!(fields(&of(a.clone()), &of(b.clone())).len(), 1, "{a} {b}");
    }
}

#[test]
fn what_the_server_writes_never_differs() {
    let mut a = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
    let b = a.clone();
    a["status"] = json!({});
    let metadata: Map<String, Value> = ["creationTimestamp", "resourceVersion", "uid", "generation", "managedFields"]
        .iter()
        .map(|key| ((*key).to_owned(), json!("x")))
        .collect();
    a["metadata"].as_object_mut().unwrap().extend(metadata);
    a["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    assert!(fields(&a, &b).is_empty());
}
