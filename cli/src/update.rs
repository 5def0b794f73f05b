//! `bootlace update`: one update, from a file to what became of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bootlace_engine::words;
use bootlace_engine::{CheckedImage, Confirm, Event, Job, Options, Outcome, Unchanged};
use bootlace_host::Notice;
use bootlace_image::Policy;

use crate::patch::{Bases, Patch};
use crate::port_arguments::Ports;
use crate::problem::{Problem, code};
use crate::report::Reporter;
use crate::{file, keys};

/// What to update, and how.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the image runs and is confirmed; 1 nothing was changed; 2 wrong arguments; \
3 the board took the old image back; 4 the image was marked or started, and what became of it is not known."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    ports: Ports,
    /// The signed image; - reads it from the standard input.
    #[arg(long, short, value_name = "FILE")]
    image: PathBuf,
    /// The signer's public key, PEM or DER; may be given several times. Without it, the board's own keys are trusted.
    #[arg(long, short, value_name = "PEM")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    bases: Bases,
    /// Confirm the image as soon as its application answers, for applications that don't do so themselves.
    #[arg(long)]
    confirm: bool,
    /// Refuse an image that is not newer than what runs.
    #[arg(long)]
    only_newer: bool,
    /// Accept development keys, whose private halves are published: anybody can sign with them.
    #[arg(long)]
    allow_development_keys: bool,
    /// Seconds to wait for a board that is unplugged or does not come back.
    #[arg(long, default_value_t = Options::default().absence.as_secs())]
    patience: u64,
    /// Write one line of JSON for each thing that happens.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> crate::problem::Result {
    let image = CheckedImage::new(file::read(&arguments.image)?)?;
    let image = Arc::new(image);
    let options = Options {
        keys: keys::read(&arguments.key)?,
        allow_development_keys: arguments.allow_development_keys,
        confirm: if arguments.confirm {
            Confirm::ByUpdater
        } else {
            Confirm::ByApplication
        },
        only_newer: arguments.only_newer,
        framing: arguments.ports.framing,
        absence: Duration::from_secs(arguments.patience),
        ..Options::default()
    };
    // A bad file is refused before any board is asked.
    if !options.keys.is_empty() {
        let policy = Policy {
            allow_development_keys: arguments.allow_development_keys,
        };
        image.verify(&options.keys, &policy)?;
    }

    let mut reporter = Reporter::new(arguments.json);
    let mut driver = arguments.ports.connect(|notice| reporter.notice(notice))?;
    let patch = match driver.session.plan(&image, &options) {
        Ok(plan) => {
            // Said before anything is done that can't be undone.
            if let Some(warning) = words::no_way_back(plan.exchange) {
                reporter.warning("NoWayBack", warning);
            }
            arguments.bases.patch(&driver.session, &plan, image.bytes())?
        }
        // The session says so.
        Err(_) => None,
    };
    if let Some(patch) = &patch {
        let board = driver.session.board();
        reporter.patch(patch, board.and_then(bootlace_engine::BoardInfo::running));
    }
    let job = Job::Update {
        image,
        patch: patch.and_then(|patch| match patch {
            Patch::Made { bytes, .. } => Some(Arc::from(bytes)),
            Patch::None(_) => None,
        }),
        options,
    };
    let now = driver.now();
    driver.session.start(now, job)?;
    let outcome = loop {
        let notice = driver.next_notice();
        reporter.notice(&notice);
        match notice {
            Notice::Session(Event::Outcome(outcome)) => break outcome,
            Notice::Session(Event::Failed(failure)) => return Err(Problem::from(&failure)),
            _ => {}
        }
    };
    Ok(match outcome {
        Outcome::Confirmed { .. }
        | Outcome::Unchanged {
            reason: Unchanged::AlreadyRuns,
            ..
        } => ExitCode::SUCCESS,
        Outcome::Unchanged {
            reason: Unchanged::Cancelled,
            ..
        } => ExitCode::from(code::REFUSED),
        Outcome::RolledBack { .. } | Outcome::Unchanged { .. } => ExitCode::from(code::ROLLED_BACK),
    })
}
