//! Patches.

use std::cell::RefCell;
use std::sync::OnceLock;

use bootlace_delta::make::{Options, make};
use bootlace_delta::{Applier, Memory, Method, Step, Unreadable};
use sha2::{Digest as _, Sha256};

/// What one patch may make, in bytes.
const ROOM: u32 = 4 * 1024;

struct Slices<'a>(&'a [u8], Vec<u8>);

fn read(from: &[u8], offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
    assert!(out.len() <= 8, "a long read");
    let start = offset as usize;
    out.copy_from_slice(from.get(start..start + out.len()).ok_or(Unreadable)?);
    Ok(())
}

impl Memory for Slices<'_> {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        let end = u64::from(offset) + out.len() as u64;
        assert!(end <= self.0.len() as u64, "beyond the base");
        read(self.0, offset, out)
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        read(&self.1, offset, out)
    }
}

/// Something like a program, with calls that move.
fn program(shift: u32) -> Vec<u8> {
    let mut noise = 1_u32;
    let mut code = Vec::new();
    for index in 0..200_u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = match noise >> 29 {
            // Thumb's BL, and pointers into flash.
            0 => 0xF800_F000 | ((index * 7 + shift) & 0x7FF) << 16 | (shift >> 9 & 0x7FF),
            1 => 0x0800_0000 + (noise & 0xFFC) + shift,
            _ => noise & 0x0F0F_3F3F,
        };
        code.extend_from_slice(&word.to_le_bytes());
        if index == 90 {
            code.extend(std::iter::repeat_n(0x5A, shift as usize));
        }
    }
    code
}

struct Known {
    base: Vec<u8>,
    digest: [u8; 32],
    patches: Vec<Vec<u8>>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let base = program(0);
        let patches = [None, Some(Method::Plain)].map(|method| {
            let options = Options {
                method,
                ..Options::default()
            };
            make(&base, &program(24), &options).bytes
        });
        Known {
            digest: Sha256::digest(&base).into(),
            base,
            patches: patches.into(),
        }
    })
}

thread_local! {
    static APPLIER: RefCell<Box<Applier>> = RefCell::new(Box::new(Applier::new()));
}

/// Any bytes as a patch, or a real patch with some bytes changed. Every read is inside, and it comes to an end.
pub fn delta(data: &[u8]) {
    let known = known();
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let patch = match known.patches.get(usize::from(first & 3)) {
        None => rest.to_vec(),
        Some(patch) => {
            let mut patch = patch.clone();
            for edit in rest.as_chunks::<3>().0 {
                let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % patch.len();
                patch[at] ^= edit[2];
            }
            patch
        }
    };
    apply(&patch, usize::from(first >> 2) + 1);
}

/// Fed in pieces of this size.
fn apply(patch: &[u8], piece: usize) {
    let Known { base, digest, .. } = known();
    let mut memory = Slices(base, Vec::new());
    // One for all, as on a board: what an earlier patch left in it must not matter.
    APPLIER.with_borrow_mut(|applier| {
        applier.start(base.len() as u32, digest, ROOM);
        run(applier, &mut memory, patch, piece);
    });
}

fn run(applier: &mut Applier, memory: &mut Slices, patch: &[u8], piece: usize) {
    let mut rest = patch;
    // Each turn takes a byte or makes a page, or nothing more comes.
    let mut turns = patch.len() + ROOM as usize / 256 + 16;
    loop {
        turns = turns.checked_sub(1).expect("it comes to an end");
        let offered = &rest[..rest.len().min(piece)];
        let Ok(taken) = applier.feed(offered) else { return };
        rest = &rest[taken..];
        match applier.step(memory) {
            Ok(Step::Page { offset }) => {
                assert_eq!(offset as usize, memory.1.len(), "pages come in order");
                memory.1.extend_from_slice(applier.page());
                assert!(
                    memory.1.len() <= ROOM as usize + 256,
                    "more than there is room for"
                );
            }
            Ok(Step::NeedInput) if rest.is_empty() => return,
            Ok(Step::NeedInput) => {}
            Ok(Step::Done) | Err(_) => return,
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        vec![0xFC],
        vec![0xFD],
        vec![0x00, 60, 0, 1],
        vec![0xFD, 100, 0, 0x80],
    ];
    for patch in &known().patches {
        let mut seed = vec![0xFF];
        seed.extend_from_slice(patch);
        seeds.push(seed);
    }
    seeds
}
