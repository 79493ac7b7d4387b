//! Impossible inventories and demands: a clear answer with the documented exit code, in bounded time and memory, without
//! overflow or panic; and the scheduler's configuration.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{Run, kplan};

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    support::filled(&format!("inventories-{name}"), files)
}

/// Checks the exit code and that every word stands in the output.
#[track_caller]
fn says(run: &Run, code: i32, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{}", run.shown());
    assert!(!said.contains("panicked") && !said.contains("internal error"), "{}", run.shown());
    // What people read is broken into lines where it is long.
    let plain = said.split(|letter: char| letter.is_whitespace() || letter == '│').filter(|word| !word.is_empty());
    let plain = plain.collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(plain.contains(word), "{word:?} is missing: {}", run.shown());
    }
    assert!(run.time < Duration::from_secs(60), "{:?}", run.time);
}

/// A Deployment with more fields of its pod's spec.
fn deployment(name: &str, replicas: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         containers:\n      - name: app\n        image: nginx:1.29\n{spec}---\n"
    )
}

fn requests(cpu: &str, memory: &str) -> String {
    format!("        resources: {{requests: {{cpu: \"{cpu}\", memory: \"{memory}\"}}}}\n")
}

const THREE: &str = "nodes:\n- {name: n, count: 3, cpu: 4, memory: 8Gi}\n";

fn simulate(home: &Path) -> Run {
    kplan(home, &["simulate", "set", "--nodes", "nodes.yaml"])
}

/// What the nodes of the short form, and Node objects, cannot be.
#[test]
fn impossible_nodes() {
    let web = deployment("web", "1", "");
    let entry = |fields: &str| format!("nodes:\n- {{name: a, {fields}}}\n");
    let object = |name: &str, cpu: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nstatus: {{allocatable: {{cpu: {cpu}, memory: 1Gi, pods: 9}}}}\n---\n"
        )
    };
    let rows: [(String, &[&str]); 12] = [
        (entry("cpu: 0, memory: 1Gi"), &["node `a`: cpu `0` is zero"]),
        (entry("cpu: 1, memory: -1Gi"), &["node `a`: memory `-1Gi` is negative"]),
        (entry("cpu: 1, memory: 1GB"), &["node `a`: memory `1GB` is no quantity", "8Gi"]),
        (entry("cpu: four, memory: 1Gi"), &["node `a`: cpu `four` is no quantity"]),
        (entry("cpu: 1, memory: 1Gi, count: 0"), &["node `a`: count 0"]),
        (entry("cpu: 1, memory: 1Gi, count: -3"), &["count `-3` is no positive number"]),
        (entry("cpu: 1, memory: 1Gi, count: 99999999999"), &["count `99999999999`"]),
        (entry("cpu: 1, memory: 1Gi, pods: 0"), &["pods 0 would keep every pod off"]),
        (entry("cpu: 1, memory: 1Gi") + "- {name: a, cpu: 1, memory: 1Gi}\n", &["node `a` is given twice"]),
        (object("a", "1") + &object("a", "1"), &["node `a` is given twice"]),
        (object("a", "\"-1\""), &["node `a`: cpu `-1` is negative"]),
        (object("a", "1x"), &["node `a`: cpu `1x` is no quantity"]),
    ];
    for (at, (nodes, words)) in rows.iter().enumerate() {
        let home = folder(&format!("nodes-{at}"), &[("set/web.yaml", &web), ("nodes.yaml", nodes)]);
        says(&simulate(&home), 2, &[words, &["nodes.yaml"][..]].concat());
    }
    let many: String = (0..60).map(|at| format!("- {{name: n{at}, count: 100000, cpu: 1, memory: 1Gi}}\n")).collect();
    let home = folder("too-many", &[("set/web.yaml", &web), ("nodes.yaml", &format!("nodes:\n{many}"))]);
    says(&simulate(&home), 2, &["more than 100000 nodes"]);
}

/// Quantities to 2^63 - 1 count in full; beyond, the scheduler's numbers wrap as Go's do (`fixtures/model/quantity.jsonl`).
#[test]
fn quantities_beyond_all_bounds() {
    let large = "9223372036854775807";
    let web = deployment("web", "2", &requests("1", large));
    let home = folder("large-pod", &[("set/web.yaml", &web), ("nodes.yaml", THREE)]);
    says(&simulate(&home), 1, &["0/3 nodes are available", "Insufficient memory"]);
    for amount in ["9223372036854775808", "99999999999999999999999", "9E", "100E", "1e30", "8Ei"] {
        for web in [deployment("web", "2", &requests("1", amount)), deployment("web", "2", &requests(amount, "1Gi"))] {
            let nodes = format!("nodes:\n- {{name: n, count: 3, cpu: \"{amount}\", memory: \"{amount}\"}}\n");
            for nodes in [THREE, &nodes] {
                let home = folder("beyond", &[("set/web.yaml", &web), ("nodes.yaml", nodes)]);
                let run = simulate(&home);
                says(&run, run.code.filter(|code| [0, 1].contains(code)).unwrap_or(0), &["Kubernetes 1.36"]);
            }
        }
    }
    // The sum of two on one node leaves 64 bits; one fits on each.
    let nodes = format!("nodes:\n- {{name: n, count: 2, cpu: 4, memory: \"{large}\"}}\n");
    let web = deployment("web", "3", &requests("1", "9223372036854775000"));
    let home = folder("large-sum", &[("set/web.yaml", &web), ("nodes.yaml", &nodes)]);
    says(&simulate(&home), 1, &["0/2 nodes are available: 2 Insufficient memory"]);
}

