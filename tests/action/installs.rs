//! Where kplan comes from: archives, their checksums, and what happens without.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use crate::github::Done;
use crate::{Stage, Test, noting_kplan, path_with, release, script, support};

pub const TESTS: [(&str, Test); 7] = [
    ("archives_are_named_as_release_yml_names_them", names),
    ("versions_that_are_none", versions),
    ("archives_that_are_not_what_they_should_be", broken_archives),
    ("one_download_a_job", once),
    ("from_source", source),
    ("without_an_archive", no_archive),
    ("source_without_cargo", no_cargo),
];

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A job that fails while installing: one annotation, and kplan does not run.
fn refused(stage: &Stage, with: &[(&str, &str)], said: &str) {
    let done = stage.run(with);
    assert!(!done.success && done.ran == ["install"], "{}", done.log);
    let errors = done.annotations("error");
    assert_eq!(errors.len(), 1, "{}", done.log);
    assert!(errors[0].text.contains(said), "{errors:?}");
    assert_eq!((done.output("exit-code"), stage.calls().len()), ("", 0));
}

fn names() -> Result<(), Failed> {
    let folder = support::folder("action release of all targets");
    let program = folder.join("program");
    script(&program, &format!("#!/usr/bin/env bash\necho kplan {VERSION}\n"));
    for row in crate::release::targets()? {
        crate::release::pack(&folder.join(format!("v{VERSION}")), &program, &row)?;
    }
    let platforms = [("Linux", "X64"), ("Linux", "ARM64"), ("macOS", "X64"), ("macOS", "ARM64"), ("Windows", "X64")];
    assert_eq!(crate::release::targets()?.len(), platforms.len());
    let url = crate::release::serve(folder);
    for (os, arch) in platforms {
        let mut stage = Stage::new(&format!("{os} {arch}"));
        (stage.job.os, stage.job.arch) = (os, arch);
        stage.job.env.insert("KPLAN_RELEASES_URL".to_owned(), url.clone());
        // Its kplan says its version whatever it is asked, so there is no report.
        let done = stage.run(&[("version", &format!("v{VERSION}"))]);
        assert!(done.success, "{os} {arch}: {}", done.log);
        let name = if os == "Windows" { "kplan.exe" } else { "kplan" };
        assert!(stage.job.temp.join("kplan").join(VERSION).join(name).is_file(), "{os} {arch}");
    }
    Ok(())
}

fn versions() -> Result<(), Failed> {
    let stage = Stage::new("versions").with_bundle("tutorial", "deploy");
    refused(&stage, &[("version", "99.0.0")], "there is no kplan 99.0.0 for Linux X64 at http://127.0.0.1");
    for wrong in ["latest", "1.2", "1.2.3; touch pwned", "$(touch pwned)", "../1.2.3", "1.2.3\n::add-mask::x"] {
        refused(&stage, &[("version", wrong)], "is neither as 1.2.3 nor `source`");
    }
    assert_eq!(support::files(&stage.job.workspace).iter().filter(|(name, _)| name.contains("pwned")).count(), 0);
    Ok(())
}

/// The archive of this version in a folder of its own, and that folder's name as a URL.
fn archive(name: &str) -> (PathBuf, String) {
    release(name, &noting_kplan());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("action release {name}"));
    let archive = folder.join(format!("v{VERSION}/kplan-v{VERSION}-x86_64-unknown-linux-gnu.tar.gz"));
    (archive, format!("file://{}", folder.display().to_string().replace(' ', "%20")))
}

fn broken_archives() -> Result<(), Failed> {
    let with_url = |name: &str, url: &str| {
        let mut stage = Stage::new(name).with_bundle("tutorial", "deploy");
        stage.job.env.insert("KPLAN_RELEASES_URL".to_owned(), url.to_owned());
        stage
    };
    let (path, url) = archive("broken");
    let (bytes, sum) = (fs::read(&path)?, path.with_extension("gz.sha256"));
    let good = fs::read_to_string(&sum)?;
    let done = with_url("right checksum", &url).run(&[("paths", "deploy")]);
    assert!(done.success, "{}", done.log);

    fs::write(&path, [&bytes[..], b"x"].concat())?;
    refused(&with_url("wrong checksum", &url), &[], "has the SHA-256 checksum");
    fs::write(&path, &bytes)?;
    for wrong in ["", "<html>not found</html>\n", &good[1..]] {
        fs::write(&sum, wrong)?;
        refused(&with_url("wrong checksum", &url), &[], "has the SHA-256 checksum");
    }
    let mut stage = with_url("no program for checksums", &url);
    let bin = stage.job.temp.join("bin");
    script(&bin.join("sha256sum"), "#!/bin/sh\nexit 1\n");
    stage.job.env.extend(path_with(&bin));
    fs::write(&sum, "")?;
    refused(&stage, &[], "has the SHA-256 checksum");
    fs::remove_file(&sum)?;
    refused(&with_url("no checksum", &url), &[], "there is no checksum of");

    let other = support::folder("action other version").join("kplan");
    script(&other, "#!/usr/bin/env bash\necho kplan 0.0.1\n");
    refused(&with_url("other version", &release("other", &other)), &[], "is not a kplan");
    // Nothing listens on the port of a server that has gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    refused(&with_url("no server", &format!("http://{gone}")), &[], "cannot fetch http://127.0.0.1");
    Ok(())
}

