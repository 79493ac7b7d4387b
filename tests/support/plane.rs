//! A real cluster for tests: a control plane of our own with KWOK in the place of kubelets, started when the first test
//! wants it, one for the whole run.
//!
//! `KPLAN_TEST_KUBECONFIG` names the kubeconfig of another cluster (kind, k3s) to use in its place; tests that need
//! KWOK's failures or the users of our own are then counted as not run. Without it the tests run where
//! `cargo xtask test` or `cargo xtask cluster up` has built the control plane.
//!
//! Tests run side by side on one cluster, so each has a namespace of its own. The nodes are everybody's: the three that
//! every plane has (`node-1` to `node-3`, 32 CPUs and 128Gi each, untainted) are for pods that only have to run
//! somewhere. A test that is about placement makes its own with `Plane::nodes`, which others keep off. What still sees
//! everybody's nodes is the scheduler's count in `0/N nodes are available`: a test of that sentence starts a plane of
//! its own (`Plane::start`, about 6 s and 900 MB).
// Test programs use a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::support::{self, Run};

/// The variable that names another cluster's kubeconfig.
const ELSEWHERE: &str = "KPLAN_TEST_KUBECONFIG";
/// Is there once the control plane has been built.
const BUILT: &str = "tests/control-plane/bin/built-from";
const KUBECTL: &str = "tests/control-plane/bin/control-plane";

/// What a test wants of the cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Any cluster will do.
    Cluster,
    /// Our own: KWOK's failures, its nodes, or users beside the administrator.
    Own,
}

/// A test on the cluster of this run; where it cannot run, it is counted as ignored with what it needs.
pub fn trial(
    name: &str,
    needs: Needs,
    test: impl FnOnce(&'static Plane) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let trial = Trial::test(name, move || test(plane()?));
    match lacks(needs) {
        None => trial,
        Some(what) => trial.with_kind(format!("needs {what}")).with_ignored_flag(true),
    }
}

fn lacks(needs: Needs) -> Option<&'static str> {
    if elsewhere().is_none() {
        return (!support::root().join(BUILT).is_file()).then_some("control-plane");
    }
    (needs == Needs::Own).then_some("no KPLAN_TEST_KUBECONFIG")
}

