//! `cargo xtask bench delta [--pairs DIR]`: sizes of patches, and what making and applying them takes, against the
//! programs that others use, in one run, everything brought back and compared.
//!
//! Pairs are folders with `old.bin` and `new.bin`; without `--pairs` they are public firmware. Programs that are not
//! installed are named and left out. Where the folder of the pairs has a `peers.csv` (pair, tool, bytes), its sizes
//! count as peers too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_delta::make::{Options, make};
use bootlace_delta::{Applier, Method, apply_to_vec};
use bootlace_tests::tools;

/// What we may be of qbsdiff's patches and of the smallest of all peers', as a geometric mean.
const OF_QBSDIFF: f64 = 0.45;
const OF_BEST: f64 = 0.60;
/// By how many bytes we may be larger than the best peer, on any pair.
const SLACK: f64 = 64.0;

fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Our own side in a process of its own, measured as the peers are.
    match arguments.as_slice() {
        [what, old, new, patch] if what == "make" => {
            let patch_bytes = make(&std::fs::read(old)?, &std::fs::read(new)?, &Options::default()).bytes;
            return Ok(std::fs::write(patch, patch_bytes)?);
        }
        [what, old, back, patch] if what == "apply" => {
            let made = apply_to_vec(&std::fs::read(old)?, &std::fs::read(patch)?);
            let made = made.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            return Ok(std::fs::write(back, made)?);
        }
        _ => {}
    }
    let pairs = match arguments.as_slice() {
        [flag, folder] if flag == "--pairs" => Some(PathBuf::from(folder)),
        _ => None,
    };
    let folder = std::env::temp_dir().join(format!("bootlace-bench-delta-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(&folder, pairs.as_deref());
    std::fs::remove_dir_all(&folder).ok();
    result
}

struct Pair {
    name: String,
    old: PathBuf,
    new: PathBuf,
}

fn pairs(folder: Option<&Path>) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    if let Some(folder) = folder {
        for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            let (old, new) = (path.join("old.bin"), path.join("new.bin"));
            if old.is_file() && new.is_file() {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                pairs.push(Pair { name, old, new });
            }
        }
        pairs.sort_by(|a, b| a.name.cmp(&b.name));
    } else {
        let firmware = tools::required("BOOTLACE_FIRMWARE")?;
        for hub in ["primehub", "movehub"] {
            let file = |version: &str| firmware.join(format!("{hub}-{version}.bin"));
            pairs.push(Pair {
                name: hub.into(),
                old: file("7.27.0"),
                new: file("7.28.0"),
            });
        }
    }
    ensure!(!pairs.is_empty(), "there are no pairs");
    Ok(pairs)
}

/// A program that makes patches.
struct Tool {
    name: &'static str,
    /// For making and applying: the program and its arguments, with OLD, NEW and PATCH in place of files.
    make: Vec<OsString>,
    apply: Vec<OsString>,
    how: &'static str,
}

fn tool(name: &'static str, make: &str, apply: &str, how: &'static str) -> Tool {
    let words = |text: &str| text.split(' ').map(OsString::from).collect();
    Tool {
        name,
        make: words(make),
        apply: words(apply),
        how,
    }
}

fn all_tools() -> Vec<Tool> {
    let debian = "apt-get install bsdiff xdelta3 zstd";
    let detools = "pip install detools==0.53.0 into a virtual environment on the PATH";
    let detools_tool = |name, options: &str| {
        let make = format!("detools create_patch {options} OLD NEW PATCH");
        tool(name, &make, "detools apply_patch OLD PATCH NEW", detools)
    };
    vec![
        tool(
            "qbsdiff",
            "qbsdiff OLD NEW PATCH",
            "qbspatch OLD NEW PATCH",
            "cargo install qbsdiff --version 1.4.4 --features cmd",
        ),
        tool("bsdiff", "bsdiff OLD NEW PATCH", "bspatch OLD NEW PATCH", debian),
        tool(
            "xdelta3",
            "xdelta3 -e -9 -S lzma -s OLD NEW PATCH",
            "xdelta3 -d -s OLD PATCH NEW",
            debian,
        ),
        tool(
            "zstd",
            "zstd -q -f -19 --patch-from=OLD NEW -o PATCH",
            "zstd -q -f -d --patch-from=OLD PATCH -o NEW",
            debian,
        ),
        detools_tool("detools", "-c lzma"),
        detools_tool("detools-heatshrink", "-c heatshrink"),
        detools_tool("detools-hdiffpatch", "-t hdiffpatch -a hdiffpatch -c lzma"),
        detools_tool("detools-m4", "-c lzma --data-format arm-cortex-m4"),
    ]
}