fn once() -> Result<(), Failed> {
    let mut stage = Stage::new("once").with_bundle("tutorial", "deploy");
    assert!(stage.run(&[("paths", "deploy")]).success);
    stage.job.env.insert("KPLAN_RELEASES_URL".to_owned(), "http://127.0.0.1:9/gone".to_owned());
    let done = stage.run(&[("paths", "deploy")]);
    assert!(done.success, "{}", done.log);
    assert_eq!(stage.calls().len(), 2);
    Ok(())
}

/// A cargo that notes where and how it is called, and builds the kplan that notes its arguments.
fn with_cargo(mut stage: Stage) -> (Stage, PathBuf) {
    let folder = stage.job.temp.join("cargo");
    let text = format!(
        "#!/usr/bin/env bash\n{{ pwd; echo \"$@\"; }} >'{}/called'\nwhile [[ $1 != --target-dir ]]; do shift; done\n\
         mkdir -p \"$2/release\"\ncp '{}' \"$2/release/kplan\"\n",
        folder.display(),
        noting_kplan().display()
    );
    script(&folder.join("cargo"), &text);
    stage.job.env.extend(path_with(&folder));
    (stage, folder.join("called"))
}

/// kplan was built in the action's folder, so that no configuration of the user's repository has a say.
fn built(done: &Done, called: &Path) {
    assert!(done.success, "{}", done.log);
    let text = fs::read_to_string(called).unwrap();
    let (folder, arguments) = text.split_once('\n').unwrap();
    assert_eq!(Path::new(folder), support::root());
    assert!(arguments.starts_with("build --release --locked --bin kplan --target-dir "), "{arguments}");
}

fn source() -> Result<(), Failed> {
    let (stage, called) = with_cargo(Stage::new("source").with_bundle("tutorial", "deploy"));
    let done = stage.run(&[("version", "source"), ("paths", "deploy")]);
    built(&done, &called);
    assert_eq!((done.output("exit-code"), stage.calls().len()), ("0", 1));
    fs::remove_file(&called)?;
    assert!(stage.run(&[("version", "source"), ("paths", "deploy")]).success);
    assert!(!called.exists(), "one build a job");
    Ok(())
}

fn no_archive() -> Result<(), Failed> {
    let (mut stage, called) = with_cargo(Stage::new("no archive").with_bundle("tutorial", "deploy"));
    let url = crate::release::serve(support::folder("action no releases"));
    stage.job.env.insert("KPLAN_RELEASES_URL".to_owned(), url);
    let done = stage.run(&[("paths", "deploy")]);
    built(&done, &called);
    assert!(done.log.contains("There is no archive of kplan"), "{}", done.log);
    let (mut stage, called) = with_cargo(Stage::new("no target").with_bundle("tutorial", "deploy"));
    stage.job.arch = "ARM";
    built(&stage.run(&[("paths", "deploy")]), &called);
    Ok(())
}

fn no_cargo() -> Result<(), Failed> {
    let mut stage = Stage::new("no cargo");
    let bin = stage.job.temp.join("bin");
    for tool in ["bash", "sed", "mktemp", "mkdir", "rm", "mv", "cat"] {
        script(&bin.join(tool), &format!("#!/bin/sh\nexec \"$(PATH=/usr/bin:/bin command -v {tool})\" \"$@\"\n"));
    }
    script(&bin.join("cargo"), "#!/bin/sh\necho 'error: no toolchain' >&2\nexit 1\n");
    let refusals = [("kplan does not build", true), ("building kplan needs cargo", false)];
    for (said, has_cargo) in refusals {
        if !has_cargo {
            fs::remove_file(bin.join("cargo"))?;
            stage.job.env.insert("PATH".to_owned(), bin.display().to_string());
        } else {
            stage.job.env.extend(path_with(&bin));
        }
        refused(&stage, &[("version", "source")], said);
    }
    Ok(())
}
