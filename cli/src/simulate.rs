//! A simulated board behind a pseudo-terminal, in real time.
//!
//! Each time the board shows a port, a new pseudo-terminal is made, `--link` points to it, and a line of JSON on the
//! standard output says who it is; when the port vanishes, so does the link.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootlace_engine::words::simulate::{self, TerminalStep};
use bootlace_engine::words::{self, Sentence, files};
use bootlace_engine::{CheckedImage, Error};
use bootlace_image::{PublicKey, Requirements};
use bootlace_simulator::{Area, Behaviour, Config, NorFlash, PortIdentity, SimulatedBoard, Supply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, inotify};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::values::{Rules, uuid};
use crate::{file, keys, report};

type Result<T> = std::result::Result<T, Sentence>;

/// What board to simulate.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to put the symbolic link to the board's port.
    #[arg(long)]
    link: PathBuf,
    /// Keep the board's flash in this file.
    #[arg(long)]
    flash: Option<PathBuf>,
    /// The image in the primary slot of a board whose flash file does not exist yet.
    #[arg(long)]
    image: Option<PathBuf>,
    /// The golden image, which the board falls back to when nothing else can run.
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Flip a bit of the image in the primary slot before the board starts, as age may.
    #[arg(long)]
    damaged: bool,
    /// What the board measures of its supply, and below what it takes no updates, in millivolts.
    #[arg(long, value_name = "LEVEL,LIMIT", value_parser = supply)]
    supply: Option<Supply>,
    /// Public key in PEM whose images the board runs; may be given several times.
    #[arg(long)]
    key: Vec<PathBuf>,
    /// Speed of the line in bits per second; without it, that of full-speed USB.
    #[arg(long)]
    baud: Option<u32>,
    /// How many times faster than real time everything goes.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How updated applications behave: normal, silent, other-id, hang, crash, never-confirm, unhealthy.
    #[arg(long, default_value = "normal", value_parser = behaviour)]
    app: Behaviour,
    /// The processor stands still while flash is written.
    #[arg(long)]
    stall: bool,
    /// Serial number.
    #[arg(long, default_value = "SIM-0001")]
    serial: String,
    /// What the board is called.
    #[arg(long, default_value = "Simulated board")]
    name: String,
    /// UUID of the vendor: images that name another are refused.
    #[arg(long, value_parser = uuid)]
    vid: Option<[u8; 16]>,
    /// UUID of the class of boards: images that name another are refused.
    #[arg(long, value_parser = uuid)]
    cid: Option<[u8; 16]>,
    /// Bytes of the largest packet.
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u16).range(128..=16384))]
    frame: u16,
    /// Packets that the board holds at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    window: u8,
    /// Start in the bootloader, as with its button held.
    #[arg(long)]
    bootloader: bool,
    #[command(flatten)]
    rules: Rules,
    /// Somebody is present all along.
    #[arg(long)]
    present: bool,
}

/// What the system says about a step with the pseudo-terminal, as a sentence.
fn refused<E: std::fmt::Display>(step: TerminalStep) -> impl FnOnce(E) -> Sentence {
    move |why| simulate::terminal(step, why)
}

fn behaviour(name: &str) -> std::result::Result<Behaviour, String> {
    Behaviour::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Behaviour::ALL.iter().map(|(name, _)| *name).collect();
        format!("known are {}", known.join(", "))
    })
}

fn supply(text: &str) -> std::result::Result<Supply, String> {
    let parse = |text: &str| text.trim().parse().ok();
    text.split_once(',')
        .and_then(|(level, limit)| {
            Some(Supply {
                level: parse(level)?,
                limit: parse(limit)?,
                percent: false,
            })
        })
        .ok_or_else(|| "two numbers of millivolts are wanted, as in 2900,3300".into())
}

/// Runs until it is ended, and takes its link along; asked a second time, it ends at once.
pub(crate) fn run(arguments: &Arguments) -> crate::problem::Result {
    simulate(arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn simulate(arguments: &Arguments) -> Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&ended))
            .map_err(refused(TerminalStep::Signals))?;
        flag::register(signal, Arc::clone(&ended)).map_err(refused(TerminalStep::Signals))?;
    }
    let mut board = board(arguments)?;
    let file = arguments
        .flash
        .as_deref()
        .map(|path| Ok((path, open_flash(path, board.flash())?)))
        .transpose()?;
    let started = Instant::now();
    let mut port: Option<Port> = None;
    while !ended.load(Ordering::Relaxed) {
        let now = (started.elapsed().as_secs_f64() * 1e6 * arguments.speed) as u64;
        board.advance(now);
        let identity = board.port();
        if identity != port.as_ref().map(|port| port.identity.clone()) {
            drop(port.take());
            port = identity
                .map(|identity| Port::open(&arguments.link, identity))
                .transpose()?;
        }
        if let Some(port) = &mut port {
            port.exchange(&mut board, now)?;
        }
        if let Some((path, file)) = &file {
            for (start, len) in board.flash_mut().take_changed() {
                let bytes = board.flash().bytes().get(start..start + len).unwrap_or_default();
                file.write_all_at(bytes, start as u64)
                    .map_err(|why| files::unwritable(path.display(), why))?;
            }
        }
        let patience = match board.next_deadline() {
            Some(at) if at <= now => Duration::ZERO,
            Some(at) => Duration::from_secs_f64((at - now) as f64 / 1e6 / arguments.speed),
            None => Duration::from_secs(1),
        };
        wait(port.as_ref(), patience.min(Duration::from_secs(1)))?;
    }
    Ok(())
}

