//! Where an image is linked to, found out from its code: pointers to functions are odd, and functions begin by saving
//! the link register.

use alloc::vec::Vec;

/// Addresses are multiples of this: an image header moves code by its size.
const STEP: u32 = 0x20;
/// The fewest pointers that must lead to functions.
const LEAST: u32 = 8;
/// How many pointers are tried.
const POINTERS: usize = 200;
/// How many stretches of 64 KB are tried.
const REGIONS: usize = 4;
/// Code lies in the lowest 512 MB.
const CODE: u32 = 0x2000_0000;

/// The address of the image's first byte, or `None` where it does not look like code for a Cortex-M.
#[must_use]
pub fn link_address(image: &[u8]) -> Option<u32> {
    // The starts of functions, by their address modulo the step.
    let mut starts: Vec<Vec<u32>> = alloc::vec![Vec::new(); STEP as usize];
    for (index, half) in image.chunks_exact(2).enumerate() {
        let &[low, high] = half else { continue };
        // PUSH with LR; PUSH.W is E92D.
        if high == 0xb5 || (high, low) == (0xe9, 0x2d) {
            let at = index as u32 * 2;
            if let Some(starts) = starts.get_mut((at % STEP) as usize) {
                starts.push(at);
            }
        }
    }
    // Odd words, most common first: what is no pointer votes for noise.
    let mut words = alloc::vec![0u32; (CODE >> 16) as usize];
    for word in image.chunks_exact(4) {
        let &[a, b, c, d] = word else { continue };
        let word = u32::from_le_bytes([a, b, c, d]);
        if word & 1 == 1
            && word > 0x100
            && let Some(count) = words.get_mut((word >> 16) as usize)
        {
            *count += 1;
        }
    }
    // The 64 KB that most odd words point to is part of the image.
    let mut best = (0u32, 0u32, 0u32);
    for _ in 0..REGIONS {
        let most = (0..)
            .zip(&mut words)
            .max_by_key(|(region, count)| (**count, *region));
        let Some((region, count)) = most.filter(|(_, count)| **count > 0) else {
            break;
        };
        *count = 0;
        let region: u32 = region;
        let mut pointers: Vec<u32> = image
            .chunks_exact(4)
            .filter_map(|word| Some(u32::from_le_bytes(*word.first_chunk()?)))
            .filter(|word| word & 1 == 1 && word >> 16 == region)
            .map(|word| word - 1)
            .collect();
        pointers.sort_unstable();
        pointers.dedup();
        pointers.truncate(POINTERS);
        let mut votes: Vec<u32> = Vec::new();
        for pointer in &pointers {
            let starts = starts.get((pointer % STEP) as usize).into_iter().flatten();
            votes.extend(starts.filter_map(|start| pointer.checked_sub(*start)));
        }
        votes.sort_unstable();
        for same in votes.chunk_by(|a, b| a == b) {
            let (count, address) = (same.len() as u32, same.first().copied().unwrap_or(0));
            let round = address.trailing_zeros();
            if (count, round) > (best.0, best.1) {
                best = (count, round, address);
            }
        }
    }
    (best.0 >= LEAST).then_some(best.2)
}
