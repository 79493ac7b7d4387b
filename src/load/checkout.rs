//! The files of a git reference in a folder of their own, for programs that read files.

use std::path::{Path, PathBuf};

use super::git::{Git, GitError};

/// The files of a commit; they are gone when this is.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// What stands for the folder that it was asked from.
    pub home: PathBuf,
}

/// Lays out all files of a reference; the repository's index and work tree stay as they are.
///
/// # Errors
/// git cannot, or the folder for temporary files cannot be written.
pub fn git_tree(folder: &Path, reference: &str) -> Result<Tree, GitError> {
    let git = Git::open(folder)?;
    let prefix = git.text(&["rev-parse", "--show-prefix"])?;
    let top = git.text(&["rev-parse", "--show-toplevel"])?;
    let git = Git::open(Path::new(top.trim_end_matches('\n')))?;
    let commit =
        git.text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{reference}^{{commit}}")])?;
    let root = std::env::temp_dir().join(format!("kplan-tree-{}", std::process::id()));
    let failed = |error: std::io::Error| GitError::Failed {
        command: "checkout-index".to_owned(),
        message: format!("{}: {error}", root.display()),
    };
    std::fs::create_dir_all(&root).map_err(failed)?;
    let root = root.canonicalize().map_err(failed)?;
    let files = root.join("files");
    let tree = Tree { home: files.join(prefix.trim_end_matches('\n')), root: root.clone() };
    let git = git.with_index(root.join("index"));
    git.text(&["read-tree", commit.trim_end()])?;
    git.text(&["checkout-index", "--all", "--quiet", &format!("--prefix={}/", files.display())])?;
    Ok(tree)
}

impl Drop for Tree {
    fn drop(&mut self) {
        // A folder that stays behind is the system's to clear.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
