//! Random clusters in which everything happens that can: the engine must say what the plain scheduler says.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Plain, schedule};
use crate::simulate::cluster::Cluster;
use crate::simulate::engine::{self, Answer};
use crate::simulate::labels::{Labels, NodeTerm, Operator, Requirement, Selector};
use crate::simulate::nodes::{HOSTNAME, Node, Taint, ZONE};
use crate::simulate::pod::{HostPort, Pod, PodTerm, Spread, Toleration};
use crate::simulate::preemption::{NOT_STARTED, Preemption};
use crate::simulate::requests::{Amounts, Requests};
use crate::simulate::resources::Resources;
use crate::simulate::schedulers::{Fit, Profile, ScoringStrategy, Weights};
use crate::simulate::state::{PlacedId, State};

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) % limit
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const KEYS: [&str; 3] = [HOSTNAME, ZONE, "disk"];

fn amounts(dice: &mut Dice) -> Resources {
    let gpu = if dice.percent(15) { vec![(Arc::from("example.com/gpu"), 1)] } else { Vec::new() };
    Resources {
        cpu: 100 * dice.below(9) as i64,
        memory: dice.below(5) as i64 * (256 << 20),
        ephemeral: 0,
        scalars: gpu,
    }
}

fn node(dice: &mut Dice, index: u64) -> Node {
    let mut labels = Labels::from([(HOSTNAME.to_owned(), format!("n{index}"))]);
    if dice.percent(85) {
        labels.insert(ZONE.to_owned(), dice.pick(&["a", "b", "c"]).to_owned());
    }
    if dice.percent(50) {
        labels.insert("disk".to_owned(), dice.pick(&["ssd", "hdd"]).to_owned());
    }
    if dice.percent(5) {
        labels.remove(HOSTNAME);
    }
    let taint = |dice: &mut Dice| Taint {
        key: dice.pick(&["x", "y"]).to_owned(),
        value: String::new(),
        effect: dice.pick(&["NoSchedule", "PreferNoSchedule"]).to_owned(),
    };
    let gpus = if dice.percent(30) { vec![(Arc::from("example.com/gpu"), 2)] } else { Vec::new() };
    let allocatable = Resources {
        cpu: [0, 1000, 2000, 4000][dice.below(4) as usize],
        memory: [1 << 30, 2 << 30, 3_333_333_333][dice.below(3) as usize],
        ephemeral: 0,
        scalars: gpus,
    };
    Node {
        name: format!("n{index}"),
        labels,
        taints: if dice.percent(25) { vec![taint(dice)] } else { Vec::new() },
        unschedulable: dice.percent(5),
        allocatable,
        max_pods: if dice.percent(15) { 2 } else { 110 },
        images: if dice.percent(20) { [("app:1".to_owned(), 900 << 20)].into() } else { Default::default() },
        ..Node::default()
    }
}

fn selector(dice: &mut Dice) -> Option<Selector> {
    let mut selector = Selector::default();
    match dice.below(8) {
        0 => return None,
        1 => {}
        2 => selector.requirements.push(Requirement {
            key: "app".to_owned(),
            operator: Operator::NotIn,
            values: vec!["a".to_owned()],
        }),
        _ => selector.require("app", dice.pick(&["a", "b"])),
    }
    Some(selector)
}

fn term(dice: &mut Dice) -> PodTerm {
    let all = dice.percent(15).then(Selector::default);
    let namespaces = if all.is_some() { BTreeSet::new() } else { BTreeSet::from(["default".to_owned()]) };
    PodTerm { key: dice.pick(&KEYS).to_owned(), selector: selector(dice), namespaces, namespace_selector: all }
}

fn spread(dice: &mut Dice) -> Spread {
    Spread {
        max_skew: 1 + dice.below(2) as i64,
        key: dice.pick(&KEYS).to_owned(),
        hard: dice.percent(50),
        selector: selector(dice),
        min_domains: 1 + dice.below(3) as usize,
        honor_affinity: dice.percent(80),
        honor_taints: dice.percent(30),
    }
}

