//! The companion that a person gets: the built one, filled with what the person chose, and what goes where.

use bootlace_core::board::{Identity, Policy};
use bootlace_engine::words::Sentence;
use bootlace_engine::words::install;
use bootlace_engine::words::page::new_board as words;
use bootlace_engine::{CheckedImage, Error};
use bootlace_image::PublicKey;
use bootlace_install::{Board, FlashPlan, companion};
use sha2::{Digest as _, Sha256};

use crate::state::{Application, Change, Companion, State};

/// An application that a board with these keys will start.
///
/// # Errors
/// Why none would.
pub fn application(file: &str, bytes: Vec<u8>, keys: &[PublicKey]) -> Result<Application, Error> {
    let image = CheckedImage::new(bytes)?;
    image.verify(keys, &bootlace_image::Policy::default())?;
    Ok(Application {
        file: file.to_owned(),
        version: bootlace_engine::words::version(image.version()),
        bytes: image.bytes().into(),
    })
}

/// Whether these are the bytes of the companion that the page lists.
pub fn is_listed(companion: &Companion, bytes: &[u8]) -> bool {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest == companion.digest
}

/// What the board's flash is to hold, of a companion as it was built.
///
/// # Errors
/// What speaks against it.
pub fn plan(state: &State, board: &Board, built: Vec<u8>) -> Result<FlashPlan, Sentence> {
    let keys = state.public_keys();
    let [vendor, class] = state.ids.each_ref().map(|id| bootlace_engine::words::uuid_of(id));
    let identity = Identity {
        name: state.board_name(),
        serial: "",
        vendor,
        class,
        keys: &keys,
        policy: Policy::default(),
    };
    if state.application.is_some() && board.nordic().is_some() {
        return Err(words::companion_alone(board));
    }
    let made = companion::filled(built, &identity).map_err(|unmade| words::unmade(board, unmade))?;
    // Keys may have been changed since the application was chosen.
    let image = match &state.application {
        Some(chosen) => Some(
            application(&chosen.file, chosen.bytes.to_vec(), &keys)
                .map_err(|error| words::unfit_application(&error))?,
        ),
        None => None,
    };
    let image = image.map(|application| application.bytes.to_vec());
    board
        .plan(made, image)
        .map_err(|unfit| install::unfit(board, unfit))
}

/// What a plan erases and writes: whole units, those that adjoin together.
pub fn change(board: &Board, plan: &FlashPlan) -> Change {
    let end_of = |at: u32, len: usize| at.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
    let parts = plan
        .parts
        .iter()
        .map(|part| (part.at, end_of(part.at, part.bytes.len())));
    let mut wanted: Vec<(u32, u32)> = parts.chain([(plan.blank.start, plan.blank.end)]).collect();
    wanted.sort_unstable();
    let unit = |at: u32| {
        let mut rows = plan.units.iter();
        rows.find_map(|units| Some(units.holding(at)?.1))
    };
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (from, to) in wanted.into_iter().filter(|(from, to)| from < to) {
        let (Some(first), Some(last)) = (unit(from), unit(to - 1)) else {
            continue;
        };
        let end = last.at.saturating_add(last.len);
        match ranges.last_mut() {
            Some((at, len)) if at.saturating_add(*len) >= first.at => *len = (*len).max(end - *at),
            _ => ranges.push((first.at, end - first.at)),
        }
    }
    Change {
        ranges,
        has_application: plan.parts.iter().any(|part| part.at == board.primary.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bootlace_install::boards;

    use super::*;

    #[test]
    fn what_is_erased_is_told_in_whole_units() {
        let board = &boards::ALL[0];
        let plan = |image| board.plan(vec![1; 40_000], image).unwrap();
        let companion = (board.flash, board.companion);
        assert_eq!(change(board, &plan(None)).ranges, [companion]);
        // The application begins behind the companion.
        let both = change(board, &plan(Some(vec![2; 5000])));
        assert!(both.has_application);
        assert_eq!(both.ranges, [(board.flash, board.companion + 8192)]);
    }
}
