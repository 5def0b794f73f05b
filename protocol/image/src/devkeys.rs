//! Keys that anybody can sign with, because their private halves are published: MCUboot's and this repository's own.
//!
//! SHA-256 of the `SubjectPublicKeyInfo`, computed with OpenSSL from the files of that name in
//! <https://github.com/mcu-tools/mcuboot> at 2d4bacc3 (2026-07-22), and in `firmware-companion/boards/keys`.

type Entry = ([u8; 32], &'static str);

const P256: [Entry; 6] = [
    // The demonstration's, of this repository.
    (
        hex(b"f29e43d15961b12e7167c26a8d457b2eb90a8f14ff1c9356356b9f446503231d"),
        "demo.pem",
    ),
    (
        hex(b"e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6"),
        "root-ec-p256.pem",
    ),
    (
        hex(b"bb868a727f0ef75e890a6a52bccd1d936fb34438afd6f237e8af259865742446"),
        "cypress-test-ec-p256.pem",
    ),
    (
        hex(b"e6c097daf1458d0f8b8d43fc4b4b9d4425203484b3afe5570ed074073901bab0"),
        "bad-ec-p256.pem",
    ),
    (
        hex(b"6dc968724fdedb71be7c8ad62540ea148996f96adb5c48e9cc3112c588f26d89"),
        "key_ec256.pem",
    ),
    (
        hex(b"1c35c9ccb929906e7792eda384825b41be700c50760493eaf163135933e191aa"),
        "key_ec256_2.pem",
    ),
];

const ED25519: [Entry; 3] = [
    (
        hex(b"c1907fa4eac7fae3840a78902b6f0710b037e9968e5c6274a12a28790c7d4e3c"),
        "root-ed25519.pem",
    ),
    (
        hex(b"6754edab1e29affef4a05935adecbeb1a7b8b62397b31e39a61b5bfcaafd63af"),
        "root-ed25519-2.pem",
    ),
    (
        hex(b"b1d87d60173352b9a4808979790fc699fb4c4f83b49cf1970edd96ff4adc36a6"),
        "root-ed25519-unknown.pem",
    ),
];

/// Keys of algorithms that nothing here verifies: still worth a warning where images are shown.
const OTHERS: [Entry; 11] = [
    (
        hex(b"6bcd1e16d80e5fe13a5307e6f1de8344c7e50e537d9962ce35ef6db5e642fae8"),
        "root-ec-p384.pem",
    ),
    (
        hex(b"a14bcb1bf9bb821146ba32838217e476f5412621320534ffe490a1890c994660"),
        "root-rsa-2048.pem",
    ),
    (
        hex(b"159d8b7930769d887f3ff0b4e9ec176b82313663f2ef76dc24f5e964da1bc482"),
        "root-rsa-3072.pem",
    ),
    (
        hex(b"cf2f67a6aee012de5a8e82a9d9e9f6bf4923f9f367fe6c03fe844a251a7b3e55"),
        "bad-rsa-2048.pem",
    ),
    (
        hex(b"64cf53d13dc8784425001af1dd51799e2bd93d0e0bef08f988765ee2379f9eba"),
        "key_ec.pem",
    ),
    (
        hex(b"53730935377f0650b22361f542f5bea746ec7f3480719eed782a9543b0ed733a"),
        "key_ec_2.pem",
    ),
    (
        hex(b"54674c34090b98739e4bb93ab182c4e099ce378410b4ebe6dd5922b064779511"),
        "key_rsa.pem",
    ),
    (
        hex(b"f82d91d0193c6557517b7762f1a334abc4d4709ef1eb77b51e42f71c2a55fc6c"),
        "key_rsa_2.pem",
    ),
    // Ed25519 beside a SHA-512 digest: imgtool then writes a SHA-512 KEYHASH, of which these are first halves.
    (
        hex(b"e3e129b49f1218e18e4614acb2523389c75852ebb98b4d2c6171a2fc65706ba3"),
        "root-ed25519.pem",
    ),
    (
        hex(b"e11ed22583de283392266b917bd82e88486edf47bc58c7ce8e42f9fb90e1daa9"),
        "root-ed25519-2.pem",
    ),
    (
        hex(b"37491781699741ec96e7faaf03c04e70f135f2f8b1f09d5a2a53667115052331"),
        "root-ed25519-unknown.pem",
    ),
];

/// The published file that the private half of this key stands in, if there is one.
///
/// A build with one algorithm knows the keys of that algorithm; one with `known-keys` knows them all. A build with
/// `small-p256` alone knows none: whoever builds a small board refuses them (`board-build`), which costs no flash.
pub fn development_key(hash: &[u8; 32]) -> Option<&'static str> {
    const ALL: bool = cfg!(feature = "known-keys");
    let find = |entries: &'static [Entry]| {
        entries
            .iter()
            .find(|(known, _)| known == hash)
            .map(|(_, name)| *name)
    };
    // Constants in conditions, so that a board links no list that it does not use.
    let p256 = if ALL || cfg!(feature = "p256") {
        find(&P256)
    } else {
        None
    };
    let ed25519 = || {
        if ALL || cfg!(feature = "ed25519") {
            find(&ED25519)
        } else {
            None
        }
    };
    let others = || if ALL { find(&OTHERS) } else { None };
    p256.or_else(ed25519).or_else(others)
}

/// Reads 64 hexadecimal digits while compiling.
const fn hex(digits: &[u8; 64]) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        if digit <= b'9' {
            digit - b'0'
        } else {
            digit - b'a' + 10
        }
    }
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}
