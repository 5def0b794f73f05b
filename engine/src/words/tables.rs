//! The tables of the command line: boards, images and patches.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use bootlace_delta::{Header, Method};
use bootlace_image::{Flags, TlvKind, Version};

use super::{
    Sentence, Table, bytes, came_of, from_to, hex, no_way_back, release, short, signature_kind, state,
    supply, test_key, tlv, uuid,
};
use crate::{BoardInfo, Dependency, JournalEntry};

/// What a board is, what it runs, and what became of its last updates.
pub fn board(board: &BoardInfo) -> Table {
    let mut table = Table::new(board.name.as_deref().unwrap_or("A board without a name"));
    if let Some(serial) = &board.serial {
        table.row("Serial number", serial);
    }
    if let Some(companion) = &board.companion {
        table.row("Companion", companion);
    }
    let starts_nothing = board.starts_nothing().is_some();
    match board.running() {
        Some(image) if starts_nothing => {
            table.row("Runs", format!("nothing: {} can't be started", image.version));
        }
        Some(image) if board.recovery => {
            table.row("First slot", &image.version);
        }
        Some(image) if image.confirmed => table.row("Runs", &image.version),
        Some(image) if !image.has_flags() => {
            table.row(
                "Runs",
                format!(
                    "{}; the board does not say whether it is confirmed",
                    image.version
                ),
            );
        }
        Some(image) => table.row("Runs", format!("{}, on trial", image.version)),
        None if board.is_in_bootloader() => table.row("Runs", "nothing"),
        None => table.row("Runs", "an image that the board does not list"),
    }
    if let Some(other) = board.other() {
        table.row("Second slot", &other.version);
    }
    if let Some(golden) = board.golden {
        table.row("Golden image", release(golden));
    }
    if let Some(counter) = board.counter {
        table.row("Security counter", counter);
    }
    if let Some(it) = &board.supply {
        table.row("Supply", supply(it));
    }
    if board.recovery {
        table.note("MCUboot’s serial recovery answers: no application runs.");
    }
    if let Some(warning) = no_way_back(board.exchange()) {
        table.note(warning);
    }
    for key in &board.keys {
        if let Some(published) = bootlace_image::development_key(&key.hash()) {
            table.note(format!(
                "Warning: {}.",
                test_key("what this board trusts", published)
            ));
        }
    }
    if let Some(it) = board.state {
        table.note(state(it));
    }
    if starts_nothing {
        table.note("Send it an image that is signed for it: bootlace update.");
    }
    match board.journal.as_deref() {
        Some([]) => table.note("No updates yet."),
        Some(entries) => table.note(journal(entries)),
        None => {}
    }
    table
}

fn journal(entries: &[JournalEntry]) -> String {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| format!("start {:>5}  {}: {}", entry.start, from_to(entry), came_of(entry)))
        .collect();
    format!("Last updates, newest first:\n{}", lines.join("\n"))
}

/// What can be said about an image without trusting anybody.
#[derive(Clone, Debug)]
pub struct ImageFacts {
    /// Its version.
    pub version: Version,
    /// Bytes of the file.
    pub file_size: usize,
    /// Bytes of the image in it.
    pub size: u32,
    /// Bytes of its header.
    pub header_size: u16,
    /// Bytes of its payload.
    pub payload_size: u32,
    /// Bytes of the TLVs that the signature covers.
    pub protected_size: u16,
    /// The address that its header names.
    pub load_address: u32,
    /// Its flags.
    pub flags: Flags,
    /// Where it starts; `None`: its payload is encrypted, compressed or too short.
    pub start: Option<u32>,
    /// The other images that it needs.
    pub dependencies: Vec<Dependency>,
    /// The vendor that it is for.
    pub vid: Option<[u8; 16]>,
    /// The class of boards that it is for.
    pub cid: Option<[u8; 16]>,
    /// Its security counter.
    pub counter: Option<u32>,
    /// The digest that it carries, and whether that is the right one; `None`: it carries none that is supported.
    pub hash: Option<(Vec<u8>, bool)>,
    /// Its signatures, as they claim to be.
    pub signatures: Vec<SignatureFacts>,
    /// Its TLVs, in their order.
    pub tlvs: Vec<TlvFacts>,
    /// What somebody should know before using it.
    pub warnings: Vec<Sentence>,
}

/// A signature, as it claims to be.
#[derive(Clone, Debug)]
pub struct SignatureFacts {
    /// Its TLV type, which tells the algorithm.
    pub kind: TlvKind,
    /// Hash of the signer's key, if it names one.
    pub key_hash: Option<Vec<u8>>,
    /// The file of MCUboot's repository that holds the private key, if it does.
    pub published: Option<&'static str>,
}

/// A TLV.
#[derive(Clone, Debug)]
pub struct TlvFacts {
    /// Its type.
    pub kind: TlvKind,
    /// The signature covers it.
    pub protected: bool,
    /// Where its value starts, in bytes from the image's first.
    pub offset: u32,
    /// Its value.
    pub value: Vec<u8>,
}

/// Names of the flags that are set, as imgtool's sources spell them.
pub fn flags(flags: Flags) -> Vec<&'static str> {
    let names = [
        (Flags::ENCRYPTED_AES128, "ENCRYPTED_AES128"),
        (Flags::ENCRYPTED_AES256, "ENCRYPTED_AES256"),
        (Flags::NON_BOOTABLE, "NON_BOOTABLE"),
        (Flags::RAM_LOAD, "RAM_LOAD"),
        (Flags::ROM_FIXED, "ROM_FIXED"),
        (Flags::COMPRESSED_LZMA1, "COMPRESSED_LZMA1"),
        (Flags::COMPRESSED_LZMA2, "COMPRESSED_LZMA2"),
        (Flags::COMPRESSED_ARM_THUMB, "COMPRESSED_ARM_THUMB"),
    ];
    names
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, name)| name)
        .collect()
}