fn pod(dice: &mut Dice) -> Pod {
    let actual = amounts(dice);
    let scored = Amounts { cpu: actual.cpu.max(100), memory: actual.memory.max(200 << 20) };
    let mut pod = Pod {
        namespace: dice.pick(&["default", "default", "other"]).to_owned(),
        labels: Labels::from([("app".to_owned(), dice.pick(&["a", "b", "c"]).to_owned())]),
        requests: Requests { actual, nonzero: scored, scored, ..Requests::default() },
        images: vec!["app:1".to_owned()],
        containers: 1,
        priority: [0, 0, 0, 10, 20][dice.below(5) as usize],
        never_preempts: dice.percent(10),
        terminating: dice.percent(8),
        ..Pod::default()
    };
    let wanted = |dice: &mut Dice| NodeTerm {
        expressions: vec![Requirement {
            key: dice.pick(&["disk", ZONE, HOSTNAME]).to_owned(),
            operator: Operator::In,
            values: vec![dice.pick(&["ssd", "a", "n1"]).to_owned()],
        }],
        fields: Vec::new(),
        broken: false,
    };
    if dice.percent(15) {
        pod.required_nodes = Some(vec![wanted(dice)]);
    }
    if dice.percent(15) {
        pod.preferred_nodes.push((1 + dice.below(50) as i64, wanted(dice)));
    }
    if dice.percent(8) {
        let field =
            Requirement { key: "metadata.name".to_owned(), operator: Operator::In, values: vec!["n2".to_owned()] };
        pod.required_nodes = Some(vec![NodeTerm { expressions: Vec::new(), fields: vec![field], broken: false }]);
    }
    if dice.percent(15) {
        pod.node_selector.push(("disk".to_owned(), "ssd".to_owned()));
    }
    if dice.percent(30) {
        pod.tolerations.push(Toleration::of(dice.pick(&["x", "y", ""]), ""));
    }
    if dice.percent(8) {
        pod.ports.push(HostPort { ip: "0.0.0.0".to_owned(), protocol: "TCP".to_owned(), port: 80 });
    }
    match dice.below(8) {
        0 | 1 => pod.spread = (0..=dice.below(2)).map(|_| spread(dice)).collect(),
        2 => pod.default_spread.require("app", &pod.labels["app"].clone()),
        3 => pod.affinity.push(term(dice)),
        4 => pod.anti_affinity.push(term(dice)),
        5 => pod.preferred_pods = (0..=dice.below(2)).map(|_| (dice.below(90) as i64 - 40, term(dice))).collect(),
        _ => {}
    }
    if dice.percent(30) {
        pod.profile = Some(Arc::new(profile(dice, pod.required_nodes.clone())));
        pod.required_nodes = None;
    }
    pod
}

/// A scheduler that is configured otherwise.
fn profile(dice: &mut Dice, added_nodes: Option<Vec<NodeTerm>>) -> Profile {
    let names = ["NodeUnschedulable", "TaintToleration", "NodeAffinity", "PodTopologySpread", "InterPodAffinity"];
    let mut weight = |most: u64| dice.below(most) as i64;
    let weights = Weights {
        taints: weight(4),
        node_affinity: weight(4),
        spread: weight(4),
        pod_affinity: weight(4),
        fit: weight(3),
        balanced: weight(3),
        images: weight(3),
    };
    let listed = |dice: &mut Dice| Spread { selector: None, min_domains: 1, honor_taints: false, ..spread(dice) };
    Profile {
        off: if dice.percent(40) { vec![dice.pick(&names).to_owned()] } else { Vec::new() },
        weights,
        fit: Fit {
            strategy: match dice.below(3) {
                0 => ScoringStrategy::LeastAllocated,
                1 => ScoringStrategy::MostAllocated,
                _ => {
                    ScoringStrategy::RequestedToCapacityRatio(vec![(0, 10), (40 + dice.below(30) as i64, 100), (90, 0)])
                }
            },
            weights: [1 + dice.below(3) as i64, 1 + dice.below(3) as i64],
        },
        spread: if dice.percent(60) { Some(vec![listed(dice)]) } else { None },
        hard_affinity: dice.below(90) as i64,
        own_terms_only: dice.percent(30),
        added_nodes,
        preferred_nodes: Vec::new(),
        ..Profile::default()
    }
}