/// Nothing that somebody keeps is written over.
fn spare(arguments: &Arguments, flash: &NorFlash) -> Result<()> {
    let link = &arguments.link;
    if std::fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(simulate::not_a_link(link.display()));
    }
    let kept = arguments
        .flash
        .as_ref()
        .and_then(|path| Some((path, std::fs::metadata(path).ok()?.len())));
    let size = flash.bytes().len() as u64;
    match kept {
        Some((path, len)) if len != size => Err(simulate::flash_size(path.display(), len, size)),
        _ => Ok(()),
    }
}

/// The keys of the board: those whose signatures the companion checks.
fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>> {
    let mut keys = keys::read(paths)?;
    keys.retain(|key| {
        let algorithm = key.algorithm();
        let checked = algorithm.is_checked_by_companion();
        if !checked {
            report::remark(&simulate::not_checked(words::algorithm(algorithm)));
        }
        checked
    });
    Ok(keys)
}

/// Whether the board would run what is flashed as an image.
fn runs(image: &[u8], config: &Config, flash: &NorFlash) -> std::result::Result<(), Error> {
    let image = CheckedImage::new(image.to_vec())?;
    let policy = bootlace_image::Policy {
        allow_development_keys: config.policy.development_keys,
    };
    image.verify(&config.keys, &policy)?;
    let slot = flash.primary_slot();
    image.fits(&Requirements {
        vendor: config.vendor,
        class: config.class,
        slot: Some(slot),
        max_size: Some(slot.1),
        counter: false,
    })
}

fn board(arguments: &Arguments) -> Result<SimulatedBoard> {
    if !(arguments.speed > 0.0 && arguments.speed <= 1e6) {
        return Err(simulate::bad_speed());
    }
    if arguments.key.is_empty() {
        report::warning(simulate::no_key());
    }
    let config = Config {
        name: arguments.name.clone(),
        serial: arguments.serial.clone(),
        keys: keys(&arguments.key)?,
        vendor: arguments.vid,
        class: arguments.cid,
        policy: arguments.rules.policy(),
        stall: arguments.stall,
        baud: arguments.baud,
        frame: arguments.frame.into(),
        window: arguments.window.into(),
        behaviour: arguments.app,
        supply: arguments.supply,
        present: arguments.present,
        ..Config::default()
    };
    let config = match arguments.golden {
        Some(_) => config.with_golden(),
        None => config,
    };
    let mut flash = NorFlash::new(config.address, config.map, config.write, config.timing);
    spare(arguments, &flash)?;
    let kept = arguments.flash.as_ref().and_then(|path| std::fs::read(path).ok());
    match (kept, &arguments.image) {
        (Some(kept), _) => flash.restore(&kept),
        (None, Some(path)) => {
            let image = file::read(path)?;
            // A board may hold anything, as a real one may; what keeps it from running is said.
            if let Err(error) = runs(&image, &config, &flash) {
                report::remark(&files::at(path.display(), words::error(&error)));
                report::warning(simulate::runs_nothing());
            }
            flash.flash_primary(&image);
        }
        (None, None) => {}
    }
    if let Some(path) = &arguments.golden {
        let image = file::read(path)?;
        if let Err(error) = runs(&image, &config, &flash) {
            report::remark(&files::at(path.display(), words::error(&error)));
        }
        flash.flash_area(Area::Golden, &image);
    }
    let mut board = SimulatedBoard::with_flash(config, flash).map_err(simulate::no_memory)?;
    if arguments.damaged {
        board.damage();
    }
    if arguments.bootloader {
        board.hold_button(true);
        board.power_cycle(0);
        board.hold_button(false);
    }
    Ok(board)
}

fn open_flash(path: &Path, flash: &NorFlash) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|why| files::unwritable(path.display(), why))?;
    file.write_all_at(flash.bytes(), 0)
        .map_err(|why| files::unwritable(path.display(), why))?;
    Ok(file)
}

