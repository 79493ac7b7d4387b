//! Small values that no manifest holds and that validation needs, as the API server makes them.

use crate::source::{SourceText, Span};
use crate::yaml::{Entry, NodeId, Tree};

/// A volume for each claim template of a StatefulSet, once per name and in the order of names.
pub(super) fn claim_volumes(names: &[&str]) -> (Tree, Vec<NodeId>) {
    let mut tree = Tree::new(SourceText::default());
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let roots = names.iter().map(|name| claim_volume(&mut tree, name)).collect();
    (tree, roots)
}

fn claim_volume(tree: &mut Tree, name: &str) -> NodeId {
    let claim = tree.push_str(Span::default(), name);
    let claim = push_map(tree, &[("claimName", claim)]);
    let name = tree.push_str(Span::default(), name);
    push_map(tree, &[("name", name), ("persistentVolumeClaim", claim)])
}

fn push_map(tree: &mut Tree, fields: &[(&str, NodeId)]) -> NodeId {
    let mut entries: Vec<Entry> = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        let key = tree.heap_text(key);
        entries.push(tree.entry(key, Span::default(), *value));
    }
    tree.push_map(Span::default(), &entries)
}
