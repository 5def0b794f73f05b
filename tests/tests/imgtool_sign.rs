//! What `bootlace image sign` makes of a program is what imgtool makes of it, byte by byte where a signature has only one value
//! (Ed25519), and but for the signature's own bytes where it has many (P-256); imgtool verifies those.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_image::{Image, TlvKind};
use bootlace_tests::tools;

/// A folder with keys and programs, and both signers.
struct Bench {
    folder: PathBuf,
    ours: PathBuf,
    imgtool: PathBuf,
}

/// Options that both understand. Each is signed with each key.
const OPTIONS: [&str; 24] = [
    "",
    "--version 255.255.65535+4294967295",
    "--version 7",
    "--version 7.1",
    "--security-counter 3",
    "--security-counter auto --version 2.3.4+5",
    "--security-counter 0xffffffff",
    "--vid 12345678-1234-5678-1234-567812345678",
    "--vid acme.example --cid pump-3",
    "--vid 12345678123456781234567812345678 --cid 87654321-1234-5678-1234-567812345678",
    "--cid 87654321-1234-5678-1234-567812345678",
    "--vid acme.example --cid pump-3 --security-counter 9 --custom-tlv 0xa0 0x0102ff --custom-tlv 0xfffe words",
    "--custom-tlv 160 0x",
    "--load-addr 0x20000000",
    "--load-addr 0",
    "--rom-fixed 0x08020000",
    "--non-bootable",
    "--public-key-format full",
    "--header-size 0x400 --erased-val 0",
    "--header-size 32",
    "--align 16 --max-sectors 300",
    "--pad",
    "--confirm --align 8 --erased-val 0",
    "--pad --overwrite-only --align 32 --max-align 32",
];

/// The same for Ed25519 alone.
const ED25519: [&str; 4] = [
    "--sha 512",
    "--sha 256",
    "--pure",
    "--pure --public-key-format full --security-counter 1",
];

/// What both refuse.
const REFUSED: [(&str, &str); 12] = [
    ("p256", "--sha 512"),
    ("p256", "--pure"),
    ("ed25519", "--version 1.2.3.4"),
    ("ed25519", "--version 01.2.3"),
    ("ed25519", "--version 256.0.0"),
    ("ed25519", "--slot-size 0x400"),
    ("ed25519", "--header-size 16"),
    ("ed25519", "--load-addr 0x20000000 --rom-fixed 0x08000000"),
    ("ed25519", "--custom-tlv 0x9f 0x01"),
    ("ed25519", "--custom-tlv 0xa0 0x01 --custom-tlv 0xa0 0x02"),
    ("ed25519", "--cid pump-3"),
    ("p256.pub", ""),
];

impl Bench {
    fn new(name: &str) -> Bench {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sign-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let imgtool = tools::required("BOOTLACE_IMGTOOL").unwrap();
        let bench = Bench {
            folder,
            ours: tools::cli().unwrap(),
            imgtool,
        };
        for (name, kind) in [("p256", "ecdsa-p256"), ("ed25519", "ed25519")] {
            let made = bench.imgtool(&format!("keygen --type {kind} --key {name}.pem"));
            assert!(made.status.success(), "{made:?}");
            let public = bench.imgtool(&format!("getpub --encoding pem --key {name}.pem"));
            fs::write(bench.folder.join(format!("{name}.pub.pem")), public.stdout).unwrap();
        }
        // A vector table for 0x0800_8200, then anything.
        let program: Vec<u8> = [0x2001_0000u32, 0x0800_8301]
            .into_iter()
            .chain(0..499)
            .flat_map(u32::to_le_bytes)
            .chain([7])
            .collect();
        fs::write(bench.folder.join("program.bin"), &program).unwrap();
        fs::write(
            bench.folder.join("room.bin"),
            [&[0; 0x200], program.as_slice()].concat(),
        )
        .unwrap();
        let memory =
            bootlace_formats::hex::write([(0x0800_8200, program.as_slice()), (0x0800_A000, &[1, 2, 3])]);
        fs::write(bench.folder.join("program.hex"), memory).unwrap();
        bench
    }

    fn run(&self, program: &Path, arguments: &str) -> Output {
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .current_dir(&self.folder);
        command.output().unwrap()
    }

    fn imgtool(&self, arguments: &str) -> Output {
        self.run(&self.imgtool, arguments)
    }

    /// Signs with both; gives whether they did, and the files.
    fn both(&self, key: &str, options: &str, input: &str, format: &str) -> [(Output, PathBuf); 2] {
        // The first of two options counts for neither program: what has a default here is left out where the options name it.
        let mut all = format!("--key {key}.pem {options}");
        for (name, value) in [
            ("--version", "1.2.3+4"),
            ("--header-size", "0x200"),
            ("--slot-size", "0x10000"),
        ] {
            if !options.contains(name) {
                all = format!("{all} {name} {value}");
            }
        }
        if input != "room.bin" {
            all.push_str(" --pad-header");
        }
        // imgtool's value of an empty byte string is one argument, as here.
        let file = |name: &str| self.folder.join(format!("{name}.{format}"));
        _ = fs::remove_file(file("ours"));
        _ = fs::remove_file(file("theirs"));
        let ours = self.run(&self.ours, &format!("image sign {all} {input} ours.{format}"));
        let theirs = self.imgtool(&format!("sign {all} {input} theirs.{format}"));
        [(ours, file("ours")), (theirs, file("theirs"))]
    }

