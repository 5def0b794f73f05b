//! The cache of tools: one folder a tool and version, outside of every checkout.
//!
//! A folder appears under its final name only when it is complete: it is filled under another name and renamed, so a
//! set-up that was killed leaves nothing that looks whole. A lock lets two checkouts set up at the same time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where tools are kept.
pub(crate) fn folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("BOOTLACE_CACHE") {
        return std::path::absolute(folder).context("BOOTLACE_CACHE is not a path");
    }
    let home = std::env::var_os("HOME").context("neither BOOTLACE_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/bootlace"))
}

/// Where the output of the set-up's programs is kept.
pub(super) fn log(name: &str) -> Result<PathBuf> {
    Ok(folder()?.join("logs").join(format!("{name}.log")))
}

/// A short name for exactly these texts: another list is another edition of a tool.
pub(super) fn edition(texts: &[&str]) -> String {
    let mut crc = flate2::Crc::new();
    for text in texts {
        crc.update(text.as_bytes());
    }
    format!("{:08x}", crc.sum())
}

/// The folder of a tool; `install` fills it the first time.
pub(crate) fn ensure(
    name: &str,
    version: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    ensure_in(&folder()?, &format!("{name}-{version}"), install)
}

fn ensure_in(cache: &Path, entry: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let home = cache.join(entry);
    if home.is_dir() {
        return Ok(home);
    }
    fs::create_dir_all(cache).with_context(|| format!("can't make {}", cache.display()))?;
    let lock = cache.join(format!(".lock-{entry}"));
    let lock = File::create(&lock).with_context(|| format!("can't write {}", lock.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("-- waiting for another set-up of {entry}");
        lock.lock()?;
    }
    if home.is_dir() {
        return Ok(home);
    }
    let partial = cache.join(format!(".partial-{entry}"));
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir(&partial)?;
    install(&partial).with_context(|| format!("{entry} can't be set up"))?;
    fs::rename(&partial, &home)?;
    Ok(home)
}

/// Forgets a tool that no longer works, so that the next call installs it anew.
pub(super) fn forget(home: &Path) -> Result<()> {
    fs::remove_dir_all(home).with_context(|| format!("can't remove {}", home.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-cache-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_tool_is_installed_once() {
        let cache = scratch("once");
        for content in ["first", "second"] {
            let fill = |home: &Path| Ok(fs::write(home.join("tool"), content)?);
            let home = ensure_in(&cache, "tool-1", fill).unwrap();
            assert_eq!(fs::read_to_string(home.join("tool")).unwrap(), "first");
        }
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn what_was_left_half_is_done_again() {
        let cache = scratch("half");
        let broken = ensure_in(&cache, "tool-1", |home| {
            fs::write(home.join("half"), "")?;
            anyhow::bail!("the network went away")
        });
        assert_eq!(
            format!("{:#}", broken.unwrap_err()),
            "tool-1 can't be set up: the network went away"
        );
        assert!(!cache.join("tool-1").exists());
        let home = ensure_in(&cache, "tool-1", |home| Ok(fs::write(home.join("whole"), "")?)).unwrap();
        assert!(home.join("whole").exists());
        assert!(!home.join("half").exists());
        fs::remove_dir_all(cache).unwrap();
    }
}
