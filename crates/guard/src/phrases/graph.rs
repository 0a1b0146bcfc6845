//! The graph of a list of phrases, laid out in one piece for walks: most steps lead nowhere, and one look at a place
//! tells so.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::lexicon::Phrase;

/// The edges of a graph while it is laid: where a word leads from a node.
pub(super) type Edges = HashMap<(u32, u32), Vec<u32>, FixedState>;

/// A place between the words of phrases, while a graph is laid.
#[derive(Default)]
pub(super) struct Node {
    /// The phrases that end here.
    pub(super) phrases: Vec<Phrase>,
    /// Where any word leads.
    pub(super) any: Vec<u32>,
}

/// A graph for walks.
#[derive(Default)]
pub(super) struct Graph {
    places: Vec<Place>,
    /// Words and where they lead, sorted by word for each place.
    edges: Vec<(u32, u32)>,
    any: Vec<u32>,
    phrases: Vec<Phrase>,
}

/// A node and its parts of the graph's lists.
struct Place {
    /// A bit for each word that leads on, by the last digits of its number.
    words: u64,
    edges: Part,
    any: Part,
    phrases: Part,
}

/// A part of a list.
#[derive(Clone, Copy)]
struct Part {
    from: u32,
    to: u32,
}

impl Graph {
    /// The graph of some nodes and edges.
    pub(super) fn new(nodes: Vec<Node>, edges: &Edges) -> Self {
        let mut by_node: Vec<Vec<(u32, u32)>> = Vec::new();
        by_node.resize_with(nodes.len(), Vec::new);
        for ((from, word), targets) in edges {
            if let Some(leaving) = by_node.get_mut(*from as usize) {
                leaving.extend(targets.iter().map(|target| (*word, *target)));
            }
        }
        let mut graph = Self::default();
        for (node, mut leaving) in nodes.into_iter().zip(by_node) {
            leaving.sort_by_key(|(word, _)| *word);
            let words = leaving.iter().fold(0, |words, (word, _)| words | bit(*word));
            let place = Place {
                words,
                edges: append(&mut graph.edges, leaving),
                any: append(&mut graph.any, node.any),
                phrases: append(&mut graph.phrases, node.phrases),
            };
            graph.places.push(place);
        }
        graph
    }

    /// Where a word leads from a node, then where any word does if it may stand for any.
    pub(super) fn step(&self, node: u32, word: u32, is_any: bool) -> impl Iterator<Item = u32> + '_ {
        let place = self.places.get(node as usize);
        let along = place.filter(|place| place.words & bit(word) != 0).map(|place| self.along(place, word));
        let any = place.filter(|_| is_any).and_then(|place| self.any.get(place.any.range()));
        along.unwrap_or_default().iter().map(|(_, to)| *to).chain(any.unwrap_or_default().iter().copied())
    }

    /// The phrases that end at a node.
    pub(super) fn phrases(&self, node: u32) -> &[Phrase] {
        let place = self.places.get(node as usize);
        place.and_then(|place| self.phrases.get(place.phrases.range())).unwrap_or_default()
    }

    fn along(&self, place: &Place, word: u32) -> &[(u32, u32)] {
        let edges = self.edges.get(place.edges.range()).unwrap_or_default();
        let from = edges.partition_point(|(other, _)| *other < word);
        let rest = edges.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|(other, _)| *other == word).count();
        rest.get(..count).unwrap_or_default()
    }
}

impl Part {
    fn range(self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

fn bit(word: u32) -> u64 {
    1 << (word % u64::BITS)
}

/// Puts a list behind another one.
fn append<T>(list: &mut Vec<T>, more: Vec<T>) -> Part {
    let from = list.len() as u32;
    list.extend(more);
    Part { from, to: list.len() as u32 }
}