#[test]
fn constraints_that_contradict_each_other() {
    let rows = [
        (
            "      nodeSelector: {disk: ssd}\n      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: \
             {nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: DoesNotExist}]}]}}}\n",
            "didn't match Pod's node affinity/selector",
        ),
        (
            "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: \
             [{key: metadata.name, operator: In, values: [n-1]}, {key: metadata.name, operator: In, values: [n-2]}]}]}}}\n",
            "pod affinity terms conflict",
        ),
        (
            "      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, \
             labelSelector: {matchLabels: {app: web}}}]}, podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: \
             [{topologyKey: zone, labelSelector: {matchLabels: {app: web}}}]}}\n",
            "didn't match pod affinity rules",
        ),
        (
            "      topologySpreadConstraints: [{maxSkew: 1, minDomains: 9, topologyKey: kubernetes.io/hostname, \
             whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]\n",
            "didn't match pod topology spread constraints",
        ),
    ];
    for (at, (spec, sentence)) in rows.iter().enumerate() {
        let web = deployment("web", "4", spec);
        let home = folder(&format!("contradiction-{at}"), &[("set/web.yaml", &web), ("nodes.yaml", THREE)]);
        says(&simulate(&home), 1, &[sentence]);
    }
}

/// Each waits for the other.
#[test]
fn affinity_in_a_circle() {
    let near = |other: &str| {
        format!(
            "      affinity: {{podAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{{topologyKey: \
             kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: {other}}}}}}}]}}}}\n"
        )
    };
    let circle: String =
        ["a", "b", "c"].iter().zip(["b", "c", "a"]).map(|(name, other)| deployment(name, "2", &near(other))).collect();
    let home = folder("circle", &[("set/circle.yaml", &circle), ("nodes.yaml", THREE)]);
    says(&simulate(&home), 1, &["3 node(s) didn't match pod affinity rules", "a (2 of 2)", "c (2 of 2)"]);
}

/// Runs with so many gigabytes of address space at most, and without what is printed.
fn within(home: &Path, gigabytes: u32) {
    let line =
        format!("ulimit -v {gigabytes}000000; exec \"$0\" simulate set --nodes nodes.yaml --output json=/dev/null");
    let mut command = Command::new("sh");
    let output = command.args(["-c", &line, env!("CARGO_BIN_EXE_kplan")]).current_dir(home).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?} {said}", output.status);
}

#[test]
fn a_million_replicas() {
    for replicas in ["1000000", "2147483647"] {
        let web = deployment("web", replicas, &requests("1", "1Gi"));
        let home = folder("million", &[("set/web.yaml", &web), ("nodes.yaml", THREE)]);
        says(&simulate(&home), 1, &["Insufficient cpu", "more replicas; 200000 of a workload are simulated"]);
        within(&home, 4);
    }
}

const HEAD: &str = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

fn configured(name: &str, config: &str, web: &str, arguments: &[&str]) -> Run {
    let nodes = "nodes:\n- {name: small, cpu: 4, memory: 8Gi, labels: {pool: a}}\n- {name: large, cpu: 16, memory: 32Gi, labels: {pool: b}}\n";
    let home =
        folder(name, &[("set/web.yaml", web), ("nodes.yaml", nodes), ("scheduler.yaml", &format!("{HEAD}{config}"))]);
    let head = ["simulate", "set", "--nodes", "nodes.yaml", "--scheduler-config", "scheduler.yaml"];
    kplan(&home, &[&head[..], arguments].concat())
}

/// The first pod's node and verdict.
fn landed(run: &Run) -> (String, String) {
    let report = run.report().unwrap();
    let pod = &report["placement"]["pods"][0];
    let text = |key: &str| pod[key].as_str().unwrap_or_default().to_owned();
    (text("node"), text("verdict"))
}

/// A scheduler that fills nodes up, and one that adds an affinity of its own.
#[test]
fn profiles_of_the_scheduler() {
    let packing = "profiles:\n- schedulerName: default-scheduler\n  pluginConfig:\n  - name: NodeResourcesFit\n    args: \
                   {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}, {name: memory, weight: 1}]}}\n\
                   - schedulerName: pool-a\n  plugins: {multiPoint: {disabled: [{name: ImageLocality}]}, score: {enabled: [{name: TaintToleration, weight: 9}]}}\n  \
                   pluginConfig:\n  - name: NodeAffinity\n    args: {addedAffinity: \
                   {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [c]}]}]}}}\n";
    let web = deployment("web", "1", &requests("1", "2Gi"));
    let own = web.replace("      containers:", "      schedulerName: pool-a\n      containers:");
    let none = web.replace("      containers:", "      schedulerName: nobody\n      containers:");
    let json: &[&str] = &["--output", "json"];
    assert_eq!(landed(&configured("packing", packing, &web, json)), ("small".to_owned(), "scheduled".to_owned()));
    assert_eq!(landed(&configured("plain", "", &web, json)), ("large".to_owned(), "scheduled".to_owned()));
    says(&configured("added", packing, &own, &[]), 1, &["2 node(s) didn't match scheduler-enforced node affinity"]);
    says(&configured("nobody", packing, &none, &[]), 0, &["spec.schedulerName nobody is no profile"]);
}

