//! InterPodAffinity: pods that want to be near others, or apart from them.

use super::Rejection;
use crate::simulate::counters::Counted;
use crate::simulate::labels::Labels;
use crate::simulate::pod::Pod;
use crate::simulate::topology::Place;

/// What is counted for a pod; indexes of counters among those that it looks at.
#[derive(Clone, Debug, Default)]
pub struct Affinities {
    /// Pods that match all its required affinity terms, by the label of each.
    pub near: Vec<usize>,
    /// Pods that match one of its required anti-affinity terms.
    pub apart: Vec<usize>,
    /// Pods whose required anti-affinity matches it.
    pub repelled: Vec<usize>,
    /// Preferred terms with weights, its own and those of others.
    pub preferred: Vec<(i64, usize)>,
    /// It matches its own affinity terms, so that the first of a group can be placed.
    matches_itself: bool,
}

/// Prepares the pod's own terms (PreFilter and PreScore); `slot` gives the index of a counter.
pub fn prepare(pod: &Pod, namespace: &Labels, slot: &mut dyn FnMut(&str, Counted) -> usize) -> Affinities {
    let matches_itself =
        !pod.affinity.is_empty() && pod.affinity.iter().all(|term| term.matches_existing(pod, namespace));
    let mut matching = |term: &crate::simulate::pod::PodTerm| slot(&term.key, Counted::Matching(term.clone()));
    let apart = pod.anti_affinity.iter().map(&mut matching).collect();
    let preferred = pod.preferred_pods.iter().map(|(weight, term)| (*weight, matching(term))).collect();
    let near = pod.affinity.iter().map(|term| slot(&term.key, Counted::MatchingAll(pod.affinity.clone()))).collect();
    Affinities { near, apart, repelled: Vec::new(), preferred, matches_itself }
}

/// Takes in a counter of what other pods carry, whose term matches the pod.
pub fn meet(affinities: &mut Affinities, pod: &Pod, counted: &Counted, slot: usize) {
    match counted {
        Counted::Repelling(_) => affinities.repelled.push(slot),
        // Who has preferred terms of its own is scored by those of others all the same.
        _ if pod.profile().own_terms_only && pod.preferred_pods.is_empty() => {}
        Counted::Requiring(_) => affinities.preferred.push((pod.profile().hard_affinity, slot)),
        _ => affinities.preferred.push((1, slot)),
    }
}

/// `places` are the pod's counters as the node sees them; `nobody`: no pod that it wants to be near is anywhere.
pub fn filter(affinities: &Affinities, places: &[Place], nobody: bool) -> Option<Rejection> {
    let at = |slot: &usize| places[*slot].at();
    let near = || affinities.near.iter().map(at);
    let any_label_missing = near().any(|count| count.is_none());
    let all_near = near().flatten().all(|count| count > 0);
    if any_label_missing || !(all_near || (affinities.matches_itself && nobody)) {
        return Some(Rejection::unresolvable("node(s) didn't match pod affinity rules"));
    }
    if affinities.apart.iter().any(|slot| at(slot).is_some_and(|count| count > 0)) {
        return Some(Rejection::resolvable("node(s) didn't match pod anti-affinity rules"));
    }
    let repelled = affinities.repelled.iter().any(|slot| at(slot).is_some_and(|count| count > 0));
    repelled.then(|| Rejection::resolvable("node(s) didn't satisfy existing pods anti-affinity rules"))
}
