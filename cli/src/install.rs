//! `bootlace install`: a companion into a chip that has none, by the loader that the chip came with.

mod nordic;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bootlace_dfuse::Dfuse;
use bootlace_engine::CheckedImage;
use bootlace_engine::words::{Sentence, files, identity, install as says, nordic as says_of_nordic, ports};
use bootlace_formats::uf2;
use bootlace_host::{LoaderDevice, LoaderKind, LoaderPort, Unusable};
use bootlace_identity::{Keys, find};
use bootlace_install::{Board, FlashPlan, Format, Installation, News, Next, Part, Way, Work};
use bootlace_loader::{Action, Broken, Loader};
use bootlace_nordic_dfu::{self as nordic_dfu, Package, Target};
use bootlace_picoboot::Picoboot;
use bootlace_stm32_uart::Stm32Uart;
use serde_json::{Value, json};

use crate::companion::{Parts, board, encoded};
use crate::problem::Problem;
use crate::{file, report};

/// What to install, and by which way.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 it is installed and read back; 1 nothing was changed; 2 wrong arguments; 4 the flash was \
changed, and does not hold all of it: start again."
)]
pub(crate) struct Arguments {
    /// The kind of board: rp2040, nrf52840-dongle, nrf52840-uf2, nrf52840-uf2-s6 or stm32f407.
    #[arg(long)]
    board: String,
    /// The way into the chip: picoboot (USB, the RP2040's own loader), uf2 (a file onto the drive that it shows), dfuse (USB, the
    /// STM32's own loader), uart (the same by a serial port) or nordic (the serial port of Nordic's bootloader). Without it, the
    /// first of the board's ways.
    #[arg(long, value_parser = way)]
    way: Option<Way>,
    /// What “companion make” wrote, in place of a key and a name: .bin, .uf2 or .zip. For --way nordic also a package of it that
    /// somebody else signed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "name", "app", "companions"])]
    companion: Option<PathBuf>,
    /// Install the file of --companion even if its companion holds no key, or would not start the image that lies with it.
    #[arg(long, requires = "companion")]
    any_image: bool,
    #[command(flatten)]
    parts: Parts,
    /// The serial port that leads to the chip's loader, for --way uart and --way nordic, which this asks for.
    #[arg(long, value_name = "PORT")]
    port: Option<PathBuf>,
    /// The folder where the drive of the chip's loader appears, for --way uf2.
    #[arg(long, value_name = "FOLDER")]
    drive: Option<PathBuf>,
    /// Where to keep what the board holds where it is about to be changed: .uf2 or .bin. Without it, a new file in this folder
    /// that is named for the board.
    #[arg(long, value_name = "FILE", conflicts_with = "discard")]
    keep: Option<PathBuf>,
    /// Do not keep what the board holds.
    #[arg(long)]
    discard: bool,
    /// Write one line of JSON for each thing that happens.
    #[arg(long)]
    pub(crate) json: bool,
}

fn way(name: &str) -> Result<Way, String> {
    let way = Way::ALL.into_iter().find(|way| way.name() == name);
    way.ok_or_else(|| format!("known are {}", Way::ALL.map(Way::name).join(", ")))
}

pub(crate) fn run(arguments: &Arguments) -> crate::problem::Result {
    let board = board(&arguments.board)?;
    let ways: Vec<_> = board.ways.iter().map(|way| way.name()).collect();
    let through_port = board.ways.iter().copied().find(|way| way.is_by_port());
    let asked = arguments
        .way
        .or(through_port.filter(|_| arguments.port.is_some()));
    let way = match asked.or(board.ways.first().copied()) {
        Some(way) if board.ways.contains(&way) => way,
        _ => return Err(says::no_way(board, &ways.join(", ")).into()),
    };
    let plan = || match &arguments.companion {
        Some(path) => Ok(made(path, board, arguments.any_image)?),
        None => arguments.parts.plan(board),
    };
    match way {
        Way::Picoboot => {
            let kind = LoaderKind {
                numbers: bootlace_picoboot::DEVICE,
                interface: bootlace_picoboot::INTERFACE,
            };
            by_usb(arguments, (board, way), plan()?, kind, Picoboot::new)?;
        }
        Way::Dfuse => {
            let kind = LoaderKind {
                numbers: bootlace_dfuse::DEVICE,
                interface: bootlace_dfuse::INTERFACE,
            };
            by_usb(arguments, (board, way), plan()?, kind, Dfuse::new)?;
        }
        Way::Uart => by_port(arguments, (board, way), plan()?)?,
        Way::Uf2 => onto_drive(arguments, board, &plan()?)?,
        Way::Nordic => {
            let target = board
                .nordic()
                .ok_or_else(|| says::no_way(board, &ways.join(", ")))?;
            by_nordic(arguments, board, target)?;
        }
    }
    tell(
        arguments,
        json!({ "event": "installed", "board": board.name }),
        || says::installed(board),
    );
    Ok(ExitCode::SUCCESS)
}

