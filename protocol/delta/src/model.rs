//! The adaptive model of the stream, walked by the encoder, the decoder and the price estimates alike: one definition
//! of how each symbol is coded, so the sides cannot differ.

/// The probability of a zero in 1/4096 (upper 12 bits), and how often it was adapted, up to 15 (lower 4 bits): the
/// first bits seen teach more than the later ones, which is what short patches need. The highest bit is kept inverted:
/// then zeros are where a model begins, which costs a board neither a copy in flash nor code.
#[derive(Clone, Copy)]
pub(crate) struct Prob(u16);

impl Prob {
    const EVEN: Self = Self(0);

    /// The probability of a zero in 1/65536, roughly: the upper 12 bits count.
    #[inline]
    pub(crate) fn zero(self) -> u16 {
        self.0 ^ 0x8000
    }
}

/// Bits of a probability's precision.
pub(crate) const PRECISION: u32 = 12;

/// By how far a probability moves, as a shift, by how often it has been adapted.
const RATE: [u8; 16] = [2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5];

/// Moves a probability towards the bit that came.
#[inline]
pub(crate) fn adapt(prob: &mut Prob, bit: u32) {
    let (count, value) = (prob.zero() & 15, prob.zero() >> 4);
    let [rate, ..] = RATE[usize::from(count)..] else {
        return;
    };
    let value = if bit == 0 {
        value + ((4096 - value) >> rate)
    } else {
        value - (value >> rate)
    };
    *prob = Prob((value << 4 | if count < 15 { count + 1 } else { count }) ^ 0x8000);
}

/// One side of the coder: an encoder takes the bits it is given, a decoder ignores them and returns what it read.
pub(crate) trait Coder {
    fn bit(&mut self, prob: &mut Prob, bit: u32) -> u32;
    /// The `count` low bits of `value` without a model, highest first.
    fn direct(&mut self, count: u32, value: u32) -> u32;
}

/// A symbol of `bits` bits through a binary tree, highest bit first.
#[cfg_attr(not(feature = "make"), inline(never))]
fn tree<C: Coder>(coder: &mut C, probs: &mut [Prob], bits: u32, value: u32) -> u32 {
    let mut node = 1;
    for index in (0..bits).rev() {
        let Some(prob) = probs.get_mut(node as usize) else {
            break;
        };
        node = node << 1 | coder.bit(prob, value >> index & 1);
    }
    node ^ 1 << bits
}

/// The low `bits` bits of `value` through a binary tree, lowest first.
#[cfg_attr(not(feature = "make"), inline(never))]
fn reverse<C: Coder>(coder: &mut C, probs: &mut [Prob], bits: u32, value: u32) -> u32 {
    let (mut node, mut out) = (1, 0);
    for index in 0..bits {
        let Some(prob) = probs.get_mut(node as usize) else {
            break;
        };
        let bit = coder.bit(prob, value >> index & 1);
        node = node << 1 | bit;
        out |= bit << index;
    }
    out
}

/// Numbers of up to 32 bits: a slot (the position of the highest bit and the bit below it) through a tree, then the
/// bits below: up to three of them through a tree of the slot's own, of more the lowest four through a common tree.
#[derive(Clone)]
struct Number<const CONTEXTS: usize> {
    slots: [[Prob; 64]; CONTEXTS],
    rest: Rest,
}

#[derive(Clone)]
struct Rest {
    few: [[Prob; 8]; 6],
    low: [Prob; 16],
}

impl<const CONTEXTS: usize> Number<CONTEXTS> {
    const NEW: Self = Self {
        slots: [[Prob::EVEN; 64]; CONTEXTS],
        rest: Rest {
            few: [[Prob::EVEN; 8]; 6],
            low: [Prob::EVEN; 16],
        },
    };

    fn code<C: Coder>(&mut self, coder: &mut C, context: usize, value: u32) -> u32 {
        let Some(slots) = self.slots.get_mut(context) else {
            return 0;
        };
        number(coder, slots, &mut self.rest, value)
    }
}

fn number<C: Coder>(coder: &mut C, slots: &mut [Prob; 64], rest: &mut Rest, value: u32) -> u32 {
    let slot = if value < 4 {
        value
    } else {
        let top = 31 - value.leading_zeros();
        2 * top + (value >> (top - 1) & 1)
    };
    let slot = tree(coder, slots, 6, slot);
    if slot < 4 {
        return slot;
    }
    let below = slot / 2 - 1;
    let base = (2 | slot & 1) << below;
    let bits = value.wrapping_sub(base);
    let bits = match rest.few.get_mut(slot as usize - 4) {
        Some(few) => reverse(coder, few, below, bits),
        None => coder.direct(below - 4, bits >> 4) << 4 | reverse(coder, &mut rest.low, 4, bits),
    };
    base | bits
}

