//! The components of a cluster with their flags, in the order of starting.

use std::path::Path;
use std::process::Command;

use super::build::{CONTROL_PLANE, KWOK};
use super::files::Files;
use super::process::{self, Processes};
use super::{flag, ports};
use crate::Outcome;

/// What a kubelet would do, for KWOK to play.
const STAGES: &str = "tests/control-plane/stages.yaml";
/// What is in the cluster from the start: nodes, and what its users may do.
const SETUP: &str = "tests/control-plane/setup.yaml";

/// One cluster's files and ports.
pub(super) struct Cluster {
    pub(super) files: Files,
    etcd: u16,
    etcd_peer: u16,
    api: u16,
    scheduler: u16,
    controllers: u16,
    kwok: u16,
}

impl Cluster {
    pub(super) fn prepare(home: &Path) -> Result<Self, String> {
        let [etcd, etcd_peer, api, scheduler, controllers, kwok] = ports::free()?;
        let files = Files::new(home);
        files.write(api)?;
        Ok(Self { files, etcd, etcd_peer, api, scheduler, controllers, kwok })
    }

    /// Starts everything; done when pods can be created and would run.
    pub(super) fn start(&self, processes: &Processes) -> Outcome {
        processes.start("etcd", CONTROL_PLANE, &self.etcd_flags())?;
        processes.start("kube-apiserver", CONTROL_PLANE, &self.api_flags())?;
        processes.wait("kube-apiserver", || self.is_ready())?;
        let scheduler = self.follower_flags(self.scheduler);
        processes.start("kube-scheduler", CONTROL_PLANE, &scheduler)?;
        let controllers = self.controller_flags();
        processes.start("kube-controller-manager", CONTROL_PLANE, &controllers)?;
        processes.start("kwok", KWOK, &self.kwok_flags())?;
        let setup = ["apply", "--server-side", "--filename", SETUP];
        process::output(self.kubectl().args(setup))?;
        processes.wait("kube-controller-manager", || self.has_service_account())?;
        processes.wait("kwok", || self.has_nodes())
    }

    /// Starts the API server and its etcd alone.
    pub(super) fn start_server(&self, processes: &Processes, more: &[&str]) -> Outcome {
        let mut flags = self.api_flags();
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        processes.start("etcd", CONTROL_PLANE, &self.etcd_flags())?;
        processes.start("kube-apiserver", CONTROL_PLANE, &flags)?;
        processes.wait("kube-apiserver", || self.is_ready())
    }

    /// Starts a scheduler (the program, where it is not ours) that logs the score of every node; it answers as fast as it
    /// can.
    pub(super) fn start_scheduler(
        &self,
        processes: &Processes,
        program: Option<&str>,
        config: Option<&str>,
    ) -> Outcome {
        let mut flags = self.follower_flags(self.scheduler);
        flags.extend(["--vmodule=schedule_one=10", "--kube-api-qps=2000", "--kube-api-burst=4000"].map(str::to_owned));
        if let Some(config) = config {
            flags.push(flag("config", &self.files.scheduler(config)?));
        }
        processes.start("kube-scheduler", program.unwrap_or(CONTROL_PLANE), &flags)
    }

    fn is_ready(&self) -> bool {
        process::output(self.kubectl().args(["get", "--raw", "/readyz"])).is_ok()
    }

    /// Pods can be created once the controllers made the account they run as.
    fn has_service_account(&self) -> bool {
        let question = ["get", "serviceaccount", "default", "--namespace=default"];
        process::output(self.kubectl().args(question)).is_ok()
    }

    fn has_nodes(&self) -> bool {
        let question = ["wait", "--for=condition=Ready", "--timeout=5s", "nodes", "--all"];
        process::output(self.kubectl().args(question)).is_ok()
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new(CONTROL_PLANE);
        command.arg("kubectl").arg(flag("kubeconfig", &self.files.kubeconfig));
        command.arg(flag("cache-dir", &self.files.kubectl_cache));
        command
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
            flag("tls-cert-file", &self.files.certificate),
            flag("tls-private-key-file", &self.files.certificate_key),
            flag("token-auth-file", &self.files.tokens),
            flag("service-account-key-file", &self.files.service_account_key),
            flag("service-account-signing-key-file", &self.files.service_account_key),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/20".to_owned(),
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
        flags.push(flag("root-ca-file", &self.files.authority));
        flags.push(flag("service-account-private-key-file", &self.files.service_account_key));
        flags.push("--use-service-account-credentials=true".to_owned());
        // At the default rate the accounts of the controllers alone take five seconds.
        flags.push("--kube-api-qps=200".to_owned());
        flags.push("--kube-api-burst=400".to_owned());
        // A claim that was looked at before its volume waits for this.
        flags.push("--pvclaimbinder-sync-period=1s".to_owned());
        flags
    }

    fn kwok_flags(&self) -> Vec<String> {
        vec![
            flag("kubeconfig", &self.files.kubeconfig),
            flag("config", Path::new(STAGES)),
            format!("--server-address=127.0.0.1:{}", self.kwok),
            "--manage-all-nodes=true".to_owned(),
            "--cidr=10.244.0.0/16".to_owned(),
            "--node-lease-duration-seconds=40".to_owned(),
        ]
    }
}
