//! A set of nodes by their index in the inventory.

/// Nodes in the order of the inventory; it takes a bit for each node between the first and the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet {
    /// Word that `words` begins with.
    from: usize,
    words: Vec<u64>,
}

impl NodeSet {
    pub fn one(node: u32) -> NodeSet {
        NodeSet { from: node as usize / 64, words: vec![1 << (node % 64)] }
    }

    pub fn insert(&mut self, node: u32) {
        self.reach(node as usize / 64, node as usize / 64);
        let at = node as usize / 64 - self.from;
        self.words[at] |= 1 << (node % 64);
    }

    pub fn remove(&mut self, node: u32) {
        if let Some(word) = (node as usize / 64).checked_sub(self.from).and_then(|at| self.words.get_mut(at)) {
            *word &= !(1 << (node % 64));
        }
    }

    pub fn contains(&self, node: u32) -> bool {
        let word = (node as usize / 64).checked_sub(self.from).and_then(|at| self.words.get(at));
        word.is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// Takes in all nodes of another set.
    pub fn add(&mut self, other: &NodeSet) {
        if let Some(last) = other.words.len().checked_sub(1) {
            self.reach(other.from, other.from + last);
            let shift = other.from - self.from;
            self.words[shift..].iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
        }
    }

    /// Makes room for the words of a range.
    fn reach(&mut self, first: usize, last: usize) {
        if self.words.is_empty() {
            self.from = first;
        }
        if first < self.from {
            self.words.splice(0..0, std::iter::repeat_n(0, self.from - first));
            self.from = first;
        }
        if last - self.from >= self.words.len() {
            self.words.resize(last - self.from + 1, 0);
        }
    }

    pub fn first(&self) -> Option<u32> {
        let at = self.words.iter().position(|word| *word != 0)?;
        Some(((self.from + at) * 64) as u32 + self.words[at].trailing_zeros())
    }

    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(move |(at, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| ((self.from + at) * 64) as u32 + bit)
        })
    }
}

impl FromIterator<u32> for NodeSet {
    fn from_iter<I: IntoIterator<Item = u32>>(nodes: I) -> NodeSet {
        let mut set = NodeSet::default();
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::NodeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0u32..400), 0..60), more in prop::collection::btree_set(0u32..700, 0..9)) {
            let (mut ours, mut plain) = (NodeSet::default(), BTreeSet::new());
            for (adds, node) in steps {
                if adds { ours.insert(node); plain.insert(node); } else { ours.remove(node); plain.remove(&node); }
            }
            ours.add(&more.iter().copied().collect());
            plain.extend(more);
            prop_assert_eq!(ours.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((ours.first(), ours.len(), ours.is_empty()), (plain.first().copied(), plain.len(), plain.is_empty()));
        }
    }
}
