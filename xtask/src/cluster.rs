//! `cargo xtask cluster up|down|dump DIR`: a real Kubernetes control plane on this
//! machine, with KWOK in the place of kubelets, for tests that want a cluster.
//!
//! Everything that runs keeps its files in `target/cluster`: data, keys, logs,
//! the kubeconfig, and `processes`, a line `NAME PID` for each component in the
//! order of starting. Ports are free ones below the ephemeral range and the
//! token is random, so that two checkouts can each have their cluster.

mod build;
mod dump;
mod ports;
mod process;
pub(crate) mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use build::{CONTROL_PLANE, KWOK};
use process::Processes;

/// Runs `up`, `down` or `dump DIR`.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let home = absolute("target/cluster")?;
    match options {
        ["up"] => up(&home),
        ["down"] => down(&home),
        ["dump", directory] => dump::write(&home, Path::new(directory)),
        _ => Err("cluster needs a word: up, down or dump DIR".to_owned()),
    }
}

fn up(home: &Path) -> Outcome {
    let processes = Processes::new(home);
    if processes.all_run()? {
        println!("{}", Files::new(home).kubeconfig.display());
        return Ok(());
    }
    // What is left of a cluster that broke would hold on to its data.
    processes.stop_all()?;
    build::everything()?;
    if home.exists() {
        fs::remove_dir_all(home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    let cluster = Cluster::prepare(home)?;
    let started = cluster.start(&processes);
    if started.is_err() {
        processes.stop_all()?;
    }
    started?;
    println!("{}", cluster.files.kubeconfig.display());
    Ok(())
}

fn down(home: &Path) -> Outcome {
    Processes::new(home).stop_all()
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path}: {error}"))
}

/// Where the components find what they share.
struct Files {
    data: PathBuf,
    certificates: PathBuf,
    key: PathBuf,
    tokens: PathBuf,
    kubeconfig: PathBuf,
    stages: PathBuf,
}

impl Files {
    fn new(home: &Path) -> Self {
        Self {
            data: home.join("etcd"),
            certificates: home.join("certificates"),
            key: home.join("service-accounts.key"),
            tokens: home.join("tokens.csv"),
            kubeconfig: home.join("kubeconfig"),
            stages: home.join("stages.yaml"),
        }
    }

    fn write(&self, api_port: u16, token: &str) -> Outcome {
        fs::create_dir_all(&self.certificates).map_err(|error| error.to_string())?;
        let key = process::output(Command::new(CONTROL_PLANE).arg("key"))?;
        let files = [
            (&self.key, key),
            (&self.tokens, format!("{token},admin,1,\"system:masters\"\n")),
            (&self.kubeconfig, kubeconfig(api_port, token)),
            (&self.stages, build::stages()?),
        ];
        for (path, text) in files {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

fn kubeconfig(api_port: u16, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: kplan-test
clusters:
- name: kplan-test
  cluster:
    server: https://127.0.0.1:{api_port}
    insecure-skip-tls-verify: true
users:
- name: admin
  user:
    token: {token}
contexts:
- name: kplan-test
  context:
    cluster: kplan-test
    user: admin
"
    )
}

/// One cluster's files and ports.
struct Cluster {
    files: Files,
    etcd: u16,
    etcd_peer: u16,
    api: u16,
    scheduler: u16,
    controllers: u16,
    kwok: u16,
}

impl Cluster {
    fn prepare(home: &Path) -> Result<Self, String> {
        let [etcd, etcd_peer, api, scheduler, controllers, kwok] = ports::free()?;
        let files = Files::new(home);
        files.write(api, &format!("{:016x}", ports::random()))?;
        Ok(Self { files, etcd, etcd_peer, api, scheduler, controllers, kwok })
    }

    fn start(&self, processes: &Processes) -> Outcome {
        processes.start("etcd", CONTROL_PLANE, &self.etcd_flags())?;
        processes.start("kube-apiserver", CONTROL_PLANE, &self.api_flags())?;
        processes.wait("kube-apiserver", || self.is_ready())?;
        let scheduler = self.follower_flags(self.scheduler);
        processes.start("kube-scheduler", CONTROL_PLANE, &scheduler)?;
        let controllers = self.controller_flags();
        processes.start("kube-controller-manager", CONTROL_PLANE, &controllers)?;
        processes.start("kwok", KWOK, &self.kwok_flags())?;
        processes.wait("kube-controller-manager", || self.has_service_account())
    }

    fn is_ready(&self) -> bool {
        self.asks(&["get", "--raw", "/readyz"])
    }

    /// Pods can be created once the controllers made the account they run as.
    fn has_service_account(&self) -> bool {
        self.asks(&["get", "serviceaccount", "default", "--namespace=default"])
    }

    fn asks(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(CONTROL_PLANE);
        command.arg("kubectl").arg(flag("kubeconfig", &self.files.kubeconfig));
        process::output(command.args(arguments)).is_ok()
    }

    fn etcd_flags(&self) -> Vec<String> {
        let client = format!("http://127.0.0.1:{}", self.etcd);
        let peer = format!("http://127.0.0.1:{}", self.etcd_peer);
        vec![
            flag("data-dir", &self.files.data),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_flags(&self) -> Vec<String> {
        vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd),
            format!("--secure-port={}", self.api),
            "--bind-address=127.0.0.1".to_owned(),
            flag("cert-dir", &self.files.certificates),
            flag("token-auth-file", &self.files.tokens),
            flag("service-account-key-file", &self.files.key),
            flag("service-account-signing-key-file", &self.files.key),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
        ]
    }

    /// The flags of a component that only talks to the API server.
    fn follower_flags(&self, port: u16) -> Vec<String> {
        vec![
            flag("kubeconfig", &self.files.kubeconfig),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            flag("cert-dir", &self.files.certificates),
            "--leader-elect=false".to_owned(),
            "--authentication-skip-lookup".to_owned(),
        ]
    }

    fn controller_flags(&self) -> Vec<String> {
        let mut flags = self.follower_flags(self.controllers);
        flags.push(flag("service-account-private-key-file", &self.files.key));
        flags.push("--use-service-account-credentials=true".to_owned());
        flags
    }

    fn kwok_flags(&self) -> Vec<String> {
        vec![
            flag("kubeconfig", &self.files.kubeconfig),
            flag("config", &self.files.stages),
            format!("--server-address=127.0.0.1:{}", self.kwok),
            "--manage-all-nodes=true".to_owned(),
            "--node-lease-duration-seconds=40".to_owned(),
        ]
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