/// A line for people, or for scripts.
fn tell(arguments: &Arguments, value: Value, line: impl FnOnce() -> String) {
    match arguments.json {
        true => report::json(value),
        false => report::line(line()),
    }
}

/// What “companion make” wrote for this board.
fn made(path: &Path, board: &Board, any_image: bool) -> Result<FlashPlan, Problem> {
    let bytes = file::read(path)?;
    let parts = if uf2::begins(&bytes) {
        let content = uf2::read(&bytes).map_err(|why| says::bad_uf2(path.display(), why))?;
        let family = board.drive.as_ref().map(|drive| drive.family);
        if content.family.is_some() && content.family != family {
            return Err(says::not_for_board(path.display(), board).into());
        }
        content.parts
    } else {
        vec![(board.begin(), bytes)]
    };
    let [(at, all)] = parts.as_slice() else {
        return Err(says::not_for_board(path.display(), board).into());
    };
    let bytes = all
        .get((board.flash - board.begin()) as usize..)
        .unwrap_or_default();
    let companion = bytes.get(..board.companion as usize).unwrap_or(bytes);
    if *at != board.begin() || find(companion).is_none() {
        return Err(says::not_for_board(path.display(), board).into());
    }
    let image = bytes
        .get((board.primary.0 - board.flash) as usize..)
        .filter(|image| image.iter().any(|byte| *byte != 0xFF));
    if !any_image {
        starts(path, companion, image)?;
    }
    let plan = board.plan(companion.to_vec(), image.map(<[u8]>::to_vec));
    Ok(plan.map_err(|unfit| says::unfit(board, unfit))?)
}

/// Refuses what would start nothing: a companion without a key, and an image that no key of the companion's has signed.
fn starts(path: &Path, companion: &[u8], image: Option<&[u8]>) -> Result<(), Problem> {
    let block = find(companion).and_then(|at| companion.get(at..)?.first_chunk());
    let mut keys = Keys::new();
    let identity = block.and_then(|block| bootlace_identity::read(block, "", &mut keys).ok());
    let identity = identity.ok_or_else(|| identity::blank(path.display()))?;
    let Some(image) = image else {
        return Ok(());
    };
    let policy = bootlace_image::Policy {
        allow_development_keys: identity.policy.development_keys,
    };
    let checked = CheckedImage::new(image.to_vec()).and_then(|image| image.verify(identity.keys, &policy));
    checked
        .map(drop)
        .map_err(|why| says::would_not_start(path.display(), &why).into())
}

/// By a chip that shows its loader as a USB device; `new` makes the protocol for the interface of this number.
fn by_usb<L: Loader>(
    arguments: &Arguments,
    to: (&Board, Way),
    plan: FlashPlan,
    kind: LoaderKind,
    new: impl FnOnce(u8) -> L,
) -> Result<(), Problem> {
    let (board, way) = to;
    let devices = LoaderDevice::all(kind);
    let device = match devices.as_slice() {
        [device] => device,
        [] => return Err(says::no_loader(board, way).into()),
        several => {
            let names: Vec<_> = several.iter().map(LoaderDevice::name).collect();
            return Err(says::several_loaders(&names.join(", ")).into());
        }
    };
    let mut link = device.open().map_err(|why| unopened(device, why))?;
    let installation = Installation::new(new(device.interface), plan);
    drive(arguments, to, installation, |action, limit| {
        link.perform(action, limit)
    })
}

