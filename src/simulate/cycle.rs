//! What the scheduler works out for pods that are alike in everything but what they request: `CycleState`.

use super::Map;
use super::counters::{Counted, Counters};
use super::filters::inter_pod_affinity::{self, Affinities};
use super::filters::pod_topology_spread::{self, Spreading};
use super::filters::{self, Rejection};
use super::groups::{Entry, Shape};
use super::kinds::Kinds;
use super::labels::Labels;
use super::nodes::Node;
use super::pod::Pod;
use super::schedulers::Weights;
use super::scores::Fixed;
use super::scores::image_locality::Images;
use super::topology::{NO_DOMAIN, Place};
use crate::model::Version;

/// The pod's constraints with their counters, and the verdicts that do not depend on what is requested of a node.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// Counters that the pod looks at; places are in this order.
    pub slots: Vec<u32>,
    pub spreading: Spreading,
    pub affinities: Affinities,
    /// Counters of what other pods carry that have been compared with the pod.
    carried: usize,
    images: Images,
    version: Version,
    /// Whether PodTopologySpread and InterPodAffinity filter.
    filters: [bool; 2],
    pub weights: Weights,
    /// By kind of node.
    fixed: Vec<Option<(Option<Rejection>, Fixed)>>,
    /// Nodes that are alike for the pod but for what is requested of them.
    pub spots: Vec<Spot>,
    ids: Map<(u32, Vec<i64>), u32>,
    /// By shape.
    pub spot_of: Vec<u32>,
    /// The stamps of the shapes that are taken in.
    stamps: Vec<u64>,
}

/// A kind of node with what the counters say there.
#[derive(Clone, Debug)]
pub struct Spot {
    pub fixed: Fixed,
    pub places: Vec<Place>,
    /// What the kind of node alone decides.
    pub rejection: Option<Rejection>,
}

/// What the filters that look beyond a node compare with.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    minimums: Vec<i64>,
    /// No pod that it must be near is anywhere.
    nobody: bool,
}

impl Cycle {
    /// Prepares a pod; `counter` gives the counter of a question.
    pub fn new(
        pod: &Pod,
        namespace: &Labels,
        nodes: &[Node],
        version: Version,
        counter: &mut dyn FnMut(&str, Counted) -> u32,
    ) -> Cycle {
        let mut slots = Vec::new();
        let mut slot = |key: &str, counted: Counted| slot_of(&mut slots, counter(key, counted));
        let spreading = pod_topology_spread::prepare(pod, &mut slot);
        let affinities = inter_pod_affinity::prepare(pod, namespace, &mut slot);
        let images = if nodes.iter().any(|node| !node.images.is_empty()) {
            Images::new(pod, nodes, version)
        } else {
            Images::default()
        };
        Cycle {
            slots,
            spreading,
            affinities,
            carried: 0,
            images,
            version,
            filters: ["PodTopologySpread", "InterPodAffinity"].map(|name| pod.profile().runs(name)),
            weights: pod.profile().weights,
            fixed: Vec::new(),
            spots: Vec::new(),
            ids: Map::default(),
            spot_of: Vec::new(),
            stamps: Vec::new(),
        }
    }

