//! `bootlace update` with real firmware, signed by imgtool, on `bootlace simulate`: the same engine as the page's, over
//! the same ports.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it must be"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bootlace_browser::Folder;
use bootlace_tests::cabled::CabledBoard;
use bootlace_tests::simulate::Simulator;
use bootlace_tests::tools::{self, Algorithm, Fixtures};
use serde_json::Value;

fn update(link: &Path, image: &Path, key: &Path) -> Command {
    let mut command = Command::new(tools::cli().unwrap());
    command
        .args(["update", "--json"])
        .arg("--port")
        .arg(link)
        .arg("--image")
        .arg(image)
        .arg("--key")
        .arg(key);
    command
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap_or(Value::Null)
}

/// Runs an update to its end, which must be a confirmed image.
fn confirmed(link: &Path, image: &Path, key: &Path) {
    let output = update(link, image, key).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(last_line(&output).to_string().contains("confirmed"), "{said}");
}

/// From 7.27.0 to 7.28.0 and back.
fn up_and_down(board: &str, algorithm: Algorithm) {
    let folder = Folder::new(&format!("cli-{board}-{}", algorithm.name())).unwrap();
    let fixtures = Fixtures::new(folder.path()).unwrap();
    let (old, key) = fixtures.signed(board, "7.27.0", algorithm).unwrap();
    let (new, _) = fixtures.signed(board, "7.28.0", algorithm).unwrap();
    let link = folder.path().join("board");
    let arguments = [
        "--speed",
        "20",
        "--key",
        key.to_str().unwrap(),
        "--image",
        old.to_str().unwrap(),
    ];
    let _board = Simulator::start(&link, arguments).unwrap();
    confirmed(&link, &new, &key);
    confirmed(&link, &old, &key);
}

#[test]
fn primehub_is_updated_with_p256() {
    up_and_down("primehub", Algorithm::P256);
}

#[test]
fn primehub_is_updated_with_ed25519() {
    up_and_down("primehub", Algorithm::Ed25519);
}

#[test]
fn movehub_is_updated_with_p256() {
    up_and_down("movehub", Algorithm::P256);
}

#[test]
fn movehub_is_updated_with_ed25519() {
    up_and_down("movehub", Algorithm::Ed25519);
}

/// The program is ended in the middle of the upload, then the board loses its power; the next run goes on.
#[test]
fn an_update_that_was_interrupted_goes_on() {
    let folder = Folder::new("cli-interrupted").unwrap();
    let fixtures = Fixtures::new(folder.path()).unwrap();
    let (old, key) = fixtures.signed("movehub", "7.27.0", Algorithm::P256).unwrap();
    let (new, _) = fixtures.signed("movehub", "7.28.0", Algorithm::P256).unwrap();
    // Its secondary slot is used, and so has to be erased: the upload takes about a second.
    let arguments = [
        "--speed",
        "2",
        "--key",
        key.to_str().unwrap(),
        "--image",
        old.to_str().unwrap(),
    ];
    let mut bench = CabledBoard::unconnected(folder.path(), "board", &arguments).unwrap();
    let mut first = update(bench.link(), &new, &key)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let is_under_way = BufReader::new(first.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .any(|event| {
            let share = |key: &str| event[key].as_f64().unwrap_or_default();
            event["event"] == "progress" && 5.0 * share("done") >= share("total")
        });
    assert!(is_under_way, "it ended before a part was sent");
    assert!(
        first.try_wait().unwrap().is_none(),
        "it was done before it could be interrupted"
    );
    first.kill().unwrap();
    first.wait().unwrap();
    bench.power_down();
    bench.power_up().unwrap();
    let output = update(bench.link(), &new, &key).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("resumed"), "it began again: {said}");
}