/// By a serial port that leads to the chip.
fn by_port(arguments: &Arguments, to: (&Board, Way), plan: FlashPlan) -> Result<(), Problem> {
    let path = arguments.port.as_deref().ok_or_else(says::which_port)?;
    let port = LoaderPort::open(path, bootlace_stm32_uart::LINE);
    let mut port = port.map_err(|why| unopened_port(path, why))?;
    let installation = Installation::new(Stm32Uart::new(), plan);
    drive(arguments, to, installation, |action, limit| {
        port.perform(action, limit)
    })
}

/// By Nordic's bootloader, which stays.
fn by_nordic(arguments: &Arguments, board: &Board, target: Target) -> Result<(), Problem> {
    if arguments.keep.is_some() {
        return Err(says_of_nordic::never_read().into());
    }
    let package = package_of(arguments, board)?;
    let path = arguments.port.as_deref().ok_or_else(says::which_port)?;
    let mut port = nordic::open(path).map_err(|why| unopened_port(path, why))?;
    if !arguments.discard && !arguments.json {
        report::line(says_of_nordic::not_kept());
    }
    let mut tenths = Tenths::default();
    let ended = nordic::send(package, target, &mut port, |news| match news {
        nordic_dfu::News::Stage(stage) => {
            tenths = Tenths::default();
            let value = json!({ "event": "work", "work": nordic::name(stage) });
            tell(arguments, value, || says_of_nordic::stage(stage).into());
        }
        nordic_dfu::News::Progress { done, total } => tenths.tell(arguments, done, total),
        nordic_dfu::News::Ended(_) => {}
    });
    says_of_nordic::ended(board, &ended).map_or(Ok(()), |sentence| Err(sentence.into()))
}

/// What Nordic's bootloader is sent: a package as somebody made it, or one of the board's companion.
fn package_of(arguments: &Arguments, board: &Board) -> Result<Package, Problem> {
    let Some(path) = &arguments.companion else {
        return Ok(nordic::of_plan(board, &arguments.parts.plan(board)?)?);
    };
    let package = match nordic::read(path, &file::read(path)?) {
        Some(read) => read?,
        None => nordic::of_plan(board, &made(path, board, arguments.any_image)?)?,
    };
    if !nordic::is_for(board, &package.firmware) {
        return Err(says::not_for_board(path.display(), board).into());
    }
    if !arguments.any_image {
        starts(path, &package.firmware, None)?;
    }
    Ok(package)
}

fn unopened_port(path: &Path, why: Unusable) -> Sentence {
    let name = path.display();
    match why {
        Unusable::Missing => ports::missing(name),
        Unusable::Forbidden => ports::forbidden(name),
        Unusable::Busy => says::port_busy(name),
        Unusable::Other(why) => ports::unusable(name, why),
    }
}

/// Tenths of a work that were told.
#[derive(Default)]
struct Tenths(u64);

impl Tenths {
    /// Tells how far it is, once for each tenth.
    fn tell(&mut self, arguments: &Arguments, done: u32, total: u32) {
        let tenths = u64::from(done) * 10 / u64::from(total.max(1));
        if tenths > self.0 {
            self.0 = tenths;
            let value = json!({ "event": "progress", "done": done, "total": total });
            tell(arguments, value, || format!("  {}", says::progress(done, total)));
        }
    }
}

/// Runs an installation to its end; `perform` does an action, which may take so long.
fn drive<L: Loader>(
    arguments: &Arguments,
    (board, way): (&Board, Way),
    mut installation: Installation<L>,
    mut perform: impl FnMut(Action, Duration) -> Result<Vec<u8>, Broken>,
) -> Result<(), Problem> {
    let mut tenths = Tenths::default();
    loop {
        while let Some(news) = installation.poll_news() {
            match news {
                News::Work(work) => {
                    tenths = Tenths::default();
                    let value = json!({ "event": "work", "work": name(work) });
                    tell(arguments, value, || says::work(work).into());
                }
                News::Progress { done, total } => tenths.tell(arguments, done, total),
                News::Before(parts) => {
                    if !arguments.discard {
                        keep(arguments, (board, way), parts)?;
                    }
                    installation.go_on();
                }
                News::Ended(ended) => {
                    return says::ended(board, way, &ended).map_or(Ok(()), |sentence| Err(sentence.into()));
                }
            }
        }
        match installation.poll_next() {
            Next::Do(action, limit) => installation.handle_done(perform(action, limit)),
            Next::Wait(time) => std::thread::sleep(time),
            // Told by the news of the next round.
            Next::Asks | Next::Over => {}
        }
    }
}

