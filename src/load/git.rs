//! Asking git: fixed arguments, no shell, no prompt, no network, and an end in time.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why nothing could be read from git. The display is one line; [`GitError::help`] says what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GitError {
    #[error("git was not found, and a git base needs it")]
    NotFound,
    #[error("{} is not inside a git repository", .0.display())]
    NoRepository(PathBuf),
    #[error("git knows no commit `{reference}`")]
    NoReference {
        reference: String,
        /// References spelt like it, nearest first.
        near: Vec<String>,
    },
    #[error("git {command} did not end within {} seconds", TIMEOUT.as_secs())]
    Timeout { command: String },
    #[error("git {command} failed: {message}")]
    Failed { command: String, message: String },
}

impl GitError {
    pub fn help(&self) -> String {
        match self {
            GitError::NotFound => "install git, or compare with a directory: --base dir:PATH".to_owned(),
            GitError::NoRepository(_) => "give a PATH inside a repository, or compare with --base dir:PATH".to_owned(),
            GitError::NoReference { near, .. } if near.is_empty() => {
                "name a branch, tag or commit; a shallow clone holds only the newest ones: git fetch --unshallow"
                    .to_owned()
            }
            GitError::NoReference { near, .. } => format!("did you mean {}?", near.join(", ")),
            GitError::Timeout { .. } => "try the command by hand; a slow file system or a lock may hold it".to_owned(),
            GitError::Failed { .. } => "try the command by hand".to_owned(),
        }
    }
}

/// A directory inside a repository.
pub(super) struct Git {
    directory: PathBuf,
    /// Used in the place of the repository's own.
    index: Option<PathBuf>,
}

impl Git {
    /// Fails where the directory is in no repository.
    pub(super) fn open(directory: &Path) -> Result<Git, GitError> {
        let git = Git { directory: directory.to_owned(), index: None };
        match git.text(&["rev-parse", "--git-dir"]) {
            Ok(_) => Ok(git),
            Err(GitError::Failed { message, .. }) if message.contains("not a git repository") => {
                Err(GitError::NoRepository(git.directory))
            }
            Err(error) => Err(error),
        }
    }

    /// The same repository with an index of its own.
    pub(super) fn with_index(self, index: PathBuf) -> Git {
        Git { index: Some(index), ..self }
    }

    /// What a command prints, as text.
    pub(super) fn text(&self, arguments: &[&str]) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.bytes(arguments, &[])?).into_owned())
    }

    /// What a command prints when it is fed `input`.
    pub(super) fn bytes(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.directory).args(arguments);
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.env("GIT_NO_LAZY_FETCH", "1");
        // Set inside hooks, where they would lead to another repository or index.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
            command.env_remove(name);
        }
        command.envs(self.index.iter().map(|index| ("GIT_INDEX_FILE", index)));
        command.env("GIT_LFS_SKIP_SMUDGE", "1");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let name = arguments.iter().find(|argument| !argument.starts_with('-')).copied().unwrap_or_default().to_owned();
        match child {
            Ok(child) => finish(child, input, name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(GitError::NotFound),
            Err(error) => Err(GitError::Failed { command: name, message: error.to_string() }),
        }
    }

    /// The contents of blobs, by hash.
    pub(super) fn blobs(&self, hashes: &[&str]) -> Result<HashMap<String, Vec<u8>>, GitError> {
        let mut blobs = HashMap::new();
        if hashes.is_empty() {
            return Ok(blobs);
        }
        let mut input = hashes.join("\n");
        input.push('\n');
        let output = self.bytes(&["cat-file", "--batch"], input.as_bytes())?;
        let mut rest = output.as_slice();
        // `HASH blob SIZE\nCONTENT\n`, or `HASH missing\n`.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            let mut words = head.split(' ');
            let (hash, size) = (words.next().unwrap_or_default(), words.nth(1).and_then(|size| size.parse().ok()));
            let content = size.and_then(|size: usize| rest.get(end + 1..(end + 1).checked_add(size)?));
            let Some(content) = content else {
                let message = format!("object {hash} is not in this clone");
                return Err(GitError::Failed { command: "cat-file".to_owned(), message });
            };
            blobs.insert(hash.to_owned(), content.to_vec());
            rest = rest.get(end + 2 + content.len()..).unwrap_or(&[]);
        }
        Ok(blobs)
    }
}

/// Feeds and reads a child on threads of their own, so that neither a full pipe nor a hung git can block.
fn finish(mut child: Child, input: &[u8], command: String) -> Result<Vec<u8>, GitError> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.to_vec();
    std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let errors = std::thread::spawn(move || read_all(stderr));
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(read_all(stdout)));
    let Ok(output) = receive.recv_timeout(TIMEOUT) else {
        // Nothing more can be done where it cannot even be ended.
        let _ = child.kill();
        let _ = child.wait();
        return Err(GitError::Timeout { command });
    };
    let failed = |message: String| GitError::Failed { command: command.clone(), message };
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(output);
    }
    let errors = errors.join().unwrap_or_default();
    let text = String::from_utf8_lossy(&errors);
    let line = text.lines().next().unwrap_or_default();
    Err(failed(line.strip_prefix("fatal: ").unwrap_or(line).to_owned()))
}

fn read_all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is still of use.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    bytes
}
