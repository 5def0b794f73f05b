//! `bootlace image sign`: an image from a program, with imgtool's options by their names.

use std::path::{Path, PathBuf};

use bootlace_engine::CheckedImage;
use bootlace_engine::words::{self, Sentence, sign as says};
use bootlace_formats::{Format, hex};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::trailer::{Field, Flag, TrailerLayout};
use bootlace_image::{Flags, Header, KeyError, TlvKind, Version};

use crate::values::{address, number, uuid};
use crate::{file, report};

/// What to sign, and how.
#[derive(Debug, clap::Args)]
// Every other command says the program's version there.
#[command(disable_version_flag = true)]
pub(crate) struct Sign {
    /// The program: plain bytes, Intel HEX, S-records, UF2 or ELF.
    input: PathBuf,
    /// Where to write the image: .hex, or plain bytes.
    output: PathBuf,
    /// The private key in PEM, P-256 or Ed25519, as “bootlace key new” and “imgtool keygen” write it.
    #[arg(long, short, value_name = "PEM", required_unless_present = "unsigned")]
    key: Option<PathBuf>,
    /// Write a digest and no signature: for boards that check none.
    #[arg(long, conflicts_with = "key")]
    unsigned: bool,
    /// The version, as in 1.2.3+4; later parts may be left out.
    #[arg(long, short, value_parser = version)]
    version: Version,
    /// Bytes from the image's begin to the program.
    #[arg(long, short = 'H', value_name = "BYTES", value_parser = header_size, default_value = "0x200")]
    header_size: u16,
    /// Put the header before the program. Without it the program begins with room for the header, in zeros.
    #[arg(long)]
    pad_header: bool,
    /// Bytes of the slot that the image goes into, its trailer included: an image that does not fit is refused.
    #[arg(long, short = 'S', value_name = "BYTES", value_parser = address)]
    slot_size: Option<u32>,
    /// Bytes that the flash writes at once.
    #[arg(long, value_name = "BYTES", value_parser = ["1", "2", "4", "8", "16", "32"], default_value = "1")]
    align: String,
    /// The larger of the two slots' “--align” where that is above 8.
    #[arg(long, value_name = "BYTES", value_parser = ["8", "16", "32"])]
    max_align: Option<String>,
    /// Sectors that the swap's status has room for.
    #[arg(long, short = 'M', value_name = "COUNT", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65535))]
    max_sectors: u32,
    /// The bootloader overwrites and does not swap: the trailer is smaller.
    #[arg(long)]
    overwrite_only: bool,
    /// The security counter: a board never goes below the highest one that was confirmed. “auto” makes it of the version.
    #[arg(long, short, value_name = "NUMBER", value_parser = counter)]
    security_counter: Option<Counter>,
    /// The vendor: a UUID, or a domain name.
    #[arg(long)]
    vid: Option<String>,
    /// The class of boards: a UUID, or a name of the vendor's.
    #[arg(long)]
    cid: Option<String>,
    /// Images that this one needs, with their versions: “(1, 1.2.3+0), (2, 2.0)”.
    #[arg(long, short, value_parser = dependencies)]
    dependencies: Option<Dependencies>,
    /// Where the image is copied to in RAM before it runs.
    #[arg(long, short = 'L', value_name = "ADDRESS", value_parser = address)]
    load_addr: Option<u32>,
    /// Where the image is linked to lie in flash.
    #[arg(long, short = 'F', value_name = "ADDRESS", value_parser = address, conflicts_with = "load_addr")]
    rom_fixed: Option<u32>,
    /// Mark the image as one that is not started.
    #[arg(long)]
    non_bootable: bool,
    /// A protected TLV of your own: its type from 0xa0 on, and its value, as 0x... in hexadecimal digits or as text. May be given
    /// several times.
    #[arg(long, num_args = 2, value_names = ["TYPE", "VALUE"], action = clap::ArgAction::Append)]
    custom_tlv: Vec<String>,
    /// The digest: 256 or, with an Ed25519 key, 512.
    #[arg(long, value_parser = ["auto", "256", "512"], default_value = "auto")]
    sha: String,
    /// Sign the image itself and not its digest (Ed25519 only).
    #[arg(long, conflicts_with = "sha")]
    pure: bool,
    /// Whether the image names its signer by the key's hash or carries the whole key.
    #[arg(long, value_parser = ["hash", "full"], default_value = "hash")]
    public_key_format: String,
    /// What erased flash reads as.
    #[arg(long, short = 'R', value_name = "BYTE", value_parser = ["0", "0xff"], default_value = "0xff")]
    erased_val: String,
    /// Fill the slot up to its end, with the mark of an image that is to be tried: for programmers.
    #[arg(long, requires = "slot_size")]
    pad: bool,
    /// The same, with the image confirmed.
    #[arg(long, requires = "slot_size")]
    confirm: bool,
    /// Where a .hex output begins, if the input does not say it.
    #[arg(long, short = 'x', value_name = "ADDRESS", value_parser = address)]
    hex_addr: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Counter {
    OfVersion,
    Number(u32),
}

/// Number of an image, and its lowest version.
type Dependencies = Vec<(u8, Version)>;

/// A version as imgtool reads it: parts without leading zeros, later ones optional, a build number only behind all three.
fn version(text: &str) -> Result<Version, String> {
    fn part<N: std::str::FromStr>(text: &str) -> Option<N> {
        let is_plain =
            text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse().ok().filter(|_| is_plain)
    }
    let read = || {
        let (numbers, build) = match text.split_once('+') {
            Some((numbers, build)) => (numbers, Some(build)),
            None => (text, None),
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3 || build.is_some() && parts.len() < 3 {
            return None;
        }
        let at = |index: usize| parts.get(index).copied().unwrap_or("0");
        Some(Version {
            major: part(at(0))?,
            minor: part(at(1))?,
            revision: part(at(2))?,
            build: part(build.unwrap_or("0"))?,
        })
    };
    read().ok_or_else(|| {
        "a version is MAJOR.MINOR.REVISION+BUILD, at most 255.255.65535+4294967295; later parts may be left out".into()
    })
}

fn header_size(text: &str) -> Result<u16, String> {
    let size = number(text)?.try_into().ok();
    let size = size.filter(|size| usize::from(*size) >= Header::LEN);
    size.ok_or_else(|| format!("a header has {} to 65535 bytes", Header::LEN))
}

fn counter(text: &str) -> Result<Counter, String> {
    match text {
        "auto" => Ok(Counter::OfVersion),
        _ => Ok(Counter::Number(
            address(text).map_err(|_| "a number of 32 bits is wanted, or “auto”")?,
        )),
    }
}

fn dependencies(text: &str) -> Result<Dependencies, String> {
    let wanted = || "images and versions are wanted, as in “(1, 1.2.3+0), (2, 2.0)”".to_owned();
    let mut rest = text.trim();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let inside = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let (entry, behind) = inside.ok_or_else(wanted)?;
        let (image, needed) = entry.split_once(',').ok_or_else(wanted)?;
        let image = image.trim().parse().map_err(|_| wanted())?;
        all.push((image, version(needed.trim())?));
        let behind = behind.trim_start();
        rest = behind.strip_prefix(',').unwrap_or(behind).trim_start();
    }
    match all.is_empty() {
        true => Err(wanted()),
        false => Ok(all),
    }
}

/// A program, and where it lies if its file says it.
struct Program {
    bytes: Vec<u8>,
    at: Option<u32>,
}

impl Sign {
    pub(crate) fn run(&self) -> Result<(), Sentence> {
        let mut inputs = vec![self.input.as_path()];
        inputs.extend(self.key.as_deref());
        file::spare(&self.output, &inputs)?;
        let key = self.key.as_deref().map(signing_key).transpose()?;
        if key.as_ref().is_some_and(|key| matches!(key, SigningKey::P256(_)))
            && (self.pure || self.sha == "512")
        {
            return Err(says::not_with_p256());
        }
        let program = self.program()?;
        let image = self.image(&program.bytes, key.as_ref())?;
        let trailer = self.trailer();
        let room = u64::from(trailer.1) + image.len() as u64;
        if let Some(slot) = self.slot_size
            && room > u64::from(slot)
        {
            return Err(says::too_large(image.len(), trailer.1, slot));
        }
        let at = program.at.or(self.hex_addr);
        let written = self.written(&image, at)?;
        file::write(&self.output, &written)?;
        self.tell(image)
    }

