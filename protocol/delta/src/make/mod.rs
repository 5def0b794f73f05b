//! Making patches.

mod address;
mod align;
mod finder;
mod map;
mod parse;
mod range;

use alloc::borrow::Cow;
use alloc::vec::Vec;

pub use address::link_address;
use sha2::{Digest, Sha256};

use crate::header::{DIGEST, Header, MAX_LEN, MAX_RELOCATED, Method};
use crate::view::{self, RAM, RAM_KEY, Run};

/// How often the map is learnt, each time from what the last one aligned.
const ROUNDS: usize = 2;
/// What learning the map is of the whole, in thousandths.
const ALIGNING: u32 = 150;
/// A target that came out smaller than this by one method, in hundredths, is not tried without the base.
const GOOD: usize = 60;
/// Patches below this many bytes are also tried without the map, which may have cost more than it won.
const SMALL: usize = 4096;

/// What is known of the images, and what the board can do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the base's first byte is linked to; found out if `None`.
    pub base_address: Option<u32>,
    /// Where the target's first byte is linked to; found out if `None`.
    pub target_address: Option<u32>,
    /// The most runs of a map, at most [`MAX_RUNS`](crate::MAX_RUNS).
    pub runs: usize,
    /// The one method to use, instead of that which gives the smallest patch.
    pub method: Option<Method>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_address: None,
            target_address: None,
            runs: crate::MAX_RUNS,
            method: None,
        }
    }
}

/// A patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The patch: header and stream.
    pub bytes: Vec<u8>,
    /// Its header.
    pub header: Header,
    /// Runs of the map.
    pub runs: usize,
}

/// Makes the smallest patch that turns `base` into `target`; deterministic. Both together must stay below
/// [`MAX_TOTAL`](crate::MAX_TOTAL) bytes.
#[must_use]
pub fn make(base: &[u8], target: &[u8], options: &Options) -> Patch {
    make_with_progress(base, target, options, &mut |_| {})
}

/// As [`make`], telling how far it is, in thousandths; never less than before.
#[must_use]
pub fn make_with_progress(
    base: &[u8],
    target: &[u8],
    options: &Options,
    report: &mut dyn FnMut(u32),
) -> Patch {
    let mut report = Report {
        report,
        told: 0,
        from: 0,
        to: 0,
    };
    let tried = |method: Method| options.method.is_none_or(|only| only == method);
    let mut best: Option<Patch> = None;
    let mut offer = |patch: Patch| {
        if best
            .as_ref()
            .is_none_or(|best| patch.bytes.len() < best.bytes.len())
        {
            best = Some(patch);
        }
        best.as_ref().map_or(0, |best| best.bytes.len())
    };
    let (mut size, mut runs) = (usize::MAX, 0);
    let fits = base.len() <= MAX_RELOCATED as usize;
    let addresses = fits.then(|| addresses(base, target, options)).flatten();
    if let Some(addresses) = addresses
        && tried(Method::Relocated)
    {
        report.part(0, 800);
        let patch = relocated(base, target, addresses, options.runs, &mut report);
        runs = patch.runs;
        size = offer(patch);
    }
    let without_code = addresses.is_none() || options.method.is_some();
    if tried(Method::Plain) && (without_code || runs == 0 || size < SMALL) {
        report.part(if without_code { 0 } else { 800 }, 900);
        size = offer(encode(
            Method::Plain,
            base,
            target,
            Views::plain(base, target),
            &mut report,
        ));
    }
    if size.saturating_mul(100) > target.len().saturating_mul(GOOD) {
        report.part(900, 1000);
        if tried(Method::Full) && without_code {
            offer(encode(
                Method::Full,
                &[],
                target,
                Views::plain(&[], target),
                &mut report,
            ));
        }
        if tried(Method::FullThumb) && (addresses.is_some() || options.method.is_some()) {
            let views = Views {
                target: Cow::Owned(view(target, |around, at| view::word(around, at, None))),
                ..Views::plain(&[], target)
            };
            offer(encode(Method::FullThumb, &[], target, views, &mut report));
        }
    }
    let patch =
        best.unwrap_or_else(|| encode(Method::Full, &[], target, Views::plain(&[], target), &mut report));
    report.part(1000, 1000);
    report.done(0, 1);
    patch
}

/// How far it is.
struct Report<'a> {
    report: &'a mut dyn FnMut(u32),
    told: u32,
    /// What the current part is of the whole, in thousandths.
    from: u32,
    to: u32,
}

impl Report<'_> {
    fn part(&mut self, from: u32, to: u32) {
        (self.from, self.to) = (from, to);
    }

    fn done(&mut self, done: usize, total: usize) {
        let share = (done as u64 * u64::from(self.to - self.from) / (total as u64).max(1)) as u32;
        let now = self.from + share;
        if now > self.told {
            self.told = now;
            (self.report)(now);
        }
    }
}

fn addresses(base: &[u8], target: &[u8], options: &Options) -> Option<(u32, u32)> {
    let base_address = options.base_address.or_else(|| link_address(base));
    let target_address = options.target_address.or_else(|| link_address(target));
    // Two versions of a program lie at the same place unless somebody says otherwise.
    Some((base_address.or(target_address)?, target_address.or(base_address)?))
}

/// Images as the decoder sees them.
struct Views<'a> {
    base: Cow<'a, [u8]>,
    target: Cow<'a, [u8]>,
    map: Vec<Run>,
    /// What the decoder needs for its view of the base.
    header: Header,
}