/// What comes next in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// One byte.
    Literal,
    /// A copy from where one of the last four copies came from.
    Repeat(u8),
    /// A copy from where the map expects this part of the image in the base.
    Mapped,
    /// A copy from the base, told as the difference to the last copy from there.
    Base,
    /// A copy from what has been written already.
    Written,
}

/// States of the history of operations, as LZMA has them: below 7 the last operation was a literal.
const STATES: usize = 12;

/// What the choice of an operation depends on, in one state: together, so that a small chip finds it in one go.
#[derive(Clone)]
struct Operation {
    is_copy: [Prob; 4],
    is_repeat: [Prob; 2],
    not_first: Prob,
    not_second: Prob,
    not_third: Prob,
    not_mapped: Prob,
}

impl Operation {
    const NEW: Self = Self {
        is_copy: [Prob::EVEN; 4],
        is_repeat: [Prob::EVEN; 2],
        not_first: Prob::EVEN,
        not_second: Prob::EVEN,
        not_third: Prob::EVEN,
        not_mapped: Prob::EVEN,
    };
}

/// All probabilities.
#[derive(Clone)]
pub(crate) struct Model {
    operations: [Operation; STATES],
    is_written: [Prob; 2],
    /// By what is copied (see [`length_context`]) and the parity of where to.
    length: Number<6>,
    /// By the length.
    distance: Number<4>,
    difference: Number<1>,
    sign: Prob,
    /// By the parity of the position; three trees: alone, and with the byte that a copy would bring, by its next bit.
    literal: [[[Prob; 256]; 3]; 2],
}

impl Model {
    /// Knows nothing yet. All zeros.
    pub(crate) const NEW: Self = Self {
        operations: [Operation::NEW; STATES],
        is_written: [Prob::EVEN; 2],
        length: Number::NEW,
        distance: Number::NEW,
        difference: Number::NEW,
        sign: Prob::EVEN,
        literal: [[[Prob::EVEN; 256]; 3]; 2],
    };

    /// `at` is the position in the target; `mapped` says whether the map has a
    /// proposal that is none of the repeats.
    pub(crate) fn op<C: Coder>(
        &mut self,
        coder: &mut C,
        state: usize,
        at: u32,
        mapped: impl FnOnce() -> bool,
        op: Op,
    ) -> Op {
        let Some(probs) = self.operations.get_mut(state) else {
            return Op::Literal;
        };
        let is_copy = &mut probs.is_copy[at as usize & 3];
        if coder.bit(is_copy, u32::from(op != Op::Literal)) == 0 {
            return Op::Literal;
        }
        let repeat = matches!(op, Op::Repeat(_));
        if coder.bit(&mut probs.is_repeat[at as usize & 1], u32::from(repeat)) == 1 {
            let which = if let Op::Repeat(which) = op { which } else { 0 };
            if coder.bit(&mut probs.not_first, u32::from(which > 0)) == 0 {
                return Op::Repeat(0);
            }
            if coder.bit(&mut probs.not_second, u32::from(which > 1)) == 0 {
                return Op::Repeat(1);
            }
            return Op::Repeat(2 + coder.bit(&mut probs.not_third, u32::from(which > 2)) as u8);
        }
        if mapped() && coder.bit(&mut probs.not_mapped, u32::from(op != Op::Mapped)) == 0 {
            return Op::Mapped;
        }
        let after_literal = usize::from(state < 7);
        if coder.bit(&mut self.is_written[after_literal], u32::from(op == Op::Written)) == 0 {
            Op::Base
        } else {
            Op::Written
        }
    }

    /// How many runs the map has.
    pub(crate) fn count<C: Coder>(&mut self, coder: &mut C, count: u32) -> u32 {
        self.length.code(coder, 0, count)
    }

    /// A run of the map, as differences to the one before.
    pub(crate) fn run<C: Coder>(&mut self, coder: &mut C, forward: u32, change: i32) -> (u32, i32) {
        (
            self.distance.code(coder, 0, forward),
            self.difference(coder, change),
        )
    }

