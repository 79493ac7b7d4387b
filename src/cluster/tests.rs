//! What is asked of a server, and what becomes of its answers; the real server is asked in `tests/cluster`.

use std::collections::HashMap;

use super::recorder::{Answer, Recorder, reply};
use super::*;
use crate::config::Settings;
use crate::diff::{Action, Anew, Change, Fidelity, ObjectRef, Policy};
use crate::load::Loaded;
use crate::model::{Bundle, ObjectId, Role, SetId};
use crate::source::{Source, SourceText};

const GROUPS: &str = r#"{"kind":"APIGroupDiscoveryList","items":[
    {"metadata":{"name":"apps"},"versions":[{"version":"v1","freshness":"Current","resources":[
        {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced"}]}]},
    {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale"}]}]}"#;
const CORE: &str = r#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{},"versions":[{"version":"v1",
    "freshness":"Current","resources":[
        {"resource":"configmaps","responseKind":{"kind":"ConfigMap"},"scope":"Namespaced"},
        {"resource":"namespaces","responseKind":{"kind":"Namespace"},"scope":"Cluster"}]}]}]}"#;

fn discovery(request: &Request) -> Option<Answer> {
    match request.path.as_str() {
        "/api" => Some(reply(200, CORE)),
        "/apis" => Some(reply(200, GROUPS)),
        _ => None,
    }
}

fn bundle(text: &str) -> Bundle {
    let mut loaded = Loaded::default();
    loaded.sources.add(Source::new("a.yaml", SourceText::from(text)));
    loaded.sets.push(SetId(0));
    loaded.roles.push(Role::Manifest);
    loaded.explicit.push(true);
    let scope = |_: &str, kind: &str| Some(kind != "Namespace");
    crate::parse::run(loaded, &Settings::default(), &scope).0
}

fn config_maps(number: usize) -> String {
    let one = |index| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}, namespace: shop}}\n");
    (0..number).map(one).collect::<Vec<_>>().join("---\n")
}

fn wanted(bundle: &Bundle) -> Vec<Wanted> {
    let want = |(_, object): (ObjectId, &crate::model::Object)| Wanted {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: Some(object.name.clone()),
    };
    bundle.iter().map(want).collect()
}

#[test]
fn a_dead_api_service_hides_only_its_own_kinds() {
    let server = Recorder::new(|request, _| discovery(request).unwrap());
    let found = Resources::discover(&Client::without_pauses(&server)).unwrap();
    let deployment = found.get("apps/v1", "Deployment").unwrap();
    assert_eq!(deployment.object(Some("shop"), "web"), "/apis/apps/v1/namespaces/shop/deployments/web");
    assert_eq!(found.get("v1", "Namespace").unwrap().object(None, "a/b"), "/api/v1/namespaces/a%2Fb");
    assert!(found.unavailable.contains_key("metrics.k8s.io/v1beta1"));
}

#[test]
fn older_servers_are_asked_group_by_group() {
    let server = Recorder::new(|request, _| match request.path.as_str() {
        "/api" => reply(200, r#"{"kind":"APIVersions","versions":["v1"]}"#),
        "/apis" => reply(
            200,
            r#"{"kind":"APIGroupList","groups":[{"versions":[{"groupVersion":"apps/v1"}]},
                {"versions":[{"groupVersion":"dead.io/v1"}]}]}"#,
        ),
        "/api/v1" => reply(200, r#"{"resources":[{"name":"pods","kind":"Pod","namespaced":true}]}"#),
        "/apis/apps/v1" => reply(
            200,
            r#"{"resources":[{"name":"deployments","kind":"Deployment","namespaced":true},
                {"name":"deployments/scale","kind":"Scale","namespaced":true}]}"#,
        ),
        _ => reply(503, r#"{"kind":"Status","message":"service unavailable"}"#),
    });
    let found = Resources::discover(&Client::without_pauses(&server)).unwrap();
    assert!(found.get("v1", "Pod").unwrap().namespaced && found.get("apps/v1", "Deployment").is_some());
    assert!(found.get("apps/v1", "Scale").is_none());
    assert!(found.unavailable["dead.io/v1"].contains("service unavailable"));
}

