//! ApplySets (KEP-3659) beside kubectl's own: parents and labels as kubectl writes and reads them, and whose members are
//! whose.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{contains, expect, kplan, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};
use crate::support::{self, Run};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("applyset::like_kubectls", Needs::Own, like_kubectls),
        trial("applyset::of_kubectl", Needs::Own, of_kubectl),
        trial("applyset::kubectl_takes_ours", Needs::Own, kubectl_takes_ours),
        trial("applyset::parent_of_its_own_kind", Needs::Own, own_kind),
        trial("applyset::in_a_new_namespace", Needs::Own, new_namespace),
        trial("applyset::two_sets_claim_one_object", Needs::Own, two_sets),
        trial("applyset::what_cannot_be_a_parent", Needs::Own, no_parent),
    ]
}

const PART_OF: &str = "applyset.kubernetes.io/part-of";
const ID: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

fn role(name: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})
}

/// `kubectl apply --prune --applyset`, which is still to be switched on.
fn kubectl(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, parent: &str) -> Run {
    let file = folder.join("set.yaml").display().to_string();
    let parent = format!("--applyset={parent}");
    let mut command = plane.kubectl_command(&[
        "apply",
        "--prune",
        &parent,
        "-n",
        &namespace.name,
        "--server-side",
        "--filename",
        &file,
    ]);
    command.env("KUBECTL_APPLYSET", "true");
    support::finish(command)
}

/// Applies as a set; gives the report.
fn apply(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, parent: &str) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &["apply", "--yes", "--output", "json", "--applyset", parent]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    Ok(run.report()?)
}

fn plan(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, parent: &str) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &["plan", "--output", "json", "--applyset", parent]);
    Ok(run.report().map_err(|error| format!("{error}: {}", run.shown()))?)
}

/// `create Secret/web`, one for each change but those of objects that stay as they are.
fn actions(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes = report["changes"].as_array().cloned().unwrap_or_default();
    let open = changes.iter().filter(|change| change["action"] != "unchanged");
    let mut shown: Vec<String> = open
        .map(|change| {
            let object = &change["object"];
            format!("{} {}/{}", text(&change["action"]), text(&object["kind"]), text(&object["name"]))
        })
        .collect();
    shown.sort();
    shown
}

/// The labels and annotations that make a parent.
fn parent(namespace: &Namespace<'_>, kind: &str, name: &str) -> Result<Value, Failed> {
    let live = namespace.get(&[kind, name])?;
    Ok(json!([live["metadata"]["labels"], live["metadata"]["annotations"]]))
}

/// Members by label.
fn members(namespace: &Namespace<'_>, id: &Value) -> Result<Vec<String>, Failed> {
    let label = format!("{PART_OF}={}", id.as_str().unwrap_or_default());
    let run =
        namespace.kubectl(&["get", "configmaps,roles", "-l", &label, "--output=name", "--sort-by=.metadata.name"]);
    Ok(run.stdout.lines().map(str::to_owned).collect())
}