/// A work's name for scripts.
const fn name(work: Work) -> &'static str {
    match work {
        Work::Beginning => "beginning",
        Work::Reading => "reading",
        Work::Erasing => "erasing",
        Work::Writing => "writing",
        Work::Verifying => "verifying",
        Work::Finishing => "finishing",
        Work::Leaving => "leaving",
    }
}

fn unopened(device: &LoaderDevice, why: Unusable) -> Sentence {
    let name = device.name();
    match why {
        Unusable::Missing => ports::missing(name),
        Unusable::Forbidden => says::loader_forbidden(name, device.numbers()),
        Unusable::Busy => ports::busy(name),
        Unusable::Other(why) => says::loader_unusable(name, device.numbers(), why),
    }
}

/// Keeps what the board held in a file that brings it back.
fn keep(arguments: &Arguments, (board, way): (&Board, Way), parts: Vec<Part>) -> Result<(), Problem> {
    let Some(before) = board.restoring(parts) else {
        tell(arguments, json!({ "event": "kept", "file": null }), || {
            says::was_blank().into()
        });
        return Ok(());
    };
    let path = match &arguments.keep {
        Some(path) => path.clone(),
        None => new_name(board),
    };
    file::write(&path, &encoded(&path, board, &before)?)?;
    let shown = path.display().to_string();
    tell(arguments, json!({ "event": "kept", "file": shown }), || {
        says::kept(&shown, way)
    });
    Ok(())
}

/// A name that no file has yet.
fn new_name(board: &Board) -> PathBuf {
    let format = board.own_format().extension();
    let mut names = (1..).map(|number| PathBuf::from(format!("{}-before-{number}.{format}", board.name)));
    let free = names.find(|path| !path.exists());
    free.unwrap_or_else(|| format!("{}-before.{format}", board.name).into())
}

/// Keeps what the drive says that the chip holds where it is about to be changed, where the drive says so at all: Adafruit's does,
/// the RP2040's does not.
fn keep_of_drive(
    arguments: &Arguments,
    board: &Board,
    drive: &Path,
    plan: &FlashPlan,
) -> Result<(), Problem> {
    let path = drive.join("CURRENT.UF2");
    if !path.exists() {
        return Ok(());
    }
    let parts = bootlace_install::held(&file::read(&path)?, plan)
        .map_err(|why| says::bad_uf2(path.display(), why))?;
    keep(arguments, (board, Way::Uf2), parts)
}

/// Copies the file onto the drive that the chip's loader shows; the chip restarts when it has all of it.
fn onto_drive(arguments: &Arguments, board: &Board, plan: &FlashPlan) -> Result<(), Problem> {
    let drive = arguments.drive.as_deref().ok_or_else(says::which_drive)?;
    let all = board.file(plan, Format::Uf2).ok_or_else(|| says::no_uf2(board))?;
    let info = std::fs::read_to_string(drive.join("INFO_UF2.TXT")).unwrap_or_default();
    let judged = board.judge_drive(&info);
    judged.map_err(|other| says::other_drive(drive.display(), board, other))?;
    if !arguments.discard {
        keep_of_drive(arguments, board, drive, plan)?;
    }
    let path = drive.join("companion.uf2");
    let written = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(&all)?;
        file.sync_all()
    });
    match written {
        // The chip restarts as soon as it has the last block: the drive may be gone before the system has closed the file.
        Err(_) if !drive.join("INFO_UF2.TXT").exists() => Ok(()),
        Err(why) => Err(files::unwritable(path.display(), why).into()),
        Ok(()) => Ok(()),
    }
}
