//! `cargo xtask bench link`: how well an upload fills the line or keeps the flash busy, beside smpclient on the same
//! simulated board, in one run and in real time.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use bootlace_browser::wait_for;
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use bootlace_simulator::Timing;
use bootlace_tests::simulate::Simulator;
use bootlace_tests::tools;
use serde_json::Value;

/// Bytes of the file that is uploaded.
const SIZE: usize = 256 * 1024;
/// Bits per second of the slow line, 10 bits a byte.
const BAUD: u32 = 115_200;
const PAGE: usize = 4096;

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("bootlace-bench-link-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(&Boards::new(&folder)?);
    std::fs::remove_dir_all(&folder).ok();
    result
}

struct Boards {
    folder: PathBuf,
    key: PathBuf,
    /// Three versions, each of exactly [`SIZE`] bytes.
    images: Vec<PathBuf>,
}

fn measure(boards: &Boards) -> Result<()> {
    let line = f64::from(BAUD) / 10.0;
    println!("{SIZE} bytes, frames of 2 KB; the line carries {line:.0} bytes a second, the flash takes");
    println!(
        "85 ms to erase 4 KB and 41 us a word: one pass over the image is {:.2} s",
        pass().as_secs_f64()
    );
    println!();
    for (framing, bound) in [("cobs", 0.95), ("console", 0.71)] {
        let board = boards.board(&format!("slow-{framing}"), &["--baud", "115200"])?;
        let ours = boards.update(&board, 1, &["--framing", framing], "verifying")?;
        let share = SIZE as f64 / ours.upload.as_secs_f64() / line;
        drop(board);
        let board = boards.board(&format!("slow-peer-{framing}"), &["--baud", "115200"])?;
        let peer = boards.peer(&board, framing)?;
        println!("line-share-{framing} {share:.4} share >= {bound}");
        println!(
            "line-share-{framing}-smpclient {:.4} share",
            SIZE as f64 / peer.as_secs_f64() / line
        );
        println!(
            "faster-than-smpclient-{framing} {:.2} times",
            peer.as_secs_f64() / ours.upload.as_secs_f64()
        );
    }
    for (name, arguments, bound) in [("usb", &[][..], 1.05), ("usb-stalling", &["--stall"][..], 1.12)] {
        let board = boards.board(name, arguments)?;
        // The first update leaves no page blank, so that the second has every page to erase.
        boards.update(&board, 1, &[], "on-trial")?;
        std::thread::sleep(Duration::from_secs(1));
        let second = boards.update(&board, 2, &[], "on-trial")?;
        let passes = |time: Duration| time.as_secs_f64() / pass().as_secs_f64();
        println!(
            "upload-over-flash-time-{name} {:.3} times <= {bound}",
            passes(second.upload)
        );
        println!(
            "click-to-running-{name} {:.3} passes <= 3.1",
            passes(second.running)
        );
    }
    let board = boards.board("usb-peer", &[])?;
    boards.update(&board, 1, &[], "on-trial")?;
    std::thread::sleep(Duration::from_secs(1));
    let peer = boards.peer(&board, "cobs")?;
    println!(
        "upload-over-flash-time-usb-smpclient {:.3} times",
        peer.as_secs_f64() / pass().as_secs_f64()
    );
    drop(board);
    let revert = boards.revert()?;
    println!(
        "revert {:.3} passes <= 2.1",
        revert.as_secs_f64() / pass().as_secs_f64()
    );
    Ok(())
}

/// Erasing and programming every page of the image once: what the flash alone takes.
fn pass() -> Duration {
    let timing = Timing::default();
    let micros = (SIZE / PAGE) as u64 * timing.erase_4k + (SIZE / 4) as u64 * timing.word;
    Duration::from_micros(micros)
}

/// When things happened, from the start of the update.
struct Times {
    upload: Duration,
    running: Duration,
}

impl Boards {
    fn new(folder: &Path) -> Result<Self> {
        let signer =
            SigningKey::from_seed(Algorithm::P256, &[7; 32]).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let key = folder.join("key.pem");
        std::fs::write(&key, pem(&signer))?;
        let images = (0..3)
            .map(|number| {
                let path = folder.join(format!("{number}.bin"));
                std::fs::write(&path, image(&signer, number)?)?;
                Ok(path)
            })
            .collect::<Result<_>>()?;
        Ok(Boards {
            folder: folder.to_owned(),
            key,
            images,
        })
    }

    /// A board that runs the first image.
    fn board(&self, name: &str, arguments: &[&str]) -> Result<Simulator> {
        let mut all = vec!["--key".into(), self.key.clone(), "--image".into(), self.image(0)?];
        all.extend(arguments.iter().map(PathBuf::from));
        Simulator::start(&self.folder.join(name), all)
    }