    /// Takes in what other pods carry by now.
    pub fn meet(&mut self, pod: &Pod, namespace: &Labels, counters: &Counters) {
        let new = counters.carried.get(self.carried..).unwrap_or_default();
        self.carried = counters.carried.len();
        for id in new {
            let counted = &counters.counted[*id as usize];
            if counted.carried().is_some_and(|term| term.matches(pod, namespace)) {
                let slot = slot_of(&mut self.slots, *id);
                inter_pod_affinity::meet(&mut self.affinities, pod, counted, slot);
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        (self.spots, self.ids, self.spot_of, self.stamps) = Default::default();
    }

    /// Gives every shape of node its spot.
    pub fn sort(&mut self, pod: &Pod, kinds: &Kinds, shapes: &[Entry], counters: &Counters) {
        self.spot_of.resize(shapes.len(), 0);
        self.stamps.resize(shapes.len(), 0);
        for (id, entry) in shapes.iter().enumerate() {
            if self.stamps[id] != entry.stamp {
                self.stamps[id] = entry.stamp;
                if entry.stamp != 0 {
                    self.sort_one(id, &entry.shape, pod, kinds, counters);
                }
            }
        }
        for (slot, id) in self.slots.iter().enumerate() {
            let counter = counters.get(*id);
            if !counter.domains.hosts {
                for spot in &mut self.spots {
                    let place = &mut spot.places[slot];
                    place.value = counter.sums.get(place.domain as usize).copied().unwrap_or(0);
                }
            }
        }
    }

    fn sort_one(&mut self, id: usize, shape: &Shape, pod: &Pod, kinds: &Kinds, counters: &Counters) {
        let hosts = self.slots.iter().filter(|slot| counters.get(**slot).domains.hosts);
        let key = (shape.kind, hosts.map(|slot| shape.count(*slot)).collect());
        self.spot_of[id] = match self.ids.get(&key) {
            Some(spot) => *spot,
            None => {
                let spot = self.spot(shape, pod, kinds, counters);
                self.spots.push(spot);
                self.ids.insert(key, self.spots.len() as u32 - 1);
                self.spots.len() as u32 - 1
            }
        };
    }

    fn spot(&mut self, shape: &Shape, pod: &Pod, kinds: &Kinds, counters: &Counters) -> Spot {
        let kind = shape.kind as usize;
        if self.fixed.len() <= kind {
            self.fixed.resize(kind + 1, None);
        }
        let (rejection, fixed) =
            self.fixed[kind].get_or_insert_with(|| fixed(pod, &kinds.like[kind], &self.images, self.version)).clone();
        let place = |slot: &u32| {
            let counter = counters.get(*slot);
            let place = counter.place(kinds.example[kind]);
            match counter.domains.hosts {
                true if place.domain != NO_DOMAIN => Place { domain: 0, value: shape.count(*slot) },
                _ => place,
            }
        };
        Spot { fixed, rejection, places: self.slots.iter().map(place).collect() }
    }

    /// A spot for one node alone, told apart by its name.
    pub fn spot_at(&self, pod: &Pod, node: &Node, index: u32, counters: &Counters) -> Spot {
        let (rejection, fixed) = fixed(pod, node, &self.images, self.version);
        let places = self.slots.iter().map(|slot| counters.get(*slot).place(index)).collect();
        Spot { fixed, rejection, places }
    }

    /// What to compare with; `change` is added to the counters in the domains of a node.
    pub fn bounds(&self, counters: &Counters, change: Option<(u32, &[i64])>) -> Bounds {
        let minimum = |slot: usize| {
            let counter = counters.get(self.slots[slot]);
            match change {
                Some((node, changes)) if changes[slot] != 0 && counter.domain(node).is_some() => {
                    let mut counter = counter.clone();
                    counter.add(node, changes[slot]);
                    counter.minimum()
                }
                _ => counter.minimum(),
            }
        };
        let total = |slot: &usize| {
            let counter = counters.get(self.slots[*slot]);
            let change = change.filter(|(node, _)| counter.domain(*node).is_some());
            counter.total + change.map_or(0, |(_, changes)| changes[*slot])
        };
        Bounds {
            minimums: pod_topology_spread::minimums(&self.spreading, &minimum),
            nobody: self.affinities.near.iter().all(|slot| total(slot) == 0),
        }
    }

    /// The filters that look beyond the node, for a node that passed the others.
    pub fn beyond(&self, bounds: &Bounds, places: &[Place]) -> Option<Rejection> {
        let spreading = || pod_topology_spread::filter(&self.spreading, &bounds.minimums, places);
        let affinity = || inter_pod_affinity::filter(&self.affinities, places, bounds.nobody);
        self.filters[0].then(spreading).flatten().or_else(|| self.filters[1].then(affinity).flatten())
    }
}

fn fixed(pod: &Pod, node: &Node, images: &Images, version: Version) -> (Option<Rejection>, Fixed) {
    (filters::fixed(pod, node, version), Fixed::new(pod, node, images))
}

fn slot_of(slots: &mut Vec<u32>, counter: u32) -> usize {
    let known = slots.iter().position(|slot| *slot == counter);
    known.unwrap_or_else(|| {
        slots.push(counter);
        slots.len() - 1
    })
}
