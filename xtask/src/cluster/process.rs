//! Starting components so that they outlive this program, and stopping them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;

const STARTING: Duration = Duration::from_secs(60);
const STOPPING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The processes of one cluster, kept in a file between `up` and `down`.
pub(super) struct Processes {
    home: PathBuf,
    list: PathBuf,
    wanted: Arc<AtomicBool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    name: String,
    id: String,
}

impl Processes {
    /// The processes listed in a cluster's directory.
    pub(super) fn new(home: &Path) -> Self {
        Self::wanted(home, Arc::new(AtomicBool::new(true)))
    }

    /// The same, which start nothing more once they are no longer wanted.
    pub(super) fn wanted(home: &Path, wanted: Arc<AtomicBool>) -> Self {
        Self { home: home.to_owned(), list: home.join("processes"), wanted }
    }

    fn go_on(&self) -> Outcome {
        if self.wanted.load(Ordering::Relaxed) { Ok(()) } else { Err("no longer wanted".to_owned()) }
    }

    /// Starts a component; its output goes to `NAME.log`.
    pub(super) fn start(&self, name: &str, program: &str, flags: &[String]) -> Outcome {
        self.go_on()?;
        let log = self.log(name);
        let out = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let err = out.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        if program == super::build::CONTROL_PLANE {
            command.arg(name);
        }
        command.args(flags).stdin(Stdio::null()).stdout(out);
        // A group of its own: an interrupt in the terminal does not reach it.
        let child = command.stderr(err).process_group(0).spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut list = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.list)
            .map_err(|error| format!("{}: {error}", self.list.display()))?;
        writeln!(list, "{name} {}", child.id()).map_err(|error| error.to_string())
    }

    /// Waits until a component does its work; fails when it has ended instead.
    pub(super) fn wait(&self, name: &str, works: impl Fn() -> bool) -> Outcome {
        let since = Instant::now();
        while since.elapsed() < STARTING {
            self.go_on()?;
            let all = self.read()?;
            if let Some(ended) = all.iter().find(|process| !process.runs(&self.home)) {
                return Err(format!("{} has ended; its last words:\n{}", ended.name, self.last_words(&ended.name)));
            }
            if works() {
                return Ok(());
            }
            sleep(PAUSE);
        }
        Err(format!("{name} is not ready after a minute; its last words:\n{}", self.last_words(name)))
    }

    /// The end of a component's log, which may be gone with its folder when someone wants to look.
    fn last_words(&self, name: &str) -> String {
        let log = fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Whether there are processes, and none of them has ended.
    pub(super) fn all_run(&self) -> Result<bool, String> {
        let all = self.read()?;
        Ok(!all.is_empty() && all.iter().all(|process| process.runs(&self.home)))
    }

    /// Stops the last started first: a component whose server is gone hangs.
    pub(super) fn stop_all(&self) -> Outcome {
        for process in self.read()?.iter().rev() {
            process.stop(&self.home);
        }
        match fs::remove_file(&self.list) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{}: {error}", self.list.display())),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Vec<Process>, String> {
        match fs::read_to_string(&self.list) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            text => Ok(parse(&text.map_err(|error| format!("{}: {error}", self.list.display()))?)),
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.home.join(format!("{name}.log"))
    }
}

fn parse(list: &str) -> Vec<Process> {
    let process = |line: &str| {
        let (name, id) = line.split_once(' ')?;
        Some(Process { name: name.to_owned(), id: id.to_owned() })
    };
    list.lines().filter_map(process).collect()
}

impl Process {
    /// Whether the process is there and still ours: ids are used again, but
    /// only our components have the cluster's directory among their flags.
    fn runs(&self, home: &Path) -> bool {
        let command = ["-ww", "-o", "stat=,args=", "-p", &self.id];
        let answer = output(Command::new("ps").args(command)).unwrap_or_default();
        let is_dead = answer.trim_start().starts_with('Z');
        !is_dead && answer.contains(&home.display().to_string())
    }

    fn stop(&self, home: &Path) {
        for signal in ["-TERM", "-KILL"] {
            if !self.runs(home) {
                return;
            }
            // It may end between the question and the signal; then this fails.
            let _ = output(Command::new("kill").args([signal, &self.id]));
            let since = Instant::now();
            while self.runs(home) && since.elapsed() < STOPPING {
                sleep(PAUSE);
            }
        }
    }
}

/// Runs a command to its end and returns what it prints.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{name}: {}: {}", done.status, said.trim()));
    }
    String::from_utf8(done.stdout).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_list() {
        let names: Vec<String> = parse("etcd 12\nkwok 13\nhalf\n")
            .into_iter()
            .map(|process| format!("{}={}", process.name, process.id))
            .collect();
        assert_eq!(names, ["etcd=12", "kwok=13"]);
    }

    #[test]
    fn a_process_of_someone_else_is_not_ours() {
        let own = Process { name: "etcd".to_owned(), id: std::process::id().to_string() };
        assert!(!own.runs(Path::new("/nowhere/target/cluster")));
    }
}
