//! What `bootlace image convert|merge|crc` makes of files is what SRecord's `srec_cat` makes of them. The cases follow its manual
//! (srec_input(1), srec_cat(1)); `srec_cmp` judges.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootlace_tests::tools;

/// A folder with the inputs, and the programs.
struct Bench {
    folder: PathBuf,
    cli: PathBuf,
    srec_cat: PathBuf,
}

/// Inputs that `srec_cat` writes: name, and how it makes them of `noise.bin`, 5,000 bytes, and `more.bin`, 700.
const INPUTS: [(&str, &str); 14] = [
    (
        "intel.hex",
        "noise.bin -binary -offset 0x0801f000 -o intel.hex -intel",
    ),
    (
        "i8.hex",
        "noise.bin -binary -offset 0x1234 -o i8.hex -intel -address-length=2",
    ),
    (
        "i16.hex",
        "noise.bin -binary -offset 0x2f800 -o i16.hex -intel -address-length=3",
    ),
    (
        "long.hex",
        "noise.bin -binary -offset 0x0801f003 -line-length=200 -o long.hex -intel",
    ),
    (
        "short.hex",
        "more.bin -binary -offset 0xfffd -o short.hex -intel -output-block-size=1",
    ),
    (
        "odd.hex",
        "more.bin -binary -offset 0xfffd -o odd.hex -intel -output-block-size=7",
    ),
    (
        "s19.srec",
        "noise.bin -binary -offset 0x4000 -o s19.srec -motorola -address-length=2",
    ),
    (
        "s28.srec",
        "noise.bin -binary -offset 0xfff000 -crop 0xfff000 0x1000000 -o s28.srec -motorola -address-length=3",
    ),
    (
        "s37.srec",
        "noise.bin -binary -offset 0x0801f000 -o s37.srec -motorola -address-length=4",
    ),
    (
        "far.srec",
        "more.bin -binary -offset 0xfffffd44 -o far.srec -motorola -address-length=4",
    ),
    (
        "odd.srec",
        "more.bin -binary -offset 0x08010001 -o odd.srec -motorola -output-block-size=5",
    ),
    (
        "low.hex",
        "noise.bin -binary -crop 0x10 0x400 0x900 0x901 -o low.hex -intel",
    ),
    (
        "high.srec",
        "more.bin -binary -offset 0x2000 -o high.srec -motorola",
    ),
    ("next.hex", "more.bin -binary -offset 0x1388 -o next.hex -intel"),
];