fn elsewhere() -> Option<PathBuf> {
    std::env::var_os(ELSEWHERE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

static PLANE: OnceLock<Result<Plane, String>> = OnceLock::new();

/// The cluster of this run.
pub fn plane() -> Result<&'static Plane, Failed> {
    let plane = PLANE.get_or_init(|| match elsewhere() {
        Some(kubeconfig) => Plane::elsewhere(kubeconfig),
        None => Plane::start(),
    });
    plane.as_ref().map_err(|error| format!("no cluster: {error}").into())
}

/// Ends the cluster of this run, for the end of `main`; a run that never comes there ends it by ending.
pub fn stop() {
    if let Some(Ok(plane)) = PLANE.get() {
        plane.stop();
    }
}

/// A cluster with its kubeconfig.
pub struct Plane {
    kubeconfig: PathBuf,
    /// The folder for kubectl's cache and for kubeconfigs of proxies.
    pub scratch: PathBuf,
    /// `cargo xtask cluster serve`; its standard input keeps the cluster.
    server: Mutex<Option<Child>>,
    /// Plain HTTP with the administrator's rights, for proxies: its address, and what keeps it.
    plain: OnceLock<Result<(String, ChildStdin), String>>,
}

impl Plane {
    /// Starts a control plane; it ends with `stop`, when dropped, and with this process however that ends.
    pub fn start() -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO"));
        command.args(["run", "--quiet", "--package", "xtask", "--", "cluster", "serve"]).current_dir(support::root());
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let mut line = String::new();
        let stdout = server.stdout.take().ok_or("cluster serve has no output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        if line.is_empty() {
            let status = server.wait().map_err(|error| error.to_string())?;
            return Err(format!("cargo xtask cluster serve: {status}"));
        }
        Self::new(line.trim_end().into(), Some(server))
    }

    fn elsewhere(kubeconfig: PathBuf) -> Result<Self, String> {
        let kubeconfig = std::path::absolute(&kubeconfig).map_err(|error| error.to_string())?;
        let plane = Self::new(kubeconfig, None)?;
        let run = plane.kubectl(&["get", "--raw", "/readyz"]);
        if run.code == Some(0) { Ok(plane) } else { Err(format!("{ELSEWHERE}: {}", run.shown())) }
    }

    fn new(kubeconfig: PathBuf, server: Option<Child>) -> Result<Self, String> {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plane-{}", unique()));
        fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
        Ok(Self { kubeconfig, scratch, server: Mutex::new(server), plain: OnceLock::new() })
    }

    /// Ends a control plane that was started, and waits for its end.
    pub fn stop(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            drop(server.stdin.take());
            server.wait().unwrap();
        }
        // What is left is below target/.
        fs::remove_dir_all(&self.scratch).ok();
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The context of another user (`reader`, `partial`, `nobody`) or of another mishap on the way to the server
    /// (`expired`, `wrong-ca`, `unreachable`, `exec`, `exec-hangs`), for `--context`; see
    /// `tests/control-plane/README.md`. Only on a plane of our own.
    pub fn context(&self, name: &str) -> String {
        format!("kplan-{name}")
    }

    /// Runs kubectl as administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Run {
        support::finish(self.kubectl_command(arguments))
    }

    /// Runs kubectl with this standard input.
    pub fn kubectl_stdin(&self, arguments: &[&str], input: &str) -> Run {
        support::finish_with(self.kubectl_command(arguments), input.as_bytes())
    }

    /// The kubectl of our control plane, else the one of the machine.
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let ours = support::root().join(KUBECTL);
        let mut command = if ours.is_file() { Command::new(ours) } else { Command::new("kubectl") };
        if command.get_program() != "kubectl" {
            command.arg("kubectl");
        }
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(self.scratch.join("cache"));
        command.args(arguments).env_remove("KUBECONFIG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What kubectl gets, as JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value, Failed> {
        let run = self.kubectl(&[&["get", "--output=json"], arguments].concat());
        if run.code != Some(0) {
            return Err(run.shown().into());
        }
        serde_json::from_str(&run.stdout).map_err(|error| format!("{error}: {}", run.stdout).into())
    }

    /// Applies manifests, as manager `kubectl` on the server's side.
    pub fn apply(&self, yaml: &str) -> Result<(), Failed> {
        let run = self.kubectl_stdin(&["apply", "--server-side", "--filename=-"], yaml);
        if run.code == Some(0) { Ok(()) } else { Err(run.shown().into()) }
    }

    /// A new namespace whose name starts with `prefix`; pods can be created in it.
    pub fn namespace(&self, prefix: &str) -> Result<Namespace<'_>, Failed> {
        let namespace = Namespace { plane: self, name: format!("{prefix}-{}", unique()) };
        let name = namespace.name.as_str();
        let account = ["wait", "--for=create", "--timeout=30s", "serviceaccount/default", "--namespace", name];
        for arguments in [&["create", "namespace", name][..], &account] {
            let run = self.kubectl(arguments);
            if run.code != Some(0) {
                return Err(run.shown().into());
            }
        }
        Ok(namespace)
    }

    /// New nodes that only pods of this test come to, until they are dropped: each has the label `kplan.dev/pool` and a
    /// taint of that key and value, effect NoSchedule. Only on a plane of our own.
    pub fn nodes(&self, nodes: &[Node<'_>]) -> Result<Pool<'_>, Failed> {
        let pool = Pool { plane: self, name: format!("pool-{}", unique()) };
        let items: Vec<Value> = nodes.iter().map(|node| node.object(&pool.name)).collect();
        self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string())?;
        let selector = format!("--selector={POOL}={}", pool.name);
        let run = self.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "nodes", &selector]);
        if run.code == Some(0) { Ok(pool) } else { Err(run.shown().into()) }
    }

    /// Asks until the answer is yes; fails with `what` when it is still no after `most`.
    pub fn wait(&self, what: &str, most: Duration, is_so: impl Fn() -> bool) -> Result<(), Failed> {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() > most {
                return Err(format!("not after {} s: {what}", most.as_secs()).into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Runs kplan in a folder on this cluster, as administrator unless the arguments have a `--context`.
    pub fn kplan(&self, folder: &Path, arguments: &[&str]) -> Run {
        support::finish(self.kplan_command(folder, arguments))
    }

    /// The same as a command, for tests that interrupt it.
    pub fn kplan_command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = support::command(folder, arguments);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
    }

    /// `HOST:PORT` of plain HTTP to the API server with the administrator's rights.
    pub fn plain(&self) -> Result<&str, String> {
        let plain = self.plain.get_or_init(|| self.start_plain());
        plain.as_ref().map(|(address, _)| address.as_str()).map_err(Clone::clone)
    }

    /// `kubectl proxy` inside a shell that ends it when this process ends, however that is.
    fn start_plain(&self) -> Result<(String, ChildStdin), String> {
        use std::os::unix::process::CommandExt as _;
        let kubectl = self.kubectl_command(&["proxy", "--port=0"]);
        let mut command = Command::new("sh");
        command.args(["-c", "\"$@\" & cat > /dev/null; kill $!", "sh"]).arg(kubectl.get_program());
        command.args(kubectl.get_args()).env_remove("KUBECONFIG").process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("sh: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.ok_or("kubectl proxy has no output")?)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let address = line.trim_end().strip_prefix("Starting to serve on ").ok_or("kubectl proxy does not start")?;
        Ok((address.to_owned(), stdin.ok_or("kubectl proxy has no input")?))
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A namespace of one test; deleted when dropped, without waiting for its end.
pub struct Namespace<'a> {
    plane: &'a Plane,
    pub name: String,
}

impl Namespace<'_> {
    /// Applies manifests to this namespace.
    pub fn apply(&self, yaml: &str) -> Result<(), Failed> {
        let arguments = ["apply", "--server-side", "--filename=-", "--namespace", &self.name];
        let run = self.plane.kubectl_stdin(&arguments, yaml);
        if run.code == Some(0) { Ok(()) } else { Err(run.shown().into()) }
    }

    /// What kubectl gets from this namespace, as JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value, Failed> {
        self.plane.get(&[arguments, &["--namespace", &self.name]].concat())
    }

    /// Runs kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Run {
        self.plane.kubectl(&[arguments, &["--namespace", &self.name]].concat())
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        self.plane.kubectl(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
    }
}

const POOL: &str = "kplan.dev/pool";

/// A node to make; its name gets the pool's in front.
#[derive(Clone, Copy, Default)]
pub struct Node<'a> {
    pub name: &'a str,
    pub cpu: &'a str,
    pub memory: &'a str,
    pub labels: &'a [(&'a str, &'a str)],
    /// Key, value, effect; the pool's own taint comes in front.
    pub taints: &'a [(&'a str, &'a str, &'a str)],
}

