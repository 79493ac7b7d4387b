//! Samples in every format, and the JSON against its schema.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Format, Mask, Report, Root, Style, Summary, write};
use crate::config::Settings;
use crate::diag::{self, Cause, Diagnostic, Edit, Finding, Server};
use crate::diff::{Action, Change, FieldChange, ObjectRef, Op, Risk};
use crate::load::{Input, assemble};
use crate::model::{Bundle, ObjectId, path};
use crate::parse;
use crate::simulate::{PlacedNode, PlacedPod, Placement, Remedy, Rollout, Stall, Verdict};
use crate::source::FileId;

const CELERY: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: celery
spec:
  template:
    spec:
      containers:
      - name: celery
        env:
        - name: C_FORCE_ROOT
          value: True
        resources:
          requests:
            cpu: \"0.2\"
";

const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: {name: db}
stringData:
  password: hunter2-and-more
  pin: 1234
  text: |
    first line of it
    second line of it
  twice: lost-value
  twice: kept
";

struct Sample {
    bundle: Bundle,
    diagnostics: Vec<Diagnostic>,
}

impl Sample {
    fn new(files: &[(&str, &str)]) -> Sample {
        let inputs = files.iter().map(|(name, text)| Input {
            name: (*name).to_owned(),
            content: Ok(text.as_bytes().to_vec()),
            path: 0,
            explicit: true,
        });
        let settings = Settings::default();
        let (loaded, mut diagnostics) = assemble(inputs.collect(), &settings);
        let (bundle, found) = parse::run(loaded, &settings, &|_, kind| Some(kind != "Namespace"));
        diagnostics.extend(found);
        Sample { bundle, diagnostics }
    }

    /// A finding at a field of an object.
    fn at(&self, object: u32, rule: &'static str, field: &str, message: &str) -> Diagnostic {
        let id = ObjectId(object);
        let span = path::place(self.bundle.written(id), field);
        let mut diagnostic = Diagnostic::new(rule, self.bundle.object(id).file, span, message);
        diagnostic.object = Some(id);
        diagnostic.document = Some(self.bundle.object(id).document);
        diagnostic.field = Some(field.to_owned());
        diagnostic
    }

    fn findings(&self) -> Vec<Finding> {
        let rules: Vec<_> = crate::lint::catalog::RULES.iter().collect();
        diag::merge(&rules, &self.bundle, self.diagnostics.clone(), &Settings::default())
    }
}

/// Six findings of different classes.
fn sample() -> Sample {
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: wbe}\n  ports: []\n";
    let broken = "a: b: c\n";
    let files = [("deploy/celery.yaml", CELERY), ("deploy/web.yaml", service), ("deploy/x.yaml", broken)];
    let mut sample = Sample::new(&files);
    let field = "spec.template.spec.containers[0].env[0].value";
    let mut env =
        sample.at(0, "env-value-not-string", field, "`C_FORCE_ROOT` is a boolean, the API takes only strings");
    env = env.help("read as the boolean true (so are yes, on, y)");
    let message = "json: cannot unmarshal bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string";
    let server = Server { code: 400, reason: "BadRequest", message: Arc::from(message), causes: Vec::new() };
    env.server = Some(server);
    let edit = Edit { span: env.span, text: "\"True\"".to_owned() };
    env = env.fix(true, vec![edit]);
    let cpu = "spec.template.spec.containers[0].resources.requests.cpu";
    let pending = sample.at(0, "pod-unschedulable", cpu, "2 of 7 pods find no node");
    let pending = pending.help("7 × 200m = 1.4 cpu, one-node has 1 cpu");
    let mut name = sample.at(1, "api-invalid", "spec.ports", "`ports` is empty");
    let causes = vec![Cause {
        field: "spec.ports".to_owned(),
        reason: "FieldValueRequired",
        message: "Required value".to_owned(),
    }];
    name.server =
        Some(Server { code: 422, reason: "Invalid", message: Arc::from("Service \"web\" is invalid"), causes });
    let selector = sample.at(1, "service-no-match", "spec.selector", "no pod has the labels app=wbe");
    let place = path::place(sample.bundle.written(ObjectId(0)), "metadata.name");
    let selector = selector.help("correct the selector").related(FileId(0), place, "this Deployment is the nearest");
    let later = sample.at(0, "api-required", "spec.selector", "spec.selector is missing");
    sample.diagnostics.extend([env, pending, name, selector, later]);
    sample
}