/// The program, on the PATH or among the tools that this project keeps.
fn find(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let cache = std::env::var_os("BOOTLACE_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/bootlace")));
    for entry in cache
        .and_then(|cache| std::fs::read_dir(cache).ok())
        .into_iter()
        .flatten()
        .flatten()
    {
        folders.push(entry.path().join("bin"));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// What running a program took.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    /// The most memory it had, in bytes; 0 where the system does not tell.
    memory: u64,
}

fn run(words: &[OsString], old: &Path, new: &Path, patch: &Path) -> Result<Cost> {
    let (program, arguments) = words.split_first().context("no program")?;
    let program = match find(&program.to_string_lossy()) {
        Some(path) => path,
        None => PathBuf::from(program),
    };
    let mut command = Command::new(program);
    for argument in arguments {
        let text = argument.to_string_lossy();
        let file = |name: &str, path: &Path| {
            text.strip_suffix(name)
                .map(|before| OsString::from(format!("{before}{}", path.display())))
        };
        let given = file("OLD", old)
            .or_else(|| file("NEW", new))
            .or_else(|| file("PATCH", patch));
        command.arg(given.unwrap_or_else(|| argument.clone()));
    }
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut memory = 0;
    let status = loop {
        if let Ok(text) = std::fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let high = text.lines().find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .trim()
                    .parse()
                    .ok()
            });
            memory = memory.max(high.unwrap_or(0u64) * 1024);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Cost {
        time: begun.elapsed(),
        memory,
    })
}

struct Figures {
    size: f64,
    make: Cost,
    apply: Cost,
}

fn try_tool(tool: &Tool, pair: &Pair, folder: &Path) -> Result<Figures> {
    let (patch, back) = (folder.join("patch"), folder.join("back"));
    for file in [&patch, &back] {
        std::fs::remove_file(file).ok();
    }
    let make = run(&tool.make, &pair.old, &pair.new, &patch)?;
    let apply = run(&tool.apply, &pair.old, &back, &patch)?;
    ensure!(
        std::fs::read(&back)? == std::fs::read(&pair.new)?,
        "{} does not bring {} back",
        tool.name,
        pair.name
    );
    Ok(Figures {
        size: std::fs::metadata(&patch)?.len() as f64,
        make,
        apply,
    })
}

/// Sizes that were measured before, by pair.
fn recorded(folder: Option<&Path>) -> BTreeMap<String, Vec<(String, f64)>> {
    let mut sizes: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    let text = folder.and_then(|folder| std::fs::read_to_string(folder.join("peers.csv")).ok());
    for line in text.iter().flat_map(|text| text.lines()) {
        // A tool's name may be quoted, with commas in it; what is not a program of its own stays out.
        let fields: Vec<&str> = line.split(',').collect();
        if let [pair, tool, size, _, note, ..] = fields.as_slice()
            && let Ok(size) = size.parse()
            && (note.starts_with("rt-ok") || tool.starts_with("FULL"))
            && !tool.contains("PROTO")
        {
            sizes
                .entry((*pair).into())
                .or_default()
                .push(((*tool).into(), size));
        }
    }
    sizes
}

