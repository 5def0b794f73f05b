//! `manifest.json` of a package: which of its files are what (`nordicsemi/dfu/manifest.py`).

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde_json::Value;

/// Names of an application's files in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The firmware.
    pub firmware: String,
    /// The init packet.
    pub init: String,
}

/// Why a package holds nothing that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// It is no JSON, or has another form.
    Malformed,
    /// It holds no application.
    NoApplication,
    /// It holds a SoftDevice or a bootloader as well.
    More,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ManifestError::Malformed => "its manifest.json is damaged",
            ManifestError::NoApplication => "it holds no application",
            ManifestError::More => "it holds a SoftDevice or a bootloader, and not an application alone",
        })
    }
}

impl core::error::Error for ManifestError {}

/// Reads a manifest.
///
/// # Errors
/// It is none, or not that of an application alone.
pub fn names(json: &[u8]) -> Result<Names, ManifestError> {
    let value: Value = serde_json::from_slice(json).map_err(|_| ManifestError::Malformed)?;
    let manifest = value.get("manifest").and_then(Value::as_object);
    let manifest = manifest.ok_or(ManifestError::Malformed)?;
    let application = manifest.get("application").ok_or(ManifestError::NoApplication)?;
    // `dfu_version` stands there in older ones.
    if manifest.values().filter(|part| part.is_object()).count() > 1 {
        return Err(ManifestError::More);
    }
    let name = |key: &str| {
        let name = application.get(key).and_then(Value::as_str);
        name.map(String::from).ok_or(ManifestError::Malformed)
    };
    Ok(Names {
        firmware: name("bin_file")?,
        init: name("dat_file")?,
    })
}

/// Writes the manifest of an application alone; the names are plain: no quotes, no backslashes.
pub fn manifest(firmware: &str, init: &str) -> String {
    format!(r#"{{"manifest": {{"application": {{"bin_file": "{firmware}", "dat_file": "{init}"}}}}}}"#)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_holds_more_is_refused() {
        let files = Names {
            firmware: "app.bin".into(),
            init: "app.dat".into(),
        };
        assert_eq!(
            names(manifest(&files.firmware, &files.init).as_bytes()),
            Ok(files)
        );
        let read = |text: &str| names(text.as_bytes());
        let older =
            r#"{"manifest": {"application": {"bin_file": "a", "dat_file": "b"}, "dfu_version": 0.5}}"#;
        assert_eq!(read(older).unwrap().firmware, "a");
        let more = r#"{"manifest": {"application": {"bin_file": "a", "dat_file": "b"}, "softdevice": {}}}"#;
        assert_eq!(read(more), Err(ManifestError::More));
        let none = r#"{"manifest": {"bootloader": {"bin_file": "a", "dat_file": "b"}}}"#;
        assert_eq!(read(none), Err(ManifestError::NoApplication));
        for damaged in [
            "",
            "{}",
            "[]",
            r#"{"manifest": {"application": {"bin_file": 1, "dat_file": "b"}}}"#,
        ] {
            assert_eq!(read(damaged), Err(ManifestError::Malformed), "{damaged}");
        }
    }
}
