//! The wanted places of a line as a tree: object keys and array elements are its edges.

use std::fmt;

/// The number of a wanted place; who builds the tree gives it a meaning.
pub(in crate::decode) type Slot = u16;

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u16);

/// What to do with the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing in it is wanted.
    Skip,
    /// It is wanted, and nothing inside it.
    Take(Slot),
    /// Something inside it is wanted, and perhaps itself.
    Walk(NodeId),
}

/// Half of the free places in a node's table of keys, so that most keys find their place at once.
const TABLE_SLACK: usize = 4;

#[derive(Clone, Debug, Default)]
struct Node {
    slot: Option<Slot>,
    element: Option<NodeId>,
    /// Open-addressed by [`hash`]; its length is a power of two, or zero without keys.
    table: Vec<Option<(Box<[u8]>, Step)>>,
}

/// The finished tree.
#[derive(Clone)]
pub(in crate::decode) struct Trie {
    nodes: Vec<Node>,
}

/// Which JSON paths are wanted, and the slot of each.
#[derive(Default)]
pub(in crate::decode) struct TrieBuilder {
    nodes: Vec<Draft>,
}

#[derive(Default)]
struct Draft {
    slot: Option<Slot>,
    element: Option<usize>,
    keys: Vec<(Box<str>, usize)>,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Edge<'p> {
    /// The value of a key.
    Key(&'p str),
    /// Any element of an array.
    Element,
}

impl TrieBuilder {
    /// Adds the place `path`: keys with dots between them, `[]` for the elements of an array
    /// (`output.outputBodyJson[].usage`). A path may have several names for its end.
    pub(in crate::decode) fn add(&mut self, path: &str, slot: Slot) {
        let node = self.node(path);
        self.set(node, slot);
    }

    /// Adds the value of `key` in the object at `path`; `key` may hold any character.
    pub(in crate::decode) fn add_key(&mut self, path: &str, key: &str, slot: Slot) {
        let parent = self.node(path);
        let node = self.child(parent, Edge::Key(key));
        self.set(node, slot);
    }

    /// Adds the place at the end of `path`, and returns the slot that it takes the place from.
    pub(in crate::decode) fn replace<'p>(
        &mut self,
        path: impl Iterator<Item = Edge<'p>>,
        slot: Slot,
    ) -> Option<Slot> {
        let root = self.node("");
        let node = path.fold(root, |node, edge| self.child(node, edge));
        let before = self.nodes.get(node).and_then(|node| node.slot);
        self.set(node, slot);
        before
    }

    /// Returns the finished tree.
    pub(in crate::decode) fn build(mut self) -> Trie {
        self.node("");
        // Most places are leaves that a step from above tells all about; they need no node.
        let is_element = |id| self.nodes.iter().any(|node| node.element == Some(id));
        let mut ids = 0..=u16::MAX;
        let ids: Vec<Option<NodeId>> = (self.nodes.iter().enumerate())
            .map(
                |(at, node)| {
                    if at == 0 || node.is_inner() || is_element(at) { ids.next() } else { None }
                },
            )
            .map(|id| id.map(NodeId))
            .collect();
        let id = |draft: usize| ids.get(draft).copied().flatten();
        let steps: Vec<Step> = (0..).zip(&self.nodes).map(|(at, node)| node.step(id(at))).collect();
        let kept = (0..).zip(&self.nodes).filter(|(at, _)| id(*at).is_some());
        let nodes = kept.map(|(_, node)| Node {
            slot: node.slot,
            element: node.element.and_then(id),
            table: table(&node.keys, &steps),
        });
        Trie { nodes: nodes.collect() }
    }

    fn node(&mut self, path: &str) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Draft::default());
        }
        edges(path).into_iter().fold(0, |node, edge| self.child(node, edge))
    }

    fn child(&mut self, parent: usize, edge: Edge<'_>) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else { return parent };
        let known = match edge {
            Edge::Element => node.element,
            Edge::Key(key) => node.keys.iter().find(|(k, _)| **k == *key).map(|(_, child)| *child),
        };
        if let Some(child) = known {
            return child;
        }
        match edge {
            Edge::Element => node.element = Some(next),
            Edge::Key(key) => node.keys.push((key.into(), next)),
        }
        self.nodes.push(Draft::default());
        next
    }

    fn set(&mut self, node: usize, slot: Slot) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.slot = Some(slot);
        }
    }
}

impl Draft {
    fn is_inner(&self) -> bool {
        !self.keys.is_empty() || self.element.is_some()
    }

