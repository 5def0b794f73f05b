//! `bootlace companion`: a bootloader is filled in every format that it comes in, and nothing else in it changes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_identity::{KeyKinds, Keys, LEN, blank, encode, read};
use bootlace_simulator::{Identity, Permission, RequestKind};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");
const DEMO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../firmware-companion/boards/keys/demo.pub.pem"
);
/// Bytes before and behind the block: no multiple of what a record or a block of the formats holds.
const BEFORE: usize = 1000;
const BEHIND: usize = 333;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootlace"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a chip gets: noise with a block in it.
fn program(block: &[u8; LEN]) -> Vec<u8> {
    let noise = |len: usize| (0..len).map(|at| (at * 7 + at / 251) as u8);
    noise(BEFORE).chain(*block).chain(noise(BEHIND)).collect()
}

/// Intel HEX with records of 16 bytes, above 64 KB.
fn to_hex(program: &[u8]) -> Vec<u8> {
    let record = |kind: u8, at: u16, data: &[u8]| {
        let mut bytes = vec![data.len() as u8, (at >> 8) as u8, at as u8, kind];
        bytes.extend(data);
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        bytes.push(sum);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        format!(":{digits}\r\n")
    };
    let lines = program.chunks(16).enumerate();
    let data: String = lines
        .map(|(line, data)| record(0, line as u16 * 16, data))
        .collect();
    (record(4, 0, &[0x10, 0x00]) + &data + &record(1, 0, &[])).into_bytes()
}

/// The data of Intel HEX; every record's sum must be right.
fn from_hex(file: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(file).unwrap();
    let records = text.lines().map(|line| {
        let digits = line.strip_prefix(':').unwrap();
        let pairs = (0..digits.len()).step_by(2);
        let bytes: Vec<u8> = pairs
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)),
            0,
            "{line}"
        );
        bytes
    });
    let data = records.filter(|bytes| bytes[3] == 0);
    data.flat_map(|bytes| bytes[4..bytes.len() - 1].to_vec())
        .collect()
}

/// UF2 with 256 bytes a block.
fn to_uf2(program: &[u8]) -> Vec<u8> {
    let blocks = program.chunks(256).enumerate().flat_map(|(number, data)| {
        let mut block = b"UF2\nWQ]\x9e".to_vec();
        for word in [
            0x2000,
            0x1000_0000 + 256 * number as u32,
            data.len() as u32,
            number as u32,
            6,
            0xE48B_FF56,
        ] {
            block.extend(word.to_le_bytes());
        }
        block.extend(data);
        block.resize(508, 0);
        block.extend(0x0AB1_6F30_u32.to_le_bytes());
        block
    });
    blocks.collect()
}

fn from_uf2(file: &[u8]) -> Vec<u8> {
    let blocks = file.chunks_exact(512);
    blocks
        .flat_map(|block| {
            let len = u32::from_le_bytes(block[16..20].try_into().unwrap()) as usize;
            block[32..32 + len].to_vec()
        })
        .collect()
}

/// A folder with a blank bootloader in each format.
fn folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("identity-{name}-{}", std::process::id()));
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let program = program(&blank(KeyKinds::UNMARKED));
    fs::write(folder.join("in.bin"), &program).unwrap();
    fs::write(
        folder.join("in.elf"),
        [b"\x7fELF\x01\x01\x01\0".as_slice(), &program].concat(),
    )
    .unwrap();
    fs::write(folder.join("in.hex"), to_hex(&program)).unwrap();
    fs::write(folder.join("in.uf2"), to_uf2(&program)).unwrap();
    fs::copy(format!("{DATA}/p256.pub.pem"), folder.join("one.pem")).unwrap();
    fs::copy(format!("{DATA}/ed25519.pub.pem"), folder.join("two.pem")).unwrap();
    folder
}

const WRITE: [&str; 15] = [
    "--key",
    "one.pem",
    "--key",
    "two.pem",
    "--name",
    "Pump 3",
    "--vendor",
    "00112233-4455-6677-8899-aabbccddeeff",
    "--rule",
    "erase=denied",
    "--deadline",
    "120",
    "--counter-required",
    "--idle-return",
    "0",
];

