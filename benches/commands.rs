//! The program from start to exit: `cargo bench --bench commands`. `KPLAN_CORPUS` adds kubernetes/examples, and
//! `KUBECONFORM` (a program) with `KUBECONFORM_SCHEMAS` (its `-schema-location`) the ratio to it.

#[path = "manifests/mod.rs"]
mod manifests;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

fn kplan(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kplan"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1");
    command
}

/// Runs a command, whose findings are of no interest here, and fails when it cannot work at all.
fn run(mut command: Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let code = status.expect("the program starts").code();
    assert!(matches!(code, Some(0 | 1)), "{command:?} exits with {code:?}");
}

fn small(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut group = criterion.benchmark_group("small");
    group.bench_function("start-up (--version)", |bencher| bencher.iter(|| run(kplan(root, &["--version"]))));
    group.bench_function("/bin/true", |bencher| bencher.iter(|| run(Command::new("true"))));
    for command in ["check", "plan"] {
        group.bench_function(format!("{command} a folder of ten files"), |bencher| {
            bencher.iter(|| run(kplan(root, &[command, "fixtures/bundles/tutorial"])));
        });
    }
    group.finish();
}

fn large(criterion: &mut Criterion) {
    let folder = manifests::folder("large");
    let applications: Vec<String> = (0..50).map(|number| manifests::application(number, 100)).collect();
    std::fs::write(folder.join("apps.yaml"), applications.join("---\n")).expect("a file can be written");
    std::fs::write(folder.join("nodes.yaml"), manifests::nodes(1000)).expect("a file can be written");
    std::fs::write(folder.join("stream.yaml"), manifests::stream(25 << 20)).expect("a file can be written");
    let mut group = criterion.benchmark_group("large");
    group.sample_size(10);
    group.bench_function("simulate 5,000 pods on 1,000 nodes", |bencher| {
        bencher.iter(|| run(kplan(&folder, &["simulate", "apps.yaml", "--nodes", "nodes.yaml", "--output", "json"])));
    });
    group.bench_function("check 25 MB", |bencher| bencher.iter(|| run(kplan(&folder, &["check", "stream.yaml"]))));
    group.finish();
}

fn corpus(criterion: &mut Criterion) {
    let Some(corpus) = std::env::var_os("KPLAN_CORPUS").map(PathBuf::from) else { return };
    let mut group = criterion.benchmark_group("kubernetes-examples");
    group.sample_size(20);
    group.bench_function("kplan check", |bencher| {
        bencher.iter(|| run(kplan(&corpus, &["check", "--output", "json", "."])))
    });
    let (program, schemas) = (std::env::var_os("KUBECONFORM"), std::env::var_os("KUBECONFORM_SCHEMAS"));
    if let (Some(program), Some(schemas)) = (program, schemas) {
        group.bench_function("kubeconform -strict", |bencher| {
            bencher.iter(|| {
                let mut command = Command::new(&program);
                command.current_dir(&corpus).args([
                    "-strict",
                    "-output",
                    "json",
                    "-ignore-missing-schemas",
                    "-schema-location",
                ]);
                run({
                    command.arg(&schemas).arg(".");
                    command
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, small, large, corpus);
criterion_main!(benches);