/// What both say of a pod.
fn compare(state: &mut State, pod: &Arc<Pod>) -> Result<(), TestCaseError> {
    let class = state.class(pod);
    let plain = schedule(state, class);
    let answer = engine::schedule(state, class);
    match (&answer, plain) {
        (Answer::Scheduled { best, feasible }, Plain::Scheduled(scores)) => {
            prop_assert_eq!(*feasible, scores.len());
            let highest = scores.values().max().copied();
            let top: Vec<u32> =
                scores.iter().filter(|(_, score)| Some(**score) == highest).map(|(node, _)| *node).collect();
            let ours = engine::scores(state, class);
            prop_assert!(
                scores.len() == 1 || ours == scores.clone().into_iter().collect::<Vec<_>>(),
                "{ours:?} {scores:?} {pod:?}"
            );
            if scores.len() > 1 {
                prop_assert_eq!(best.iter().collect::<Vec<_>>(), top);
            }
        }
        (Answer::Pending(why), Plain::Pending { message, nodes, victims }) => {
            prop_assert_eq!(&why.message, &message);
            if let Preemption::Nominated { node, victims: ours, ties } = &why.preemption {
                prop_assert_eq!(ties.iter().copied().collect::<BTreeSet<_>>(), nodes.clone());
                if nodes.first() == Some(node) {
                    prop_assert_eq!(ours.iter().copied().collect::<BTreeSet<_>>(), victims);
                }
            }
        }
        (answer, plain) => prop_assert!(false, "{answer:?}\n{plain:?}\n{pod:?}"),
    }
    Ok(())
}

/// One random life of a cluster.
fn live(seed: u64) -> Result<(), TestCaseError> {
    let mut dice = Dice(seed);
    let count = 1 + dice.below(9);
    let nodes: Vec<Node> = (0..count).map(|index| node(&mut dice, index)).collect();
    let mut state = State::new(Cluster::default(), nodes);
    let pods: Vec<Arc<Pod>> = (0..2 + dice.below(5)).map(|_| Arc::new(pod(&mut dice))).collect();
    let mut marks: Vec<(crate::simulate::state::Mark, Vec<PlacedId>)> = Vec::new();
    let mut there: Vec<PlacedId> = Vec::new();
    for step in 0..25 {
        let pod = &pods[dice.below(pods.len() as u64) as usize];
        compare(&mut state, pod)?;
        let node = dice.below(count) as u32;
        match dice.below(12) {
            0 => marks.push((state.mark(), there.clone())),
            1 => {
                if let Some((mark, before)) = marks.pop() {
                    state.rollback(mark);
                    there = before;
                }
            }
            2 if !marks.is_empty() => state.cordon(node),
            3 if !marks.is_empty() && state.index.there[node as usize] => {
                state.lose(node);
                there.retain(|id| state.is_placed(*id));
            }
            4 | 5 if !there.is_empty() => {
                let id = there.swap_remove(dice.below(there.len() as u64) as usize);
                state.remove(id);
            }
            _ => {
                let class = state.class(pod);
                let target = match engine::schedule(&mut state, class) {
                    Answer::Scheduled { best, .. } => best.first(),
                    Answer::Pending(_) => state.index.there[node as usize].then_some(node).filter(|_| step % 3 == 0),
                };
                if let Some(node) = target {
                    there.push(state.place(class, &Arc::from(format!("default/p{step}")), node, NOT_STARTED));
                }
            }
        }
    }
    Ok(())
}

proptest! {
    /// Many more: `PROPTEST_CASES=30000 cargo test --lib double::`.
    #[test]
    fn the_engine_says_what_the_plain_scheduler_says(seed in any::<u64>()) {
        live(seed)?;
    }
}
