use serde_json::{Value, json};

use super::{go, openapi, write};

fn field(name: &str, go: &str, shape: &str) -> Value {
    json!({"name": name, "go": go, "shape": shape})
}

fn sample_go() -> go::Facts {
    let mut pointer = field("grace", "int64", "int64");
    pointer["pointer"] = json!(true);
    let mut embedded = field("exec", "v1.Exec", "&x.Exec");
    embedded["embedded"] = json!(["Handler"]);
    let kind = |group: &str, version: &str, kind: &str, type_id: &str| json!({"group": group, "version": version, "kind": kind, "type": type_id, "object": true});
    let mut old = kind("", "v1", "Old", "x.Exec");
    old["deprecated"] = json!("1.33");
    old["replacement"] = json!("apps/v1/Thing");
    let mut gone = kind("apps", "v1beta1", "Thing", "x.Thing");
    gone["removed"] = json!("1.16");
    serde_json::from_value(json!({
        "kinds": [
            kind("apps", "v1", "Thing", "x.Thing"),
            kind("apps", "v1alpha1", "Thing", "x.Thing"),
            kind("apps", "v1", "Eviction", "x.Thing"),
            gone,
            old,
        ],
        "types": {
            "x.Thing": {"go": "v1.Thing", "fields": [
                field("policy", "v1.Policy", "string"),
                field("args", "[]string", "[]string"),
                field("execs", "[]v1.Exec", "[]&x.Exec"),
                field("limits", "v1.Limits", "map:quantity"),
                field("data", "map[string][]uint8", "map:bytes"),
                field("raw", "runtime.RawExtension", "any"),
                pointer,
                embedded,
            ]},
            "x.Exec": {"go": "v1.Exec", "fields": [field("command", "string", "string")]},
            "x.Unreached": {"go": "v1.Unreached"},
        },
    }))
    .expect("the sample has the form of the facts")
}

fn sample_server() -> openapi::Server {
    let mut server = openapi::Server::new("1.36.3".to_owned());
    let resource =
        |name: &str, kind: &str, namespaced: bool| json!({"name": name, "kind": kind, "namespaced": namespaced});
    for (group_version, resources) in [
        ("apps/v1", vec![resource("things", "Thing", true), resource("things/eviction", "Eviction", true)]),
        ("v1", vec![resource("olds", "Old", false)]),
    ] {
        server
            .add_resources(json!({
                "kind": "APIResourceList", "groupVersion": group_version, "resources": resources,
            }))
            .expect("the sample has the form of discovery");
    }
    let exec = json!({"allOf": [{"$ref": "#/components/schemas/x.Exec"}], "default": {}});
    server.add_definitions(&json!({"components": {"schemas": {
        "x.Thing": {"required": ["policy"], "properties": {
            "policy": {"type": "string", "enum": ["", "Never"], "default": ""},
            "args": {"type": "array", "items": {"type": "string", "default": ""}, "default": ["a b"],
                "x-kubernetes-list-type": "atomic"},
            "execs": {"type": "array", "items": exec.clone(), "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["command", "name"], "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "command"},
            "limits": {"type": "object"},
            "data": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}},
            "raw": {"type": "object"},
            "grace": {"type": "integer", "format": "int64", "default": 30},
            "exec": exec,
        }, "x-kubernetes-unions": [{"discriminator": "policy", "fields-to-discriminateBy": {"exec": "Exec"}}]},
        "x.Exec": {"x-kubernetes-map-type": "atomic", "properties": {
            "command": {"type": "string", "format": "uri"},
        }},
    }}}));
    server
}

#[test]
fn writes_one_fact_a_line() {
    let text = write(&sample_go(), &sample_server(), "1.36").expect("the sample is complete");
    let expected = r#"# Kubernetes 1.36.3, written by `cargo xtask schemas`; do not edit
kind apps/v1 Thing x.Thing things namespaced
kind v1 Old x.Exec olds cluster
gone apps/v1beta1 Thing removed=1.16 replacement=apps/v1/Thing
off apps/v1alpha1 Thing replacement=apps/v1/Thing
old v1 Old deprecated=1.33 replacement=apps/v1/Thing
type x.Exec v1.Exec
 command string format=uri
type x.Thing v1.Thing
 args []string default=["a%20b"] list=atomic
 data map:bytes
 exec &x.Exec embedded=Handler map=atomic union=policy:Exec
 execs []&x.Exec list=map:command,name map=atomic patch=merge:command
 grace *int64 default=30
 limits map:quantity go=v1.Limits
 policy string required go=v1.Policy enum="",Never
 raw any go=runtime.RawExtension
"#;
    let written: String = text.split_inclusive('\n').filter(|line| !is_in_table(line)).collect();
    assert_eq!(written, expected);
}

/// The table of removed kinds is the same for every input.
fn is_in_table(line: &str) -> bool {
    line.starts_with("gone ") && !line.starts_with("gone apps/v1beta1 Thing")
}

#[test]
fn refuses_sources_of_different_versions() {
    let mut server = sample_server();
    server.add_definitions(&json!({"components": {"schemas": {
        "x.Exec": {"properties": {"command": {}, "novel": {}}},
    }}}));
    let error = write(&sample_go(), &server, "1.36").expect_err("a field is in one source only");
    assert_eq!(error, "the Go facts have no field novel in x.Exec");
}