fn measure(folder: &Path, from: Option<&Path>) -> Result<()> {
    let own = std::env::current_exe()?;
    let words = |what: &str, files: [&str; 3]| {
        let mut words = vec![own.clone().into_os_string(), what.into()];
        words.extend(files.map(OsString::from));
        words
    };
    let ours = Tool {
        name: "bootlace",
        make: words("make", ["OLD", "NEW", "PATCH"]),
        apply: words("apply", ["OLD", "NEW", "PATCH"]),
        how: "",
    };
    let mut missing = BTreeSet::new();
    let mut peers = all_tools();
    peers.retain(|tool| {
        let there = tool
            .make
            .first()
            .is_some_and(|program| find(&program.to_string_lossy()).is_some());
        if !there {
            missing.insert(format!("{}: {}", tool.name, tool.how));
        }
        there
    });
    let recorded = recorded(from);
    let (mut of_qbsdiff, mut of_best, mut worst) = (Vec::new(), Vec::new(), f64::MIN);
    let (mut make_time, mut apply_time, mut memory) = (Duration::ZERO, Duration::ZERO, 0);
    println!(
        "{:<34} {:<20} {:>8} {:>9} {:>9} {:>9}",
        "pair", "program", "bytes", "make ms", "apply ms", "MB"
    );
    for pair in pairs(from)? {
        let mine = try_tool(&ours, &pair, folder)?;
        let patch = make(
            &std::fs::read(&pair.old)?,
            &std::fs::read(&pair.new)?,
            &Options::default(),
        );
        row(
            &pair.name,
            &format!("bootlace {}", method(patch.header.method)),
            &mine,
        );
        let mut best = ("", f64::MAX);
        for tool in &peers {
            let figures = match try_tool(tool, &pair, folder) {
                Ok(figures) => figures,
                Err(error) => {
                    println!("# {}: {error:#}", tool.name);
                    continue;
                }
            };
            row(&pair.name, tool.name, &figures);
            if figures.size < best.1 {
                best = (tool.name, figures.size);
            }
            if tool.name == "qbsdiff" {
                of_qbsdiff.push(mine.size / figures.size);
            }
        }
        for (tool, size) in recorded.get(&pair.name).into_iter().flatten() {
            if *size < best.1 {
                best = (tool.as_str(), *size);
            }
        }
        if best.1 < f64::MAX {
            println!("{:<34} best peer: {} {}", pair.name, best.0, best.1);
            of_best.push(mine.size / best.1);
            worst = worst.max(mine.size - best.1);
        }
        make_time = make_time.max(mine.make.time);
        apply_time = apply_time.max(mine.apply.time);
        memory = memory.max(mine.make.memory);
    }
    for missing in missing {
        println!("not installed: {missing}");
    }
    if of_best.is_empty() {
        bail!("no peer is installed: nothing to compare with");
    }
    println!();
    if !of_qbsdiff.is_empty() {
        println!("size-of-qbsdiff {:.4} ratio <= {OF_QBSDIFF}", mean(&of_qbsdiff));
    }
    println!("size-of-best-peer {:.4} ratio <= {OF_BEST}", mean(&of_best));
    println!("over-best-peer {worst:.0} bytes <= {SLACK}");
    println!("slowest-make {:.0} ms", make_time.as_secs_f64() * 1e3);
    println!("slowest-apply {:.0} ms", apply_time.as_secs_f64() * 1e3);
    println!("most-memory-make {:.1} MB", memory as f64 / 1e6);
    println!("decoder-state {} bytes <= 8192", size_of::<Applier>());
    Ok(())
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Full | Method::FullThumb => "full",
        Method::Plain => "plain",
        Method::Relocated => "relocated",
    }
}

fn row(pair: &str, program: &str, figures: &Figures) {
    println!(
        "{pair:<34} {program:<20} {:>8} {:>9.0} {:>9.0} {:>9.1}",
        figures.size,
        figures.make.time.as_secs_f64() * 1e3,
        figures.apply.time.as_secs_f64() * 1e3,
        figures.make.memory as f64 / 1e6,
    );
}

/// The geometric mean.
fn mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}
