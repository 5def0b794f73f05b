//! What Trunk built, made smaller.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha384};

use crate::process;

/// Shortens the script that loads the program: what Trunk has for that does not know all of today's JavaScript, says so and
/// leaves the script as it was, 2 KB heavier. `programs`: the folder with terser.
pub(super) fn script(dist: &Path, programs: &Path) -> Result<()> {
    let path = built(dist, ".js")?;
    let as_built = std::fs::read(&path)?;
    with_terser(&path, programs)?;
    name_digests(dist, &[(&as_built, &std::fs::read(&path)?)])
}

/// Shortens a script where it is.
pub(super) fn with_terser(path: &Path, programs: &Path) -> Result<()> {
    let mut terser = std::process::Command::new(programs.join("terser"));
    terser.args(["--module", "--compress", "--mangle", "--output"]);
    terser.arg(path).arg("--").arg(path);
    process::output(&mut terser).map(drop)
}

/// Gives shorter ends to the names by which script and program know each other.
pub(super) fn names(dist: &Path) -> Result<()> {
    let (script, program) = (built(dist, ".js")?, built(dist, "_bg.wasm")?);
    let as_built = (std::fs::read(&script)?, std::fs::read(&program)?);
    let mut now = as_built.clone();
    number_names(&mut now.0, &mut now.1);
    std::fs::write(script, &now.0)?;
    std::fs::write(program, &now.1)?;
    name_digests(dist, &[(&as_built.0, &now.0), (&as_built.1, &now.1)])
}

/// The one file of the page's program in `dist` with this end of its name.
fn built(dist: &Path, end: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir(dist)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("bootlace-app-") && name.ends_with(end) {
            return Ok(path);
        }
    }
    None.with_context(|| format!("{} has no bootlace-app-*{end}", dist.display()))
}

/// Digits of the hash at the end of each name that script and program share.
const HASH_DIGITS: usize = 16;

/// Replaces the hashes in names that wasm-bindgen made by numbers of the same length: hashes can't be compressed, and there are
/// two hundred of them in each file. The names stay as unique as they were.
pub(super) fn number_names(script: &mut [u8], program: &mut [u8]) {
    let mut numbers = BTreeMap::new();
    for at in hashes(script) {
        let number = numbers.len();
        numbers
            .entry(script[at..at + HASH_DIGITS].to_vec())
            .or_insert(number);
    }
    for file in [script, program] {
        for at in hashes(file) {
            let hash = &mut file[at..at + HASH_DIGITS];
            if let Some(number) = numbers.get(&*hash) {
                hash.copy_from_slice(format!("{number:0HASH_DIGITS$}").as_bytes());
            }
        }
    }
}

/// Where the hashes of wasm-bindgen's names begin: `__wbg_open_` and 16 digits, or `__invoke__h` and 16 digits.
fn hashes(file: &[u8]) -> Vec<usize> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let is_hash = |at: usize| {
        let digits = file.get(at..at + HASH_DIGITS);
        digits.is_some_and(|digits| digits.iter().all(is_digit)) && is_end(file.get(at + HASH_DIGITS))
    };
    (1..file.len())
        .filter(|&at| file[..at].ends_with(b"_") || file[..at].ends_with(b"_h"))
        .filter(|&at| is_hash(at))
        .collect()
}

/// Has the built page name the digests of files as they are now, each given as it was and as it is.
fn name_digests(dist: &Path, files: &[(&[u8], &[u8])]) -> Result<()> {
    let page = dist.join("index.html");
    let mut html = std::fs::read_to_string(&page)?;
    for (was, now) in files {
        html = with_digest(&html, was, now)?;
    }
    Ok(std::fs::write(&page, html)?)
}

/// The page that names the digest of a file as it is now, where it named that of the file as it was: a browser does not run
/// a script of another digest.
fn with_digest(html: &str, was: &[u8], now: &[u8]) -> Result<String> {
    let (was, now) = (integrity(was), integrity(now));
    ensure!(html.contains(&was), "index.html does not name the digest {was}");
    Ok(html.replace(&was, &now))
}

/// A file's digest as an `integrity` attribute has it.
fn integrity(file: &[u8]) -> String {
    format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(file)))
}

/// Joins the style sheets of the built page, in the order in which it names them: Trunk makes one of each source. A browser
/// asks for fewer files, which take 2 KB less.
pub(super) fn styles(dist: &Path) -> Result<()> {
    let page = dist.join("index.html");
    let html = std::fs::read_to_string(&page)?;
    let (html, names) = without_links(&html)?;
    let mut all = String::new();
    for name in &names {
        let file = dist.join(name);
        all +=
            &std::fs::read_to_string(&file).with_context(|| format!("{} can't be read", file.display()))?;
        std::fs::remove_file(&file)?;
    }
    let digest = integrity(all.as_bytes());
    let name = format!("style-{}.css", short(&digest));
    std::fs::write(dist.join(&name), all)?;
    let link = format!("<link href=./{name} integrity={digest} rel=stylesheet>");
    std::fs::write(&page, html.replacen(PLACE, &link, 1))?;
    Ok(())
}