fn placement() -> Placement {
    let amounts = |cpu: &str, memory: &str, pods: &str| {
        [("cpu", cpu), ("memory", memory), ("pods", pods)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    };
    let pod = |index: usize, node: Option<&str>| PlacedPod {
        name: format!("celery-{index}"),
        namespace: "default".to_owned(),
        owner: "Deployment/celery".to_owned(),
        verdict: if node.is_some() { Verdict::Scheduled } else { Verdict::Pending },
        nodes: node.iter().map(|name| (*name).to_owned()).collect(),
        feasible: usize::from(node.is_some()),
        node: node.map(str::to_owned),
        message: node.is_none().then(|| "0/1 nodes are available: 1 Insufficient cpu.".to_owned()),
        nominated_node: None,
        victims: Vec::new(),
        settled: None,
    };
    Placement {
        nodes: vec![PlacedNode {
            name: "one-node".to_owned(),
            allocatable: amounts("1", "2Gi", "110"),
            requested: amounts("200m", "200Mi", "1"),
            limits: [("cpu", "0"), ("memory", "1Gi")].map(|(name, amount)| (name.to_owned(), amount.to_owned())).into(),
            pods: vec!["default/celery-0".to_owned()],
            taints: vec!["dedicated=db:NoSchedule".to_owned()],
            zone: None,
        }],
        pods: vec![pod(0, Some("one-node")), pod(1, None)],
        remedies: vec![Remedy {
            pods: vec!["default/celery-1".to_owned()],
            change: "requests.cpu ≤ 142m".to_owned(),
            places: 1,
        }],
        scales: Vec::new(),
        zones: Vec::new(),
        evictions: Vec::new(),
        rollouts: vec![Rollout {
            owner: "Deployment/celery".to_owned(),
            namespace: "default".to_owned(),
            fits: false,
            peak_pods: 2,
            lowest_ready: 1,
            stalls: Some(Stall { step: 2, message: "1 Insufficient cpu".to_owned() }),
            refused: None,
        }],
        losses: Vec::new(),
        drains: Vec::new(),
    }
}

fn change(action: Action, kind: &str, name: &str, risk: Risk, fields: Vec<FieldChange>) -> Change {
    let (api_version, kind) = ("v1".to_owned(), kind.to_owned());
    let object = ObjectRef { api_version, kind, namespace: Some("default".to_owned()), name: name.to_owned() };
    Change {
        risk,
        why: "because".to_owned(),
        fields,
        restarts: u64::from(risk == Risk::Disruptive) * 3,
        wave: 2,
        ..Change::new(action, object)
    }
}

fn field(path: &str, before: Value, after: Value) -> FieldChange {
    FieldChange {
        path: path.to_owned(),
        op: Op::Change,
        before: Some(before),
        after: Some(after),
        sensitive: false,
        owner: None,
    }
}

fn changes() -> Vec<Change> {
    let image = field("spec.template.spec.containers[0].image", json!("api:1.8"), json!("api:1.9"));
    let secret = field("data.password", json!("aHVudGVyMg=="), json!("bmV3"));
    vec![
        change(Action::Update, "Deployment", "api", Risk::Disruptive, vec![image]),
        change(Action::Update, "Secret", "db", Risk::Safe, vec![secret]),
        change(Action::Delete, "PersistentVolumeClaim", "cache", Risk::DataLoss, Vec::new()),
        change(Action::Unchanged, "ConfigMap", "flags", Risk::Safe, Vec::new()),
    ]
}

/// The report as text.
fn render(format: Format, sample: &Sample, placement: Option<&Placement>, changes: Option<&[Change]>) -> String {
    let findings = sample.findings();
    let mask = Mask::new(&sample.bundle);
    let command = match (placement, changes) {
        (_, Some(_)) => "plan",
        (Some(_), None) => "simulate",
        _ => "check",
    };
    let report = Report {
        command,
        kube_version: "1.36".to_owned(),
        target: "deploy".to_owned(),
        base: changes.map(|_| "git HEAD".to_owned()),
        bundle: &sample.bundle,
        findings: &findings,
        placement,
        placement_note: "nodes: kplan.yaml (1)".to_owned(),
        notes: &[],
        changes,
        applied: &[],
        summary: Summary::new(&sample.bundle, &findings, placement, changes),
        elapsed: Duration::from_millis(10),
        mask: &mask,
        root: Root::default(),
    };
    let mut out = Vec::new();
    write(format, &report, &mut out, &Style::default()).unwrap();
    String::from_utf8(out).unwrap()
}

fn check(format: Format) -> String {
    render(format, &sample(), None, None)
}

fn pretty(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn formats_of_a_check() {
    insta::assert_snapshot!("human", check(Format::Human));
    insta::assert_snapshot!("concise", check(Format::Concise));
    insta::assert_snapshot!("json", pretty(&check(Format::Json)));
    insta::assert_snapshot!("sarif", pretty(&check(Format::Sarif)));
    insta::assert_snapshot!("github", check(Format::Github));
    insta::assert_snapshot!("gitlab", pretty(&check(Format::Gitlab)));
    insta::assert_snapshot!("junit", check(Format::Junit));
    insta::assert_snapshot!("markdown", check(Format::Markdown));
}

#[test]
fn formats_of_placement_and_plan() {
    let (sample, placement, changes) = (sample(), placement(), changes());
    insta::assert_snapshot!("simulate", render(Format::Human, &sample, Some(&placement), None));
    insta::assert_snapshot!("plan", render(Format::Human, &sample, None, Some(&changes)));
    insta::assert_snapshot!("plan_markdown", render(Format::Markdown, &sample, Some(&placement), Some(&changes)));
    insta::assert_snapshot!("plan_json", pretty(&render(Format::Json, &sample, Some(&placement), Some(&changes))));
}

#[test]
fn json_fits_its_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let (sample, placement, changes) = (sample(), placement(), changes());
    let all = render(Format::Json, &sample, Some(&placement), Some(&changes));
    for text in [check(Format::Json), all, render(Format::Json, &Sample::new(&[]), None, None)] {
        let report: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
    let mut wrong: Value = serde_json::from_str(&check(Format::Json)).unwrap();
    wrong["findings"][0]["colour"] = json!("red");
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn no_format_shows_a_secret() {
    let mut sample =
        Sample::new(&[("s.yaml", SECRET), ("broken.yaml", "kind: Secret\ndata:\n  p: p: c2VjcmV0LXdvcmQ=\n")]);
    for field in ["stringData.password", "stringData.pin", "stringData.text", "stringData.twice"] {
        let value = path::follow(sample.bundle.written(ObjectId(0)), field).view;
        let text = value.str().map_or_else(|| value.written().to_owned(), str::to_owned);
        let mut finding = sample.at(0, "api-decode", field, &format!("Invalid value: \"{text}\""));
        finding.span = value.span();
        let edit = Edit { span: finding.span, text: format!("\"{text}\"") };
        sample.diagnostics.push(finding.help(format!("write '{text}'")).fix(true, vec![edit]));
    }
    let secrets = ["hunter2", "1234", "first line", "second line", "lost-value", "kept", "c2VjcmV0LXdvcmQ"];
    for format in
        [Format::Human, Format::Concise, Format::Json, Format::Sarif, Format::Github, Format::Markdown, Format::Html]
    {
        let text = render(format, &sample, None, None);
        for secret in secrets {
            // Fingerprints are no words.
            let shown = text.lines().find(|line| line.replace("fingerprint", "").contains(secret));
            assert!(shown.is_none(), "{format:?} shows {secret}: {shown:?}");
        }
    }
    insta::assert_snapshot!("secret", render(Format::Human, &sample, None, None));
}

#[test]
fn long_reports_are_cut_where_a_format_has_a_limit() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n".repeat(700);
    let mut sample = Sample::new(&[("many.yaml", &text)]);
    let found: Vec<Diagnostic> =
        (0..700).map(|index| sample.at(index, "api-invalid", "metadata.name", &"x|*<@".repeat(40))).collect();
    sample.diagnostics.extend(found);
    let markdown = render(Format::Markdown, &sample, None, None);
    assert!(markdown.encode_utf16().count() <= 65_536, "{}", markdown.len());
    assert!(markdown.contains("rows left out"));
    let github = render(Format::Github, &sample, None, None);
    assert_eq!(github.lines().filter(|line| line.starts_with("::error")).count(), 10);
    assert_eq!(github.lines().count(), 10 + 691);
}

#[test]
fn names_and_messages_give_the_runner_no_commands() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n".repeat(12);
    for name in ["::add-mask::a", " ::add-mask::a", "a\n::add-mask::a"] {
        let mut sample = Sample::new(&[(name, &text)]);
        let message = "x\n::add-mask::b ##[add-mask]c";
        let found: Vec<Diagnostic> = (0..12).map(|index| sample.at(index, "api-invalid", "kind", message)).collect();
        sample.diagnostics.extend(found);
        let github = render(Format::Github, &sample, None, None);
        let (commands, log): (Vec<&str>, Vec<&str>) =
            github.lines().partition(|line| line.trim_start().starts_with("::"));
        assert_eq!((commands.len(), log.len()), (10, 3), "{github}");
        assert!(commands.iter().all(|line| line.starts_with("::error ")), "{github}");
        assert!(log.iter().all(|line| !line.contains("##[")), "{github}");
    }
}

#[test]
fn a_page_holds_no_markup_of_manifests() {
    let mut sample = Sample::new(&[("<b>&a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    sample.diagnostics.push(sample.at(0, "api-invalid", "kind", "<script>\"x\" & 'y'\u{1b}"));
    let page = render(Format::Html, &sample, Some(&placement()), Some(&changes()));
    for bad in ["<script", "<b>", "\u{1b}"] {
        assert!(!page.contains(bad), "{page}");
    }
    assert!(page.contains("&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;"), "{page}");
    assert!(page.contains("<h3>&lt;b&gt;&amp;a.yaml</h3>") && page.contains("rules/api/api-invalid.md"), "{page}");
    assert!(page.contains("<h2>Changes</h2>") && page.contains("<h2>Pods that find no node</h2>"), "{page}");
}

#[test]
fn frames_are_clipped_and_harmless() {
    let line = format!("a: \u{1b}[31m{}: b: ü€\n", "x".repeat(1_000_000));
    let sample = Sample::new(&[("wide.yaml", &line), ("bom.yaml", "\u{feff}a: b: c\r\n"), ("empty.yaml", "a: [\n")]);
    let text = render(Format::Human, &sample, None, None);
    assert!(text.lines().all(|line| line.chars().count() < 250));
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!("frames", text);
}
