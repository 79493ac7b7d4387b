//! Running a renderer: found by name, without the user's environment, and ended in time.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was not tried, or nobody can say that it is wrong.
    Left { why: String, help: String },
    /// The renderer refused it.
    Failed {
        program: String,
        message: String,
        /// File and line that the renderer names.
        at: Option<(String, u32)>,
    },
}

/// A renderer on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub name: &'static str,
    pub path: PathBuf,
}

impl Program {
    /// The program that `KPLAN_NAME` names (none where that is empty), else the one of the PATH.
    pub(super) fn find(name: &'static str) -> Option<Program> {
        let variable = format!("KPLAN_{}", name.to_uppercase());
        if let Some(path) = std::env::var_os(variable) {
            return (!path.is_empty()).then(|| Program { name, path: path.into() });
        }
        let file = if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() };
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut found = std::env::split_paths(&paths).map(|folder| folder.join(&file));
        found.find(|path| path.is_file()).map(|path| Program { name, path })
    }

    /// What tells this program from another version of it.
    pub(super) fn identity(&self) -> String {
        let metadata = std::fs::metadata(&self.path).ok();
        let changed = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        format!("{} {changed:?} {:?}", self.path.display(), metadata.map(|metadata| metadata.len()))
    }

    /// What it prints. `home` is an empty folder: the user's settings, plugins and credentials stay out of it.
    pub(super) fn run(&self, arguments: &[OsString], home: &Path, timeout: Duration) -> Result<String, Failure> {
        let failed = |message: String| Failure::Failed { program: self.name.to_owned(), message, at: None };
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().current_dir(home);
        for kept in ["SYSTEMROOT", "TMPDIR", "TEMP", "TMP"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        // Nothing is fetched: there is no git, and no proxy that answers.
        command.env("PATH", home).env("HOME", home).env("USERPROFILE", home).env("LC_ALL", "C");
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
            command.env(proxy, "http://127.0.0.1:1");
        }
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS", "XDG_CONFIG_HOME"] {
            command.env(folder, home.join(folder));
        }
        command.env("KUBECONFIG", home.join("kubeconfig"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(format!("it cannot be started: {error}")))?;
        let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
        let start = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if start.elapsed() < timeout => std::thread::sleep(Duration::from_millis(2)),
                _ => {
                    // Nothing more can be done where it cannot even be ended.
                    let _ = child.kill();
                    let _ = child.wait();
                    let seconds = timeout.as_secs_f32();
                    return Err(failed(format!("{} did not end within {seconds} s", self.name)));
                }
            }
        };
        let text = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
        if status.success() {
            return String::from_utf8(text(stdout)).map_err(|_| failed("what it prints is not UTF-8".to_owned()));
        }
        Err(failed(last_words(&String::from_utf8_lossy(&text(stderr)))))
    }
}

fn read(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still of use.
        let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
        bytes
    })
}

/// Longest part of a renderer's words that is shown.
const WORDS: usize = 600;

/// A message that is too long ends early.
pub(super) fn short(words: &str) -> String {
    match words.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words.to_owned(),
    }
}

/// The error among the lines of a renderer, on one line.
fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_error = |line: &&str| line.starts_with("Error: ") || line.starts_with("error: ");
    let from = lines.iter().position(is_error).unwrap_or(0);
    let words = lines.get(from..).unwrap_or_default().join(" ");
    let words = words.trim_start_matches("Error: ").trim_start_matches("error: ");
    let words = words.replace(" Use --debug flag to render out invalid YAML", "");
    if words.is_empty() { "it failed without a word".to_owned() } else { words }
}

/// A folder that is gone when it is no longer used.
#[derive(Debug)]
pub(super) struct Scratch(pub PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Scratch, Failure> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kplan-{}-{number}", std::process::id()));
        let made = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
        made.map(Scratch).map_err(|error| Failure::Left {
            why: format!("{} cannot be made: {error}", path.display()),
            help: "set TMPDIR to a folder that can be written".to_owned(),
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that stays behind is the system's to clear.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_renderer_fit_on_a_line() {
        assert_eq!(last_words("warning: x\nError: a\n  b\n\nUse --debug flag to render out invalid YAML\n"), "a b");
        assert_eq!(last_words(""), "it failed without a word");
        assert!(short(&"é".repeat(700)).ends_with("é …"));
    }
}