/// Both make the same parent and the same members of the same manifests.
fn like_kubectls(plane: &Plane) -> Result<(), Failed> {
    let (ours, theirs) = (plane.namespace("set-ours")?, plane.namespace("set-theirs")?);
    let folder = set("applyset", &[config_map("c"), role("r")]);
    for reference in ["web", "configmap/web"] {
        let kind = if reference == "web" { "secret" } else { "configmap" };
        let run = kubectl(plane, &folder, &theirs, reference);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        if reference != "web" {
            // They are members of the first set.
            ours.kubectl(&["label", "configmap/c", "role/r", &format!("{PART_OF}-")]);
        }
        let report = plan(plane, &folder, &ours, reference)?;
        let parent_kind = if kind == "secret" { "Secret" } else { "ConfigMap" };
        let verb = if reference == "web" { "create" } else { "update" };
        let expected = [format!("create {parent_kind}/web"), format!("{verb} ConfigMap/c"), format!("{verb} Role/r")];
        let mut expected = expected.to_vec();
        expected.sort();
        expect(&json!(actions(&report)), json!(expected))?;
        expect(
            &report["changes"].as_array().unwrap().iter().find(|c| c["object"]["name"] == "web").unwrap()["wave"],
            json!(1),
        )?;
        apply(plane, &folder, &ours, reference)?;
        let (mut mine, mut kubectls) = (parent(&ours, kind, "web")?, parent(&theirs, kind, "web")?);
        let tooling = mine[1][TOOLING].take();
        expect(&tooling, json!(format!("kplan/v{}", env!("CARGO_PKG_VERSION"))))?;
        kubectls[1][TOOLING].take();
        // The id holds the namespace.
        let (id, other) = (mine[0][ID].take(), kubectls[0][ID].take());
        expect(&json!(id.as_str().map(str::len)), json!(other.as_str().map(str::len)))?;
        expect(&mine, kubectls)?;
        expect(&json!(members(&ours, &id)?), json!(members(&theirs, &other)?))?;
        expect(&json!(members(&ours, &id)?.len()), json!(2))?;
        expect(&json!(actions(&plan(plane, &folder, &ours, reference)?)), json!([]))?;
    }
    Ok(())
}

/// A set that kubectl made goes on under both, kubectl's prune included.
fn of_kubectl(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("set-kubectl")?;
    let folder = set("applyset-kubectl", &[config_map("c"), config_map("old")]);
    let run = kubectl(plane, &folder, &namespace, "web");
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let before = parent(&namespace, "secret", "web")?;
    write(&folder, &[config_map("c"), role("r")]);
    let report = plan(plane, &folder, &namespace, "web")?;
    expect(&json!(actions(&report)), json!(["create Role/r", "update Secret/web"]))?;
    let notes = report["notes"].to_string();
    contains(&notes, "1 member of the ApplySet Secret")?;
    contains(&notes, &format!("ConfigMap {}/old", namespace.name))?;
    apply(plane, &folder, &namespace, "web")?;
    let mut after = parent(&namespace, "secret", "web")?;
    expect(&after[1][KINDS].take(), json!("ConfigMap,Role.rbac.authorization.k8s.io"))?;
    after[1][KINDS] = before[1][KINDS].clone();
    expect(&after, before.clone())?;
    let id = &before[0][ID];
    let all = ["configmap/c", "configmap/old", "role.rbac.authorization.k8s.io/r"];
    expect(&json!(members(&namespace, id)?), json!(all))?;
    let run = kubectl(plane, &folder, &namespace, "web");
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    contains(&run.stdout, "configmap/old pruned")?;
    expect(&json!(members(&namespace, id)?), json!([all[0], all[2]]))?;
    expect(&json!(actions(&plan(plane, &folder, &namespace, "web")?)), json!([]))
}

