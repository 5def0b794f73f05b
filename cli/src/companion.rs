//! `bootlace identity`: the block of a bootloader that says whose images the board runs, what it is called and which rules it
//! keeps, written into the bootloader's file without compiling it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_engine::words::{self, Sentence, identity as says};
use bootlace_identity::{Keys, LEN, MAX_KEYS, encode, find, read};
use bootlace_image::PublicKey;
use bootlace_simulator::Identity;
use serde_json::json as value;

use crate::program::Program;
use crate::values::{Rules, uuid};
use crate::{file, keys, report};

/// What to do with a bootloader's identity block.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Fill the block of a bootloader: the file is copied with the new block in it.
    Write(WriteArguments),
    /// Say what the block of a bootloader holds.
    Show {
        /// The bootloader: .bin, .elf, .hex or .uf2.
        input: PathBuf,
        /// Write a line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The new block.
#[derive(Debug, clap::Args)]
pub(crate) struct WriteArguments {
    /// The bootloader: .bin, .elf, .hex or .uf2.
    input: PathBuf,
    /// Where to write the filled one, in the same format.
    output: PathBuf,
    /// Public key in PEM whose images the board runs; a second one may take over later.
    #[arg(long, required = true)]
    key: Vec<PathBuf>,
    /// What people call the board: 1 to 32 letters of ASCII.
    #[arg(long)]
    name: String,
    /// UUID of the vendor: images that name another, or none, are refused.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    vendor: Option<[u8; 16]>,
    /// UUID of the class of boards: images that name another, or none, are refused.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    class: Option<[u8; 16]>,
    #[command(flatten)]
    rules: Rules,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        matches!(self, Command::Show { json: true, .. })
    }
}

pub(crate) fn run(command: &Command) -> crate::problem::Result {
    match command {
        Command::Write(arguments) => write(arguments)?,
        Command::Show { input, json } => show(input, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The program of a file, and where its block begins in what the chip gets.
fn program(path: &Path) -> Result<(Program, usize), Sentence> {
    let program = Program::new(file::read(path)?).ok_or_else(|| says::damaged_file(path.display()))?;
    let at = find(&program.bytes()).ok_or_else(|| says::no_block(path.display()))?;
    Ok((program, at))
}

/// A published key is not for boards that leave a desk.
fn own_keys(arguments: &WriteArguments) -> Result<Vec<PublicKey>, Sentence> {
    let keys = keys::read(&arguments.key)?;
    let published = keys
        .iter()
        .find_map(|key| bootlace_image::development_key(&key.hash()));
    match published {
        Some(file) if !arguments.rules.allow_development_keys => Err(says::published_key(file)),
        _ => Ok(keys),
    }
}

fn write(arguments: &WriteArguments) -> Result<(), Sentence> {
    let (input, output) = (&arguments.input, &arguments.output);
    let mut inputs = vec![input.as_path()];
    inputs.extend(arguments.key.iter().map(PathBuf::as_path));
    file::spare(output, &inputs)?;
    let (program, at) = program(input)?;
    let keys = own_keys(arguments)?;
    let identity = Identity {
        name: &arguments.name,
        serial: "",
        vendor: arguments.vendor,
        class: arguments.class,
        keys: &keys,
        policy: arguments.rules.policy(),
    };
    let block = encode(&identity).map_err(|unfit| says::unfit(&reason(&unfit)))?;
    file::write(output, &program.with(at, &block))?;
    report::line(says::written(output.display(), identity.name));
    Ok(())
}

/// Why a block can't be written, for people.
fn reason(unfit: &bootlace_identity::Unfit) -> String {
    use bootlace_identity::{MAX_NAME, Unfit};
    match unfit {
        Unfit::KeyCount(count) => format!("{count} keys were given, and the block holds 1 to {MAX_KEYS}"),
        Unfit::KeyKind => "a key is neither P-256 nor Ed25519, and the companion checks no other".into(),
        Unfit::NameLen(len) => format!("the name has {len} letters, and the block holds 1 to {MAX_NAME}"),
        Unfit::NameLetters => "the name has letters that are not ASCII".into(),
        Unfit::NoAttempts => "an image must be started at least once to prove itself".into(),
        Unfit::Deadline(seconds) => format!("the deadline is {seconds} seconds, and must be 30 to 300"),
    }
}

fn show(input: &Path, json: bool) -> Result<(), Sentence> {
    let (program, at) = program(input)?;
    let bytes = program.bytes();
    let block: Option<&[u8; LEN]> = bytes.get(at..).and_then(|rest| rest.first_chunk());
    let mut keys = Keys::new();
    // What was found is whole, or blank.
    let Some(identity) = block.and_then(|block| read(block, "", &mut keys).ok()) else {
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
