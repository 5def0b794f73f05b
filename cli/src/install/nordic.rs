//! Nordic's bootloader, which stays on the board: what it is sent, and how.

use std::path::Path;

use bootlace_engine::words::{Sentence, nordic};
use bootlace_formats::zip;
use bootlace_host::{LoaderPort, Unusable};
use bootlace_install::{Board, FlashPlan, package};
use bootlace_loader::{Line, Parity};
use bootlace_nordic_dfu::{BAUD, Ended, News, Next, Package, Stage, Target, Transfer};

/// Opens the port of a loader.
pub(super) fn open(path: &Path) -> Result<LoaderPort, Unusable> {
    let line = Line {
        baud: BAUD,
        parity: Parity::None,
    };
    LoaderPort::open(path, line)
}

/// Sends a package; `tell` is told what goes on.
pub(super) fn send(
    package: Package,
    target: Target,
    port: &mut LoaderPort,
    mut tell: impl FnMut(News),
) -> Ended {
    let mut transfer = Transfer::new(package, target);
    loop {
        while let Some(news) = transfer.poll_news() {
            match news {
                News::Ended(ended) => return ended,
                news => tell(news),
            }
        }
        if let Next::Do(action, limit) = transfer.poll_next() {
            transfer.handle_done(port.perform(action, limit));
        }
    }
}

/// A stage's name for scripts.
pub(super) const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => "beginning",
        Stage::Init => "announcing",
        Stage::Firmware => "writing",
        Stage::Judging => "judging",
    }
}

/// A package that somebody made; `None`: the file is none.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Option<Result<Package, Sentence>> {
    let read = || package(bytes).map_err(|why| nordic::unpackaged(path.display(), why));
    zip::begins(bytes).then(read)
}

/// The package of a companion.
pub(super) fn of_plan(board: &Board, plan: &FlashPlan) -> Result<Package, Sentence> {
    board.package(plan).ok_or_else(|| nordic::companion_alone(board))
}

/// Whether a firmware is a companion that starts where this board's does, and ends with its identity block: records behind it would
/// change, and the loader starts nothing that has.
pub(super) fn is_for(board: &Board, firmware: &[u8]) -> bool {
    let places = board.flash..board.flash + board.companion;
    let entry = firmware.get(4..).and_then(<[u8]>::first_chunk);
    entry.is_some_and(|entry| places.contains(&u32::from_le_bytes(*entry)))
        && bootlace_identity::find(firmware) == firmware.len().checked_sub(bootlace_identity::LEN)
}
