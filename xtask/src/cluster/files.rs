//! The files that the components of a cluster share, and the kubeconfig of its users.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::build::CONTROL_PLANE;
use super::ports;
use super::process::output;
use crate::Outcome;

/// Who may use a cluster, with the group that the API server puts each into. What the last three may do stands in
/// `tests/control-plane/setup.yaml`.
const USERS: [(&str, &str); 4] = [("admin", "system:masters"), ("reader", ""), ("partial", ""), ("nobody", "")];

/// The contexts of the kubeconfig, each with its cluster and its user; the first is the current one.
const CONTEXTS: [(&str, &str, &str); 9] = [
    ("kplan-test", "kplan-test", "admin"),
    ("kplan-reader", "kplan-test", "reader"),
    ("kplan-partial", "kplan-test", "partial"),
    ("kplan-nobody", "kplan-test", "nobody"),
    ("kplan-expired", "kplan-test", "expired"),
    ("kplan-exec", "kplan-test", "exec"),
    ("kplan-exec-hangs", "kplan-test", "exec-hangs"),
    ("kplan-wrong-ca", "wrong-ca", "admin"),
    ("kplan-unreachable", "unreachable", "admin"),
];

/// Where the components find what they share.
pub(super) struct Files {
    pub(super) data: PathBuf,
    pub(super) certificates: PathBuf,
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) certificate_key: PathBuf,
    pub(super) service_account_key: PathBuf,
    pub(super) tokens: PathBuf,
    pub(super) kubeconfig: PathBuf,
    pub(super) kubectl_cache: PathBuf,
    credential: PathBuf,
}

/// What `control-plane certificates` prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificates {
    authority: String,
    authority_data: String,
    stranger_data: String,
    certificate: String,
    key: String,
}

impl Files {
    pub(super) fn new(home: &Path) -> Self {
        Self {
            data: home.join("etcd"),
            certificates: home.join("certificates"),
            authority: home.join("certificates/ca.crt"),
            certificate: home.join("certificates/server.crt"),
            certificate_key: home.join("certificates/server.key"),
            service_account_key: home.join("service-accounts.key"),
            tokens: home.join("tokens.csv"),
            kubeconfig: home.join("kubeconfig"),
            kubectl_cache: home.join("kubectl-cache"),
            credential: home.join("credential.json"),
        }
    }

    pub(super) fn write(&self, api_port: u16) -> Outcome {
        fs::create_dir_all(&self.certificates).map_err(|error| error.to_string())?;
        let key = output(Command::new(CONTROL_PLANE).arg("key"))?;
        let certificates = output(Command::new(CONTROL_PLANE).arg("certificates"))?;
        let certificates: Certificates =
            serde_json::from_str(&certificates).map_err(|error| format!("control-plane certificates: {error}"))?;
        let secret = format!("{:016x}", ports::random());
        let kubeconfig = self.kubeconfig(&certificates, api_port, &secret);
        let kubeconfig = serde_yaml::to_string(&kubeconfig).map_err(|error| error.to_string())?;
        let files = [
            (&self.service_account_key, key),
            (&self.authority, certificates.authority),
            (&self.certificate, certificates.certificate),
            (&self.certificate_key, certificates.key),
            (&self.tokens, tokens(&secret)),
            (&self.credential, credential(&secret).to_string()),
            (&self.kubeconfig, kubeconfig),
        ];
        for (path, text) in files {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// Writes a KubeSchedulerConfiguration with what flags say otherwise, which do not count beside it; gives its path.
    pub(super) fn scheduler(&self, config: &str) -> Result<PathBuf, String> {
        let text = fs::read_to_string(config).map_err(|error| format!("{config}: {error}"))?;
        let mut all: Value = serde_yaml::from_str(&text).map_err(|error| format!("{config}: {error}"))?;
        let Some(fields) = all.as_object_mut() else { return Err(format!("{config} is no object")) };
        let client = json!({ "kubeconfig": self.kubeconfig, "qps": 2000, "burst": 4000 });
        fields.insert("clientConnection".to_owned(), client);
        fields.insert("leaderElection".to_owned(), json!({ "leaderElect": false }));
        let path = self.kubeconfig.with_file_name("scheduler.json");
        fs::write(&path, all.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    fn kubeconfig(&self, certificates: &Certificates, api_port: u16, secret: &str) -> Value {
        // Port 1 is below what a user may listen on.
        let servers = [
            ("kplan-test", api_port, &certificates.authority_data),
            ("wrong-ca", api_port, &certificates.stranger_data),
            ("unreachable", 1, &certificates.authority_data),
        ];
        let clusters = servers.map(|(name, port, authority)| {
            let server = format!("https://127.0.0.1:{port}");
            json!({ "name": name, "cluster": { "server": server, "certificate-authority-data": authority } })
        });
        let mut users: Vec<Value> =
            USERS.iter().map(|(name, _)| json!({ "name": name, "user": { "token": token(name, secret) } })).collect();
        users.extend([
            json!({ "name": "expired", "user": { "token": token("expired", secret) } }),
            plugin("exec", "cat", &self.credential.display().to_string()),
            plugin("exec-hangs", "sleep", "600"),
        ]);
        let contexts = CONTEXTS
            .map(|(name, cluster, user)| json!({ "name": name, "context": { "cluster": cluster, "user": user } }));
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXTS[0].0,
            "clusters": clusters,
            "users": users,
            "contexts": contexts,
        })
    }
}

/// A user whose credential is what a program prints.
fn plugin(name: &str, command: &str, argument: &str) -> Value {
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": command,
        "args": [argument],
        "interactiveMode": "Never",
    });
    json!({ "name": name, "user": { "exec": exec } })
}

fn credential(secret: &str) -> Value {
    json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": { "token": token("admin", secret) },
    })
}

fn token(user: &str, secret: &str) -> String {
    format!("{user}-{secret}")
}

/// The API server's list of tokens: token, user, id, groups.
fn tokens(secret: &str) -> String {
    let line = |(name, group): (&str, &str)| format!("{},{name},{name},\"{group}\"\n", token(name, secret));
    USERS.map(line).concat()
}
