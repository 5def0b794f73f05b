//! Files that people name.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bootlace_engine::words::{Sentence, files};
use bootlace_engine::{CheckedImage, Error, FileKind};

/// No firmware is larger; a wrong file name should not fill the memory.
pub(crate) const LARGEST_FILE: u64 = 64 << 20;

/// Reads a whole file; `-` is the standard input. What a shell puts in a file's place (`<(unzip -p a.zip signed.bin)`) is read as well; what never ends,
/// such as `/dev/zero`, or never begins, such as a named pipe that nobody writes to, is not waited for.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Sentence> {
    let failed = |error: std::io::Error| files::unreadable(path.display(), error);
    let too_large = || files::too_large(path.display(), LARGEST_FILE >> 20);
    if path == Path::new("-") {
        // Whoever writes there is waited for.
        let mut bytes = Vec::new();
        let mut input = std::io::stdin().lock().take(LARGEST_FILE + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
        return match bytes.len() as u64 > LARGEST_FILE {
            true => Err(too_large()),
            false => Ok(bytes),
        };
    }
    let file = open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.is_dir() {
        return Err(files::is_a_folder(path.display()));
    }
    // Devices say that they hold nothing: what counts is what is read.
    if found.len() > LARGEST_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut rest = wait_for_writer(file, &mut bytes)
        .map_err(failed)?
        .take(LARGEST_FILE + 1);
    rest.read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > LARGEST_FILE {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// Opens a file to be read. A named pipe without a writer would stand still here.
#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let at_once = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(at_once).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

/// A file whose next bytes are waited for if it is a pipe that somebody writes to. A byte that proves a writer goes into
/// `bytes`.
#[cfg(unix)]
fn wait_for_writer(mut file: File, bytes: &mut Vec<u8>) -> std::io::Result<File> {
    use std::os::unix::fs::FileTypeExt as _;
    if file.metadata()?.file_type().is_fifo() {
        let mut byte = [0];
        match file.read(&mut byte) {
            Ok(len) => bytes.extend(byte.get(..len).unwrap_or_default()),
            // Somebody has it open to write, and has not written yet.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
    }
    Ok(file)
}

#[cfg(not(unix))]
fn wait_for_writer(file: File, _: &mut Vec<u8>) -> std::io::Result<File> {
    Ok(file)
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Sentence> {
    std::fs::write(path, bytes).map_err(|error| {
        // Half a file would be taken for a whole one. A device stays.
        if path.is_file() {
            _ = std::fs::remove_file(path);
        }
        files::unwritable(path.display(), error)
    })
}

/// What a patch starts from or leads to.
#[derive(Debug)]
pub(crate) enum Firmware {
    /// A signed image, without the padding behind it.
    Image(Box<CheckedImage>),
    /// A binary that is no image.
    Raw(Vec<u8>),
}

impl Firmware {
    /// Recognises what a file holds.
    ///
    /// # Errors
    /// It is a file of another kind, or an image that was altered or that no board takes patches of.
    pub(crate) fn new(file: Vec<u8>) -> Result<Self, Error> {
        match FileKind::of(&file) {
            FileKind::Image => {
                let image = CheckedImage::new(file)?;
                image.intact()?;
                Ok(Firmware::Image(Box::new(image)))
            }
            FileKind::Bare | FileKind::Digest | FileKind::Unknown => Ok(Firmware::Raw(file)),
            kind => Err(Error::WrongFile(kind)),
        }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Firmware::Image(image) => image.bytes(),
            Firmware::Raw(bytes) => bytes,
        }
    }

    /// What a board can prove of it: what its digest covers. All of a raw binary.
    pub(crate) fn base(&self) -> &[u8] {
        match self {
            Firmware::Image(image) => image.base().map_or(image.bytes(), |base| base.bytes),
            Firmware::Raw(bytes) => bytes,
        }
    }
}

/// Refuses an output that is one of the inputs: what was read would be lost.
pub(crate) fn spare(output: &Path, inputs: &[&Path]) -> Result<(), Sentence> {
    let same = |input: &&Path| match (std::fs::canonicalize(output), std::fs::canonicalize(input)) {
        (Ok(output), Ok(input)) => output == input || is_same_file(&output, &input),
        _ => false,
    };
    match inputs.iter().any(same) {
        true => Err(files::output_is_input(output.display())),
        false => Ok(()),
    }
}

/// Whether two names are of one file, as hard links are.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path| std::fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> bool {
    false
}
