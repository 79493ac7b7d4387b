//! What quotas refuse where the objects of a set are made one after the other: first the objects themselves, then the
//! pods, claims and ReplicaSets that controllers make of them.

use std::collections::{BTreeMap, HashSet};

use super::obj::Obj;
use super::stage::{diagnostic, forbidden};
use crate::admission::resource_quota::Quotas;
use crate::admission::{Admission, Admitted, Charge, Plugin, Refusal};
use crate::diag::Diagnostic;
use crate::model::intstr::IntOrString;
use crate::model::pod::PodTemplate;
use crate::model::{Bundle, Key, Object, ObjectId};
use crate::schema::{Kind, Schema};
use crate::yaml::View;

/// More pods than this are not counted one by one.
const MOST: i64 = 10_000;

/// A run over the objects of namespaces that have quotas.
struct Run<'a> {
    bundle: &'a Bundle,
    admission: &'a Admission<'a>,
    quotas: BTreeMap<&'a str, Quotas>,
    found: Vec<Diagnostic>,
}

/// Holds the set to its quotas. What the server refuses for another reason (`found`) is not made, and what the live
/// cluster has is counted there.
pub(super) fn run<'a>(
    bundle: &'a Bundle,
    live: Option<&Bundle>,
    schema: &Schema,
    admission: &'a Admission<'a>,
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    let quotas = admission.quotas();
    if quotas.is_empty() {
        return Vec::new();
    }
    let refused = found.iter().filter(|found| found.server.is_some());
    let mut unmade: HashSet<ObjectId> = refused.filter_map(|found| found.object).collect();
    let there: HashSet<Key> = live.into_iter().flat_map(Bundle::iter).map(|(_, object)| object.key()).collect();
    unmade.extend(bundle.iter().filter(|(_, object)| there.contains(&object.key())).map(|(id, _)| id));
    unmade.extend(bundle.ids().filter(|id| bundle.is_controlled(*id)));
    let mut run = Run { bundle, admission, quotas, found: Vec::new() };
    run.charge_made();
    let made: Vec<(ObjectId, &Kind)> = bundle
        .iter()
        .filter(|(id, object)| !unmade.contains(id) && run.quotas.contains_key(namespace(object)))
        .filter_map(|(id, object)| Some((id, schema.stands_for(&object.api_version, &object.kind)?)))
        .filter(|(_, kind)| kind.namespaced && kind.kind != "Event")
        .collect();
    let made: Vec<ObjectId> = made.into_iter().filter(|(id, kind)| run.make(*id, kind)).map(|(id, _)| id).collect();
    for id in made {
        run.control(id);
    }
    run.found
}

fn namespace(object: &Object) -> &str {
    object.namespace.as_deref().unwrap_or("default")
}