impl<'a> Views<'a> {
    fn plain(base: &'a [u8], target: &'a [u8]) -> Self {
        let header = Header {
            base_len: base.len() as u32,
            ..Header::EMPTY
        };
        Self {
            base: Cow::Borrowed(base),
            target: Cow::Borrowed(target),
            map: Vec::new(),
            header,
        }
    }
}

fn relocated(
    base: &[u8],
    target: &[u8],
    (base_address, target_address): (u32, u32),
    runs: usize,
    report: &mut Report,
) -> Patch {
    let header = Header {
        base_len: base.len() as u32,
        base_address,
        target_address,
        ram: ram(base).max(ram(target)),
        ..Header::EMPTY
    };
    let absolute = view(target, |around, at| view::word(around, at, None));
    let mut segments = align::align(&masked(base), &masked(target));
    let mut moved = Vec::new();
    let mut map = Vec::new();
    for round in 0..ROUNDS {
        report.done(ALIGNING as usize * (round + 1), report.to as usize * (ROUNDS + 1));
        if round > 0 {
            segments = align::align(&moved, &absolute);
        }
        let votes = map::votes(base, target, &segments, &header);
        map = map::runs(&votes, runs.min(crate::MAX_RUNS));
        moved = view(base, |around, at| view::word(around, at, Some((&header, &map))));
    }
    let views = Views {
        base: Cow::Owned(moved),
        target: Cow::Owned(absolute),
        map,
        header,
    };
    report.part(ALIGNING, report.to);
    encode(Method::Relocated, base, target, views, report)
}

/// Bytes of RAM that an image's pointers may point into: up to its first stack pointer, where there is a vector table,
/// and 512 KB otherwise.
fn ram(image: &[u8]) -> u32 {
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?));
    // The table follows an image's header, if it has one.
    let header = word(0)
        .filter(|magic| *magic == 0x96f3_b83d)
        .and_then(|_| word(8))
        .map_or(0, |size| size & 0xffff);
    let stack = word(header as usize).map_or(0, |stack| stack.wrapping_sub(RAM));
    if stack > 0 && stack <= RAM_KEY && stack & 3 == 0 {
        stack.next_multiple_of(1024)
    } else {
        0x8_0000
    }
}

fn encode(method: Method, base: &[u8], target: &[u8], views: Views, report: &mut Report) -> Patch {
    let proposals = (method == Method::Relocated).then(|| proposals(&views.map, base.len(), target.len()));
    let runs = views.map.len();
    let mut all = views.base.into_owned();
    all.extend_from_slice(&views.target);
    let input = parse::Input {
        all: &all,
        base_len: base.len(),
        proposals: proposals.as_deref(),
        map: &views.map,
    };
    let stream = parse::encode(&input, &mut |done| report.done(done, target.len()));
    let digest = |bytes: &[u8]| {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        core::array::from_fn(|index| digest[index])
    };
    let header = Header {
        method,
        base_len: base.len() as u32,
        base_digest: if method.has_base() {
            digest(base)
        } else {
            [0; DIGEST]
        },
        target_len: target.len() as u32,
        target_digest: digest(target),
        stream_len: stream.len() as u32,
        base_address: views.header.base_address,
        target_address: views.header.target_address,
        ram: views.header.ram,
    };
    let mut head = [0; MAX_LEN];
    let len = header.write(&mut head);
    let mut bytes = head[..len].to_vec();
    bytes.extend_from_slice(&stream);
    Patch { bytes, header, runs }
}

/// What [`view::proposal`] gives for each byte of the target.
fn proposals(map: &[Run], base_len: usize, target_len: usize) -> Vec<Option<i32>> {
    let mut all = alloc::vec![None; target_len];
    let flash: Vec<Run> = map
        .iter()
        .copied()
        .take_while(|run| run.key() < RAM_KEY)
        .collect();
    let starts = core::iter::once((0, 0)).chain(flash.iter().map(|run| (run.key() as usize, run.shift())));
    let runs: Vec<(usize, i32)> = starts.collect();
    // The first run that leads to a place counts: later ones are written first.
    for (index, &(start, shift)) in runs.iter().enumerate().rev() {
        let end = runs.get(index + 1).map_or(base_len, |next| next.0);
        let place = |key: usize| {
            usize::try_from(key as i64 + i64::from(shift))
                .unwrap_or(0)
                .min(target_len)
        };
        all[place(start)..place(end).max(place(start))].fill(Some(shift));
    }
    all
}

fn around(bytes: &[u8], at: usize) -> [u16; 4] {
    let byte = |place: Option<usize>| {
        place
            .and_then(|place| bytes.get(place))
            .copied()
            .map_or(0, u16::from)
    };
    core::array::from_fn(|index| {
        let low = (at + 2 * index).checked_sub(2);
        byte(low) | byte(low.map(|low| low + 1)) << 8
    })
}

fn view(bytes: &[u8], word: impl Fn([u16; 4], u32) -> u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 4);
    for at in (0..bytes.len()).step_by(4) {
        out.extend_from_slice(&word(around(bytes, at), at as u32).to_le_bytes());
    }
    out.truncate(bytes.len());
    out
}

/// An image with all branches alike, so that only what they branch from is compared.
fn masked(bytes: &[u8]) -> Vec<u8> {
    view(bytes, |around, at| view::word_moved(around, at, |_| 0))
}