#[test]
fn busy_servers_are_asked_again_and_not_for_ever() {
    let busy =
        |until: usize| Recorder::new(move |_, before| if before < until { reply(429, "{}") } else { reply(200, "{}") });
    let server = busy(3);
    assert!(Client::without_pauses(&server).send(&Request::get("/x")).unwrap().is_ok());
    let server = busy(100);
    let error = Client::without_pauses(&server).send(&Request::get("/x?limit=1")).unwrap_err();
    assert_eq!((server.lines().len(), error.message.contains("answered 429 to GET /x, 4 times")), (4, true));
    let broken = Recorder::new(|_, _| reply(500, r#"{"message":"etcd"}"#));
    let answer = Client::without_pauses(&broken).send(&Request::get("/x")).unwrap();
    assert_eq!((answer.status, broken.lines().len()), (500, 4));
    let typed = Recorder::new(|_, _| {
        reply(500, r#"{"message":"failed to create typed patch object (a): .b: expected string"}"#)
    });
    assert_eq!(Client::without_pauses(&typed).send(&Request::get("/x")).unwrap().status, 500);
    assert_eq!(typed.lines().len(), 1);
    let lost = Recorder::new(|_, before| match before {
        0 => Err(ClusterError { is_passing: true, ..ClusterError::new("reset", "") }),
        _ => reply(200, "{}"),
    });
    assert!(Client::without_pauses(&lost).send(&Request::get("/x")).is_ok());
    let stranger = Recorder::new(|_, _| reply(401, "{}"));
    assert!(Client::without_pauses(&stranger).send(&Request::get("/x")).is_err());
    assert_eq!(stranger.lines().len(), 1);
}

#[test]
fn many_objects_of_a_kind_are_one_list() {
    let list = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"continue":"n x"},"items":[]}"#;
    let server = Recorder::new(|request, _| match request.path.as_str() {
        path if path.contains("limit") && !path.contains("continue") => reply(200, list),
        _ => discovery(request).unwrap_or_else(|| reply(200, r#"{"metadata":{}}"#)),
    });
    let client = Client::without_pauses(&server);
    let resources = Resources::discover(&client).unwrap();
    let live = read(&client, &resources, &wanted(&bundle(&config_maps(5)))).unwrap();
    assert_eq!(live.loaded.sources.len(), 2);
    assert_eq!(
        server.lines()[2..],
        [
            "GET /api/v1/namespaces/shop/configmaps?limit=500",
            "GET /api/v1/namespaces/shop/configmaps?limit=500&continue=n%20x"
        ]
    );
    read(&client, &resources, &wanted(&bundle(&config_maps(2)))).unwrap();
    assert_eq!(server.lines().len(), 6);
}

#[test]
fn a_forbidden_list_is_read_object_by_object() {
    let forbidden = r#"{"message":"configmaps is forbidden: User \"u\" cannot list resource \"configmaps\""}"#;
    let server = Recorder::new(|request, _| match request.path.as_str() {
        path if path.contains("limit") => reply(403, forbidden),
        path if path.ends_with("/c1") => reply(404, "{}"),
        _ => discovery(request).unwrap_or_else(|| reply(200, r#"{"kind":"ConfigMap"}"#)),
    });
    let client = Client::without_pauses(&server);
    let resources = Resources::discover(&client).unwrap();
    let live = read(&client, &resources, &wanted(&bundle(&config_maps(5)))).unwrap();
    assert_eq!((live.loaded.sources.len(), live.unread.len()), (4, 0));
    let all = Wanted { name: None, ..wanted(&bundle(&config_maps(1))).remove(0) };
    let live = read(&client, &resources, &[all]).unwrap();
    assert_eq!(live.unread[0].kind, "ConfigMap");
    assert!(live.unread[0].why.starts_with("configmaps is forbidden"));
}

/// Asks a server that answers every dry run alike.
fn asked(
    text: &str,
    answer: impl Fn(&Request, usize) -> Answer + Send + Sync,
) -> (Vec<crate::diff::Answer>, Vec<String>) {
    let server = Recorder::new(|request: &Request, before| match discovery(request) {
        Some(known) => known,
        None => answer(request, before),
    });
    let client = Client::without_pauses(&server);
    let resources = Resources::discover(&client).unwrap();
    let bundle = bundle(text);
    let own_namespaces = HashMap::from([("new".to_owned(), true)]);
    let live = Bundle::default();
    let ask = Ask {
        bundle: &bundle,
        resources: &resources,
        live: &live,
        own_namespaces,
        replicas: HashMap::new(),
        claims: HashMap::new(),
        policy: &Policy::default(),
    };
    let mut answers: Vec<_> = super::ask(&client, &ask).unwrap().into_iter().collect();
    answers.sort_by_key(|(id, _)| *id);
    (answers.into_iter().map(|(_, answer)| answer).collect(), server.lines()[2..].to_vec())
}

#[test]
fn every_dry_run_is_one() {
    let text = format!("{}---\n{}", config_maps(1), "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: g-}\n");
    let (answers, mut lines) = asked(&text, |_, _| reply(201, r#"{"kind":"ConfigMap"}"#));
    lines.sort();
    assert_eq!(
        lines,
        [
            "PATCH /api/v1/namespaces/shop/configmaps/c0?dryRun=All&fieldManager=kplan&fieldValidation=Strict&force=false",
            "POST /api/v1/namespaces/default/configmaps?dryRun=All&fieldManager=kplan&fieldValidation=Strict",
        ]
    );
    assert!(answers.iter().all(|answer| answer.fidelity == Fidelity::Server && answer.stored.is_some()));
}

#[test]
fn conflicts_name_field_and_manager() {
    let conflict = r#"{"code":409,"reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict",
        "message":"conflict with \"kubectl-edit\" using v1","field":".data.a"}]}}"#;
    let (answers, lines) = asked(&config_maps(1), |request, _| match request.path.contains("force=true") {
        true => reply(200, r#"{"kind":"ConfigMap"}"#),
        false => reply(409, conflict),
    });
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (answers[0].conflicts[0].field.as_str(), answers[0].conflicts[0].manager.as_str()),
        (".data.a", "kubectl-edit")
    );
    assert!(Policy::default().takes_over(&answers[0].conflicts[0].manager) && answers[0].stored.is_some());
}

#[test]
fn what_cannot_be_asked_is_said() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: new}\n---\n\
        apiVersion: x.io/v1\nkind: Thing\nmetadata: {name: t}\n---\n\
        apiVersion: metrics.k8s.io/v1beta1\nkind: M\nmetadata: {name: m}\n";
    let (answers, lines) = asked(text, |_, _| reply(200, r#"{"kind":"ConfigMap"}"#));
    assert!(lines[0].starts_with("PATCH /api/v1/namespaces/default/configmaps/kplan-dry-run-c?dryRun=All"));
    assert_eq!(answers[0].fidelity, Fidelity::Dummy);
    assert_eq!(answers[1].refusal.as_ref().unwrap().message, "no matches for kind \"Thing\" in version \"x.io/v1\"");
    assert!(answers[2].note.contains("metrics.k8s.io/v1beta1 cannot be asked"));
    let forbidden =
        r#"{"code":403,"message":"configmaps \"c0\" is forbidden: User \"u\" cannot patch resource \"configmaps\""}"#;
    let (answers, _) = asked(&config_maps(1), |_, _| reply(403, forbidden));
    assert_eq!((answers[0].fidelity, answers[0].refusal.is_none()), (Fidelity::Approx, true));
    let webhook = r#"{"code":403,"message":"admission webhook \"w\" denied the request: no"}"#;
    let (answers, _) = asked(&config_maps(1), |_, _| reply(403, webhook));
    assert_eq!(answers[0].refusal.as_ref().unwrap().code, 403);
}

#[test]
fn what_cannot_be_changed_is_asked_for_as_a_new_object() {
    let invalid = |message: &str| {
        let cause = format!(r#"{{"reason":"FieldValueInvalid","message":"{message}","field":"data"}}"#);
        reply(
            422,
            &format!(r#"{{"code":422,"reason":"Invalid","message":"{message}","details":{{"causes":[{cause}]}}}}"#),
        )
    };
    let immutable = "Invalid value: field is immutable";
    let anew = |first: &'static str, created: fn() -> Answer, again: fn() -> Answer| {
        let (answers, lines) = asked(&config_maps(1), move |request, before| match (request.method, before) {
            (Method::Post, 0) => created(),
            (Method::Post, _) => again(),
            _ => invalid(first),
        });
        assert!(lines.iter().all(|line| line.contains("dryRun=All")), "{lines:?}");
        (answers.into_iter().next().unwrap().anew, lines.len())
    };
    let taken = || reply(201, r#"{"kind":"ConfigMap","metadata":{"name":"kplan-dry-run-c0"}}"#);
    let no = || reply(403, r#"{"code":403,"message":"admission webhook denied the request"}"#);
    assert!(matches!(anew(immutable, taken, no), (Some(Anew::Taken(Some(_))), 2)));
    // Names that are bound to what they name are refused for no other reason than that the object is there.
    let there = || reply(409, r#"{"code":409,"reason":"AlreadyExists","message":"c0 already exists"}"#);
    assert!(matches!(anew(immutable, no, there), (Some(Anew::Taken(None)), 3)));
    assert!(matches!(anew(immutable, no, no), (Some(Anew::Refused(_)), 3)));
    // What is wrong with the object itself is no reason to delete another.
    assert!(matches!(anew("Invalid value: must be short", taken, taken), (None, 1)));
}

#[test]
fn rights_are_asked_for_once_where_everything_is_allowed() {
    let change = |name: &str| {
        let (api_version, kind) = ("v1".to_owned(), "ConfigMap".to_owned());
        let object = ObjectRef { api_version, kind, namespace: Some("shop".to_owned()), name: name.to_owned() };
        Change::new(Action::Update, object)
    };
    let changes = [change("a"), change("b")];
    let ask = |allowed: fn(&str) -> bool| {
        let server = Recorder::new(move |request, _| match discovery(request) {
            Some(known) => known,
            None => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                reply(201, &format!(r#"{{"status":{{"allowed":{}}}}}"#, allowed(&body)))
            }
        });
        let client = Client::without_pauses(&server);
        let resources = Resources::discover(&client).unwrap();
        let found =
            missing(&client, &resources, &Bundle::default(), changes.iter().map(|change| (change, None))).unwrap();
        let texts: Vec<String> =
            found.iter().map(|(right, titles)| format!("{}: {}", right.text(), titles.join(", "))).collect();
        (texts, server.lines().len() - 2)
    };
    assert_eq!(ask(|_| true), (Vec::new(), 1));
    // A role may name single objects.
    let some = |body: &str| {
        !body.contains(r#""verb":"*""#) && (!body.contains(r#""verb":"patch""#) || body.contains(r#""name":"a""#))
    };
    assert_eq!(ask(some).0, ["patch configmaps in namespace shop: ConfigMap shop/b"]);
    let none = ask(|_| false).0;
    assert_eq!(none.len(), 2);
    assert!(none[0].starts_with("get configmaps in namespace shop: ConfigMap shop/a, ConfigMap shop/b"));
}
