//! `bootlace companion`: a companion made to measure without compiling it. The identity block of its file says whose images the
//! board runs, what it is called and which rules it keeps.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_engine::CheckedImage;
use bootlace_engine::words::{self, Sentence, identity as says, install, nordic};
use bootlace_identity::{Keys, LEN, find, read};
use bootlace_image::PublicKey;
use bootlace_install::companion::{self, Unmade};
use bootlace_install::{Board, FlashPlan, Format, boards};
use bootlace_simulator::Identity;
use serde_json::json as value;

use crate::bootloader_file::BootloaderFile;
use crate::problem::Problem;
use crate::values::{Rules, uuid};
use crate::{file, keys, report};

/// What to do with companions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the companion of a board, with your key in it: a file for a programmer, for the chip's drive, or for “bootlace install”.
    /// With an image, both are one file for the factory.
    Make(MakeArguments),
    /// Fill the identity block of any bootloader file: the file is copied with the new block in it.
    Fill(FillArguments),
    /// Say what the identity block of a bootloader holds.
    Show {
        /// The bootloader: .bin, .elf, .hex or .uf2.
        input: PathBuf,
        /// Write a line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Whose images a board runs, what it is called, and its rules.
#[derive(Debug, clap::Args)]
pub(crate) struct Block {
    /// Public key in PEM whose images the board runs; a second one may take over later.
    #[arg(long, value_name = "PEM")]
    pub(crate) key: Vec<PathBuf>,
    /// UUID of the vendor: images that name another, or none, are refused.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    vendor: Option<[u8; 16]>,
    /// UUID of the class of boards: images that name another, or none, are refused.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    class: Option<[u8; 16]>,
    #[command(flatten)]
    rules: Rules,
}

/// A file with a new block.
#[derive(Debug, clap::Args)]
pub(crate) struct FillArguments {
    /// The bootloader: .bin, .elf, .hex or .uf2.
    input: PathBuf,
    /// Where to write the filled one, in the same format.
    output: PathBuf,
    /// What people call the board: 1 to 32 letters of ASCII.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    block: Block,
}

/// A companion, and what it starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Parts {
    /// The folder with the companions that “cargo xtask firmware” built. Without it, “companions” beside this program and
    /// “target/firmware” are looked in.
    #[arg(long, value_name = "FOLDER")]
    companions: Option<PathBuf>,
    /// What people call the board: 1 to 32 letters of ASCII. Without it, what its makers do.
    #[arg(long)]
    name: Option<String>,
    /// A signed image that the board runs from the start.
    #[arg(long, value_name = "IMAGE")]
    app: Option<PathBuf>,
    #[command(flatten)]
    block: Block,
}

/// A companion as a file.
#[derive(Debug, clap::Args)]
pub(crate) struct MakeArguments {
    /// The kind of board: rp2040, nrf52840, nrf52840-dongle, nrf52840-uf2, nrf52840-uf2-s6 or stm32f407.
    #[arg(long)]
    board: String,
    #[command(flatten)]
    parts: Parts,
    /// Where to write it: .bin, .hex, .uf2, or .zip for Nordic's bootloader.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        matches!(self, Command::Show { json: true, .. })
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::Make(arguments) => make(arguments)?,
        Command::Fill(arguments) => fill(arguments)?,
        Command::Show { input, json } => show(input, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The board of this name.
pub(crate) fn board(name: &str) -> Result<&'static Board, Sentence> {
    let known: Vec<_> = boards::ALL.iter().map(|board| board.name).collect();
    boards::named(name).ok_or_else(|| install::no_board(name, &known.join(", ")))
}

/// A bootloader's file, where its block begins in what the chip gets, and the block.
fn with_block(path: &Path) -> Result<(BootloaderFile, usize, [u8; LEN]), Sentence> {
    let bootloader =
        BootloaderFile::new(file::read(path)?).ok_or_else(|| says::damaged_file(path.display()))?;
    let bytes = bootloader.bytes();
    let found = find(&bytes).and_then(|at| Some((at, *bytes.get(at..)?.first_chunk()?)));
    let (at, block) = found.ok_or_else(|| says::no_block(path.display()))?;
    Ok((bootloader, at, block))
}

impl Block {
    /// The identity that it makes with these keys.
    fn identity<'a>(&self, name: &'a str, keys: &'a [PublicKey]) -> Identity<'a> {
        Identity {
            name,
            serial: "",
            vendor: self.vendor,
            class: self.class,
            keys,
            policy: self.rules.policy(),
        }
    }
}

fn fill(arguments: &FillArguments) -> Result<(), Sentence> {
    let (input, output) = (&arguments.input, &arguments.output);
    let mut inputs = vec![input.as_path()];
    inputs.extend(arguments.block.key.iter().map(PathBuf::as_path));
    file::spare(output, &inputs)?;
    let (bootloader, at, before) = with_block(input)?;
    let keys = keys::read(&arguments.block.key)?;
    let identity = arguments.block.identity(&arguments.name, &keys);
    let block = companion::block(&identity, &before).map_err(|unmade| unmade_of(input, unmade))?;
    file::write(output, &bootloader.with(at, &block))?;
    report::line(says::written(output.display(), &arguments.name));
    Ok(())
}

impl Parts {
    /// What people call the board.
    fn name<'n>(&'n self, board: &'n Board) -> &'n str {
        self.name.as_deref().unwrap_or(board.title)
    }