    /// The input's bytes, with room for the header before them.
    fn program(&self) -> Result<Program, Sentence> {
        let path = self.input.display();
        let bytes = file::read(&self.input)?;
        let format = Format::of(&bytes);
        let (bytes, at) = match format {
            Format::Binary => (bytes, None),
            _ => {
                let memory = bootlace_formats::read(&bytes, 0)
                    .map_err(|error| words::memory::damaged(&path, format.title(), error))?;
                let range = memory.range().ok_or_else(|| words::memory::empty(&path))?;
                let at = range.start as u32;
                // As large as the largest file that is read: gigabytes of gap are a mistake.
                if range.end - range.start > file::LARGEST_FILE {
                    return Err(words::memory::too_far_apart(
                        range.start,
                        range.end,
                        file::LARGEST_FILE >> 20,
                    ));
                }
                (memory.flat(range, 0xFF), Some(at))
            }
        };
        if bootlace_engine::FileKind::of(&bytes) == bootlace_engine::FileKind::Image {
            return Err(says::is_signed(path));
        }
        let header = usize::from(self.header_size);
        match (self.pad_header, bytes.get(..header)) {
            (true, _) => Ok(Program {
                bytes,
                at: at.map(|at| at.wrapping_sub(u32::from(self.header_size))),
            }),
            (false, Some(room)) if room.iter().all(|byte| *byte == 0) => Ok(Program {
                bytes: bytes.get(header..).unwrap_or_default().to_vec(),
                at,
            }),
            (false, _) => Err(says::no_room_for_header(path, self.header_size)),
        }
    }