/// kubectl refuses a set of kplan's for its tool alone, as the KEP wants it; once that is kubectl, both go on with it.
fn kubectl_takes_ours(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("set-handed")?;
    let folder = set("applyset-handed", &[config_map("c"), config_map("old"), role("r")]);
    apply(plane, &folder, &namespace, "web")?;
    write(&folder, &[config_map("c"), role("r")]);
    let run = kubectl(plane, &folder, &namespace, "web");
    contains(&run.stderr, "already exists and is managed by tooling \"kplan\" instead of \"kubectl\"")?;
    let hand = format!("{TOOLING}=kubectl/v1.36.3");
    namespace.kubectl(&["annotate", "secret", "web", &hand, "--overwrite"]);
    let run = kubectl(plane, &folder, &namespace, "web");
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    contains(&run.stdout, "configmap/old pruned")?;
    expect(&json!(actions(&plan(plane, &folder, &namespace, "web")?)), json!([]))?;
    expect(&parent(&namespace, "secret", "web")?[1][TOOLING], json!("kubectl/v1.36.3"))?;
    // Another tool's is left alone, unless it is named.
    namespace.kubectl(&["annotate", "secret", "web", &format!("{TOOLING}=other/v3"), "--overwrite"]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", "web"]);
    expect(&json!(run.code), json!(2)).map_err(|_| run.shown())?;
    contains(&run.stderr, "is managed by other/v3")?;
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", "web", "--take-over", "other"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let own = format!("kplan/v{}", env!("CARGO_PKG_VERSION"));
    expect(&parent(&namespace, "secret", "web")?[1][TOOLING], json!(own))
}

/// A cluster-scoped parent of a custom kind, with members in two namespaces, named in kplan.yaml.
fn own_kind(plane: &Plane) -> Result<(), Failed> {
    let (one, two) = (plane.namespace("set-one")?, plane.namespace("set-two")?);
    let mark = one.name.rsplit('-').next().unwrap();
    let (plural, kind) = (format!("sets{mark}"), format!("Set{mark}"));
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com"), "labels": {"applyset.kubernetes.io/is-parent-type": "true"}},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    plane.apply(&definition.to_string())?;
    let result = (|| {
        let named = format!("crd/{plural}.example.com");
        plane.kubectl(&["wait", "--for=condition=Established", &named, "--timeout=30s"]);
        let place = |mut object: Value, namespace: &Namespace<'_>| {
            object["metadata"]["namespace"] = namespace.name.clone().into();
            object
        };
        let folder = set("applyset-custom", &[place(config_map("c"), &one), place(role("r"), &two)]);
        std::fs::write(folder.join("kplan.yaml"), format!("applySet: {{parent: {plural}.example.com/web}}\n"))?;
        let all = ["apply", "--yes", ".", "--context", "kplan-test"];
        let run = plane.kplan(&folder, &all);
        expect(&json!(run.code), json!(2)).map_err(|_| run.shown())?;
        contains(&run.stderr, "custom resources are not made as parents")?;
        let id = {
            // kubectl says what label it wants.
            let bare = json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "web",
                "annotations": {TOOLING: "kubectl/v1.36.3", KINDS: ""}, "labels": {ID: "x"}}});
            plane.apply(&bare.to_string())?;
            let run = kubectl(plane, &folder, &one, &format!("{plural}.example.com/web"));
            let id = run.stderr.split("want: ").nth(1).and_then(|rest| rest.split(')').next()).map(str::to_owned);
            id.ok_or_else(|| run.shown())?
        };
        plane.kubectl(&["label", &format!("{plural}.example.com/web"), &format!("{ID}={id}"), "--overwrite"]);
        let run = plane.kplan(&folder, &all);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        let live = plane.get(&[&format!("{plural}.example.com"), "web"])?;
        let mut spaces = [one.name.clone(), two.name.clone()];
        spaces.sort();
        let annotations = &live["metadata"]["annotations"];
        expect(&annotations["applyset.kubernetes.io/additional-namespaces"], json!(spaces.join(",")))?;
        expect(&annotations[KINDS], json!("ConfigMap,Role.rbac.authorization.k8s.io"))?;
        expect(&json!(members(&one, &json!(id))?), json!(["configmap/c"]))?;
        expect(&json!(members(&two, &json!(id))?), json!(["role.rbac.authorization.k8s.io/r"]))
    })();
    plane.kubectl(&["delete", "customresourcedefinition", &format!("{plural}.example.com"), "--wait=false"]);
    result
}

