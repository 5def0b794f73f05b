//! For build scripts of boards and of their applications: the linker's view of the memory, and the key that a bootloader is
//! built to trust.
//!
//! A board with `small-p256` does not know the keys that anybody can sign with; refusing them here costs no flash.

use std::path::{Path, PathBuf};
use std::{env, fs};

use bootlace_core::board::{Identity, Policy};
use bootlace_identity::{KeyKinds, LEN, Unfit, blank, encode};
use bootlace_image::PublicKey;

/// The variable that names the key.
const VARIABLE: &str = "BOOTLACE_KEY";
/// Its value for a board that trusts the demonstration's key.
const DEMONSTRATION: &str = "demonstration";
/// Its value for a bootloader whose identity block is filled later, by `bootlace companion fill`.
const BLANK: &str = "blank";

/// All that a bootloader's build script does: the linker finds the board's `memory.x`, and the identity block that the
/// board is built with lies in `OUT_DIR/identity.bin` for the board's program to include: the board's `name` and `policy`, the
/// key that the environment names, and the kinds of keys of which the board checks signatures, by its features `p256` and `ed25519`.
///
/// # Errors
/// As [`trusted_key`], what no block can hold, or what can't be read or written.
pub fn bootloader(name: &str, policy: Policy) -> Result<(), String> {
    link_with("memory.x")?;
    let kinds = kinds(|feature| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some())?;
    let block = block(name, policy, trusted_key()?, kinds)?;
    fs::write(folder("OUT_DIR")?.join("identity.bin"), block)
        .map_err(|error| format!("identity.bin can't be written: {error}"))
}

/// The kinds of keys that a board with these features checks.
fn kinds(has: impl Fn(&str) -> bool) -> Result<KeyKinds, String> {
    let known = [("P256", KeyKinds::P256), ("ED25519", KeyKinds::ED25519)];
    let kinds = known.into_iter().filter(|(feature, _)| has(feature));
    let kinds = kinds.fold(KeyKinds::UNMARKED, |all, (_, kind)| all.and(kind));
    if kinds == KeyKinds::UNMARKED {
        return Err("this board would check no signature: give it the feature p256, ed25519, or both".into());
    }
    Ok(kinds)
}

/// The board's identity block; without a key a blank one.
fn block(name: &str, policy: Policy, key: Option<PublicKey>, kinds: KeyKinds) -> Result<[u8; LEN], String> {
    let Some(key) = key else { return Ok(blank(kinds)) };
    let identity = Identity {
        name,
        serial: "",
        vendor: None,
        class: None,
        keys: &[key],
        policy,
    };
    encode(&identity, kinds).map_err(|unfit| match unfit {
        Unfit::OtherKind(algorithm) => format!(
            "the key that {VARIABLE} names is for {algorithm:?}, of which this build of {name} checks no signatures: give the board the \
             feature p256 or ed25519, as its key is."
        ),
        unfit => format!("the identity of {name} can't be written: {unfit:?}"),
    })
}

/// All that an application's build script does: the linker finds the `application.x` of the board in `board`, a folder as
/// seen from the application's own.
///
/// # Errors
/// What can't be read or written.
pub fn application(board: &str) -> Result<(), String> {
    link_with(&format!("{board}/application.x"))
}

/// For a program that uses `bootlace_cortex_m::no_interrupts!`: cortex-m-rt's linker script includes a `device.x` that names a
/// chip's interrupts, and there are none to name.
///
/// # Errors
/// What can't be written.
pub fn no_interrupts() -> Result<(), String> {
    fs::write(folder("OUT_DIR")?.join("device.x"), "")
        .map_err(|error| format!("device.x can't be written: {error}"))
}