    fn image(&self, program: &[u8], key: Option<&SigningKey>) -> Result<Vec<u8>, Sentence> {
        let mut flags = 0;
        let set = [
            (self.load_addr.is_some_and(|at| at != 0), Flags::RAM_LOAD),
            (self.rom_fixed.is_some_and(|at| at != 0), Flags::ROM_FIXED),
            (self.non_bootable, Flags::NON_BOOTABLE),
        ];
        set.iter()
            .filter(|(is_set, _)| *is_set)
            .for_each(|(_, flag)| flags |= flag.0);
        let mut builder = ImageBuilder::new(program.to_vec())
            .version(self.version)
            .header_size(self.header_size)
            .header_filler(if self.pad_header { self.erased() } else { 0 })
            .load_addr(self.rom_fixed.or(self.load_addr).unwrap_or_default())
            .flags(Flags(flags));
        // The order is imgtool's.
        let version = self.version;
        builder = match self.security_counter {
            Some(Counter::Number(number)) => builder.security_counter(number),
            Some(Counter::OfVersion) => {
                let [high, low] = version.revision.to_be_bytes();
                builder.security_counter(u32::from_be_bytes([version.major, version.minor, high, low]))
            }
            None => builder,
        };
        for (image, needed) in self.dependencies.iter().flatten() {
            let mut value = vec![*image, 0, 0, 0, needed.major, needed.minor];
            value.extend(needed.revision.to_le_bytes());
            value.extend(needed.build.to_le_bytes());
            builder = builder.protected(TlvKind::DEPENDENCY, &value);
        }
        // A name is made a UUID as imgtool does: the vendor's is a domain, the class's one within the vendor's.
        let named = |name: &str, space: uuid::Uuid| uuid::Uuid::new_v5(&space, name.as_bytes()).into_bytes();
        let vid = (self.vid.as_deref())
            .map(|vid| uuid(vid).unwrap_or_else(|_| named(vid, uuid::Uuid::NAMESPACE_DNS)));
        let cid = match (self.cid.as_deref(), vid) {
            (None, _) => None,
            (Some(cid), vid) => match (uuid(cid), vid) {
                (Ok(cid), _) => Some(cid),
                (Err(_), Some(vid)) => Some(named(cid, uuid::Uuid::from_bytes(vid))),
                (Err(_), None) => return Err(says::class_without_vendor(cid)),
            },
        };
        builder = vid.into_iter().fold(builder, ImageBuilder::vid);
        builder = cid.into_iter().fold(builder, ImageBuilder::cid);
        for (kind, value) in self.custom_tlvs()? {
            builder = builder.protected(kind, &value);
        }
        if self.sha == "512" {
            builder = builder.sha512();
        }
        if self.pure {
            builder = builder.pure();
        }
        if self.public_key_format == "full" {
            builder = builder.whole_keys();
        }
        if !builder.is_possible() {
            return Err(says::too_many_tlvs());
        }
        Ok(key
            .into_iter()
            .fold(builder, |builder, key| builder.sign(key))
            .build())
    }

