//! A tree while defaults are filled in.

use crate::yaml::{Entry, NodeId, Tree, Value, View};

/// The copy of an object that grows.
pub(super) struct Draft {
    pub tree: Tree,
}

/// A value that is filled in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literal<'t> {
    Str(&'t str),
    Int(i64),
    Bool(bool),
    /// An empty map.
    Map,
    Strings(&'t [&'t str]),
}

impl Draft {
    pub fn view(&self, node: NodeId) -> View<'_> {
        self.tree.view(node)
    }

    pub fn get(&self, map: NodeId, key: &str) -> Option<NodeId> {
        self.view(map).get(key).map(|view| view.id)
    }

    pub fn has(&self, map: NodeId, key: &str) -> bool {
        self.get(map, key).is_some()
    }

    /// Whether a list or map has anything in it: where Go asks for its length and not whether it is nil.
    pub fn filled(&self, map: NodeId, key: &str) -> bool {
        self.view(map).get(key).is_some_and(|view| !view.is_empty())
    }

    /// The string of a key; empty where it is absent, as in Go.
    pub fn str(&self, map: NodeId, key: &str) -> &str {
        self.view(map).get_str(key).unwrap_or("")
    }

    /// Items of a list or values of a map.
    pub fn children(&self, node: NodeId) -> Vec<NodeId> {
        let view = self.view(node);
        view.items().chain(view.fields().map(|(_, value)| value)).map(|view| view.id).collect()
    }

    /// The items of a list field.
    pub fn list(&self, map: NodeId, key: &str) -> Vec<NodeId> {
        self.get(map, key).map_or_else(Vec::new, |list| self.children(list))
    }

    /// A value with the span of `near`.
    pub fn make(&mut self, near: NodeId, literal: Literal<'_>) -> NodeId {
        let span = self.tree.node(near).span;
        match literal {
            Literal::Str(text) => self.tree.push_str(span, text),
            Literal::Int(value) => self.tree.push(span, Value::Int(value)),
            Literal::Bool(value) => self.tree.push(span, Value::Bool(value)),
            Literal::Map => self.tree.push_map(span, &[]),
            Literal::Strings(texts) => {
                let items: Vec<NodeId> = texts.iter().map(|text| self.tree.push_str(span, text)).collect();
                self.tree.push_seq(span, &items)
            }
        }
    }

    pub fn set(&mut self, map: NodeId, key: &str, literal: Literal<'_>) -> NodeId {
        let value = self.make(map, literal);
        self.tree.insert(map, key, value);
        value
    }

    /// Sets a key that is absent.
    pub fn default(&mut self, map: NodeId, key: &str, literal: Literal<'_>) {
        let is_there = if matches!(literal, Literal::Strings(_)) { self.filled(map, key) } else { self.has(map, key) };
        if !is_there {
            self.set(map, key, literal);
        }
    }

    /// The map under a key, made where it is absent.
    pub fn child(&mut self, map: NodeId, key: &str) -> NodeId {
        match self.get(map, key) {
            Some(child) => child,
            None => self.set(map, key, Literal::Map),
        }
    }

    /// Adds the entries of one map that another does not have; values are shared.
    pub fn add_missing(&mut self, to: NodeId, from: NodeId) {
        let entries: Vec<(String, NodeId)> =
            self.view(from).fields().map(|(key, value)| (key.to_owned(), value.id)).collect();
        for (key, value) in entries {
            if !self.has(to, &key) {
                self.tree.insert(to, &key, value);
            }
        }
    }

    /// A list of new maps; gives the maps.
    pub fn set_list_of_maps(&mut self, map: NodeId, key: &str, count: usize) -> Vec<NodeId> {
        let items: Vec<NodeId> = (0..count).map(|_| self.make(map, Literal::Map)).collect();
        let span = self.tree.node(map).span;
        let list = self.tree.push_seq(span, &items);
        self.tree.insert(map, key, list);
        items
    }

    /// A separate map with the same entries.
    pub fn clone_map(&mut self, map: NodeId) -> NodeId {
        let node = self.tree.node(map);
        let entries: Vec<Entry> = match node.value {
            Value::Map(run) => self.tree.entries(run).to_vec(),
            _ => Vec::new(),
        };
        self.tree.push_map(node.span, &entries)
    }
}
