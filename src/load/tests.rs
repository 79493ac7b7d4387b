//! The git base on real repositories.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Base, GitError, git_files};

#[test]
fn a_base_is_read_as_written() {
    let exists = |path: &str| path == "deploy";
    let read = |text: &str| Base::parse(text, exists);
    assert_eq!(read("empty"), Ok(Base::Empty));
    assert_eq!(read("dir:a"), Ok(Base::Dir("a".to_owned())));
    assert_eq!(read("git:main"), Ok(Base::Git("main".to_owned())));
    assert_eq!(read("deploy"), Ok(Base::Dir("deploy".to_owned())));
    assert_eq!(read("HEAD~2"), Ok(Base::Git("HEAD~2".to_owned())));
    assert_eq!(read("cluster").unwrap(), Base::Cluster);
    assert!(read("git:").is_err() && read("").is_err());
}

struct Repository(PathBuf);

impl Repository {
    fn new(name: &str) -> Repository {
        let root = std::env::temp_dir().join(format!("kplan-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        let repository = Repository(root);
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.0).args(["-c", "user.name=k", "-c", "user.email=k@example.com"]).args(arguments);
        let output = command.env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml")
}

#[test]
fn a_git_base_leaves_the_work_tree_alone() {
    let repository = Repository::new("git-base");
    repository.write("deploy/a.yaml", "kind: A\n");
    repository.write("deploy/sub/ü b.yaml", "kind: B\n");
    repository.write("deploy/skipped/c.yaml", "kind: C\n");
    repository.write("deploy/notes.txt", "no manifest\n");
    repository.write("other/d.yaml", "kind: D\n");
    repository.write(".kplanignore", "skipped/\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.yaml", repository.0.join("deploy/link.yaml")).unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-qm", "one"]);
    repository.write("deploy/a.yaml", "kind: Changed\n");
    std::fs::remove_dir_all(repository.0.join("deploy/sub")).unwrap();
    let status = repository.git(&["status", "--porcelain"]);

    let found = git_files(&repository.0, "HEAD", &["deploy".to_owned()], &is_yaml).unwrap();
    let names: Vec<&str> = found.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["HEAD:deploy/a.yaml", "HEAD:deploy/sub/ü b.yaml"]);
    assert_eq!(found.files[0].1, b"kind: A\n");
    #[cfg(unix)]
    assert_eq!(found.skipped, [("HEAD:deploy/link.yaml".to_owned(), "a link")]);
    // A path that the work tree has no more, and one that the reference never had.
    let gone = git_files(&repository.0, "main", &["deploy/sub".to_owned()], &is_yaml).unwrap();
    assert_eq!(gone.files.len(), 1);
    assert!(git_files(&repository.0, "main", &["nowhere/x.yaml".to_owned()], &is_yaml).unwrap().files.is_empty());
    // From inside a directory, and a file of any name.
    let inside = git_files(&repository.0.join("deploy"), "main", &["notes.txt".to_owned()], &is_yaml).unwrap();
    assert_eq!(inside.files, [("main:notes.txt".to_owned(), b"no manifest\n".to_vec())]);
    let whole = git_files(&repository.0, "main", &[".".to_owned(), "deploy".to_owned()], &is_yaml).unwrap();
    assert_eq!(whole.files.len(), 3);
    assert_eq!(repository.git(&["status", "--porcelain"]), status);
}

#[test]
fn a_git_base_that_cannot_be_read_says_why() {
    let repository = Repository::new("git-errors");
    repository.write("a.yaml", "kind: A\n");
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-qm", "one"]);
    let at = |reference: &str| git_files(&repository.0, reference, &[".".to_owned()], &is_yaml).unwrap_err();
    let error = at("mian");
    assert_eq!(error.to_string(), "git knows no commit `mian`");
    assert_eq!(error.help(), "did you mean main?");
    assert!(matches!(at("--output=x"), GitError::NoReference { .. }));
    assert!(matches!(at("a b"), GitError::NoReference { .. }));
    let outside = std::env::temp_dir().join(format!("kplan-no-git-{}", std::process::id()));
    std::fs::create_dir_all(&outside).unwrap();
    let error = git_files(&outside, "main", &[".".to_owned()], &is_yaml).unwrap_err();
    std::fs::remove_dir_all(&outside).unwrap();
    assert!(matches!(error, GitError::NoRepository(_)), "{error}");
}