/// The parent comes after its own namespace and before all else.
fn new_namespace(plane: &Plane) -> Result<(), Failed> {
    let outer = plane.namespace("set-outer")?;
    let name = format!("{}-new", outer.name);
    let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut inside = config_map("c");
    inside["metadata"]["namespace"] = name.clone().into();
    let folder = set("applyset-namespace", &[inside, own]);
    std::fs::write(folder.join("kplan.yaml"), format!("applySet: {{parent: configmap/web, namespace: {name}}}\n"))?;
    let all = [".", "--context", "kplan-test", "--output", "json"];
    let report = plane.kplan(&folder, &[&["plan"], &all[..]].concat()).report()?;
    let wave = |kind: &str, name: &str| {
        let is = |change: &&Value| change["object"]["kind"] == kind && change["object"]["name"] == name;
        report["changes"].as_array().unwrap().iter().find(is).map(|change| change["wave"].clone())
    };
    let waves = [wave("Namespace", &name), wave("ConfigMap", "web"), wave("ConfigMap", "c")];
    let run = plane.kplan(&folder, &[&["apply", "--yes"], &all[..]].concat());
    let again = plane.kplan(&folder, &[&["plan"], &all[..]].concat()).report()?;
    plane.kubectl(&["delete", "namespace", &name, "--wait=false"]);
    expect(&json!(waves), json!([1, 2, 3]))?;
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    expect(&json!(actions(&again)), json!([]))
}

/// One clear message, nothing is written; leaving and taking are said.
fn two_sets(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("set-two-claim")?;
    let folder = set("applyset-claim", &[config_map("c")]);
    apply(plane, &folder, &namespace, "first")?;
    let id = |name: &str| Ok::<_, Failed>(parent(&namespace, "secret", name)?[0][ID].clone());
    let label = || Ok::<_, Failed>(namespace.get(&["configmap", "c"])?["metadata"]["labels"][PART_OF].clone());
    write(&folder, &[config_map("c"), config_map("d")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", "second"]);
    expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
    contains(&run.stdout, &format!("it belongs to another ApplySet, Secret {}/first", namespace.name))?;
    for absent in [["secret", "second"], ["configmap", "d"]] {
        contains(&namespace.kubectl(&[&["get"], &absent[..]].concat()).stderr, "NotFound")?;
    }
    expect(&label()?, id("first")?)?;
    for (flag, set) in [("leave", "first"), ("force", "second"), ("fail", "second")] {
        let arguments = ["apply", "--yes", "--applyset", "second", "--conflicts", flag];
        let run = kplan(plane, &folder, &namespace, &arguments);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        expect(&label()?, id(set)?)?;
        let data = namespace.get(&["configmap", "c"])?["data"].clone();
        expect(&data, json!({"a": "b"}))?;
    }
    // Members of kubectl's sets are not taken silently either.
    let run = kubectl(plane, &set("applyset-theirs", &[config_map("e")]), &namespace, "third");
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    write(&folder, &[config_map("e")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", "second"]);
    expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
    contains(&run.stdout, &format!("it belongs to another ApplySet, Secret {}/third", namespace.name))
}

fn no_parent(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("set-none")?;
    let folder = set("applyset-none", &[config_map("c")]);
    namespace.apply(&config_map("plain").to_string())?;
    let cases = [
        ("doesnotexist/web", "the server does not have a resource type \"doesnotexist\""),
        ("secret/", "the ApplySet parent `secret/` has no name"),
        ("deployments.apps/web", "a Deployment cannot be the parent of an ApplySet"),
        ("configmap/plain", "is there already, without the annotation applyset.kubernetes.io/tooling"),
    ];
    for (reference, words) in cases {
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", reference]);
        expect(&json!(run.code), json!(2)).map_err(|_| run.shown())?;
        contains(&run.stderr, words)?;
    }
    let run = plane.kplan(&folder, &["plan", ".", "--applyset", "web", "--context", "kplan-test"]);
    expect(&json!(run.code), json!(2))?;
    contains(&run.stderr, "the ApplySet parent web needs a namespace")?;
    let run = support::kplan(&folder, &["plan", ".", "--applyset", "web", "--base", "empty"]);
    expect(&json!(run.code), json!(2))?;
    contains(&run.stderr, "--applyset is about a cluster")?;
    let mut labelled = config_map("c");
    labelled["metadata"]["labels"] = json!({PART_OF: "x"});
    write(&folder, &[labelled]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--applyset", "web"]);
    expect(&json!(run.code), json!(2))?;
    contains(&run.stderr, "has the label applyset.kubernetes.io/part-of")?;
    contains(&namespace.kubectl(&["get", "configmap", "c"]).stderr, "NotFound")
}