impl Run<'_> {
    /// What controllers make in every namespace: the account `default` and the cluster's certificate.
    fn charge_made(&mut self) {
        for (namespace, quotas) in &mut self.quotas {
            for (kind, plural, name) in
                [("ConfigMap", "configmaps", "kube-root-ca.crt"), ("ServiceAccount", "serviceaccounts", "default")]
            {
                let is_it = |object: &Object| {
                    object.kind == kind && object.name == name && object.namespace.as_deref() == Some(namespace)
                };
                if !self.bundle.objects.iter().any(is_it) {
                    quotas.charge(&Charge::count("", plural), true);
                }
            }
        }
    }

    /// Makes an object of the set; whether it is there then.
    fn make(&mut self, id: ObjectId, kind: &Kind) -> bool {
        let object = self.bundle.object(id);
        let Some(quotas) = self.quotas.get_mut(namespace(object)) else { return true };
        let admitted = self.admission.mutate(object, self.bundle.full(id));
        let full = admitted.as_ref().map_or_else(|| self.bundle.full(id), Admitted::view);
        let charge = Charge::of(object.group(), kind.plural, full);
        let runs = kind.kind == "Pod" && full.at(&["spec", "nodeName"]).is_some();
        // A quota does not count itself before it is there.
        let refused = quotas.refuses(&charge).filter(|_| !runs && kind.kind != "ResourceQuota");
        let Some(message) = refused else {
            quotas.charge(&charge, runs);
            return true;
        };
        let refusal = Refusal { plugin: Plugin::ResourceQuota, message, is_absence: false };
        self.found.push(forbidden(self.bundle, id, kind.plural, &refusal));
        false
    }

    /// Makes what a controller makes of an object, as far as its quotas allow.
    fn control(&mut self, id: ObjectId) {
        let object = self.bundle.object(id);
        let full = self.bundle.full(id);
        let name = namespace(object);
        let spec = Obj(full.get("spec"));
        let Some(count) = replicas(&object.kind, spec) else { return };
        let Some(template) = PodTemplate::of(object.group(), &object.kind, full) else { return };
        let Some(quotas) = self.quotas.get_mut(name) else { return };
        let admitted = self.admission.pod(self.admission.namespace(name), template.spec, &[]);
        if admitted.refused.is_some() {
            return;
        }
        let pod = Charge::pod(admitted.view());
        let set = (object.kind == "Deployment").then(|| Charge::count("apps", "replicasets"));
        let claims: Vec<Charge> = claims(full).collect();
        let refused = set.as_ref().and_then(|set| Some((0, "ReplicaSet", quotas.refuses(set)?)));
        set.iter().for_each(|set| quotas.charge(set, false));
        let refused = refused.or_else(|| made(quotas, count, &claims, &pod));
        if let Some((fitting, what, why)) = refused {
            let less = match what {
                "pod" => format!("{} of {count} pods are", count - fitting),
                _ => format!("a {what} of {} is", object.name),
            };
            let message = format!("{less} refused by a ResourceQuota of the namespace: {why}");
            let field = format!("{}.containers", template.path);
            let is_unsaid = why.starts_with("failed quota");
            let rule = if is_unsaid { "quota-needs-requests" } else { "quota-exceeded" };
            self.found.push(diagnostic(self.bundle, id, rule, &field, message));
        } else if let Some(why) = rolls(spec, count).and_then(|()| quotas.refuses(&pod)) {
            let message = format!("a rollout would wait for ever: the pod that it begins with is refused: {why}");
            self.found.push(diagnostic(self.bundle, id, "quota-blocks-rollout", "spec.strategy", message));
        }
    }
}

/// Makes pods, each with claims of its own: the number that fits and what is refused, where something is.
fn made(quotas: &mut Quotas, count: i64, claims: &[Charge], pod: &Charge) -> Option<(i64, &'static str, String)> {
    for index in 0..count.min(MOST) {
        for (what, charge) in claims.iter().map(|claim| ("claim", claim)).chain([("pod", pod)]) {
            if let Some(why) = quotas.refuses(charge) {
                return Some((index, what, why));
            }
            quotas.charge(charge, false);
        }
    }
    None
}

/// How many pods a controller makes at once; `None` where the nodes decide, or where nothing is made.
fn replicas(kind: &str, spec: Obj) -> Option<i64> {
    let count = match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => spec.opt_int("replicas").unwrap_or(1),
        "Job" if !spec.bool("suspend") => job(spec),
        "CronJob" if !spec.bool("suspend") => job(spec.at("jobTemplate").at("spec")),
        _ => return None,
    };
    (count > 0).then_some(count)
}

fn job(spec: Obj) -> i64 {
    let parallelism = spec.opt_int("parallelism").unwrap_or(1);
    spec.opt_int("completions").map_or(parallelism, |completions| parallelism.min(completions))
}

/// The claims that every pod of a StatefulSet gets.
fn claims(full: View<'_>) -> impl Iterator<Item = Charge> + use<'_> {
    let templates = full.get("spec").into_iter().flat_map(|spec| spec.list("volumeClaimTemplates"));
    templates.filter_map(|claim| Some(Charge::claim(claim.get("metadata"), claim.get("spec")?)))
}

/// Whether a Deployment's rollout has to make a pod before it takes one away (`ResolveFenceposts`).
fn rolls(spec: Obj, count: i64) -> Option<()> {
    let rolling = spec.at("strategy").at("rollingUpdate");
    let amount = |key: &str, round_up: bool| {
        let value = rolling.at(key);
        let amount = match value.0.and_then(View::str) {
            Some(text) => IntOrString::Str(text.to_owned()),
            None => IntOrString::Int(i32::try_from(value.number()).ok()?),
        };
        amount.scaled(count, round_up).ok()
    };
    let (surge, unavailable) = (amount("maxSurge", true)?, amount("maxUnavailable", false)?);
    (rolling.has() && surge > 0 && unavailable == 0).then_some(())
}