/// How long a port that goes waits for the host to read what the board said last.
const LINGER: Duration = Duration::from_millis(100);

/// A pseudo-terminal that stands for the board's port.
#[derive(Debug)]
struct Port {
    identity: PortIdentity,
    link: PathBuf,
    master: OwnedFd,
    /// Kept open, so that the port survives a host that closes it.
    slave: OwnedFd,
    /// Tells when a host closes the port.
    watch: OwnedFd,
    /// Bytes from the host that the board has no room for yet.
    waiting: Vec<u8>,
    /// Bytes for the host that the terminal has no room for yet.
    leaving: Vec<u8>,
}

impl Port {
    fn open(link: &Path, identity: PortIdentity) -> Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .map_err(refused(TerminalStep::Make))?;
        rustix::pty::grantpt(&master).map_err(refused(TerminalStep::Make))?;
        rustix::pty::unlockpt(&master).map_err(refused(TerminalStep::Make))?;
        let name = rustix::pty::ptsname(&master, Vec::new()).map_err(refused(TerminalStep::Make))?;
        let path = PathBuf::from(name.to_str().map_err(refused(TerminalStep::Make))?);
        let slave = rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(refused(TerminalStep::Open))?;
        // A device that nobody has opened does not echo.
        let mut settings = rustix::termios::tcgetattr(&slave).map_err(refused(TerminalStep::Open))?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)
            .map_err(refused(TerminalStep::Open))?;
        rustix::io::ioctl_fionbio(&master, true).map_err(refused(TerminalStep::Open))?;
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
            .map_err(refused(TerminalStep::Open))?;
        inotify::add_watch(&watch, &path, inotify::WatchFlags::CLOSE).map_err(refused(TerminalStep::Open))?;
        let port = Port {
            link: link.to_owned(),
            master,
            slave,
            watch,
            waiting: Vec::new(),
            leaving: Vec::new(),
            identity,
        };
        // Whoever started this program may not listen.
        report::json(serde_json::json!({
            "port": path,
            "vendor": port.identity.vid,
            "product": port.identity.pid,
            "serial": port.identity.serial,
        }));
        // Made aside and moved, so that the link is never half there.
        let aside = link.with_extension("new");
        let _ = std::fs::remove_file(&aside);
        std::os::unix::fs::symlink(&path, &aside)
            .and_then(|()| std::fs::rename(&aside, link))
            .map_err(|why| files::unwritable(link.display(), why))?;
        Ok(port)
    }

    fn exchange(&mut self, board: &mut SimulatedBoard, now: u64) -> Result<()> {
        let mut buffer = [0; 4096];
        // A host that had the port to itself leaves that mark on a terminal that somebody else keeps open: us.
        if rustix::io::read(&self.watch, &mut buffer).is_ok() {
            rustix::termios::ioctl_tiocnxcl(&self.slave).map_err(refused(TerminalStep::Open))?;
        }
        if self.waiting.is_empty() {
            match rustix::io::read(&self.master, &mut buffer) {
                Ok(len) => self
                    .waiting
                    .extend_from_slice(buffer.get(..len).unwrap_or_default()),
                Err(Errno::AGAIN | Errno::INTR | Errno::IO) => {}
                Err(error) => return Err(simulate::terminal(TerminalStep::Read, error)),
            }
        }
        let taken = board.receive(now, &self.waiting);
        self.waiting.drain(..taken.min(self.waiting.len()));
        board.transmit(now, &mut self.leaving);
        while !self.leaving.is_empty() {
            match rustix::io::write(&self.master, &self.leaving) {
                Ok(len) => drop(self.leaving.drain(..len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(simulate::terminal(TerminalStep::Write, error)),
            }
        }
        Ok(())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
        // A terminal that is hung up loses what was not read yet, such as the answer to a reset. Boards wait a moment
        // before they restart; `--speed` makes that too short for a host in real time.
        let since = Instant::now();
        // What was written a moment ago is not yet counted as unread.
        std::thread::sleep(LINGER / 5);
        while since.elapsed() < LINGER
            && rustix::io::ioctl_fionread(&self.slave).is_ok_and(|unread| unread > 0)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits for bytes from the host, but no longer than the board can.
fn wait(port: Option<&Port>, patience: Duration) -> Result<()> {
    let timeout = Timespec {
        tv_sec: patience.as_secs() as i64,
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    let listens = port.filter(|port| port.waiting.is_empty());
    let mut polled: Vec<PollFd> = listens
        .iter()
        .flat_map(|port| [&port.master, &port.watch])
        .map(|end| PollFd::new(end, PollFlags::IN))
        .collect();
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(simulate::terminal(TerminalStep::Wait, error)),
    }
}