    fn custom_tlvs(&self) -> Result<Vec<(TlvKind, Vec<u8>)>, Sentence> {
        let (pairs, _) = self.custom_tlv.as_chunks::<2>();
        let mut all: Vec<(TlvKind, Vec<u8>)> = Vec::new();
        for [kind, value] in pairs {
            let number = number(kind).ok().and_then(|number| u16::try_from(number).ok());
            // What vendors may use (imgtool's `TLV_VENDOR_RES_MIN` and `_MAX`).
            let number = number.filter(|number| (0x00A0..=0xFFFE).contains(number));
            let kind = TlvKind(number.ok_or_else(|| says::bad_tlv_kind(kind))?);
            if all.iter().any(|(taken, _)| *taken == kind) {
                return Err(says::tlv_twice(kind.0));
            }
            let value = match value.strip_prefix("0x") {
                Some(digits) => words::unhex(digits).ok_or_else(|| says::bad_tlv_value(value))?,
                None => value.as_bytes().to_vec(),
            };
            all.push((kind, value));
        }
        Ok(all)
    }

    fn erased(&self) -> u8 {
        if self.erased_val == "0" { 0 } else { 0xFF }
    }

    /// How the trailer lies, and its bytes.
    fn trailer(&self) -> (TrailerLayout, u32) {
        let align: u32 = self.align.parse().unwrap_or(1);
        let max: u32 = self
            .max_align
            .as_deref()
            .and_then(|it| it.parse().ok())
            .unwrap_or(align.max(8));
        let layout = TrailerLayout::new(max).unwrap_or_default();
        match self.overwrite_only {
            true => (layout, layout.from_end(Field::CopyDone)),
            false => (layout, layout.size(align, self.max_sectors)),
        }
    }

    /// The file.
    fn written(&self, image: &[u8], at: Option<u32>) -> Result<Vec<u8>, Sentence> {
        let (layout, _) = self.trailer();
        let is_padded = self.pad || self.confirm;
        let slot = self.slot_size.filter(|_| is_padded);
        // What of the trailer is written: its offset in the slot, and the bytes.
        let mut marks: Vec<(u32, Vec<u8>)> = Vec::new();
        if let Some(slot) = slot {
            let magic = layout.magic();
            marks.push((slot.saturating_sub(magic.len() as u32), magic.to_vec()));
            if self.confirm && !self.overwrite_only {
                let flag = layout.write_flag(Flag::ImageOk);
                marks.push((
                    slot.saturating_sub(flag.from_end),
                    vec![bootlace_image::trailer::SET],
                ));
            }
        }
        if !is_hex(&self.output) {
            let mut file = image.to_vec();
            file.resize(slot.map_or(image.len(), |slot| slot as usize), self.erased());
            for (at, bytes) in marks {
                let places = file.iter_mut().skip(at as usize);
                places.zip(bytes).for_each(|(place, byte)| *place = byte);
            }
            return Ok(file);
        }
        let at = at.ok_or_else(|| says::no_hex_address(self.output.display()))?;
        let mut memory =
            bootlace_formats::memory::Memory::of(at, image.to_vec()).map_err(|_| words::memory::beyond())?;
        for (offset, bytes) in marks {
            let place = at.checked_add(offset).ok_or_else(words::memory::beyond)?;
            memory.insert(place, bytes).map_err(|_| words::memory::beyond())?;
        }
        Ok(hex::write(memory.parts()).into_bytes())
    }

    /// Says what was made, and what somebody should know of it.
    fn tell(&self, image: Vec<u8>) -> Result<(), Sentence> {
        let checked = CheckedImage::new(image).map_err(|error| words::error(&error))?;
        report::line(says::signed(
            self.output.display(),
            self.version,
            checked.bytes().len(),
            self.unsigned,
        ));
        if let Ok(Some(reason)) = checked.start_warning() {
            report::remark(&words::unstartable_warning(reason));
        }
        Ok(())
    }
}

fn is_hex(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("hex"))
}

/// Reads a private key.
fn signing_key(path: &Path) -> Result<SigningKey, Sentence> {
    let bytes = file::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let shown = path.display();
    let key = SigningKey::from_pem(&text).map_err(|error| {
        let has = |label: &str| text.contains(label);
        match error {
            _ if has("ENCRYPTED") => says::key_with_passphrase(&shown),
            _ if has("BEGIN PUBLIC KEY") => says::public_key(&shown),
            _ if has("RSA PRIVATE KEY") => says::rsa_key(&shown),
            KeyError::Unsupported(_) => says::rsa_key(&shown),
            _ => says::no_private_key(&shown),
        }
    })?;
    if let Some(published) = bootlace_image::development_key(&key.public().hash()) {
        report::warning(&words::test_key(shown, published));
    }
    Ok(key)
}
