//! What a chosen file is, who signed it, and whom the person trusts. No browser types: tested on the host.

use bootlace_engine::{CheckedImage, Error, Options, Restart};
use bootlace_image::{Policy, PublicKey, Refusal};

use crate::messages::{ImageInfo, Trust, Verdict};

/// How boards are to be updated: by the person's keys where there are any, and by the board's own otherwise.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the worker updates"))]
pub(super) fn options(trust: &Trust) -> Options {
    Options {
        keys: trust.keys.clone(),
        allow_development_keys: trust.development,
        // Boards that look alike restart one at a time, so that no outcome is taken for another board's.
        restart: Restart::WhenAllowed,
        ..Options::default()
    }
}

/// What an image is and who signed it. `named` are the keys that connected boards name: they count where the person has
/// added none.
pub fn examine(name: &str, image: &CheckedImage, trust: &Trust, named: &[PublicKey]) -> ImageInfo {
    let head = image.image();
    let verdict = verdict(image, trust, named);
    ImageInfo {
        file: name.to_owned(),
        version: image.version(),
        size: u32::try_from(image.file_len()).unwrap_or(u32::MAX),
        // What an image claims of itself is shown only if it is true.
        hash: image.base().map(|base| base.hash),
        vid: head.vid(),
        cid: head.cid(),
        start: image.start(),
        counter: head.security_counter(),
        // Of an image that is refused only the refusal counts.
        warning: match verdict {
            Verdict::Refused(_) => None,
            _ => image.start_warning().unwrap_or_default(),
        },
        verdict,
    }
}

fn verdict(image: &CheckedImage, trust: &Trust, named: &[PublicKey]) -> Verdict {
    let own = !trust.keys.is_empty();
    let keys = if own { &trust.keys } else { named };
    let policy = Policy {
        allow_development_keys: trust.development,
    };
    if let Err(error) = image.start_warning() {
        return Verdict::Refused(error);
    }
    match image.verify(keys, &policy) {
        Ok(verified) => match keys.get(verified.key) {
            Some(key) if own => Verdict::Trusted(*key),
            Some(key) => Verdict::NamedByBoard(*key),
            None => Verdict::Unchecked { key_hash: None },
        },
        // No word against the image: only its signer is not known here.
        Err(Error::Refused(Refusal::UnknownSigner { key_hash })) => Verdict::Unchecked { key_hash },
        Err(error) => Verdict::Refused(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