/// Has programs linked with this description of the memory, a path as seen from the package's folder.
fn link_with(memory: &str) -> Result<(), String> {
    let (here, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    println!("cargo:rerun-if-changed={memory}");
    fs::copy(here.join(memory), out.join("memory.x"))
        .map_err(|error| format!("{memory} can't be copied: {error}"))?;
    println!("cargo:rustc-link-arg-bins=-L{}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    Ok(())
}

/// A folder that cargo names to build scripts.
fn folder(variable: &str) -> Result<PathBuf, String> {
    let path = env::var_os(variable).ok_or_else(|| format!("cargo names no {variable}"))?;
    Ok(PathBuf::from(path))
}

/// The public key that the environment names; cargo is told what the build depends on.
///
/// `BOOTLACE_KEY` is the path of a public key in PEM, seen from the board's folder if it is relative, or the word
/// `demonstration` for a board on a desk, which runs whatever anybody signs, or the word `blank` for a bootloader that starts
/// nothing before its identity block is filled: `None`.
///
/// # Errors
/// What is wrong, and what to do, for whoever builds: no key, none that can be read, or one whose private half is
/// published.
pub fn trusted_key() -> Result<Option<PublicKey>, String> {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    match env::var(VARIABLE).ok().as_deref() {
        Some(BLANK) => Ok(None),
        named => key_named(named).map(Some),
    }
}

fn key_named(named: Option<&str>) -> Result<PublicKey, String> {
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        return Err(format!(
            "no key to trust. Set {VARIABLE} to the path of your public key: `imgtool keygen --type ecdsa-p256 --key \
             my.pem` makes a pair, `imgtool getpub --encoding pem --key my.pem` writes its public half. For a board on \
             a desk, {VARIABLE}={DEMONSTRATION} takes the demonstration's key, with which anybody can sign; \
             {VARIABLE}={BLANK} leaves the key to `bootlace companion fill`."
        ));
    };
    if named == DEMONSTRATION {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards/keys");
        return read(&keys.join("demo.pub.pem"));
    }
    let key = read(Path::new(named))?;
    match bootlace_image::development_key(&key.hash()) {
        None => Ok(key),
        Some(file) => Err(format!(
            "{named} is a test key whose private half is published ({file}): anybody can sign with it. `imgtool keygen \
             --type ecdsa-p256 --key my.pem` makes one of your own. For a board on a desk, \
             {VARIABLE}={DEMONSTRATION} takes the demonstration's key."
        )),
    }
}

fn read(file: &Path) -> Result<PublicKey, String> {
    println!("cargo:rerun-if-changed={}", file.display());
    let pem = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    PublicKey::from_pem(&pem).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol/image/tests/data");
    const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../boards/keys");

    #[test]
    fn a_key_of_ones_own_is_taken() {
        let file = format!("{DATA}/p256.pub.pem");
        let pem = fs::read_to_string(&file).unwrap();
        assert_eq!(key_named(Some(&file)), Ok(PublicKey::from_pem(&pem).unwrap()));
    }

    #[test]
    fn a_build_without_a_key_says_how_to_give_one() {
        for named in [None, Some("")] {
            let problem = key_named(named).unwrap_err();
            assert!(
                problem.contains("BOOTLACE_KEY") && problem.contains("imgtool keygen"),
                "{problem}"
            );
        }
    }

    #[test]
    fn published_keys_are_refused_by_name() {
        let published = [
            (KEYS, "demo.pub.pem", "demo.pem"),
            (DATA, "published-p256.pub.pem", "root-ec-p256.pem"),
            (DATA, "published-ed25519.pub.pem", "root-ed25519.pem"),
        ];
        for (folder, file, private) in published {
            let problem = key_named(Some(&format!("{folder}/{file}"))).unwrap_err();
            assert!(
                problem.contains(private) && problem.contains("anybody can sign"),
                "{problem}"
            );
        }
    }

    #[test]
    fn the_demonstration_is_asked_for_by_its_name() {
        let key = key_named(Some("demonstration")).unwrap();
        assert_eq!(bootlace_image::development_key(&key.hash()), Some("demo.pem"));
    }

    #[test]
    fn a_key_that_the_board_does_not_check_is_refused() {
        let kinds = |features: &[&str]| kinds(|feature| features.contains(&feature));
        let read = |name: &str| Some(read(Path::new(&format!("{DATA}/{name}.pub.pem"))).unwrap());
        let block = |key, kinds| block("a board", Policy::default(), key, kinds);
        let (p256, ed25519) = (kinds(&["P256"]).unwrap(), kinds(&["ED25519"]).unwrap());
        let both = kinds(&["P256", "ED25519"]).unwrap();
        for (key, kinds) in [
            ("p256", p256),
            ("p256", both),
            ("ed25519", ed25519),
            ("ed25519", both),
        ] {
            assert_eq!(KeyKinds::of(&block(read(key), kinds).unwrap()), kinds);
        }
        for (key, kinds, named) in [("p256", ed25519, "P256"), ("ed25519", p256, "Ed25519")] {
            let problem = block(read(key), kinds).unwrap_err();
            assert!(
                problem.contains(named) && problem.contains("feature"),
                "{problem}"
            );
        }
        // Who fills it later is told by the file.
        assert_eq!(KeyKinds::of(&block(None, ed25519).unwrap()), ed25519);
        assert!(kinds(&[]).unwrap_err().contains("no signature"));
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_its_path() {
        let problem = key_named(Some(&format!("{DATA}/p256.pem"))).unwrap_err();
        assert!(problem.contains("p256.pem: a private key"), "{problem}");
        let problem = key_named(Some("nowhere.pem")).unwrap_err();
        assert!(problem.starts_with("nowhere.pem: "), "{problem}");
    }
}
