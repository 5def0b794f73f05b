//! The encoder: of all ways to write the target as literals and copies, nearly the cheapest.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::finder::{Finder, Match};
use super::range::{Encoder, Price, table};
use crate::model::{History, Model, Op, least, length_context};
use crate::view::Run;

/// Copies of at least this length are taken without looking further.
const NICE: usize = 48;
const DEPTH: usize = 24;
/// Bytes that are planned together.
const PLAN: usize = 2048;
/// Ways to arrive at a byte that are kept, each with another distance at hand: what is dearest now may go on cheaper.
const WAYS: usize = 3;

#[derive(Clone, Copy)]
struct Way {
    price: u32,
    from: u32,
    from_way: u8,
    op: Op,
    distance: u32,
    history: History,
}

/// An operation on from a node, without its length.
#[derive(Clone, Copy)]
struct Edge {
    node: usize,
    way: usize,
    /// Where in the target.
    at: u32,
    op: Op,
    distance: u32,
    /// Up to here, and of the operation but for its length.
    price: u32,
}

#[derive(Clone, Copy)]
struct Node {
    ways: [Way; WAYS],
    count: usize,
}

/// What is to be encoded.
pub(crate) struct Input<'a> {
    /// The base as the decoder sees it, and the target after it.
    pub(crate) all: &'a [u8],
    pub(crate) base_len: usize,
    /// What the map proposes at each byte of the target.
    pub(crate) proposals: Option<&'a [Option<i32>]>,
    pub(crate) map: &'a [Run],
}

/// How many bytes are equal at two places, at most to the end of the later one.
fn equal(all: &[u8], earlier: usize, later: usize, most: usize) -> usize {
    let (Some(a), Some(b)) = (all.get(earlier..), all.get(later..)) else {
        return 0;
    };
    let most = most.min(b.len());
    let mut len = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        if len >= most || a != b {
            break;
        }
        len += 8;
    }
    while len < most && a.get(len) == b.get(len) {
        len += 1;
    }
    len.min(most)
}

struct Plan<'a> {
    input: &'a Input<'a>,
    model: Model,
    table: [u32; 256],
    lengths: Vec<[u32; NICE + 1]>,
    nodes: Vec<Node>,
    /// The last node that any way reaches.
    reach: usize,
}

/// The stream; `progress` is told how many bytes of the target are done.
pub(crate) fn encode(input: &Input, progress: &mut dyn FnMut(usize)) -> Vec<u8> {
    let mut coder = Encoder::new();
    let mut model = Model::NEW;
    if input.proposals.is_some() {
        write_map(&mut coder, &mut model, input.map);
    }
    let node = Node {
        ways: [Way::START; WAYS],
        count: 0,
    };
    let mut plan = Plan {
        input,
        model: Model::NEW,
        table: table(),
        lengths: vec![[0; NICE + 1]; 6],
        nodes: vec![node; PLAN + NICE + 2],
        reach: 0,
    };
    let mut finder = Finder::new(input.all, DEPTH, NICE);
    finder.skip(input.base_len);
    let mut history = History::EMPTY;
    history.begin(input.base_len as u32);
    let mut at = 0;
    while at < input.all.len() - input.base_len {
        for (op, length, distance) in plan.plan(at, history, &mut finder) {
            plan.write(&mut coder, at, &mut history, op, length, distance);
            at += length as usize;
        }
        progress(at);
    }
    coder.finish()
}

fn write_map(coder: &mut Encoder, model: &mut Model, map: &[Run]) {
    model.count(coder, map.len() as u32);
    let (mut key, mut shift) = (0, 0);
    for run in map {
        model.run(coder, run.key() - key, run.shift() - shift);
        (key, shift) = (run.key(), run.shift());
    }
}

impl Way {
    const START: Self = Self {
        price: 0,
        from: 0,
        from_way: 0,
        op: Op::Literal,
        distance: 0,
        history: History {
            state: 0,
            repeats: [0; 4],
            anchor: 0,
        },
    };
}

