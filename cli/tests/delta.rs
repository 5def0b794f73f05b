//! `bootlace delta` as people and scripts run it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Image, Version};
use serde_json::Value;

fn run(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bootlace"))
        .arg("delta")
        .args(arguments)
        .output()
        .unwrap()
}

fn good(arguments: &[&Path]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("delta-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A signed image of a program that grows by a few words from version to version.
fn image(major: u8) -> Vec<u8> {
    let mut words: Vec<u32> = (0..6000u32)
        .map(|word| word.wrapping_mul(2_654_435_761) >> 3)
        .collect();
    words.splice(100..100, (0..u32::from(major)).map(|word| word | 0x7000));
    let payload = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let key = SigningKey::from_seed(Algorithm::Ed25519, &[5; 32]).unwrap();
    ImageBuilder::new(payload)
        .version(Version {
            major,
            ..Version::default()
        })
        .sign(&key)
        .build()
}

#[test]
fn a_patch_is_made_shown_and_applied() {
    let folder = folder("apply");
    let [old, new, patch, back] = ["old", "new", "patch", "back"].map(|name| folder.join(name));
    std::fs::write(&old, image(1)).unwrap();
    std::fs::write(&new, image(2)).unwrap();
    let p = Path::new;
    let made = good(&[p("make"), &old, &new, p("-o"), &patch, p("--json")]);
    let bytes = made["bytes"].as_u64().unwrap();
    assert_eq!(bytes, std::fs::metadata(&patch).unwrap().len());
    assert!(bytes < 400, "{bytes}");
    // The base is what a board can prove: without the signature block, and its digest is the image's own.
    let file = image(1);
    let read = Image::read(&mut &file[..]).unwrap();
    assert_eq!(made["base"]["bytes"], read.covered_len());
    let hash = read.hash(&mut &file[..]).unwrap();
    let digest: String = hash
        .as_bytes()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(made["base"]["digest"], digest);
    assert_eq!(good(&[p("show"), &patch, p("--json")])["target"], made["target"]);
    good(&[p("apply"), &old, &patch, p("-o"), &back, p("--json")]);
    assert_eq!(std::fs::read(&back).unwrap(), image(2));

    let refused = run(&[p("apply"), &new, &patch, p("-o"), &back, p("--json")]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        serde_json::from_slice::<Value>(&refused.stdout).unwrap()["error"],
        "WrongBase"
    );
    let refused = run(&[p("show"), &new, p("--json")]);
    assert_eq!(
        serde_json::from_slice::<Value>(&refused.stdout).unwrap()["error"],
        "ImageFile"
    );
}

#[test]
fn a_folder_gets_all_patches_forward() {
    let folder = folder("set");
    // By version, not by name.
    for (name, major) in [("c", 1), ("a", 2), ("b", 10)] {
        std::fs::write(folder.join(name).with_extension("bin"), image(major)).unwrap();
    }
    let p = Path::new;
    let output = run(&[p("set"), &folder, p("--json")]);
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    let files: Vec<String> = out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["file"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(files, ["c--a.delta", "c--b.delta", "a--b.delta"]);
    assert!(files.iter().all(|file| folder.join(file).is_file()));
}

/// F12: `delta make A B -o B` replaced the release by a patch of a kilobyte.
#[test]
fn no_input_is_written_over() {
    let folder = folder("over");
    let (old, new, patch) = (folder.join("old"), folder.join("new"), folder.join("patch"));
    std::fs::write(&old, image(1)).unwrap();
    std::fs::write(&new, image(2)).unwrap();
    let p = Path::new;
    good(&[p("make"), &old, &new, p("-o"), &patch, p("--json")]);
    let made = std::fs::read(&patch).unwrap();
    // Another name of the same file is the same file.
    let link = folder.join(".").join("new");
    for arguments in [
        [p("make"), &old, &new, p("-o"), &old],
        [p("make"), &old, &new, p("-o"), &link],
        [p("apply"), &old, &patch, p("-o"), &patch],
    ] {
        let refused = run(&arguments);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    }
    assert_eq!(std::fs::read(&old).unwrap(), image(1));
    assert_eq!(std::fs::read(&new).unwrap(), image(2));
    assert_eq!(std::fs::read(&patch).unwrap(), made);
}