impl Node<'_> {
    fn object(&self, pool: &str) -> Value {
        let name = format!("{pool}-{}", self.name);
        let mut labels = json!({ POOL: pool, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" });
        for (key, value) in self.labels {
            labels[key] = json!(value);
        }
        let own = (POOL, pool, "NoSchedule");
        let taints: Vec<Value> = std::iter::once(&own)
            .chain(self.taints)
            .map(|(key, value, effect)| json!({ "key": key, "value": value, "effect": effect }))
            .collect();
        let room = json!({ "cpu": self.cpu, "memory": self.memory, "pods": "110" });
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": labels },
            "spec": { "taints": taints },
            "status": { "capacity": room, "allocatable": room },
        })
    }
}

/// The nodes of one test; deleted when dropped.
pub struct Pool<'a> {
    plane: &'a Plane,
    pub name: String,
}

impl Pool<'_> {
    /// What a pod's `spec` needs to come to these nodes and no others.
    pub fn placement(&self) -> Value {
        let toleration = json!({ "key": POOL, "value": self.name, "effect": "NoSchedule" });
        json!({ "nodeSelector": { POOL: self.name }, "tolerations": [toleration] })
    }
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        let selector = format!("--selector={POOL}={}", self.name);
        self.plane.kubectl(&["delete", "nodes", &selector, "--wait=false"]);
    }
}

/// Eight hexadecimal digits, others at each call and in each run.
fn unique() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:08x}", RandomState::new().hash_one(()) >> 32)
}