#[test]
fn every_format_is_filled_and_nothing_else_changes() {
    let folder = folder("formats");
    for format in ["bin", "elf", "hex", "uf2"] {
        let (input, output) = (format!("in.{format}"), format!("out.{format}"));
        let arguments = [&["companion", "fill", &input, &output], WRITE.as_slice()].concat();
        let done = run(&folder, &arguments);
        assert!(done.status.success(), "{format}: {}", text(&done));
        let file = fs::read(folder.join(&output)).unwrap();
        assert_eq!(
            file.len(),
            fs::metadata(folder.join(&input)).unwrap().len() as usize
        );
        let bytes = match format {
            "hex" => from_hex(&file),
            "uf2" => from_uf2(&file),
            "elf" => file[8..].to_vec(),
            _ => file,
        };
        let block: [u8; LEN] = *bytes[BEFORE..].first_chunk().unwrap();
        assert_eq!(bytes, program(&block), "{format}");
        let mut keys = Keys::new();
        let identity = read(&block, "", &mut keys).unwrap();
        let policy = &identity.policy;
        assert_eq!(
            (identity.name, identity.keys.len(), identity.class),
            ("Pump 3", 2, None)
        );
        assert_eq!(identity.vendor.unwrap()[..2], [0x00, 0x11]);
        assert_eq!(
            (policy.deadline, policy.counter_required, policy.idle_return),
            (120, true, None)
        );
        let erase = policy
            .allow
            .allow(RequestKind::Erase, bootlace_simulator::Origin::Cable);
        assert_eq!(erase, Permission::Denied);

        let shown = run(&folder, &["companion", "show", "--json", &output]);
        assert!(text(&shown).contains("\"name\":\"Pump 3\""), "{}", text(&shown));
        let blank = run(&folder, &["companion", "show", &input]);
        assert_eq!(blank.status.code(), Some(1), "{}", text(&blank));
        assert!(text(&blank).contains("is blank"), "{}", text(&blank));
    }
}

#[test]
fn a_key_that_the_bootloader_does_not_check_is_refused_by_its_kind() {
    let folder = folder("kinds");
    let marked = program(&blank(KeyKinds::P256));
    fs::write(folder.join("p256.bin"), &marked).unwrap();
    let fill = |key: &str| {
        let arguments = [
            "companion",
            "fill",
            "p256.bin",
            "out.bin",
            "--name",
            "Pump 3",
            "--key",
            key,
        ];
        run(&folder, &arguments)
    };
    let refused = fill("two.pem");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused);
    assert!(
        said.contains("Ed25519") && said.contains("built to check yours"),
        "{said}"
    );
    assert!(!folder.join("out.bin").exists());
    assert!(fill("one.pem").status.success());
    // The mark is still there.
    let filled = fs::read(folder.join("out.bin")).unwrap();
    assert_eq!(
        KeyKinds::of(filled[BEFORE..].first_chunk().unwrap()),
        KeyKinds::P256
    );
}

#[test]
fn a_filled_bootloader_is_filled_anew() {
    let folder = folder("again");
    let first = [&["companion", "fill", "in.bin", "one.bin"], WRITE.as_slice()].concat();
    assert!(run(&folder, &first).status.success());
    let second = [
        "companion",
        "fill",
        "one.bin",
        "two.bin",
        "--key",
        "two.pem",
        "--name",
        "Pump 4",
    ];
    assert!(run(&folder, &second).status.success());
    let shown = text(&run(&folder, &["companion", "show", "two.bin"]));
    assert!(shown.contains("Pump 4") && shown.contains("Ed25519"), "{shown}");
}

/// What was refused, and that nothing was written.
fn refused(folder: &Path, arguments: &[&str], wanted: &str) {
    let done = run(folder, &[&["companion", "fill"], arguments].concat());
    assert_eq!(done.status.code(), Some(1), "{arguments:?}: {}", text(&done));
    assert!(text(&done).contains(wanted), "{arguments:?}: {}", text(&done));
    assert!(!folder.join("out.bin").exists(), "{arguments:?}");
}