    /// The companion's file as it was built.
    fn built(&self, board: &Board) -> Result<PathBuf, Sentence> {
        let beside = std::env::current_exe().ok();
        let beside = beside.and_then(|program| Some(program.parent()?.join("companions")));
        let folders: Vec<PathBuf> = match &self.companions {
            Some(folder) => vec![folder.clone()],
            None => beside
                .into_iter()
                .chain([PathBuf::from("target/firmware")])
                .collect(),
        };
        let name = format!("{}.bin", board.program);
        let found = folders
            .iter()
            .map(|folder| folder.join(&name))
            .find(|path| path.exists());
        found.ok_or_else(|| {
            let folders: Vec<_> = folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            install::no_companion(board.program, &folders.join(" and "))
        })
    }

    /// What the board's flash is to hold.
    pub(crate) fn plan(&self, board: &Board) -> Result<FlashPlan, Problem> {
        let path = self.built(board)?;
        let keys = keys::read(&self.block.key)?;
        let identity = self.block.identity(self.name(board), &keys);
        let companion =
            companion::filled(file::read(&path)?, &identity).map_err(|unmade| unmade_of(&path, unmade))?;
        let image = self
            .app
            .as_deref()
            .map(|path| self.image(path, &keys))
            .transpose()?;
        let plan = board.plan(companion, image);
        Ok(plan.map_err(|unfit| install::unfit(board, unfit))?)
    }

    /// An image that this companion will start.
    fn image(&self, path: &Path, keys: &[PublicKey]) -> Result<Vec<u8>, Problem> {
        let at = |error| words::files::at(path.display(), words::error(&error));
        let image = CheckedImage::new(file::read(path)?).map_err(at)?;
        let policy = bootlace_image::Policy {
            allow_development_keys: self.block.rules.allow_development_keys,
        };
        image.verify(keys, &policy).map_err(at)?;
        Ok(image.bytes().to_vec())
    }

    /// The files that are read.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.block.key.iter().chain(&self.app).map(PathBuf::as_path)
    }
}

fn make(arguments: &MakeArguments) -> Result<(), Problem> {
    let (board, output) = (board(&arguments.board)?, &arguments.output);
    let inputs: Vec<&Path> = arguments.parts.inputs().collect();
    file::spare(output, &inputs)?;
    let plan = arguments.parts.plan(board)?;
    let name = arguments.parts.name(board);
    file::write(output, &encoded(output, board, &plan)?)?;
    report::line(install::made(output.display(), board, name));
    Ok(())
}

/// What a flash is to hold, in the format that a file's name says.
pub(crate) fn encoded(path: &Path, board: &Board, plan: &FlashPlan) -> Result<Vec<u8>, Sentence> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = extension
        .and_then(Format::of_extension)
        .ok_or_else(|| install::no_format(path.display()))?;
    board.file(plan, format).ok_or_else(|| match format {
        Format::Zip if board.nordic().is_some() => nordic::companion_alone(board),
        Format::Zip => nordic::no_package(board),
        _ => install::no_uf2(board),
    })
}

/// Why no companion was made of a file.
fn unmade_of(path: &Path, unmade: Unmade) -> Sentence {
    match unmade {
        Unmade::NoKey => install::no_keys(),
        Unmade::PublishedKey(file) => says::published_key(file),
        Unmade::Identity(unfit) => says::unfit(unfit),
        Unmade::NoBlock => says::no_block(path.display()),
    }
}

fn show(input: &Path, json: bool) -> Result<(), Sentence> {
    let (_, _, block) = with_block(input)?;
    let mut keys = Keys::new();
    // What was found is whole, or blank.
    let Ok(identity) = read(&block, "", &mut keys) else {
        return Err(says::blank(input.display()));
    };
    let uuid = |uuid: Option<[u8; 16]>| uuid.map(|uuid| words::hex(&uuid));
    if json {
        let keys: Vec<_> = identity.keys.iter().map(|key| words::hex(&key.hash())).collect();
        report::json(value!({
            "name": identity.name,
            "vendor": uuid(identity.vendor),
            "class": uuid(identity.class),
            "key_hashes": keys,
        }));
        return Ok(());
    }
    report::line(says::names(
        identity.name,
        uuid(identity.vendor),
        uuid(identity.class),
    ));
    for key in identity.keys {
        report::text(words::tables::key(words::algorithm(key.algorithm()), &key.hash()));
    }
    Ok(())
}
