//! Whether two hashes are of one image.

/// Bytes of a SHA-512 that a board lists at least: the room that SHA-256 has. Fewer could be met by accident, or on
/// purpose.
const SHORTEST_HASH: usize = 32;

/// Whether a board that lists `listed` means the image with this hash. Boards may list the first half of a SHA-512, so as
/// many bytes are compared as the board lists, at least 32.
pub fn is_listed_as(hash: &[u8], listed: &[u8]) -> bool {
    listed.len() >= SHORTEST_HASH.min(hash.len()) && !listed.is_empty() && hash.starts_with(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The page runs this crate, so a browser runs its tests as well.
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn half_of_a_sha512_is_enough_and_less_is_not() {
        let mut hash = [7; 64];
        hash[40] = 8;
        assert!(is_listed_as(&hash, &hash));
        assert!(is_listed_as(&hash, &hash[..32]));
        assert!(is_listed_as(&hash[..32], &hash[..32]));
        assert!(!is_listed_as(&hash, &hash[..31]));
        assert!(!is_listed_as(&hash[..32], &hash[..31]));
        assert!(!is_listed_as(&hash, &[]));
        assert!(!is_listed_as(&[], &[]));
        assert!(!is_listed_as(&hash[..32], &hash));
        assert!(!is_listed_as(&hash, &[7; 64]));
    }
}
