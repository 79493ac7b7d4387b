use serde_json::{Value, json};

use super::*;

fn about() -> About {
    let unread = vec![Unread { kind: "Secret".to_owned(), why: "secrets is forbidden".to_owned() }];
    let [kube_version, taken, context] = ["v1.36.3", "2026-11-25T12:00:00Z", "test"].map(str::to_owned);
    About { kube_version, taken, context, unread }
}

fn objects() -> Vec<Value> {
    let applied = "kubectl.kubernetes.io/last-applied-configuration";
    vec![
        json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "login", "namespace": "shop", "resourceVersion": "7", "managedFields": [{}],
                "annotations": {applied: "{\"data\":{\"password\":\"aHVudGVyMg==\"}}", "tool/copy": "x aHVudGVyMg== y",
                    "team": "shop"}},
            "data": {"password": "aHVudGVyMg==", "empty": ""}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "resourceVersion": "9"},
            "status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-11-25T12:00:00Z"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
            "annotations": {applied: "{}"}}, "spec": {"template": {}}}),
    ]
}

#[test]
fn secrets_do_not_get_into_a_snapshot() {
    let text = document(objects(), &about());
    assert!(
        !text.contains("aHVudGVyMg") && !text.contains("last-applied") && !text.contains("managedFields"),
        "{text}"
    );
    let snapshot = read("s.json", text.as_str(), &Settings::default()).unwrap();
    let (id, _) = snapshot.bundle.iter().find(|(_, object)| object.kind == "Secret").unwrap();
    let secret = snapshot.bundle.full(id);
    assert_eq!(secret.map("data").map(|(key, _)| key).collect::<Vec<_>>(), ["password", "empty"]);
    let annotations = secret.at(&["metadata", "annotations"]).unwrap();
    assert_eq!(annotations.get_str("team"), Some("shop"));
    assert_eq!(annotations.get_str(VALUES), Some("removed"));
    assert_eq!(annotations.len(), 2);
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    let mut later = objects();
    later.reverse();
    later[1]["metadata"]["resourceVersion"] = json!("10");
    later[1]["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-11-25T12:05:00Z");
    assert_eq!(document(objects(), &about()), document(later, &about()));
}

#[test]
fn what_is_written_is_read() {
    let snapshot = read("s.json", document(objects(), &about()), &Settings::default()).unwrap();
    assert_eq!(snapshot.about, about());
    let titles: Vec<String> = snapshot.bundle.iter().map(|(_, object)| object.title()).collect();
    assert_eq!(titles, ["Node a", "Secret shop/login", "Deployment shop/web"]);
    assert_eq!(snapshot.bundle.live.unwrap().unread, ["Secret"]);
}

/// What no stage asks of a controller's pods is not kept of them; all is kept of others, and of templates.
#[test]
fn pods_of_controllers_are_read_in_part() {
    let container = json!({
        "name": "c", "image": "nginx", "env": [{"name": "A", "value": "}"}], "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "1"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    });
    let pod = |name: &str, owners: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners},
            "spec": {"containers": [container.clone()], "nodeName": "a"},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "imageID": "x", "ready": true}]},
        })
    };
    let owner = |controller: bool| json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "1", "controller": controller}]);
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "r", "namespace": "shop", "ownerReferences": owner(true)},
        "spec": {"selector": {}, "template": {"spec": {"containers": [container.clone()]}}},
    });
    let objects = vec![pod("of-controller", owner(true)), pod("of-other", owner(false)), pod("bare", json!([])), set];
    let snapshot = read("s.json", document(objects, &about()), &Settings::default()).unwrap();
    let keys = |name: &str, way: &[&str]| {
        let (id, _) = snapshot.bundle.iter().find(|(_, object)| object.name == name).unwrap();
        let list = snapshot.bundle.written(id).at(way).unwrap();
        let first = list.items().next().unwrap();
        first.fields().map(|(key, _)| key.to_owned()).collect::<Vec<_>>()
    };
    let all = ["name", "image", "env", "ports", "resources", "volumeMounts"];
    assert_eq!(keys("of-controller", &["spec", "containers"]), ["name", "image", "ports", "resources"]);
    assert_eq!(keys("of-controller", &["status", "containerStatuses"]), ["name", "ready"]);
    assert_eq!(keys("of-other", &["spec", "containers"]), all);
    assert_eq!(keys("bare", &["spec", "containers"]), all);
    assert_eq!(keys("bare", &["status", "containerStatuses"]), ["name", "imageID", "ready"]);
    assert_eq!(keys("r", &["spec", "template", "spec", "containers"]), all);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let error = |text: &str| read("s.json", text, &Settings::default()).unwrap_err().message;
    let whole = document(objects(), &about());
    assert_eq!(error(""), "s.json is no snapshot: it is empty");
    assert!(error("apiVersion: v1\nkind: Node\nmetadata: {name: a}\n").contains("no annotation kplan.dev/snapshot"));
    assert!(error(&format!("{whole}---\n{whole}")).starts_with("s.json"), "two documents");
    assert!(
        error(&whole.replace("\"kplan.dev/snapshot\":\"v1\"", "\"kplan.dev/snapshot\":\"v2\""))
            .contains("version `v2`")
    );
    for cut in [whole.len() / 2, whole.len() - 4] {
        assert!(error(&whole[..cut]).starts_with("s.json:"), "{}", error(&whole[..cut]));
    }
    let lines: Vec<&str> = whole.lines().collect();
    let fewer = whole.replace(&format!("{}\n", lines[2]), "");
    assert!(error(&fewer).contains("had 3 objects when it was written, and has 2"), "{}", error(&fewer));
    assert!(error(&whole.replace("\"kind\":\"Node\"", "\"kind\":\"\"")).starts_with("s.json:2:"));
}

/// A snapshot of which much stays is read in parts, to the same objects and answers as in one piece.
#[test]
fn parts_are_read_as_the_whole() {
    let config_map = |number: usize| {
        let data = json!({"text": "é\"\n".repeat(400), "number": number.to_string()});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c-{number:05}"), "namespace": "shop"}, "data": data})
    };
    let text = document(objects().into_iter().chain((0..6000).map(config_map)).collect(), &about());
    assert!(text.len() > 8 << 20);
    let settings = Settings::default();
    let parts = read_parts("s.json", text.as_bytes(), &settings).unwrap();
    let whole = read("s.json", text.as_str(), &settings).unwrap();
    assert_eq!(parts.about, whole.about);
    let shown = |bundle: &Bundle| -> Vec<(String, String)> {
        bundle.iter().map(|(id, object)| (object.title(), bundle.full(id).to_json())).collect()
    };
    assert_eq!(shown(&parts.bundle), shown(&whole.bundle));
    assert!(parts.bundle.files.len() > 2 && parts.bundle.sources.iter().all(|(_, source)| source.text.is_empty()));
    // What is not as it was written is left to be read in one piece.
    let text = document(objects(), &about());
    assert!(read_parts("s.json", text.as_bytes(), &settings).is_some());
    let changed = [text.replacen("},\n", "}\n", 1), format!("{text}{{}}"), "{}".to_owned()];
    let cut = (0..text.len() - 1).map(|end| text[..end].to_owned());
    for broken in changed.into_iter().chain(cut) {
        assert!(read_parts("s.json", broken.as_bytes(), &settings).is_none(), "{broken}");
    }
    let indented = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    assert!(read_parts("s.json", indented.as_bytes(), &settings).is_none());
    assert_eq!(read("s.json", indented, &settings).unwrap().about, whole.about);
}