#[test]
fn a_published_key_is_refused_unless_it_is_asked_for() {
    let folder = folder("published");
    let arguments = ["in.bin", "out.bin", "--key", DEMO, "--name", "Desk"];
    refused(&folder, &arguments, "anybody can sign");
    let allowed = [
        &["companion", "fill"],
        arguments.as_slice(),
        &["--allow-development-keys"],
    ]
    .concat();
    assert!(run(&folder, &allowed).status.success());
}

#[test]
fn what_can_not_be_filled_is_refused_with_its_reason() {
    let folder = folder("refused");
    let mine = ["--key", "one.pem", "--name", "Pump"];
    let with = |files: [&'static str; 2]| [files.as_slice(), mine.as_slice()].concat();
    for input in ["in.bin", "one.pem"] {
        refused(&folder, &with(["in.bin", input]), "would be overwritten");
    }
    fs::write(folder.join("none.bin"), vec![0; 2000]).unwrap();
    refused(
        &folder,
        &with(["none.bin", "out.bin"]),
        "does not hold one identity block",
    );
    let twice = [
        program(&blank(KeyKinds::UNMARKED)),
        program(&blank(KeyKinds::UNMARKED)),
    ]
    .concat();
    fs::write(folder.join("twice.bin"), twice).unwrap();
    refused(
        &folder,
        &with(["twice.bin", "out.bin"]),
        "does not hold one identity block",
    );
    // A digit of a record that says something else than its sum, and files that are cut off.
    let mut hex = fs::read(folder.join("in.hex")).unwrap();
    hex[100] = if hex[100] == b'1' { b'2' } else { b'1' };
    fs::write(folder.join("bad.hex"), &hex).unwrap();
    refused(&folder, &with(["bad.hex", "out.bin"]), "is damaged");
    let uf2 = fs::read(folder.join("in.uf2")).unwrap();
    fs::write(folder.join("bad.uf2"), &uf2[..uf2.len() - 1]).unwrap();
    refused(&folder, &with(["bad.uf2", "out.bin"]), "is damaged");
    refused(
        &folder,
        &[
            "in.bin",
            "out.bin",
            "--key",
            "one.pem",
            "--name",
            "a name that is far too long for the block",
        ],
        "the block holds 1 to 32",
    );
    let short = [&with(["in.bin", "out.bin"]), ["--deadline", "5"].as_slice()].concat();
    refused(&folder, &short, "must be 30 to 300");
}

/// A block whose checksum is wrong is no block: what has happened to the file is not known.
#[test]
fn a_damaged_block_is_left_alone() {
    let folder = folder("damaged");
    let key = bootlace_image::PublicKey::P256([4; 65]);
    let identity = Identity {
        name: "Pump",
        serial: "",
        vendor: None,
        class: None,
        keys: &[key],
        policy: bootlace_simulator::Policy::default(),
    };
    let mut block = encode(&identity, KeyKinds::UNMARKED).unwrap();
    block[60] ^= 1;
    fs::write(folder.join("damaged.bin"), program(&block)).unwrap();
    let arguments = ["damaged.bin", "out.bin", "--key", "one.pem", "--name", "Pump"];
    refused(&folder, &arguments, "does not hold one identity block");
}

/// A folder with a companion as `cargo xtask firmware` leaves it, and a new key pair.
fn with_companion(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::rename(folder.join("in.bin"), folder.join("rp2040.bin")).unwrap();
    let made = run(&folder, &["key", "new", "own.pem"]);
    assert!(made.status.success(), "{}", text(&made));
    folder
}

/// An installation onto a drive, but for the drive.
const ONTO_DRIVE: [&str; 9] = [
    "install",
    "--board",
    "rp2040",
    "--companions",
    ".",
    "--key",
    "own.pub.pem",
    "--way",
    "uf2",
];

fn make<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [
        &["companion", "make", "--board", "rp2040", "--companions", "."],
        more,
    ]
    .concat()
}