/// Name, what ours is told, what `srec_cat` is told. Our output is `-o`'s; theirs is written in the same format.
const CASES: [(&str, &str, &str); 56] = [
    // Every input in every format.
    ("intel to intel", "convert intel.hex", "intel.hex -intel"),
    (
        "intel to motorola",
        "convert intel.hex > srec",
        "intel.hex -intel",
    ),
    (
        "intel to binary",
        "convert intel.hex > bin",
        "intel.hex -intel -offset -0x0801f000",
    ),
    ("16-bit addresses", "convert i8.hex", "i8.hex -intel"),
    (
        "16-bit addresses to motorola",
        "convert i8.hex > srec",
        "i8.hex -intel",
    ),
    ("segments", "convert i16.hex", "i16.hex -intel"),
    (
        "segments to binary",
        "convert i16.hex > bin",
        "i16.hex -intel -offset -0x2f800",
    ),
    ("long lines", "convert long.hex > srec", "long.hex -intel"),
    ("one byte a line", "convert short.hex", "short.hex -intel"),
    ("seven bytes a line", "convert odd.hex > srec", "odd.hex -intel"),
    ("S1 to intel", "convert s19.srec", "s19.srec -motorola"),
    ("S1 to motorola", "convert s19.srec > srec", "s19.srec -motorola"),
    ("S2 to intel", "convert s28.srec", "s28.srec -motorola"),
    (
        "S2 to binary",
        "convert s28.srec > bin",
        "s28.srec -motorola -offset -0xfff000",
    ),
    ("S3 to intel", "convert s37.srec", "s37.srec -motorola"),
    (
        "S3 to binary",
        "convert s37.srec > bin",
        "s37.srec -motorola -offset -0x0801f000",
    ),
    ("the end of memory", "convert far.srec", "far.srec -motorola"),
    (
        "the end of memory to motorola",
        "convert far.srec > srec",
        "far.srec -motorola",
    ),
    ("odd lines of motorola", "convert odd.srec", "odd.srec -motorola"),
    (
        "binary to intel",
        "convert noise.bin@0x08000000",
        "noise.bin -binary -offset 0x08000000",
    ),
    (
        "binary to motorola",
        "convert noise.bin@0x7ffffff1 > srec",
        "noise.bin -binary -offset 0x7ffffff1",
    ),
    ("parts stay apart", "convert low.hex", "low.hex -intel"),
    (
        "gaps of a binary",
        "convert low.hex > bin",
        "low.hex -intel -fill 0xff 0x10 0x901 -offset -0x10",
    ),
    (
        "gaps of a binary with zeros",
        "convert low.hex --filler 0 > bin",
        "low.hex -intel -fill 0 0x10 0x901 -offset -0x10",
    ),
    // Moved, cut and filled.
    (
        "up",
        "convert low.hex --offset 0x8000000",
        "low.hex -intel -offset 0x8000000",
    ),
    (
        "down",
        "convert intel.hex --offset=-0x801f000 > srec",
        "intel.hex -intel -offset -0x801f000",
    ),
    (
        "a part",
        "convert intel.hex --only 0x0801f100..0x08020003",
        "intel.hex -intel -crop 0x0801f100 0x08020003",
    ),
    (
        "two parts",
        "convert low.hex --only 0x20..0x30 --only 0x3f8..0x910",
        "low.hex -intel -crop 0x20 0x30 0x3f8 0x910",
    ),
    (
        "a part by its length",
        "convert s37.srec --only 0x08020000+1",
        "s37.srec -motorola -crop 0x08020000 0x08020001",
    ),
    (
        "a part and beyond",
        "convert low.hex --only 0..0x11",
        "low.hex -intel -crop 0 0x11",
    ),
    (
        "without a part",
        "convert intel.hex --without 0x0801f100..0x08020003",
        "intel.hex -intel -exclude 0x0801f100 0x08020003",
    ),
    (
        "without two",
        "convert low.hex --without 0x20..0x30 --without 0x3f8..0x910",
        "low.hex -intel -exclude 0x20 0x30 0x3f8 0x910",
    ),
    (
        "moved, then cut",
        "convert low.hex --offset 0x100 --only 0x120..0x130",
        "low.hex -intel -offset 0x100 -crop 0x120 0x130",
    ),
    (
        "cut, then without",
        "convert low.hex --only 0..0x200 --without 0x80..0x90",
        "low.hex -intel -crop 0 0x200 -exclude 0x80 0x90",
    ),
    (
        "filled",
        "convert low.hex --fill 0..0x1000",
        "low.hex -intel -fill 0xff 0 0x1000",
    ),
    (
        "filled with another byte",
        "convert low.hex --filler 0x5a --fill 0x300..0xa00",
        "low.hex -intel -fill 0x5a 0x300 0xa00",
    ),
    (
        "filled twice",
        "convert low.hex --fill 0..8 --fill 0x400..0x408 > srec",
        "low.hex -intel -fill 0xff 0 8 0x400 0x408",
    ),
    (
        "filled after a cut",
        "convert low.hex --without 0x40..0x80 --fill 0x40..0x80",
        "low.hex -intel -exclude 0x40 0x80 -fill 0xff 0x40 0x80",
    ),
    // Several files.
    (
        "two files",
        "merge low.hex high.srec",
        "low.hex -intel high.srec -motorola",
    ),
    (
        "two files in another order",
        "merge high.srec low.hex > srec",
        "low.hex -intel high.srec -motorola",
    ),
    (
        "files that adjoin",
        "merge noise.bin@0 next.hex > bin",
        "noise.bin -binary next.hex -intel",
    ),
    (
        "three files",
        "merge low.hex high.srec intel.hex",
        "low.hex -intel high.srec -motorola intel.hex -intel",
    ),
    (
        "a binary among them",
        "merge low.hex more.bin@0x5000",
        "low.hex -intel more.bin -binary -offset 0x5000",
    ),
    (
        "merged and cut",
        "merge low.hex high.srec --without 0x2000..0x2010",
        "( low.hex -intel high.srec -motorola ) -exclude 0x2000 0x2010",
    ),
    // Lengths and sums.
    (
        "length in front",
        "convert i8.hex --length 0x1230",
        "i8.hex -intel -length-l-e 0x1230",
    ),
    (
        "length behind",
        "convert i8.hex --length 0x4000",
        "i8.hex -intel -length-l-e 0x4000",
    ),
    (
        "length within",
        "convert i8.hex --length 0x1300",
        "i8.hex -intel -exclude 0x1300 0x1304 -length-l-e 0x1300",
    ),
    (
        "length, highest byte first",
        "convert i8.hex --length 0x1230 --big-endian",
        "i8.hex -intel -length-b-e 0x1230",
    ),
    (
        "CRC-32 behind",
        "convert i8.hex --crc crc32@0x4000",
        "i8.hex -intel -crc32-l-e 0x4000",
    ),
    (
        "CRC-32 in front, highest byte first",
        "convert i8.hex --crc crc32@0x1230 --big-endian",
        "i8.hex -intel -crc32-b-e 0x1230",
    ),
    (
        "CRC-32 of a real file's end",
        "convert s37.srec --crc crc32@0x08020384",
        "s37.srec -motorola -exclude 0x08020384 0x08020388 -crc32-l-e 0x08020384",
    ),
    (
        "STM32's unit",
        "convert s19.srec --crc stm32@0x5388",
        "s19.srec -motorola -stm32-l-e 0x5388",
    ),
    (
        "STM32's unit, highest byte first",
        "convert s19.srec --crc stm32@0x5388 --big-endian",
        "s19.srec -motorola -stm32-b-e 0x5388",
    ),
    (
        "STM32's unit after filling",
        "convert high.srec --fill 0x1000..0x3000 --crc stm32@0x3000",
        "high.srec -motorola -fill 0xff 0x1000 0x3000 -stm32-l-e 0x3000",
    ),
    (
        "length, then CRC-32",
        "convert i8.hex --length 0x1230 --crc crc32@0x4000",
        "i8.hex -intel -length-l-e 0x1230 -crc32-l-e 0x4000",
    ),
    (
        "merged, filled and summed",
        "merge low.hex high.srec --fill 0..0x2400 --crc crc32@0x2400",
        "( low.hex -intel high.srec -motorola ) -fill 0xff 0 0x2400 -crc32-l-e 0x2400",
    ),
];

