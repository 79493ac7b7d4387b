//! Pods in the scheduler's order: by priority, then by age; each goes to the first of the best nodes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::engine::{self, Answer, Unschedulable};
use super::expand::Replica;
use super::node_set::NodeSet;
use super::placement::{Settled, Verdict};
use super::preemption::{self, NOT_STARTED, Preemption};
use super::rolling::{End, Progress};
use super::state::{PlacedId, State};

/// What became of one replica.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The nodes with the highest score.
    pub best: Arc<NodeSet>,
    pub feasible: usize,
    /// Where it is now, on a known node.
    pub placed: Option<PlacedId>,
    pub message: Option<String>,
    pub why: Option<Arc<Unschedulable>>,
    pub victims: Vec<String>,
    pub settled: Option<Settled>,
}

impl Outcome {
    fn new(verdict: Verdict, message: Option<String>) -> Outcome {
        Outcome {
            verdict,
            best: Arc::default(),
            feasible: 0,
            placed: None,
            message,
            why: None,
            victims: Vec::new(),
            settled: None,
        }
    }

    fn pending(why: Arc<Unschedulable>) -> Outcome {
        Outcome { why: Some(why.clone()), ..Outcome::new(Verdict::Pending, Some(why.message.clone())) }
    }
}

/// Replicas that wait, and what happened to each so far.
#[derive(Debug, Default)]
struct Queue {
    outcomes: Vec<Outcome>,
    waiting: BinaryHeap<(i32, Reverse<usize>)>,
    by_placed: HashMap<PlacedId, usize>,
    followers: HashMap<usize, usize>,
    /// Pods that found no node.
    tried: Vec<usize>,
    /// How many pods were evicted.
    evictions: usize,
}

/// Places every replica: all created first, or (`sequential`) each before the next one exists. What runs already is
/// there before any other; rollouts go on step by step, and each step gives room to what still waits.
pub fn run(
    state: &mut State,
    replicas: &[Replica],
    rollings: &[Progress],
    sequential: bool,
) -> (Vec<Outcome>, Vec<End>) {
    let mut queue = Queue::default();
    let mut rollings = rollings.to_vec();
    (0..replicas.len()).for_each(|index| queue.create(state, replicas, index));
    let free = (0..replicas.len()).filter(|index| !rollings.iter().any(|all| all.holds(*index)));
    let (early, free): (Vec<usize>, Vec<usize>) = free.partition(|index| replicas[*index].early);
    early.iter().for_each(|index| queue.enqueue(replicas, *index));
    queue.drain(state, replicas);
    if sequential {
        for index in free {
            queue.bypass(state, replicas, index);
            queue.enqueue(replicas, index);
            queue.drain(state, replicas);
        }
    } else {
        free.iter().for_each(|index| queue.bypass(state, replicas, *index));
        free.iter().for_each(|index| queue.enqueue(replicas, *index));
        queue.drain(state, replicas);
    }
    loop {
        let Queue { outcomes, evictions, .. } = &queue;
        let steps = rollings.iter_mut().filter_map(|rolling| rolling.step(state, replicas, outcomes, *evictions));
        let steps: Vec<Vec<usize>> = steps.collect();
        for index in steps.iter().flatten().copied() {
            queue.bypass(state, replicas, index);
            queue.enqueue(replicas, index);
        }
        queue.drain(state, replicas);
        if steps.is_empty() {
            break;
        }
        queue.try_again(state, replicas);
    }
    let ends = rollings.iter().map(|rolling| rolling.end(state, replicas, &queue.outcomes)).collect();
    (queue.outcomes, ends)
}

/// The verdict that needs no scheduler; pending where it needs one.
pub fn arrive(replica: &Replica) -> Outcome {
    let pod = &replica.pod;
    let unknown = |why: String| Outcome::new(Verdict::Unknown, Some(format!("not simulated: {why}")));
    if let Some(why) = &replica.rejected {
        Outcome::new(Verdict::Rejected, Some(why.clone()))
    } else if pod.node_name.is_some() {
        Outcome::new(Verdict::Bypassed, None)
    } else if !pod.gates.is_empty() {
        let text = "Scheduling is blocked due to non-empty scheduling gates";
        Outcome::new(Verdict::Gated, Some(text.to_owned()))
    } else if let Some(why) = &replica.unknown {
        unknown(why.clone())
    } else if pod.resource_claims {
        unknown("dynamic resource claims (spec.resourceClaims) decide".to_owned())
    } else {
        Outcome::new(Verdict::Pending, None)
    }
}

impl Queue {
    /// A pod that runs already is there before any other.
    fn create(&mut self, state: &mut State, replicas: &[Replica], index: usize) {
        if let Some(node) = replicas[index].running {
            let best = Arc::new(NodeSet::one(node));
            self.outcomes.push(Outcome { best, feasible: 1, ..Outcome::new(Verdict::Scheduled, None) });
            return self.place(state, replicas, index, node);
        }
        self.outcomes.push(arrive(&replicas[index]));
    }

    /// A pod that names its node is there as soon as it is created.
    fn bypass(&mut self, state: &mut State, replicas: &[Replica], index: usize) {
        let node = replicas[index].pod.node_name.as_deref().and_then(|name| state.node(name));
        if let Some(node) = node.filter(|_| self.outcomes[index].verdict == Verdict::Bypassed) {
            self.place(state, replicas, index, node);
        }
    }