impl Plan<'_> {
    fn price(&mut self, symbols: impl FnOnce(&mut Model, &mut Price)) -> u32 {
        let mut price = Price {
            table: &self.table,
            total: 0,
        };
        symbols(&mut self.model, &mut price);
        price.total
    }

    fn update_lengths(&mut self) {
        for (context, prices) in self.lengths.iter_mut().enumerate() {
            let op = [Op::Repeat(0), Op::Base, Op::Written][context / 2];
            for (length, slot) in prices.iter_mut().enumerate().skip(least(op) as usize) {
                let mut price = Price {
                    table: &self.table,
                    total: 0,
                };
                self.model.length(&mut price, op, context as u32, length as u32);
                *slot = price.total;
            }
        }
    }

    fn beside(&self, at: usize, history: &History) -> Option<u8> {
        beside(self.input, at, history)
    }

    /// The operations from `at` on, up to a point that all good ways share.
    fn plan(&mut self, at: usize, history: History, finder: &mut Finder) -> Vec<(Op, u32, u32)> {
        let input = self.input;
        let end = input.all.len() - input.base_len - at;
        self.update_lengths();
        self.nodes[0].ways[0] = Way {
            history,
            ..Way::START
        };
        self.nodes[0].count = 1;
        self.reach = 0;
        let mut matches: Vec<Match> = Vec::new();
        let mut node = 0;
        loop {
            if node == end || node > 0 && node == self.reach && self.nodes[node].count == 1 || node >= PLAN {
                return self.path(node, 0, None);
            }
            finder.next(&mut matches);
            let here = input.base_len + at + node;
            if let Some((way, op, length, distance)) = self.long(at + node, here, node, &matches, end - node)
            {
                finder.skip(length as usize - 1);
                return self.path(node, way, Some((op, length, distance)));
            }
            for way in 0..self.nodes[node].count {
                self.relax(at, node, way, &matches, end - node);
            }
            node += 1;
        }
    }

    /// A copy so long that nothing else need be looked at.
    fn long(
        &self,
        at: usize,
        here: usize,
        node: usize,
        matches: &[Match],
        end: usize,
    ) -> Option<(usize, Op, u32, u32)> {
        let all = self.input.all;
        let best = &self.nodes[node].ways[0];
        for (way, arrival) in self.nodes[node]
            .ways
            .iter()
            .enumerate()
            .take(self.nodes[node].count)
        {
            // Only what is about as cheap as the best way.
            if arrival.price > best.price + 64 * 8 {
                continue;
            }
            for which in 0..4 {
                let distance = arrival.history.repeat(which);
                if distance as usize <= here
                    && equal(all, here - distance as usize, here, NICE) >= NICE.min(end).max(24)
                {
                    let length = equal(all, here - distance as usize, here, end);
                    return Some((way, Op::Repeat(which), length as u32, distance));
                }
            }
        }
        let history = &best.history;
        if let Some(distance) = self.proposed(at, history) {
            let length = equal(all, here - distance as usize, here, end);
            if length >= NICE {
                return Some((0, Op::Mapped, length as u32, distance));
            }
        }
        let longest = matches.last().filter(|longest| longest.len as usize >= NICE)?;
        let length = equal(all, here - longest.distance as usize, here, end);
        let op = if longest.distance as usize > at {
            Op::Base
        } else {
            Op::Written
        };
        Some((0, op, length as u32, longest.distance))
    }

    fn proposed(&self, at: usize, history: &History) -> Option<u32> {
        proposed(self.input, at, history)
    }

    fn relax(&mut self, start: usize, node: usize, way: usize, matches: &[Match], end: usize) {
        let input = self.input;
        let arrival = self.nodes[node].ways[way];
        let history = arrival.history;
        let at = start + node;
        let at32 = at as u32;
        let here = input.base_len + at;
        let all = input.all;
        let proposed = self.proposed(at, &history);
        let mapped = proposed.is_some();
        let op_price = |plan: &mut Self, op: Op| {
            plan.price(|model, price| {
                model.op(price, history.state, at32, || mapped, op);
            })
        };
        let edge = |op, distance, price| Edge {
            node,
            way,
            at: at32,
            op,
            distance,
            price: arrival.price + price,
        };
        // A literal.
        let byte = all[here];
        let beside = self.beside(at, &history);
        let price = op_price(self, Op::Literal)
            + self.price(|model, price| {
                model.literal(price, at32, beside, byte);
            });
        self.arrive(&edge(Op::Literal, 0, price), 1, arrival.price + price);
        // Repeats and the map.
        let most = end.min(NICE);
        let repeats = (0..4).map(|which| (Op::Repeat(which), history.repeat(which)));
        for (op, distance) in repeats.chain(proposed.map(|distance| (Op::Mapped, distance))) {
            let again =
                matches!(op, Op::Repeat(which) if history.repeats[..usize::from(which)].contains(&distance));
            if distance as usize > here || again {
                continue;
            }
            let length = equal(all, here - distance as usize, here, most);
            if length > 0 {
                let price = op_price(self, op);
                self.copies(&edge(op, distance, price), 1..=length);
            }
        }
        // Matches: each for the lengths that no nearer one reaches.
        let mut first = 2;
        for found in matches {
            let length = (found.len as usize).min(most);
            if length < first {
                continue;
            }
            let distance = found.distance;
            if distance as usize > at {
                let difference = distance.wrapping_sub(history.anchor) as i32;
                let price = op_price(self, Op::Base)
                    + self.price(|model, price| {
                        model.difference(price, difference);
                    });
                self.copies(&edge(Op::Base, distance, price), first..=length);
            } else {
                let op_price = op_price(self, Op::Written);
                let mut from = first;
                while from <= length {
                    // A distance's price depends on the length, up to 5.
                    let to = if from < 5 { from } else { length };
                    let price = self.price(|model, price| {
                        model.distance(price, from as u32, distance);
                    });
                    self.copies(&edge(Op::Written, distance, op_price + price), from..=to);
                    from = to + 1;
                }
            }
            first = length + 1;
        }
    }

    fn copies(&mut self, edge: &Edge, lengths: RangeInclusive<usize>) {
        let context = length_context(edge.op) * 2 + (edge.at as usize & 1);
        for length in lengths {
            let price = edge.price + self.lengths[context][length];
            self.arrive(edge, length, price);
        }
    }

    #[inline]
    fn arrive(&mut self, edge: &Edge, length: usize, price: u32) {
        let to = edge.node + length;
        while self.reach < to {
            self.reach += 1;
            self.nodes[self.reach].count = 0;
        }
        let Node { ways, count } = &self.nodes[to];
        if *count == WAYS && price >= ways[WAYS - 1].price {
            return;
        }
        let mut history = self.nodes[edge.node].ways[edge.way].history;
        history.note(edge.op, edge.at, length as u32, edge.distance);
        let first = history.repeats[0];
        let Node { ways, count } = &mut self.nodes[to];
        let mut place = 0;
        while place < *count && ways[place].price <= price {
            if ways[place].history.repeats[0] == first {
                return;
            }
            place += 1;
        }
        // What it takes the place of: the same distance at a higher price, or the last.
        let mut last = place;
        while last < *count && ways[last].history.repeats[0] != first {
            last += 1;
        }
        if last == *count {
            if *count < WAYS {
                *count += 1;
            } else {
                last -= 1;
            }
        }
        ways.copy_within(place..last, place + 1);
        ways[place] = Way {
            price,
            from: edge.node as u32,
            from_way: edge.way as u8,
            op: edge.op,
            distance: edge.distance,
            history,
        };
    }

    fn path(&self, node: usize, way: usize, last: Option<(Op, u32, u32)>) -> Vec<(Op, u32, u32)> {
        let mut path: Vec<_> = last.into_iter().collect();
        let (mut node, mut way) = (node, way);
        while node > 0 {
            let step = &self.nodes[node].ways[way];
            path.push((step.op, node as u32 - step.from, step.distance));
            (node, way) = (step.from as usize, step.from_way.into());
        }
        path.reverse();
        path
    }

    fn write(
        &mut self,
        coder: &mut Encoder,
        at: usize,
        history: &mut History,
        op: Op,
        length: u32,
        distance: u32,
    ) {
        let input = self.input;
        let at32 = at as u32;
        let mapped = proposed(input, at, history).is_some();
        let model = &mut self.model;
        model.op(coder, history.state, at32, || mapped, op);
        match op {
            Op::Literal => {
                let byte = input.all[input.base_len + at];
                model.literal(coder, at32, beside(input, at, history), byte);
            }
            Op::Repeat(_) | Op::Mapped => {
                model.length(coder, op, at32, length);
            }
            Op::Base => {
                model.length(coder, op, at32, length);
                model.difference(coder, distance.wrapping_sub(history.anchor) as i32);
            }
            Op::Written => {
                model.length(coder, op, at32, length);
                model.distance(coder, length, distance);
            }
        }
        history.note(op, at32, length, distance);
    }
}

fn proposed(input: &Input, at: usize, history: &History) -> Option<u32> {
    let proposal = input.proposals.and_then(|all| *all.get(at)?);
    history.proposed(proposal, input.base_len as u32)
}

fn beside(input: &Input, at: usize, history: &History) -> Option<u8> {
    let here = input.base_len + at;
    here.checked_sub(history.repeats[0] as usize)
        .map(|from| input.all[from])
}