    fn image(&self, number: usize) -> Result<PathBuf> {
        self.images.get(number).cloned().context("no such image")
    }

    /// Our own command line, until it says that this phase begins.
    fn update(&self, board: &Simulator, number: usize, arguments: &[&str], until: &str) -> Result<Times> {
        let mut child = Command::new(tools::cli()?)
            .args(["update", "--json", "--port"])
            .arg(board.link())
            .arg("--image")
            .arg(self.image(number)?)
            .arg("--key")
            .arg(&self.key)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let (mut begun, mut uploaded) = (None, None);
        let mut found = None;
        for line in BufReader::new(output).lines() {
            let value: Value = serde_json::from_str(&line?)?;
            match (value["event"].as_str(), value["phase"].as_str()) {
                (Some("phase"), Some("uploading")) => begun = begun.or(Some(Instant::now())),
                (Some("phase"), Some("verifying")) => uploaded = Some(Instant::now()),
                (Some("error"), _) => bail!("{value}"),
                _ => {}
            }
            if value["event"] == "phase" && value["phase"] == until {
                found = Some(Instant::now());
                break;
            }
        }
        let ended = if until == "on-trial" {
            child.wait()?.success()
        } else {
            child.kill().is_ok()
        };
        child.wait()?;
        ensure!(ended, "the update failed");
        let (begun, uploaded) = (
            begun.context("no upload")?,
            uploaded.context("no end of the upload")?,
        );
        let found = found.with_context(|| format!("never {until}"))?;
        Ok(Times {
            upload: uploaded - begun,
            running: found - begun,
        })
    }

    /// The published smpclient.
    fn peer(&self, board: &Simulator, framing: &str) -> Result<Duration> {
        let script = tools::smpclient_job();
        let mut python = Command::new(tools::required("BOOTLACE_PYTHON")?);
        python
            .arg(script)
            .args(["--until", "upload", "--mtu", "2048", "--framing", framing]);
        python
            .arg("--port")
            .arg(board.link())
            .arg("--image")
            .arg(self.image(2)?);
        let seen: Value = serde_json::from_str(&tools::output(&mut python)?)?;
        let seconds = seen["upload"]["seconds"]
            .as_f64()
            .context("smpclient told no time")?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// From the crash of an image on trial until the previous one shows its port.
    fn revert(&self) -> Result<Duration> {
        let board = self.board("revert", &["--app", "crash"])?;
        let mut child = Command::new(tools::cli()?)
            .args(["update", "--json", "--port"])
            .arg(board.link())
            .arg("--image")
            .arg(self.image(1)?)
            .arg("--key")
            .arg(&self.key)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut crashed = None;
        for line in BufReader::new(output).lines() {
            let value: Value = serde_json::from_str(&line?)?;
            if value["event"] == "phase" && value["phase"] == "on-trial" {
                wait_for("the crash", Duration::from_secs(10), || {
                    Ok(board.node().is_none().then_some(()))
                })?;
                crashed = Some(Instant::now());
                wait_for("the port", Duration::from_secs(60), || Ok(board.node()))?;
                break;
            }
        }
        let took = crashed.context("the new image never ran")?.elapsed();
        child.kill().ok();
        child.wait()?;
        Ok(took)
    }
}

/// A signed image whose file has exactly [`SIZE`] bytes.
fn image(signer: &SigningKey, number: u8) -> Result<Vec<u8>> {
    let version = Version {
        major: number + 1,
        minor: 0,
        revision: 0,
        build: 0,
    };
    let build = |len: usize| {
        let mut noise = u32::from(number) + 1;
        let mut payload: Vec<u8> = (0..len)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        let start = 0x0800_A301u32.to_le_bytes();
        let words = [0x2000_4000_u32.to_le_bytes(), start].concat();
        for (to, from) in payload.iter_mut().zip(words) {
            *to = from;
        }
        ImageBuilder::new(payload).version(version).sign(signer).build()
    };
    // An ECDSA signature's length varies by a byte or two: what is left is padding, as a file may have it.
    let beside = build(SIZE / 2).len() - SIZE / 2;
    let mut file = build(SIZE - beside - 16);
    ensure!(file.len() <= SIZE, "the image came out too long");
    file.resize(SIZE, 0x55);
    Ok(file)
}

fn pem(signer: &SigningKey) -> String {
    // SubjectPublicKeyInfo of a P-256 key: a fixed head (RFC 5480), then the point.
    let mut der = vec![
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    der.extend_from_slice(signer.public().bytes());
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}