/// What both refuse.
const REFUSED: [(&str, &str, &str); 4] = [
    (
        "an overlap",
        "merge low.hex noise.bin@0x3ff",
        "low.hex -intel noise.bin -binary -offset 0x3ff",
    ),
    ("a wrong sum", "convert wrong.hex", "wrong.hex -intel"),
    ("a file that is cut off", "convert cut.srec", "cut.srec -motorola"),
    ("no such file", "convert nothing.hex", "nothing.hex -intel"),
];

impl Bench {
    fn new(name: &str) -> Bench {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("srecord-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let bench = Bench {
            folder,
            cli: tools::cli().unwrap(),
            srec_cat: tools::required("BOOTLACE_SREC_CAT").unwrap(),
        };
        let noise = |len: u32| {
            (0..len)
                .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect::<Vec<u8>>()
        };
        fs::write(bench.folder.join("noise.bin"), noise(5000)).unwrap();
        fs::write(bench.folder.join("more.bin"), noise(700)).unwrap();
        for (name, arguments) in INPUTS {
            let made = bench.run(&bench.srec_cat, arguments);
            assert!(made.status.success(), "{name}: {made:?}");
        }
        let text = |name: &str| fs::read_to_string(bench.folder.join(name)).unwrap();
        fs::write(
            bench.folder.join("wrong.hex"),
            text("low.hex").replacen('0', "1", 3),
        )
        .unwrap();
        let whole = text("high.srec");
        fs::write(bench.folder.join("cut.srec"), &whole[..whole.len() / 2]).unwrap();
        bench
    }

    fn run(&self, program: &Path, arguments: &str) -> Output {
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .current_dir(&self.folder);
        command.output().unwrap()
    }

    /// Both outputs of a case, and whether their programs made them.
    fn both(&self, ours: &str, theirs: &str) -> (Output, Output, &'static str) {
        let (ours, format) = ours.split_once(" > ").unwrap_or((ours, "hex"));
        let (format, name) = match format {
            "srec" => ("-motorola", "srec"),
            "bin" => ("-binary", "bin"),
            _ => ("-intel", "hex"),
        };
        _ = fs::remove_file(self.folder.join(format!("ours.{name}")));
        let ours = self.run(&self.cli, &format!("image {ours} -o ours.{name}"));
        let theirs = self.run(&self.srec_cat, &format!("{theirs} -o theirs.{name} {format}"));
        (ours, theirs, name)
    }
}

#[test]
fn what_srec_cat_makes_of_files_is_made_of_them() {
    let bench = Bench::new("made");
    let compare = bench.srec_cat.with_file_name("srec_cmp");
    for (name, ours, theirs) in CASES {
        let (our, their, format) = bench.both(ours, theirs);
        assert!(our.status.success(), "{name}: {our:?}");
        assert!(their.status.success(), "{name}: {their:?}");
        if format == "bin" {
            let read = |file: &str| fs::read(bench.folder.join(file)).unwrap();
            assert!(read("ours.bin") == read("theirs.bin"), "{name}");
            continue;
        }
        let kind = if format == "hex" { "-intel" } else { "-motorola" };
        let compared = bench.run(&compare, &format!("ours.{format} {kind} theirs.{format} {kind}"));
        assert!(compared.status.success(), "{name}: {compared:?}");
        // What they wrote reads as what we wrote.
        for file in ["ours", "theirs"] {
            let read = bench.run(
                &bench.cli,
                &format!("image convert {file}.{format} -o {file}-again.hex"),
            );
            assert!(read.status.success(), "{name}: {read:?}");
        }
        let again = |file: &str| fs::read(bench.folder.join(file)).unwrap();
        assert!(again("ours-again.hex") == again("theirs-again.hex"), "{name}");
    }
}

#[test]
fn what_srec_cat_refuses_is_refused_with_a_sentence() {
    let bench = Bench::new("refused");
    for (name, ours, theirs) in REFUSED {
        let (our, their, format) = bench.both(ours, theirs);
        assert_eq!(our.status.code(), Some(1), "{name}: {our:?}");
        assert!(!their.status.success(), "{name}: {their:?}");
        assert!(our.stderr.starts_with(b"bootlace: "), "{name}");
        assert!(!bench.folder.join(format!("ours.{format}")).exists(), "{name}");
    }
}