#[test]
fn a_companion_is_made_in_every_format_for_a_new_key() {
    let folder = with_companion("made");
    let key = text(&run(&folder, &["key", "show", "--json", "own.pub.pem"]));
    for format in ["bin", "hex", "uf2"] {
        let output = format!("own.{format}");
        let done = run(
            &folder,
            &make(&["--key", "own.pub.pem", "--name", "Pump 3", "-o", &output]),
        );
        assert!(done.status.success(), "{format}: {}", text(&done));
        let shown = text(&run(&folder, &["companion", "show", "--json", &output]));
        assert!(shown.contains("\"name\":\"Pump 3\""), "{shown}");
        let hash = key
            .split("\"key_hash\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(shown.contains(hash), "{shown} {key}");
    }
    // A place of 64 KB, blank behind the companion.
    let bytes = fs::read(folder.join("own.bin")).unwrap();
    assert_eq!((bytes.len(), bytes.last()), (0x1_0000, Some(&0xFF)));
    assert_eq!(from_uf2(&fs::read(folder.join("own.uf2")).unwrap()), bytes);
    let hex = from_hex(&fs::read(folder.join("own.hex")).unwrap());
    assert_eq!(hex, bytes[..hex.len()]);
}

/// Boards whose chips take no UF2, and one that has no loader at all.
#[test]
fn boards_without_a_drive_get_files_for_programmers() {
    let folder = with_companion("programmers");
    for (board, begin, len) in [("stm32f407", 0x0800_0000u32, 0x2_0000), ("nrf52840", 0, 0x1_0000)] {
        fs::copy(folder.join("rp2040.bin"), folder.join(format!("{board}.bin"))).unwrap();
        let make = |output: &str| {
            let key = ["--companions", ".", "--key", "own.pub.pem", "-o", output];
            run(
                &folder,
                &[&["companion", "make", "--board", board][..], &key].concat(),
            )
        };
        assert!(make("own.bin").status.success() && make("own.hex").status.success());
        let bytes = fs::read(folder.join("own.bin")).unwrap();
        assert_eq!((bytes.len(), bytes.last()), (len, Some(&0xFF)), "{board}");
        let hex = fs::read(folder.join("own.hex")).unwrap();
        assert_eq!(from_hex(&hex), bytes[..from_hex(&hex).len()]);
        let address = format!(":02000004{:04X}", begin >> 16);
        assert!(
            begin == 0 || String::from_utf8_lossy(&hex).starts_with(&address),
            "{board}"
        );
        let none = make("own.uf2");
        assert!(text(&none).contains("takes no UF2"), "{}", text(&none));
    }
    let install = ["install", "--board", "nrf52840", "--companion", "own.bin"];
    let refused = text(&run(&folder, &install));
    assert!(refused.contains("write it with a debugger"), "{refused}");
}

#[test]
fn a_new_key_overwrites_nothing_and_is_its_owners_alone() {
    let folder = with_companion("key");
    let before = fs::read(folder.join("own.pem")).unwrap();
    let again = run(&folder, &["key", "new", "own.pem"]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(text(&again).contains("never overwritten"), "{}", text(&again));
    // Nor the public half of another pair.
    fs::write(folder.join("half.pub.pem"), "mine").unwrap();
    let other = run(&folder, &["key", "new", "half.pem"]);
    assert_eq!(other.status.code(), Some(1), "{}", text(&other));
    assert_eq!(fs::read(folder.join("own.pem")).unwrap(), before);
    assert_eq!(fs::read(folder.join("half.pub.pem")).unwrap(), b"mine");
    assert!(!folder.join("half.pem").exists(), "half a pair");
    let unnamed = run(&folder, &["key", "new", "key.txt"]);
    assert!(
        text(&unnamed).contains("End the name in .pem"),
        "{}",
        text(&unnamed)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("own.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[test]
fn what_no_companion_can_be_made_of_is_refused_with_its_reason() {
    let folder = with_companion("unmade");
    let refused = |arguments: &[&str], wanted: &str| {
        let done = run(&folder, arguments);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {}", text(&done));
        assert!(text(&done).contains(wanted), "{arguments:?}: {}", text(&done));
        assert!(!folder.join("out.bin").exists(), "{arguments:?}");
    };
    let key = ["--key", "own.pub.pem"];
    refused(&make(&["-o", "out.bin"]), "No key was given");
    refused(&make(&[&key[..], &["-o", "out.txt"]].concat()), "names no format");
    refused(&make(&["--key", DEMO, "-o", "out.bin"]), "anybody can sign");
    refused(&make(&["--key", "own.pem", "-o", "out.bin"]), "private");
    let other = [
        "companion",
        "make",
        "--board",
        "toaster",
        "--key",
        "own.pub.pem",
        "-o",
        "out.bin",
    ];
    refused(&other, "“toaster” is no board");
    let nowhere = [
        "companion",
        "make",
        "--board",
        "rp2040",
        "--companions",
        "none",
        "--key",
        "own.pub.pem",
        "-o",
        "out.bin",
    ];
    refused(&nowhere, "There is no companion for rp2040 in none");
    fs::write(folder.join("app.bin"), vec![0; 1000]).unwrap();
    refused(
        &make(&[&key[..], &["--app", "app.bin", "-o", "out.bin"]].concat()),
        "app.bin",
    );
    refused(&ONTO_DRIVE, "No drive was named");
    refused(
        &[&ONTO_DRIVE[..], &["--drive", "."]].concat(),
        "not the drive of a board",
    );
    let text = ["install", "--board", "rp2040", "--companion", "one.pem"];
    refused(&text, "is no companion for the Raspberry Pi Pico");
}

#[test]
fn a_drive_gets_the_whole_companion() {
    let folder = with_companion("drive");
    fs::create_dir(folder.join("drive")).unwrap();
    fs::write(
        folder.join("drive/INFO_UF2.TXT"),
        "Model: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
    )
    .unwrap();
    let arguments = [&ONTO_DRIVE[..], &["--drive", "drive"]].concat();
    let done = run(&folder, &arguments);
    assert!(done.status.success(), "{}", text(&done));
    let bytes = from_uf2(&fs::read(folder.join("drive/companion.uf2")).unwrap());
    assert_eq!(bytes.len(), 0x1_0000);
    assert_eq!(
        &bytes[BEFORE..BEFORE + 4],
        &program(&blank(KeyKinds::UNMARKED))[BEFORE..BEFORE + 4]
    );
}

/// A companion starts what its own keys signed: another image in the same file would lie there for nothing.
#[test]
fn a_file_whose_image_would_not_start_is_refused_unless_told() {
    let folder = with_companion("factory");
    let make = run(&folder, &make(&["--key", "one.pem", "-o", "own.bin"]));
    assert!(make.status.success(), "{}", text(&make));
    fs::create_dir(folder.join("drive")).unwrap();
    fs::write(folder.join("drive/INFO_UF2.TXT"), "Board-ID: RPI-RP2\r\n").unwrap();
    let own = fs::read(folder.join("own.bin")).unwrap();
    let image = |name: &str| fs::read(format!("{DATA}/{name}")).unwrap();
    let mut altered = image("p256.bin");
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let blank = [fs::read(folder.join("rp2040.bin")).unwrap(), vec![0xFF; 0x1_0000]].concat();
    for (number, (file, refusal)) in [
        (own.clone(), None),
        ([own.clone(), image("p256.bin")].concat(), None),
        // A place for an image, and none in it.
        ([own.clone(), vec![0xFF; 5000]].concat(), None),
        (
            [own.clone(), image("ed25519.bin")].concat(),
            Some("would not start the image"),
        ),
        ([own.clone(), altered].concat(), Some("would not start the image")),
        (
            [own.clone(), vec![7; 3000]].concat(),
            Some("would not start the image"),
        ),
        (blank, Some("is blank")),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(folder.join("all.bin"), file).unwrap();
        _ = fs::remove_file(folder.join("drive/companion.uf2"));
        let install = [
            "install",
            "--board",
            "rp2040",
            "--way",
            "uf2",
            "--drive",
            "drive",
            "--companion",
            "all.bin",
        ];
        let done = run(&folder, &install);
        let is_written = folder.join("drive/companion.uf2").exists();
        let said = text(&done);
        match refusal {
            None => assert!(done.status.success() && is_written, "{number}: {said}"),
            Some(why) => {
                assert!(done.status.code() == Some(1) && !is_written, "{number}: {said}");
                assert!(said.contains(why), "{number}: {said}");
                let told = run(&folder, &[&install[..], &["--any-image"]].concat());
                assert!(told.status.success(), "{number}: {}", text(&told));
            }
        }
    }
}

/// What Adafruit's bootloader shows: its INFO_UF2.TXT, and CURRENT.UF2 with what the chip holds behind the MBR.
fn adafruits_drive(folder: &Path, softdevice: &str, flash: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    let info = format!(
        "UF2 Bootloader 0.9.2\r\nModel: Some Board\r\nBoard-ID: nRF52840-Some-v1\r\nSoftDevice: S140 {softdevice}\r\n"
    );
    fs::write(folder.join("INFO_UF2.TXT"), info).unwrap();
    let current = bootlace_formats::uf2::write(0x1000, &flash[0x1000..0xEA000], 0xADA5_2840);
    fs::write(folder.join("CURRENT.UF2"), current).unwrap();
}

/// The loader's side: blocks of its family are written where they belong, never below 0x1000 nor from 0xEA000 on.
fn onto_chip(flash: &mut [u8], file: &[u8]) {
    for block in file.chunks(512) {
        let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
        let (at, len) = (word(12) as usize, word(16) as usize);
        assert_eq!((word(28), len, at % 256), (0xADA5_2840, 256, 0));
        assert!(at >= 0x1000 && at + len <= 0xEA000, "{at:#x}");
        flash[at..at + len].copy_from_slice(&block[32..32 + len]);
    }
}

#[test]
fn adafruits_drive_gets_the_companion_of_its_softdevice_and_what_was_there_is_kept() {
    let folder = with_companion("adafruit");
    fs::rename(folder.join("rp2040.bin"), folder.join("nrf52840-uf2.bin")).unwrap();
    let old: Vec<u8> = (0..1u32 << 20).map(|it| (it / 256 % 251) as u8).collect();
    for (board, softdevice, begin) in [
        ("nrf52840-uf2", "7.3.0", 0x2_7000),
        ("nrf52840-uf2-s6", "6.1.1", 0x2_6000),
    ] {
        let drive = folder.join(softdevice);
        adafruits_drive(&drive, softdevice, &old);
        let arguments = |board| {
            let mut arguments = ONTO_DRIVE.to_vec();
            arguments[2] = board;
            [&arguments[..], &["--drive", softdevice]].concat()
        };
        let other = if begin == 0x2_7000 {
            "nrf52840-uf2-s6"
        } else {
            "nrf52840-uf2"
        };
        let refused = run(&folder, &arguments(other));
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            text(&refused).contains(&format!("Use --board {board}.")),
            "{}",
            text(&refused)
        );
        assert!(!drive.join("companion.uf2").exists());

        let done = run(&folder, &arguments(board));
        assert!(done.status.success(), "{}", text(&done));
        let mut flash = old.clone();
        onto_chip(&mut flash, &fs::read(drive.join("companion.uf2")).unwrap());
        // The SoftDevice and all that is not the companion's is as it was.
        let end = 0x2_7000 + 0x1_0000;
        assert_eq!(flash[..begin], old[..begin]);
        assert_eq!(flash[end..], old[end..]);
        assert_eq!(flash[begin..begin + 256], flash[0x2_7000..0x2_7100]);
        // What was kept brings it back.
        let kept = format!("{board}-before-1.uf2");
        assert!(text(&done).contains(&kept), "{}", text(&done));
        onto_chip(&mut flash, &fs::read(folder.join(kept)).unwrap());
        assert_eq!(flash, old);
    }
}
