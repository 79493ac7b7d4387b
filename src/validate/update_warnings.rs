//! The `Warning` headers that the API server adds to an update.
//!
//! `pkg/registry/*/*/strategy.go` `WarningsOnUpdate` and what `PrepareForUpdate` takes for a new generation (Kubernetes
//! 1.36): most workloads are looked at only where their spec changes.

use super::obj::Obj;
use super::warnings::{always, claim_spec, history, job_spec, owners, service_account, template};
use crate::model::path::Path;
use crate::yaml::View;

/// The warnings for making `old` into `new`, in the server's order; nothing for unknown kinds. Both are defaulted.
pub fn update_warnings(group: &str, kind: &str, old: View<'_>, new: View<'_>) -> Vec<String> {
    let (old, new) = (Obj(Some(old)), Obj(Some(new)));
    let (before, spec) = (old.at("spec"), new.at("spec"));
    let mut out = Vec::new();
    owners(&mut out, new.at("metadata"));
    let path = Path::root("spec");
    let changes = !spec.same(before);
    match (group, kind) {
        // Nothing is said of these that are there already.
        ("", "Pod" | "ResourceQuota") | ("networking.k8s.io", "Ingress") => {}
        ("", "PodTemplate") if new.at("template").same(old.at("template")) => {}
        ("", "PodTemplate") => template(&mut out, new.at("template"), &Path::root("template")),
        // The server looks at the template that was there.
        ("", "ReplicationController") if changes => {
            template(&mut out, before.at("template"), &path.child("template"));
        }
        ("apps", "DaemonSet") if spec.at("template").same(before.at("template")) => {}
        ("apps", "DaemonSet") => template(&mut out, spec.at("template"), &path.child("template")),
        ("apps", "Deployment") if changes || !annotations(new).same(annotations(old)) => {
            template(&mut out, spec.at("template"), &path.child("template"));
        }
        ("apps", "ReplicaSet") if changes => template(&mut out, spec.at("template"), &path.child("template")),
        ("apps", "StatefulSet") => stateful_set(&mut out, spec, changes, &path),
        ("batch", "Job") if changes => job_spec(&mut out, spec, &path),
        ("batch", "CronJob") => cron_job(&mut out, spec, changes, &path),
        ("", "ServiceAccount") => {
            service_account(&mut out, if mountable(old) { Obj::NONE } else { new.at("metadata") });
        }
        _ => always(&mut out, group, kind, new),
    }
    out
}

fn annotations(object: Obj) -> Obj {
    object.at("metadata").at("annotations")
}

/// An annotation that is there already is not warned of again.
fn mountable(account: Obj) -> bool {
    annotations(account).entry("kubernetes.io/enforce-mountable-secrets").is_some()
}

fn stateful_set(out: &mut Vec<String>, spec: Obj, changes: bool, path: &Path) {
    if changes {
        template(out, spec.at("template"), &path.child("template"));
    }
    let claims = path.child("volumeClaimTemplates");
    for (index, claim) in spec.list("volumeClaimTemplates").enumerate() {
        let item = claims.index(index);
        claim_spec(out, claim.at("spec"), &item.child("Spec"));
    }
    history(out, spec);
}

fn cron_job(out: &mut Vec<String>, spec: Obj, changes: bool, path: &Path) {
    if changes {
        let template = path.child("jobTemplate");
        job_spec(out, spec.at("jobTemplate").at("spec"), &template.child("spec"));
    }
    if spec.str("schedule").contains("TZ") {
        out.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                .to_owned(),
        );
    }
}
