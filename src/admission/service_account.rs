//! ServiceAccount: the pull secrets of a pod's account, and the secrets that an account allows. Whether there is an
//! account is known to the cluster alone.
//!
//! `plugin/pkg/admission/serviceaccount/admission.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::{Plugin, Refusal, set_str};
use crate::yaml::{NodeId, Tree, View};

/// The accounts by name.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceAccounts<'b> {
    accounts: BTreeMap<&'b str, View<'b>>,
}

impl<'b> ServiceAccounts<'b> {
    pub(super) fn read(&mut self, name: &'b str, account: View<'b>) {
        self.accounts.insert(name, account);
    }

    fn account(&self, spec: View<'_>) -> Option<(String, View<'b>)> {
        let name = spec.get_str("serviceAccountName").filter(|name| !name.is_empty()).unwrap_or("default");
        Some((name.to_owned(), *self.accounts.get(name)?))
    }

    /// Whether a pod gets pull secrets.
    pub(super) fn add_to(&self, spec: View<'_>) -> bool {
        spec.list("imagePullSecrets").len() == 0
            && self.account(spec).is_some_and(|(_, account)| account.list("imagePullSecrets").len() > 0)
    }

    pub(super) fn admit(&self, tree: &mut Tree, spec: NodeId) -> Result<(), Refusal> {
        let Some((name, account)) = self.account(tree.view(spec)) else { return Ok(()) };
        if self.add_to(tree.view(spec)) {
            let span = tree.node(spec).span;
            let list = tree.push_seq(span, &[]);
            for secret in account.list("imagePullSecrets").filter_map(|secret| secret.get_str("name")) {
                let reference = tree.push_map(span, &[]);
                set_str(tree, reference, "name", secret);
                tree.append(list, reference);
            }
            tree.insert(spec, "imagePullSecrets", list);
        }
        let mark = account.at(&["metadata", "annotations"]);
        let mark = mark.and_then(|annotations| annotations.get_str("kubernetes.io/enforce-mountable-secrets"));
        // `strconv.ParseBool`
        if !mark.is_some_and(|mark| ["1", "t", "T", "TRUE", "true", "True"].contains(&mark)) {
            return Ok(());
        }
        match limit_secret_references(&name, account, tree.view(spec)) {
            Some(message) => Err(Refusal::new(Plugin::ServiceAccount, message)),
            None => Ok(()),
        }
    }
}

/// `limitSecretReferences`
fn limit_secret_references(account: &str, of: View<'_>, spec: View<'_>) -> Option<String> {
    let names = |key| of.list(key).filter_map(|secret| secret.get_str("name")).collect::<BTreeSet<&str>>();
    let (mountable, pulled) = (names("secrets"), names("imagePullSecrets"));
    let why = format!("is not allowed because service account {account} does not reference that");
    let name = |reference: View<'_>, key: &str| reference.get_str(key).unwrap_or_default().to_owned();
    let mut volumes = spec.list("volumes").filter_map(|volume| volume.get("secret"));
    if let Some(secret) = volumes.find(|secret| !mountable.contains(name(*secret, "secretName").as_str())) {
        return Some(format!("volume with secret.secretName=\"{}\" {why} secret", name(secret, "secretName")));
    }
    for (list, what) in [("initContainers", "init container"), ("containers", "container")] {
        for container in spec.list(list) {
            let owner = name(container, "name");
            for variable in container.list("env") {
                let secret = variable.at(&["valueFrom", "secretKeyRef"]).map(|secret| name(secret, "name"));
                if let Some(secret) = secret.filter(|secret| !mountable.contains(secret.as_str())) {
                    let variable = name(variable, "name");
                    return Some(format!(
                        "{what} {owner} with envVar {variable} referencing secret.secretName=\"{secret}\" {why} secret"
                    ));
                }
            }
            for source in container.list("envFrom") {
                let secret = source.get("secretRef").map(|secret| name(secret, "name"));
                if let Some(secret) = secret.filter(|secret| !mountable.contains(secret.as_str())) {
                    return Some(format!(
                        "{what} {owner} with envFrom referencing secret.secretName=\"{secret}\" {why} secret"
                    ));
                }
            }
        }
    }
    let mut pulls = spec.list("imagePullSecrets").map(|secret| name(secret, "name")).enumerate();
    let (index, secret) = pulls.find(|(_, secret)| !pulled.contains(secret.as_str()))?;
    Some(format!("imagePullSecrets[{index}].name=\"{secret}\" {why} imagePullSecret"))
}