/// Stands where the first style sheet was named.
const PLACE: &str = "\u{0}";

/// The page with [`PLACE`] in place of its style sheets, and their files.
fn without_links(html: &str) -> Result<(String, Vec<String>)> {
    let (mut rest, mut out, mut names) = (html, String::new(), Vec::new());
    while let Some((before, link)) = rest.split_once("<link ") {
        let (attributes, after) = link.split_once('>').context("index.html: a link has no end")?;
        out += before;
        rest = after;
        if !attributes.contains("stylesheet") {
            out += &format!("<link {attributes}>");
            continue;
        }
        if names.is_empty() {
            out += PLACE;
        }
        let href = attributes
            .split_ascii_whitespace()
            .find_map(|it| it.strip_prefix("href="));
        let href = href.context("index.html: a style sheet has no address")?;
        names.push(href.trim_matches('"').trim_start_matches("./").to_owned());
    }
    ensure!(!names.is_empty(), "index.html names no style sheet");
    Ok((out + rest, names))
}

/// A part of a digest that may stand in a file's name: a changed style sheet has another address.
fn short(digest: &str) -> String {
    let letters = digest
        .chars()
        .skip("sha384-".len())
        .filter(char::is_ascii_alphanumeric);
    letters.take(16).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_script_has_the_digest_that_the_page_names() {
        let digest = "sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb";
        let html = format!("<link rel=modulepreload integrity={digest}>");
        let now = with_digest(&html, b"", b"shorter").unwrap();
        assert!(!now.contains(digest), "{now}");
        assert_eq!(with_digest(&now, b"shorter", b"").unwrap(), html);
        // A page that names another digest is not published.
        with_digest(&html, b"other", b"shorter").unwrap_err();
    }

    #[test]
    fn names_of_script_and_program_stay_the_same_and_apart() {
        let mut script =
            *b"{__wbg_get_0123456789abcdef(e){},__wbg_get_fedcba9876543210(e){},n:9007199254740991,\
            f:O.invoke__h00112233445566ff}";
        let mut program = *b"\x1a__wbg_get_fedcba9876543210\0\x03\x1a__wbg_get_0123456789abcdef\0\x04\
            \x19invoke__h00112233445566ff\0_0123456789abcdefg";
        number_names(&mut script, &mut program);
        let script = std::str::from_utf8(&script).unwrap();
        assert_eq!(
            script,
            "{__wbg_get_0000000000000000(e){},__wbg_get_0000000000000001(e){},n:9007199254740991,\
             f:O.invoke__h0000000000000002}"
        );
        // The last one is longer than a hash: no name of wasm-bindgen's.
        assert_eq!(
            program,
            *b"\x1a__wbg_get_0000000000000001\0\x03\x1a__wbg_get_0000000000000000\0\x04\
            \x19invoke__h0000000000000002\0_0123456789abcdefg"
        );
    }

    #[test]
    fn style_sheets_become_one_in_their_order() {
        let dist = std::env::temp_dir().join(format!("xtask-styles-{}", std::process::id()));
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::write(dist.join("a-1.css"), "a{}").unwrap();
        std::fs::write(dist.join("b-2.css"), "b{}").unwrap();
        let html = "<head><link href=./a-1.css integrity=x rel=stylesheet><link href=./i.svg rel=icon><link rel=\"stylesheet\" \
                    href=\"./b-2.css\"></head>";
        std::fs::write(dist.join("index.html"), html).unwrap();
        styles(&dist).unwrap();
        let html = std::fs::read_to_string(dist.join("index.html")).unwrap();
        let digest = integrity(b"a{}b{}");
        let name = format!("style-{}.css", short(&digest));
        let link = format!("<link href=./{name} integrity={digest} rel=stylesheet>");
        assert_eq!(html, format!("<head>{link}<link href=./i.svg rel=icon></head>"));
        assert_eq!(std::fs::read_to_string(dist.join(name)).unwrap(), "a{}b{}");
        assert!(!dist.join("a-1.css").exists());
        // A page without style sheets is not published.
        styles(&dist).unwrap();
        std::fs::write(dist.join("index.html"), "<head></head>").unwrap();
        styles(&dist).unwrap_err();
        std::fs::remove_dir_all(dist).unwrap();
    }
}