    pub(crate) fn length<C: Coder>(&mut self, coder: &mut C, op: Op, at: u32, length: u32) -> u32 {
        let least = least(op);
        let context = length_context(op) * 2 + (at as usize & 1);
        self.length
            .code(coder, context, length.wrapping_sub(least))
            .saturating_add(least)
    }

    pub(crate) fn distance<C: Coder>(&mut self, coder: &mut C, length: u32, distance: u32) -> u32 {
        let context = (length.saturating_sub(2)).min(3) as usize;
        self.distance
            .code(coder, context, distance.wrapping_sub(1))
            .wrapping_add(1)
    }

    /// A signed number.
    pub(crate) fn difference<C: Coder>(&mut self, coder: &mut C, value: i32) -> i32 {
        let size = self.difference.code(coder, 0, value.unsigned_abs());
        if size == 0 {
            return 0;
        }
        if coder.bit(&mut self.sign, u32::from(value < 0)) == 0 {
            size as i32
        } else {
            (size as i32).wrapping_neg()
        }
    }

    /// A byte, `beside` the one that the last copy would bring if it went on.
    pub(crate) fn literal<C: Coder>(&mut self, coder: &mut C, at: u32, beside: Option<u8>, byte: u8) -> u8 {
        let trees = &mut self.literal[at as usize & 1];
        let (mut node, mut alike) = (1usize, beside.is_some());
        let beside = beside.unwrap_or(0);
        for index in (0..8).rev() {
            let expected = beside >> index & 1;
            let tree = if alike { 1 + usize::from(expected) } else { 0 };
            let bit = coder.bit(&mut trees[tree][node & 255], u32::from(byte >> index & 1));
            alike &= bit == u32::from(expected);
            node = node << 1 | bit as usize;
        }
        node as u8
    }
}

/// The shortest copy that an operation can mean.
pub(crate) fn least(op: Op) -> u32 {
    match op {
        Op::Base | Op::Written => 2,
        _ => 1,
    }
}

pub(crate) fn length_context(op: Op) -> usize {
    match op {
        Op::Literal | Op::Repeat(_) => 0,
        Op::Mapped | Op::Base => 1,
        Op::Written => 2,
    }
}

/// The state after a literal, by the state before.
const AFTER_LITERAL: [u8; STATES] = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5];

/// The history after an operation.
fn next_state(state: usize, op: Op, length: u32) -> usize {
    let kind = match op {
        Op::Literal => return AFTER_LITERAL.get(state).copied().unwrap_or(0).into(),
        Op::Repeat(_) if length == 1 => 2,
        Op::Repeat(_) => 1,
        _ => 0,
    };
    if state < 7 { 7 + kind } else { 10 + kind.min(1) }
}

/// What the coding of an operation depends on besides the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) state: usize,
    /// The distances of the last four different copies, newest first: how far before the byte that is written the copy
    /// is from, where the base lies before the target.
    pub(crate) repeats: [u32; 4],
    /// The distance of the last copy from the base.
    pub(crate) anchor: u32,
}

impl History {
    pub(crate) const EMPTY: Self = Self {
        state: 0,
        repeats: [0; 4],
        anchor: 0,
    };

    /// What there is before the first operation.
    pub(crate) fn begin(&mut self, base_len: u32) {
        let straight = base_len.max(1);
        self.state = 0;
        self.repeats.fill(straight);
        self.anchor = straight;
    }

    pub(crate) fn repeat(&self, which: u8) -> u32 {
        self.repeats.get(usize::from(which)).copied().unwrap_or(0)
    }

    /// Notes an operation at `at` in the target.
    pub(crate) fn note(&mut self, op: Op, at: u32, length: u32, distance: u32) {
        self.state = next_state(self.state, op, length);
        if op == Op::Literal {
            return;
        }
        let last = if let Op::Repeat(which) = op {
            which.into()
        } else {
            3
        };
        let mut moving = distance;
        for slot in self.repeats.iter_mut().take(last + 1) {
            moving = core::mem::replace(slot, moving);
        }
        if distance > at {
            self.anchor = distance;
        }
    }

    /// The distance that the map proposes, unless it is one of the repeats.
    pub(crate) fn proposed(&self, proposal: Option<i32>, base_len: u32) -> Option<u32> {
        let distance = base_len.wrapping_add_signed(proposal?);
        (!self.repeats.contains(&distance)).then_some(distance)
    }
}