/// What is not modelled is said, and never guessed.
#[test]
fn what_profiles_cannot_be_simulated() {
    let web = deployment("web", "1", &requests("1", "2Gi"));
    let rows = [
        ("extenders: [{urlPrefix: 'http://x'}]\n", "names extenders, which are not modelled"),
        ("profiles: [{plugins: {filter: {enabled: [{name: Coscheduling}]}}}]\n", "plugin Coscheduling is not modelled"),
        (
            "profiles: [{plugins: {filter: {disabled: [{name: NodeResourcesFit}]}}}]\n",
            "a scheduler without NodeResourcesFit is not modelled",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [example.com/gpu]}}]}]\n",
            "NodeResourcesFit with ignored resources is not modelled",
        ),
        (
            "profiles: [{plugins: {filter: {enabled: [{name: NodeResourcesFit}]}}}]\n",
            "plugins in another order at filter are not modelled",
        ),
    ];
    for (at, (config, words)) in rows.iter().enumerate() {
        let run = configured(&format!("unknown-{at}"), config, &web, &["--output", "json"]);
        assert_eq!(landed(&run).1, "unknown", "{}", run.shown());
        assert!(run.stdout.contains(words), "{words}: {}", run.shown());
    }
}

#[test]
fn configurations_that_are_none() {
    let web = deployment("web", "1", "");
    let rows = [
        ("profile: []\n", "scheduler.yaml:3:1: unknown field `profile`"),
        ("profiles: [{schedulerNam: x}]\n", "unknown field `schedulerNam`"),
        ("profiles: [{plugins: {scoring: {}}}]\n", "`scoring` is no extension point"),
        (
            "profiles: [{plugins: {score: {enabled: [{name: ImageLocality, weight: -1}]}}}]\n",
            "weight `-1` is no number",
        ),
        ("profiles: [{}, {}]\n", "profile default-scheduler stands twice"),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio}}}]}]\n",
            "RequestedToCapacityRatio needs `requestedToCapacityRatio.shape`",
        ),
        (
            "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio, \
             requestedToCapacityRatio: {shape: [{utilization: 50, score: 3}, {utilization: 50, score: 12}]}}}}]}]\n",
            "score `12` is not 0 to 10",
        ),
        ("profiles: [\n", "scheduler.yaml"),
        (
            "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 900}}]}]\n",
            "hardPodAffinityWeight `900` is not 0 to 100",
        ),
    ];
    for (at, (config, words)) in rows.iter().enumerate() {
        says(&configured(&format!("config-{at}"), config, &web, &[]), 2, &[words]);
    }
    let home = folder("config-none", &[("set/web.yaml", &web), ("nodes.yaml", THREE)]);
    let run = |file: &str| kplan(&home, &["simulate", "set", "--nodes", "nodes.yaml", "--scheduler-config", file]);
    says(&run("nowhere.yaml"), 2, &["cannot read nowhere.yaml"]);
    says(&run("nodes.yaml"), 2, &["nodes.yaml:1:1: it is no KubeSchedulerConfiguration"]);
}

/// Pods land as in the version that is asked for, else that of the snapshot; of one that is not known this is said.
#[test]
fn versions_of_the_scheduler() {
    let case = support::root().join("fixtures/simulate/live-room");
    let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap();
    let (manifests, snapshot) = (read("manifests.yaml"), read("snapshot.json"));
    let run = |version: &str, more: &[&str]| {
        let snapshot = snapshot.replace("v1.36.3", version);
        let home = folder("versions", &[("set/all.yaml", &manifests), ("snapshot.json", &snapshot)]);
        kplan(&home, &[&["simulate", "set", "--snapshot", "snapshot.json"], more].concat())
    };
    let code = run("v1.36.3", &[]).code.unwrap();
    let is_plain = |run: &Run| !run.stdout.contains("scheduler 1.3") && !run.stderr.contains("pods land as in");
    assert!(is_plain(&run("v1.36.3", &[])));
    assert!(is_plain(&run("v1.36.9-eks-1a2b3c4", &[])));
    assert!(is_plain(&run("v1.20.0", &["--kube-version", "1.36"])));
    says(&run("v1.34.4", &[]), code, &["scheduler 1.34"]);
    says(&run("v1.36.3", &["--kube-version", "1.35"]), code, &["scheduler 1.35"]);
    says(&run("v1.20.0", &[]), code, &["is of Kubernetes v1.20.0; pods land as in 1.36"]);
    says(&run("v1.36.3", &["--kube-version", "1.33"]), 2, &["Kubernetes 1.33 is not known", "known: 1.34, 1.35, 1.36"]);
}
