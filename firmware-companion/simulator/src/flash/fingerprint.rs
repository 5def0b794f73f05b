//! What is equal for equal flash.

/// Of all bytes, and of the flags of what is programmed. Not for adversaries: whoever cuts power does not choose bytes.
pub(super) fn of(bytes: &[u8], flags: &[bool]) -> u128 {
    let mut lanes = [
        0x9E37_79B9_7F4A_7C15_u64,
        0xBF58_476D_1CE4_E5B9,
        0x94D0_49BB_1331_11EB,
        1,
    ];
    let mix = |lane: &mut u64, word: u64| {
        *lane = (*lane ^ word).wrapping_mul(0xD134_2543_DE82_EF95).rotate_left(29);
    };
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            mix(lane, u64::from_le_bytes(*word));
        }
    }
    for &byte in blocks.remainder() {
        mix(&mut lanes[3], byte.into());
    }
    for (index, flags) in flags.chunks(64).enumerate() {
        let word = flags.iter().fold(0, |word, &flag| word << 1 | u64::from(flag));
        if let Some(lane) = lanes.get_mut(index % 4) {
            mix(lane, word);
        }
    }
    let [a, b, c, d] = lanes;
    mix(&mut lanes[0], c);
    mix(&mut lanes[1], d);
    mix(&mut lanes[0], b);
    mix(&mut lanes[1], a);
    u128::from(lanes[0]) << 64 | u128::from(lanes[1])
}