/// What a file is; `name` is the file's.
pub fn image(name: impl Display, it: &ImageFacts) -> Table {
    let mut table = Table::new(name.to_string());
    table.row("Version", it.version);
    table.row(
        "Size",
        format!(
            "{} bytes: header {}, payload {}, signature block {}",
            it.size,
            it.header_size,
            it.payload_size,
            it.size
                .saturating_sub(u32::from(it.header_size))
                .saturating_sub(it.payload_size),
        ),
    );
    let more = it.file_size.saturating_sub(it.size as usize);
    if more > 0 {
        // Padding, a trailer, or another image: whatever it is, it is not sent.
        table.row("Left out", format!("{more} bytes that follow the image"));
    }
    if it.flags.contains(Flags::ROM_FIXED) {
        table.row("Linked for", format!("{:#010x}", it.load_address));
    }
    if let Some(start) = it.start {
        table.row("Starts at", format!("{start:#010x}"));
    }
    match (it.vid, it.cid) {
        (None, None) if it.start.is_some() => table.row("For", "any board whose slot holds that address"),
        (None, None) => table.row("For", "any board: the image names none"),
        (vid, cid) => {
            if let Some(vid) = vid {
                table.row("For vendor", uuid(&vid));
            }
            if let Some(cid) = cid {
                table.row("For class", uuid(&cid));
            }
        }
    }
    match it.counter {
        Some(counter) => table.row("Counter", counter),
        None => table.row("Counter", "none: boards take it for 0"),
    }
    for needed in &it.dependencies {
        table.row(
            "Depends on",
            format!("image {} of version {} or newer", needed.image, needed.version),
        );
    }
    let flags = flags(it.flags);
    if !flags.is_empty() {
        table.row("Flags", flags.join(", "));
    }
    if let Some((hash, intact)) = &it.hash {
        table.row("Hash", hex(hash));
        table.row(
            "",
            match intact {
                true => "matches what the image contains",
                false if it.flags.is_encrypted() => "covers the decrypted image",
                false => "DOES NOT MATCH what the image contains",
            },
        );
    }
    for signature in &it.signatures {
        let by = match &signature.key_hash {
            Some(hash) => short(hash),
            None => "a key that it does not name".to_owned(),
        };
        table.row("Signed by", format!("{by}  ({})", signature_kind(signature.kind)));
    }
    if it.signatures.is_empty() {
        table.row("Signed by", "nobody");
    }
    for (index, it) in it.tlvs.iter().enumerate() {
        let (place, value) = (if it.protected { "protected" } else { "" }, &it.value);
        let digits = match value.get(..16) {
            Some(start) if value.len() > 16 => format!("{}…", hex(start)),
            _ => hex(value),
        };
        let line = format!("{:<16} {:>4} B  {place:<9}  {digits}", tlv(it.kind), value.len());
        table.row(if index == 0 { "TLVs" } else { "" }, line.trim_end());
    }
    for warning in &it.warnings {
        table.note(format!("Warning: {}\n{}", warning.what, warning.next));
    }
    table
}

/// A public key.
pub fn key(algorithm: &'static str, hash: &[u8; 32]) -> Table {
    let mut table = Table::new(algorithm);
    table.row("Fingerprint", hex(hash));
    table.row("Short", short(hash));
    table
}

/// A patch of `len` bytes; `name` is the file's.
pub fn patch(name: impl Display, header: &Header, len: usize) -> Table {
    patch_rows(Table::new(name.to_string()), header, len)
}

/// The same of a patch that was made just now, which replaces `image` bytes.
pub fn patch_made(name: impl Display, header: &Header, len: usize, image: usize) -> Table {
    patch_rows(Table::new(format!("{name}: {}", share(len, image))), header, len)
}

/// What a patch is of the image that it replaces.
fn share(patch: usize, image: usize) -> String {
    format!("{:.1} % of the image", patch as f64 * 100.0 / image.max(1) as f64)
}

fn patch_rows(mut table: Table, header: &Header, len: usize) -> Table {
    table.row("patch", format!("{len} bytes"));
    table.row(
        "method",
        match header.method {
            Method::Full => "compressed as a whole: no base",
            Method::FullThumb => "compressed as a whole, branches as targets: no base",
            Method::Plain => "the base as dictionary",
            Method::Relocated => "the base as dictionary, branches and pointers moved",
        },
    );
    if header.method.has_base() {
        table.row("base", bytes(header.base_len));
        table.row("  digest", format!("{}...", hex(&header.base_digest)));
    }
    if header.method == Method::Relocated {
        table.row("  address", format!("{:#010x}", header.base_address));
    }
    table.row("target", bytes(header.target_len));
    table.row("  digest", format!("{}...", hex(&header.target_digest)));
    if header.method == Method::Relocated {
        table.row("  address", format!("{:#010x}", header.target_address));
    }
    table
}

/// One line of a set of patches; names are padded to `width`.
pub fn set_line(old: &str, new: &str, width: usize, image: usize, patch: usize) -> String {
    format!(
        "{old:<width$}  {new:<width$}  {:>9}  {patch:>9} bytes  {}",
        bytes(u32::try_from(image).unwrap_or(u32::MAX)),
        share(patch, image),
    )
}

/// A file of so many bytes was written.
pub fn written(path: impl Display, len: usize) -> String {
    format!("{path}: {}", bytes(u32::try_from(len).unwrap_or(u32::MAX)))
}
