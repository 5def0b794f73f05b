//! The published smpclient, unchanged, does the whole job on `bootlace simulate`: echo, params, list, upload, test,
//! reset, confirm, erase; in console, COBS and raw framing.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it must be"
)]

use std::process::Command;

use bootlace_browser::Folder;
use bootlace_tests::simulate::Simulator;
use bootlace_tests::tools::{self, Algorithm, Fixtures};
use serde_json::{Value, json};

/// Runs the job over one framing; gives what the peer saw.
fn job(framing: &str, algorithm: Algorithm) -> Value {
    let folder = Folder::new(&format!("smpclient-{framing}")).unwrap();
    let fixtures = Fixtures::new(folder.path()).unwrap();
    let (old, key) = fixtures.signed("primehub", "7.27.0", algorithm).unwrap();
    let (new, _) = fixtures.signed("primehub", "7.28.0", algorithm).unwrap();
    let link = folder.path().join("board");
    let arguments = [
        "--speed",
        "50",
        // The client confirms, perhaps before the application does.
        "--confirm-over-wire",
        "--key",
        key.to_str().unwrap(),
        "--image",
        old.to_str().unwrap(),
    ];
    let _board = Simulator::start(&link, arguments).unwrap();
    let script = tools::smpclient_job();
    let mut python = Command::new(tools::required("BOOTLACE_PYTHON").unwrap());
    python
        .arg(script)
        .args(["--framing", framing])
        .arg("--port")
        .arg(&link)
        .arg("--image")
        .arg(&new);
    let seen = tools::output(&mut python).unwrap();
    serde_json::from_str(&seen).unwrap()
}

/// The entry of a slot in a list of images.
fn slot(list: &Value, slot: u64) -> Option<&Value> {
    list.as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["slot"] == slot)
}

fn check(framing: &str, algorithm: Algorithm) {
    let seen = job(framing, algorithm);
    let hash = &seen["hash"];
    assert_eq!((&seen["echo_V1"], &seen["echo_V2"]), (&json!(true), &json!(true)));
    // What can't be must be refused in both dialects, not pass in silence.
    assert_ne!(seen["unknown_V1"], "");
    assert_ne!(seen["unknown_V2"], "");
    assert_ne!(seen["erase_of_running"], "");
    assert!(seen["params"]["buf_size"].as_u64().unwrap() >= 256);
    assert!(seen["params"]["buf_count"].as_u64().unwrap() >= 1);

    let before = slot(&seen["before"], 0).unwrap();
    assert_eq!(
        (&before["active"], &before["confirmed"]),
        (&json!(true), &json!(true))
    );
    assert!(
        before["version"].as_str().unwrap().starts_with("7.27.0"),
        "{before}"
    );
    assert_ne!(before["hash"], *hash);

    assert_eq!(slot(&seen["uploaded"], 1).unwrap()["hash"], *hash);
    assert_eq!(slot(&seen["uploaded"], 1).unwrap()["pending"], json!(false));
    let tested = slot(&seen["test"], 1).unwrap();
    assert_eq!(
        (&tested["pending"], &tested["permanent"]),
        (&json!(true), &json!(false))
    );

    let running = slot(&seen["running"], 0).unwrap();
    assert_eq!((&running["active"], &running["hash"]), (&json!(true), hash));
    assert_eq!(
        slot(&seen["running"], 1).unwrap()["hash"],
        before["hash"],
        "the old image is kept"
    );
    assert_eq!(slot(&seen["confirm"], 0).unwrap()["confirmed"], json!(true));
    assert_eq!(slot(&seen["erased"], 0).unwrap()["hash"], *hash);
    assert_eq!(slot(&seen["erased"], 1), None);
}

#[test]
fn smpclient_updates_by_console_framing() {
    check("console", Algorithm::P256);
}

#[test]
fn smpclient_updates_by_cobs_framing() {
    check("cobs", Algorithm::Ed25519);
}

#[test]
fn smpclient_updates_by_raw_framing() {
    check("raw", Algorithm::P256);
}
