//! The stages as a library: `cargo bench --bench stages`.
#![allow(clippy::print_stdout)]

#[path = "manifests/mod.rs"]
mod manifests;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kplan::config::Settings;
use kplan::load::{self, Input};
use kplan::model::Bundle;
use kplan::schema::{Schema, check};
use kplan::source::SourceText;
use kplan::yaml::{self, Value, View};
use kplan::{defaults, lint, parse, validate};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEGABYTE: usize = 1 << 20;

/// Touches every node, as a stage that looks at everything.
fn walk(view: View<'_>) -> usize {
    match view.value() {
        Value::Map(_) => 1 + view.fields().map(|(key, value)| key.len().min(1) + walk(value)).sum::<usize>(),
        Value::Seq(_) => 1 + view.items().map(walk).sum::<usize>(),
        _ => 1,
    }
}

fn reading(criterion: &mut Criterion) {
    let text: SourceText = manifests::stream(25 * MEGABYTE).into();
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10).throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("25 MB to a tree", |bencher| bencher.iter(|| yaml::read(black_box(&text)).documents.len()));
    let file = yaml::read(&text);
    group.bench_function("view every node of 25 MB", |bencher| {
        bencher.iter(|| {
            file.documents
                .iter()
                .filter_map(|document| document.root)
                .map(|root| walk(file.tree.view(root)))
                .sum::<usize>()
        })
    });
    group.finish();
}

/// 100 files of ten applications: 3,000 objects.
fn bundle(settings: &Settings, schema: &Schema) -> Bundle {
    let file = |number: usize| {
        let applications: Vec<String> = (0..10).map(|inner| manifests::application(number * 10 + inner, 3)).collect();
        Input {
            name: format!("{number}.yaml"),
            content: Ok(applications.join("---\n").into_bytes()),
            path: 0,
            explicit: false,
        }
    };
    let (loaded, _) = load::assemble((0..100).map(file).collect(), settings);
    let scope = |api_version: &str, kind: &str| schema.served(api_version, kind).map(|kind| kind.namespaced);
    parse::run(loaded, settings, &scope).0
}

fn stages(criterion: &mut Criterion) {
    let settings = Settings::default();
    let schema = Schema::of(settings.kube_version).expect("the default version has facts");
    let mut group = criterion.benchmark_group("3,000 objects");
    group.sample_size(20).throughput(Throughput::Elements(3000));
    group.bench_function("parse", |bencher| bencher.iter(|| bundle(&settings, schema)));
    group.bench_function("defaults", |bencher| {
        bencher.iter_batched(
            || bundle(&settings, schema),
            |mut bundle| defaults::run(&mut bundle, schema),
            BatchSize::LargeInput,
        );
    });
    let mut bundle = bundle(&settings, schema);
    defaults::run(&mut bundle, schema);
    group.bench_function("validate", |bencher| bencher.iter(|| validate::run(black_box(&bundle), None, schema).len()));
    group.bench_function("lint", |bencher| bencher.iter(|| lint::run(black_box(&bundle), None, &settings).len()));
    group.finish();
}

/// One Deployment, read already: decoding, defaults, validation and warnings.
fn deployment(criterion: &mut Criterion) {
    let schema = Schema::of(Settings::default().kube_version).expect("the default version has facts");
    let kind = schema.served("apps/v1", "Deployment").expect("it is served");
    let file = yaml::read(&manifests::application(1, 3).into());
    let object = file.tree.view(file.documents[0].root.expect("it reads"));
    let judge = || {
        let decoded = check(schema, kind, object);
        let (tree, root) = defaults::received(schema, object, kind);
        let full = tree.view(root);
        assert!(decoded.message.is_none() && validate::object("apps", "Deployment", full).is_empty());
        validate::warnings("apps", "Deployment", full).len()
    };
    let start = Instant::now();
    judge();
    println!("the first Deployment, reading its types included: {:?}", start.elapsed());
    criterion.bench_function("one Deployment", |bencher| bencher.iter(judge));
}

criterion_group!(benches, deployment, reading, stages);
criterion_main!(benches);
