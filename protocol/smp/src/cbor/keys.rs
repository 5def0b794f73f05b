//! Every key of every message, once.

use core::fmt;

macro_rules! keys {
    ($($name:ident $text:literal,)*) => {
        #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "it only counts the constants below")]
        enum Place { $($name,)* }

        impl Key {
            $(pub(crate) const $name: Key = Key(Place::$name as u8);)*
        }

        /// One string takes less of a bootloader's flash than a table of strings.
        const TEXTS: &str = concat!($($text, "\n"),*);
    };
}

/// A key of a message's map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(u8);

keys! {
    // Those of an upload's pieces first: a key is found by counting, and these for each piece.
    OFF "off",
    DATA "data",
    IMAGE "image",
    LEN "len",
    SHA "sha",
    UPGRADE "upgrade",
    ACTIVE "active",
    ADDR "addr",
    ALG "alg",
    BL "bl",
    BOARD "board",
    BOOT_MODE "boot_mode",
    BOOTABLE "bootable",
    BOOTLOADER "bootloader",
    BUF_COUNT "buf_count",
    BUF_SIZE "buf_size",
    CID "cid",
    CONFIRM "confirm",
    CONFIRMED "confirmed",
    COUNTER "counter",
    D "d",
    DEADLINE "deadline",
    ERASE "erase",
    ERR "err",
    FEATURES "features",
    FORCE "force",
    FORMAT "format",
    FRAME "frame",
    FROM "from",
    GOLDEN "golden",
    GROUP "group",
    HASH "hash",
    IMAGES "images",
    KEY "key",
    KEYS "keys",
    LEFT "left",
    LEVEL "level",
    LIMIT "limit",
    MATCH "match",
    MAX "max",
    MAX_IMAGE_SIZE "max_image_size",
    MODE "mode",
    NO_DOWNGRADE "no-downgrade",
    OUTCOME "outcome",
    OUTPUT "output",
    PENDING "pending",
    PERCENT "percent",
    PERMANENT "permanent",
    QUERY "query",
    R "r",
    RC "rc",
    REASON "reason",
    RESET "reset",
    ROLE "role",
    ROLLBACK "rollback",
    RSN "rsn",
    SERIAL "serial",
    SIZE "size",
    SLOT "slot",
    SLOTS "slots",
    START "start",
    STATE "state",
    SUPPLY "supply",
    TO "to",
    TRIAL "trial",
    UPDATES "updates",
    UPLOAD_IMAGE_ID "upload_image_id",
    VERSION "version",
    VID "vid",
    WINDOW "window",
    WRITE "write",
}

impl Key {
    /// As it is on the wire.
    #[inline(never)]
    pub fn text(self) -> &'static str {
        let (mut before, mut start) = (self.0, 0);
        for (at, byte) in TEXTS.bytes().enumerate() {
            if byte == b'\n' {
                if before == 0 {
                    return TEXTS.get(start..at).unwrap_or_default();
                }
                before -= 1;
                start = at + 1;
            }
        }
        ""
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_text() {
        for (key, text) in [
            (Key::ACTIVE, "active"),
            (Key::D, "d"),
            (Key::NO_DOWNGRADE, "no-downgrade"),
            (Key::WRITE, "write"),
        ] {
            assert_eq!(key.text(), text);
        }
        assert_eq!(Key(u8::MAX).text(), "");
    }
}