    fn place(&mut self, state: &mut State, replicas: &[Replica], index: usize, node: u32) {
        let replica = &replicas[index];
        let class = state.class(&replica.pod);
        engine::bind_volumes(state, class, node);
        // A pod without start time counts as started now.
        let started = replica.started.unwrap_or(NOT_STARTED);
        let id = state.place(class, &Arc::from(replica.full_name()), node, started);
        self.outcomes[index].placed = Some(id);
        self.by_placed.insert(id, index);
    }

    /// Puts a replica in the queue, or behind the one that it waits for.
    fn enqueue(&mut self, replicas: &[Replica], index: usize) {
        let replica = &replicas[index];
        if self.outcomes[index].verdict != Verdict::Pending {
            return;
        }
        match replica.after.filter(|before| self.outcomes[*before].placed.is_none()) {
            Some(before) => {
                let first = &replicas[before].name;
                let text =
                    format!("not created: StatefulSet waits for {first} to run (podManagementPolicy OrderedReady)");
                self.outcomes[index].message = Some(text);
                self.followers.insert(before, index);
            }
            None => self.waiting.push((replica.pod.priority, Reverse(index))),
        }
    }

    fn drain(&mut self, state: &mut State, replicas: &[Replica]) {
        while let Some((_, Reverse(index))) = self.waiting.pop() {
            self.attempt(state, replicas, index);
            if let Some(next) = self.followers.remove(&index).filter(|_| self.outcomes[index].placed.is_some()) {
                self.waiting.push((replicas[next].pod.priority, Reverse(next)));
            }
        }
    }

    fn attempt(&mut self, state: &mut State, replicas: &[Replica], index: usize) {
        let class = state.class(&replicas[index].pod);
        match engine::schedule(state, class) {
            Answer::Scheduled { best, feasible } => {
                let node = best.first();
                self.outcomes[index] = Outcome { best, feasible, ..Outcome::new(Verdict::Scheduled, None) };
                if let Some(node) = node {
                    self.place(state, replicas, index, node);
                }
            }
            Answer::Pending(why) => {
                self.outcomes[index] = Outcome::pending(why.clone());
                self.tried.push(index);
                if let Preemption::Nominated { node, victims, .. } = &why.preemption {
                    self.evict(state, replicas, index, *node, victims);
                }
            }
        }
    }

    /// Whether a pod waits in the queue or to be created.
    fn is_waiting(&self, index: usize) -> bool {
        self.outcomes[index].verdict == Verdict::Pending && self.outcomes[index].placed.is_none()
    }

    /// Pods that found no node look again, after others have gone; their first answer stays.
    fn try_again(&mut self, state: &mut State, replicas: &[Replica]) {
        self.tried.sort_by_key(|index| (Reverse(replicas[*index].pod.priority), *index));
        for index in std::mem::take(&mut self.tried) {
            if !self.is_waiting(index) {
                continue;
            }
            let class = state.class(&replicas[index].pod);
            if let Answer::Scheduled { best, .. } = engine::schedule(state, class)
                && let Some(node) = best.first()
            {
                self.place(state, replicas, index, node);
                let node = state.nodes.get(node as usize).map(|node| node.name.clone());
                self.outcomes[index].settled = Some(Settled { verdict: Verdict::Scheduled, node });
                if let Some(next) = self.followers.remove(&index) {
                    self.waiting.push((replicas[next].pod.priority, Reverse(next)));
                }
            } else {
                self.tried.push(index);
            }
        }
    }

    /// The victims leave, the pod takes their place; what a controller makes in their stead is tried again.
    fn evict(&mut self, state: &mut State, replicas: &[Replica], index: usize, node: u32, victims: &[PlacedId]) {
        for id in victims {
            let placed = state.placed[id.0 as usize].clone();
            if preemption::deletes(state.pod(placed.class), state.cluster.version()) {
                self.outcomes[index].victims.push(placed.name.to_string());
            }
            state.remove(*id);
        }
        self.evictions += victims.len();
        self.place(state, replicas, index, node);
        let name = state.nodes.get(node as usize).map(|node| node.name.clone());
        self.outcomes[index].settled = Some(Settled { verdict: Verdict::Scheduled, node: name });
        let evicted: Vec<usize> = victims.iter().filter_map(|id| self.by_placed.remove(id)).collect();
        for victim in evicted {
            self.resettle(state, replicas, victim);
        }
    }

    /// Tries the successor of an evicted pod once; its first answer stays.
    fn resettle(&mut self, state: &mut State, replicas: &[Replica], index: usize) {
        self.outcomes[index].placed = None;
        let mut settled = Settled { verdict: Verdict::Pending, node: None };
        // A naked pod that named its node is gone for good.
        if replicas[index].pod.node_name.is_none() {
            let class = state.class(&replicas[index].pod);
            if let Answer::Scheduled { best, .. } = engine::schedule(state, class)
                && let Some(node) = best.first()
            {
                self.place(state, replicas, index, node);
                settled.verdict = Verdict::Scheduled;
                settled.node = state.nodes.get(node as usize).map(|node| node.name.clone());
            }
        }
        self.outcomes[index].settled = Some(settled);
    }
}
