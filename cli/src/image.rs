//! `bootlace image`: what a file is, and whether it is to be trusted.

use std::path::PathBuf;
use std::process::ExitCode;

use bootlace_engine::words::{self, Sentence};
use bootlace_image::{Digest, Error, Flags, Image, OutOfRange, Policy, Refusal, Tlv, TlvKind};
use serde_json::{Value, json};

use crate::file;
use crate::report::Table;

/// What to do with an image.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say what an image is, who signed it and for which boards it is. Trusts nothing: see `verify`.
    Show {
        /// The image, as imgtool signed it.
        file: PathBuf,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check that an image is whole, unaltered and signed with a given key. Ends with 0 if so, with 1 if not.
    Verify {
        /// The image, as imgtool signed it.
        file: PathBuf,
        /// The signer's public key, PEM or DER; may be given several times: one of them must have signed.
        #[arg(long, required = true, value_name = "PEM")]
        key: Vec<PathBuf>,
        /// Accept the development keys that MCUboot publishes.
        #[arg(long)]
        allow_development_keys: bool,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Show { json, .. } | Command::Verify { json, .. } => *json,
        }
    }
}

pub(crate) fn run(command: &Command) -> crate::Result {
    match command {
        Command::Show { file, json } => {
            let bytes = file::read(file)?;
            let facts = Facts::of(&bytes).map_err(sentence)?;
            if *json {
                crate::report::json(&facts.json())
            } else {
                print!("{}", facts.table(&file.display().to_string()))
            }
        }
        Command::Verify {
            file,
            key,
            allow_development_keys,
            json,
        } => {
            let bytes = file::read(file)?;
            let keys = file::keys(key)?;
            let mut source = &bytes[..];
            let policy = Policy {
                allow_development_keys: *allow_development_keys,
            };
            let verdict = Image::read(&mut source)
                .and_then(|image| Ok((image, image.verify(&mut source, &keys, &policy)?)));
            let (image, verified) = verdict.map_err(sentence)?;
            let version = image.header().version;
            let algorithm = keys
                .get(verified.key)
                .map_or("", |key| file::algorithm(key.algorithm()));
            if *json {
                crate::report::json(&json!({
                    "verified": true,
                    "version": version.to_string(),
                    "hash": words::hex(verified.digest.as_bytes()),
                    "signer": words::hex(&verified.key_hash),
                    "algorithm": algorithm,
                }));
            } else {
                println!("Good: version {version}, unaltered,");
                println!("signed by {} ({algorithm})", words::hex(&verified.key_hash));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sentence(error: Error<OutOfRange>) -> Sentence {
    words::error(&error.into())
}

/// What can be said about an image without trusting anybody.
struct Facts {
    image: Image,
    file_len: usize,
    /// The digest it carries, and whether it is the right one.
    hash: Result<(Digest, bool), Error<OutOfRange>>,
    reset_vector: Option<u32>,
    signers: Vec<Signer>,
    tlvs: Vec<(Tlv, Vec<u8>)>,
}

struct Signer {
    kind: TlvKind,
    key_hash: Option<Vec<u8>>,
    published: Option<&'static str>,
}

impl Facts {
    fn of(bytes: &[u8]) -> Result<Self, Error<OutOfRange>> {
        let mut source = bytes;
        let image = Image::read(&mut source)?;
        let hash = image
            .hash(&mut source)
            .and_then(|carried| Ok((carried, image.digest(&mut source)? == carried)));
        let signers = image
            .signatures(&mut source)
            .map(|signature| {
                signature.map(|signature| Signer {
                    kind: signature.kind,
                    key_hash: match &signature.signer {
                        bootlace_image::Signer::Key(hash) => Some(hash.as_bytes().to_vec()),
                        bootlace_image::Signer::Unnamed => None,
                    },
                    published: signature.signer.development_key(),
                })
            })
            .collect::<Result<_, _>>()?;
        let tlvs = image
            .tlvs(&mut source)
            .map(|tlv| {
                tlv.map(|tlv| {
                    let start = tlv.offset as usize;
                    let value = bytes.get(start..start + usize::from(tlv.len)).unwrap_or_default();
                    (tlv, value.to_vec())
                })
            })
            .collect::<Result<_, _>>()?;
        let reset_vector = image.reset_vector(&mut source).ok();
        Ok(Facts {
            image,
            file_len: bytes.len(),
            hash,
            reset_vector,
            signers,
            tlvs,
        })
    }

    /// What somebody should know before using it.
    fn warnings(&self) -> Vec<Sentence> {
        let flags = self.image.header().flags;
        let mut refusals = Vec::new();
        if let Some((tlv, _)) = self
            .tlvs
            .iter()
            .find(|(tlv, _)| !tlv.protected && !tlv.kind.may_stand_unprotected())
        {
            refusals.push(Refusal::UnprotectedTlv { kind: tlv.kind });
        }
        if flags.is_encrypted() {
            refusals.push(Refusal::Encrypted);
        }
        if flags.is_compressed() {
            refusals.push(Refusal::Compressed);
        }
        if flags.contains(Flags::NON_BOOTABLE) {
            refusals.push(Refusal::NonBootable);
        }
        if flags.contains(Flags::RAM_LOAD) {
            refusals.push(Refusal::RamLoad);
        }
        match &self.hash {
            // The digest of an encrypted image is that of its plain text.
            Ok((_, false)) if !flags.is_encrypted() => refusals.push(Refusal::Altered),
            Err(Error::Refused(refusal)) => refusals.push(*refusal),
            _ => {}
        }
        if self.signers.is_empty() {
            refusals.push(Refusal::Unsigned);
        }
        let mut warnings: Vec<_> = refusals.iter().map(words::refusal).collect();
        for signer in &self.signers {
            if let (Some(file), Some(hash)) = (signer.published, &signer.key_hash) {
                let key_hash = hash.first_chunk().copied().unwrap_or_default();
                let mut sentence = words::refusal(&Refusal::DevelopmentKey { key_hash });
                sentence.what = format!("{} It is {file} of its repository.", sentence.what);
                warnings.push(sentence);
            }
        }
        warnings
    }

    fn flags(&self) -> Vec<&'static str> {
        let flags = self.image.header().flags;
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

    fn json(&self) -> Value {
        let header = self.image.header();
        json!({
            "version": header.version.to_string(),
            "file_size": self.file_len,
            "size": self.image.total_len(),
            "header_size": header.header_size,
            "payload_size": header.image_size,
            "protected_size": header.protected_size,
            "load_address": header.load_addr,
            "reset_vector": self.reset_vector,
            "flags": self.flags(),
            "flag_bits": header.flags.0,
            "security_counter": self.image.security_counter(),
            "vid": self.image.vid().map(|uuid| words::uuid(&uuid)),
            "cid": self.image.cid().map(|uuid| words::uuid(&uuid)),
            "hash": self.hash.as_ref().ok().map(|(hash, _)| words::hex(hash.as_bytes())),
            "intact": self.hash.as_ref().ok().map(|(_, intact)| intact),
            "signatures": self.signers.iter().map(|signer| json!({
                "type": words::tlv(signer.kind),
                "key_hash": signer.key_hash.as_deref().map(words::hex),
                "published_key": signer.published,
            })).collect::<Vec<_>>(),
            "tlvs": self.tlvs.iter().map(|(tlv, value)| json!({
                "type": tlv.kind.0,
                "name": tlv.kind.name(),
                "offset": tlv.offset,
                "length": tlv.len,
                "protected": tlv.protected,
                "value": words::hex(value),
            })).collect::<Vec<_>>(),
            "warnings": self.warnings().iter().map(|warning| json!({
                "name": warning.name,
                "what": warning.what,
                "next": warning.next,
            })).collect::<Vec<_>>(),
        })
    }

    fn table(&self, name: &str) -> Table {
        let header = self.image.header();
        let mut table = Table::new(name);
        table.row("Version", header.version);
        table.row(
            "Size",
            format!(
                "{} bytes: header {}, payload {}, signature block {}",
                self.image.total_len(),
                header.header_size,
                header.image_size,
                self.image.total_len() - u32::from(header.header_size) - header.image_size,
            ),
        );
        let more = self.file_len - self.image.total_len() as usize;
        if more > 0 {
            table.row("Padding", format!("{more} bytes follow the image"));
        }
        if header.flags.contains(Flags::ROM_FIXED) {
            table.row("Linked for", format!("{:#010x}", header.load_addr));
        }
        if let Some(vector) = self
            .reset_vector
            .filter(|_| !header.flags.is_encrypted() && !header.flags.is_compressed())
        {
            table.row("Starts at", format!("{:#010x}", vector & !1));
        }
        match (self.image.vid(), self.image.cid()) {
            (None, None) => table.row("For", "any board whose slot holds that address"),
            (vid, cid) => {
                if let Some(vid) = vid {
                    table.row("For vendor", words::uuid(&vid));
                }
                if let Some(cid) = cid {
                    table.row("For class", words::uuid(&cid));
                }
            }
        }
        let counter = self.image.security_counter();
        table.row(
            "Counter",
            counter.map_or("none: boards take it for 0".into(), |counter| counter.to_string()),
        );
        if !self.flags().is_empty() {
            table.row("Flags", self.flags().join(", "));
        }
        if let Ok((hash, intact)) = &self.hash {
            let intact = match intact {
                true => "matches what the image contains",
                false if header.flags.is_encrypted() => "covers the decrypted image",
                false => "DOES NOT MATCH what the image contains",
            };
            table.row("Hash", words::hex(hash.as_bytes()));
            table.row("", intact);
        }
        for signer in &self.signers {
            let by = signer
                .key_hash
                .as_deref()
                .map_or("a key that it does not name".into(), words::short);
            table.row("Signed by", format!("{by}  ({})", algorithm(signer.kind)));
        }
        if self.signers.is_empty() {
            table.row("Signed by", "nobody");
        }
        for (index, (tlv, value)) in self.tlvs.iter().enumerate() {
            let place = if tlv.protected { "protected" } else { "" };
            let value = if value.len() > 16 {
                format!("{}…", words::hex(&value[..16]))
            } else {
                words::hex(value)
            };
            let line = format!(
                "{:<16} {:>4} B  {place:<9}  {value}",
                words::tlv(tlv.kind),
                tlv.len
            );
            table.row(if index == 0 { "TLVs" } else { "" }, line.trim_end());
        }
        for warning in self.warnings() {
            table.note(&format!("Warning: {}\n{}", warning.what, warning.next));
        }
        table
    }
}

/// What people call a signature's algorithm.
fn algorithm(kind: TlvKind) -> &'static str {
    match kind {
        TlvKind::ECDSA => "ECDSA",
        TlvKind::ED25519 => "Ed25519",
        TlvKind::RSA2048 => "RSA-2048, not supported",
        TlvKind::RSA3072 => "RSA-3072, not supported",
        _ => "not supported",
    }
}
