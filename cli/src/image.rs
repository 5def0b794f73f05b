//! `bootlace image`: what a file is, and whether it is to be trusted. What files of a chip's memory hold is in [`crate::memory`].

use std::path::PathBuf;
use std::process::ExitCode;

use bootlace_engine::CheckedImage;
use bootlace_engine::words::tables::{self, ImageFacts, SignatureFacts, TlvFacts};
use bootlace_engine::words::{self, Sentence};
use bootlace_image::{Digest, Error as ReadError, Flags, OutOfRange, Policy, Refusal, Signer};
use serde_json::json as value;

use crate::{file, json, keys, memory, report, sign};

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
        /// Accept development keys, whose private halves are published: anybody can sign with them.
        #[arg(long)]
        allow_development_keys: bool,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a signed image of a program, as imgtool does, by the same options.
    Sign(Box<sign::Sign>),
    /// Write a file in another format, whole or in part: Intel HEX, S-records, UF2, plain bytes; ELF can be read.
    Convert(memory::Convert),
    /// Make one file of several that lie at different places of a chip's memory.
    Merge(memory::Merge),
    /// Say a file's sums: CRC-32, CRC-32/MPEG-2, that of an STM32's unit, SHA-256. “convert --crc” writes one into a file.
    Crc(memory::Crc),
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Show { json, .. } | Command::Verify { json, .. } => *json,
            Command::Crc(crc) => crc.json,
            Command::Sign(_) | Command::Convert(_) | Command::Merge(_) => false,
        }
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::Sign(arguments) => arguments.run()?,
        Command::Convert(arguments) => arguments.run()?,
        Command::Merge(arguments) => arguments.run()?,
        Command::Crc(arguments) => arguments.run()?,
        Command::Show { file, json } => {
            let bytes = file::read(file)?;
            let facts = facts(bytes)?;
            if *json {
                report::json(json::image(&facts));
            } else {
                report::text(tables::image(file.display(), &facts));
            }
        }
        Command::Verify {
            file,
            key,
            allow_development_keys,
            json,
        } => {
            let bytes = file::read(file)?;
            let keys = keys::read(key)?;
            let policy = Policy {
                allow_development_keys: *allow_development_keys,
            };
            let image = CheckedImage::new(bytes)?;
            let verified = image.verify(&keys, &policy)?;
            let warning = image.start_warning()?.map(words::unstartable_warning);
            let version = image.version();
            let algorithm = keys
                .get(verified.key)
                .map_or("", |key| words::algorithm(key.algorithm()));
            let signer = words::hex(&verified.key_hash);
            if *json {
                report::json(value!({
                    "verified": true,
                    "version": version.to_string(),
                    "hash": words::hex(verified.digest.as_bytes()),
                    "signer": signer,
                    "algorithm": algorithm,
                    "warning": warning.map(|warning| warning.what),
                }));
            } else {
                report::line(words::files::verified(version, &signer, algorithm));
                if let Some(warning) = warning {
                    report::remark(&warning);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What can be said about an image without trusting anybody.
fn facts(file: Vec<u8>) -> Result<ImageFacts, bootlace_engine::Error> {
    let checked = CheckedImage::new(file)?;
    let (image, bytes) = (checked.image(), checked.bytes());
    let mut source = bytes;
    let header = *image.header();
    let hash = image
        .hash(&mut source)
        .and_then(|carried| Ok((carried, image.digest(&mut source)? == carried)));
    let signatures = image
        .signatures(&mut source)
        .map(|signature| {
            signature.map(|signature| SignatureFacts {
                kind: signature.kind,
                key_hash: match &signature.signer {
                    Signer::Key(hash) => Some(hash.as_bytes().to_vec()),
                    Signer::Unnamed => None,
                },
                published: signature.signer.development_key(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let tlvs = image
        .tlvs(&mut source)
        .map(|tlv| {
            tlv.map(|tlv| {
                let start = tlv.offset as usize;
                let value = bytes.get(start..start + usize::from(tlv.len)).unwrap_or_default();
                TlvFacts {
                    kind: tlv.kind,
                    protected: tlv.protected,
                    offset: tlv.offset,
                    value: value.to_vec(),
                }
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ImageFacts {
        warnings: warnings(&checked, &hash, &signatures, &tlvs),
        version: header.version,
        file_size: checked.file_len(),
        size: image.total_len(),
        header_size: header.header_size,
        payload_size: header.image_size,
        protected_size: header.protected_size,
        load_address: header.load_addr,
        flags: header.flags,
        start: checked.start(),
        dependencies: checked.dependencies(),
        vid: image.vid(),
        cid: image.cid(),
        counter: image.security_counter(),
        hash: hash.ok().map(|(hash, intact)| (hash.as_bytes().to_vec(), intact)),
        signatures,
        tlvs,
    })
}

/// What somebody should know before using it.
fn warnings(
    checked: &CheckedImage,
    hash: &Result<(Digest, bool), ReadError<OutOfRange>>,
    signatures: &[SignatureFacts],
    tlvs: &[TlvFacts],
) -> Vec<Sentence> {
    let flags = checked.image().header().flags;
    let mut refusals = Vec::new();
    if let Some(tlv) = tlvs
        .iter()
        .find(|tlv| !tlv.protected && !tlv.kind.may_stand_unprotected())
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
    match hash {
        // The digest of an encrypted image is that of its plain text.
        Ok((_, false)) if !flags.is_encrypted() => refusals.push(Refusal::Altered),
        Err(ReadError::Refused(refusal)) => refusals.push(*refusal),
        _ => {}
    }
    if signatures.is_empty() {
        refusals.push(Refusal::Unsigned);
    }
    let published = signatures.iter().filter_map(|signature| {
        let key_hash = signature.key_hash.as_deref()?.first_chunk().copied()?;
        Some(words::published_key(&key_hash, signature.published?))
    });
    let unstartable = match checked.start_warning() {
        Ok(reason) => reason.map(words::unstartable_warning),
        Err(error) => Some(words::error(&error)),
    };
    refusals
        .iter()
        .map(words::refusal)
        .chain(published)
        .chain(unstartable)
        .collect()
}