    /// Both sign, and the images are the same but for what P-256 makes anew each time.
    fn same(&self, key: &str, options: &str, input: &str) {
        let [(our, ours), (their, theirs)] = self.both(key, options, input, "bin");
        assert!(our.status.success(), "{key} {options}: {our:?}");
        assert!(their.status.success(), "{key} {options}: {their:?}");
        let (ours, theirs) = (fs::read(ours).unwrap(), fs::read(theirs).unwrap());
        let verified = self.imgtool(&format!("verify --key {key}.pub.pem ours.bin"));
        assert!(verified.status.success(), "{key} {options}: {verified:?}");
        if key == "ed25519" {
            assert!(ours == theirs, "{key} {options}");
            return;
        }
        // Header, program, protected TLVs, digest and key: all but the signature, which may be a byte shorter or longer.
        let (ours, theirs) = (unsigned(&ours), unsigned(&theirs));
        assert!(ours == theirs, "{key} {options}");
    }
}

/// What two signatures of one program have in common.
#[derive(PartialEq)]
struct Unsigned {
    /// What the digest covers.
    covered: Vec<u8>,
    /// All TLVs but signatures.
    tlvs: Vec<(TlvKind, Vec<u8>)>,
    /// Where the slot is filled: how long the file is, and how it ends.
    end: Option<(usize, Vec<u8>)>,
}

fn unsigned(file: &[u8]) -> Unsigned {
    let mut source = file;
    let image = Image::read(&mut source).unwrap();
    let tlvs = image.tlvs(&mut source).map(|tlv| {
        let tlv = tlv.unwrap();
        let start = tlv.offset as usize;
        (tlv.kind, file[start..start + usize::from(tlv.len)].to_vec())
    });
    let tlvs = tlvs.filter(|(kind, _)| !kind.is_signature()).collect();
    let is_filled = (image.total_len() as usize) < file.len();
    Unsigned {
        covered: file[..image.covered_len() as usize].to_vec(),
        tlvs,
        end: is_filled.then(|| (file.len(), file[file.len() - 200..].to_vec())),
    }
}

#[test]
fn an_image_is_what_imgtool_makes_of_it() {
    let bench = Bench::new("same");
    for options in OPTIONS {
        for key in ["p256", "ed25519"] {
            bench.same(key, options, "program.bin");
        }
    }
    for options in ED25519 {
        bench.same("ed25519", options, "program.bin");
    }
    for key in ["p256", "ed25519"] {
        bench.same(key, "", "room.bin");
        bench.same(key, "", "program.hex");
    }
}

#[test]
fn dependencies_are_written_as_imgtool_writes_them() {
    let bench = Bench::new("needs");
    // With blanks in them, they are one argument.
    let arguments = |command: &mut Command, output: &str| {
        command.args([
            "--key",
            "ed25519.pem",
            "--version",
            "1.0.0",
            "--header-size",
            "0x200",
            "--slot-size",
            "0x10000",
        ]);
        command.args([
            "--pad-header",
            "--dependencies",
            "(1, 1.2.3+4), (2,0.0.7)",
            "program.bin",
            output,
        ]);
        let done = command.current_dir(&bench.folder).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    arguments(Command::new(&bench.ours).args(["image", "sign"]), "ours.bin");
    arguments(Command::new(&bench.imgtool).arg("sign"), "theirs.bin");
    let read = |name: &str| fs::read(bench.folder.join(name)).unwrap();
    assert!(read("ours.bin") == read("theirs.bin"));
}

#[test]
fn hex_of_an_image_holds_what_imgtools_holds() {
    let bench = Bench::new("hex");
    for (input, options) in [
        ("program.hex", ""),
        ("program.hex", "--confirm --align 8"),
        ("program.bin", "--hex-addr 0x08020000 --pad --overwrite-only"),
    ] {
        let both = bench.both("ed25519", options, input, "hex");
        let [ours, theirs] = both.map(|(output, path)| {
            assert!(output.status.success(), "{options}: {output:?}");
            bootlace_formats::read(&fs::read(path).unwrap(), 0).unwrap()
        });
        // imgtool sets the flag in a whole unit of erased bytes.
        let range = theirs.range().unwrap();
        assert_eq!(ours.range().unwrap(), range, "{options}");
        assert!(
            ours.flat(range.clone(), 0xFF) == theirs.flat(range, 0xFF),
            "{options}"
        );
    }
}

#[test]
fn what_imgtool_refuses_is_refused() {
    let bench = Bench::new("refused");
    for (key, options) in REFUSED {
        let [(our, path), (their, _)] = bench.both(key, options, "program.bin", "bin");
        assert!(!their.status.success(), "{key} {options}: {their:?}");
        assert!(
            matches!(our.status.code(), Some(1 | 2)),
            "{key} {options}: {our:?}"
        );
        assert!(!our.stderr.is_empty() && !path.exists(), "{key} {options}");
    }
    // A program that does not leave room for the header, and one without an address for a .hex.
    let arguments = "--key ed25519.pem --version 1.0.0 --header-size 0x200 --slot-size 0x10000 program.bin";
    for arguments in [
        format!("{arguments} ours.bin"),
        format!("{arguments} --pad-header ours.hex"),
    ] {
        assert_eq!(
            bench
                .run(&bench.ours, &format!("image sign {arguments}"))
                .status
                .code(),
            Some(1)
        );
        assert!(!bench.imgtool(&format!("sign {arguments}")).status.success());
    }
}