    fn step(&self, id: Option<NodeId>) -> Step {
        match (id, self.slot) {
            (Some(id), _) if self.is_inner() => Step::Walk(id),
            (_, Some(slot)) => Step::Take(slot),
            _ => Step::Skip,
        }
    }
}

fn edges(path: &str) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut key = part;
        let mut elements = 0;
        while let Some(array) = key.strip_suffix("[]") {
            key = array;
            elements += 1;
        }
        edges.push(Edge::Key(key));
        edges.extend(std::iter::repeat_n(Edge::Element, elements));
    }
    edges
}

fn table(keys: &[(Box<str>, usize)], steps: &[Step]) -> Vec<Option<(Box<[u8]>, Step)>> {
    if keys.is_empty() {
        return Vec::new();
    }
    let size = (keys.len() * TABLE_SLACK).next_power_of_two();
    let mut table = vec![None; size];
    for (key, child) in keys {
        let mut place = place(hash(key.as_bytes()), size);
        while table.get(place).is_some_and(Option::is_some) {
            place = (place + 1) % size;
        }
        if let (Some(entry), Some(&step)) = (table.get_mut(place), steps.get(*child)) {
            *entry = Some((key.as_bytes().into(), step));
        }
    }
    table
}

/// Hashes a key, quickly and well enough for tables that this program fills itself.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(23);
    let (words, rest) = key.as_chunks::<8>();
    let start = (key.len() as u64).wrapping_mul(ODD);
    let hash = words.iter().fold(start, |hash, &word| mix(hash, u64::from_le_bytes(word)));
    let tail = rest.iter().fold(0, |tail: u64, &byte| tail << 8 | u64::from(byte));
    mix(hash, tail)
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
fn place(hash: u64, size: usize) -> usize {
    (hash as usize) & (size - 1)
}

impl Trie {
    /// Where a line starts.
    pub(super) const ROOT: NodeId = NodeId(0);

    /// Returns how many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the slot of a node, where it is wanted itself.
    #[inline]
    pub(super) fn slot(&self, node: NodeId) -> Option<Slot> {
        self.nodes.get(node.index())?.slot
    }

    /// Returns the node of the elements, where something inside an array is wanted.
    #[inline]
    pub(super) fn element(&self, node: NodeId) -> Option<NodeId> {
        self.nodes.get(node.index())?.element
    }

    /// Tells whether something inside an object is wanted.
    #[inline]
    pub(super) fn has_keys(&self, node: NodeId) -> bool {
        self.nodes.get(node.index()).is_some_and(|node| !node.table.is_empty())
    }

    /// Returns what to do with the value of `key`, whose [`hash`] is `hash`.
    pub(super) fn step(&self, node: NodeId, key: &[u8], hash: u64) -> Step {
        let table = self.nodes.get(node.index()).map_or(&[][..], |node| &node.table);
        if table.is_empty() {
            return Step::Skip;
        }
        let mut at = place(hash, table.len());
        // Ends, since a table is never full.
        while let Some(Some((known, step))) = table.get(at) {
            if **known == *key {
                return *step;
            }
            at = (at + 1) % table.len();
        }
        Step::Skip
    }
}

impl NodeId {
    /// Returns the place of the node among all nodes.
    #[inline]
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Debug for Trie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trie({} nodes)", self.nodes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_slot_and_nowhere_else() {
        let mut builder = TrieBuilder::default();
        builder.add("a.b", 1);
        builder.add("a[].b", 2);
        builder.add("c", 3);
        builder.add_key("d", "x.y[]", 4);
        let trie = builder.build();
        let step = |node, key: &str| trie.step(node, key.as_bytes(), hash(key.as_bytes()));
        let Step::Walk(a) = step(Trie::ROOT, "a") else { panic!("no `a`") };
        let Step::Walk(d) = step(Trie::ROOT, "d") else { panic!("no `d`") };
        let element = trie.element(a).expect("`a` has elements");
        assert_eq!(step(a, "b"), Step::Take(1));
        assert_eq!(step(element, "b"), Step::Take(2));
        assert_eq!(step(Trie::ROOT, "c"), Step::Take(3));
        assert_eq!(step(d, "x.y[]"), Step::Take(4));
        for (node, key) in [(Trie::ROOT, "b"), (Trie::ROOT, ""), (a, "a"), (a, "B"), (d, "x")] {
            assert_eq!(step(node, key), Step::Skip, "{key}");
        }
        assert_eq!(trie.element(Trie::ROOT), None);
    }
}
