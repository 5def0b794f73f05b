//! What is interrupted.

use bootlace_core::board::Policy;
use bootlace_smp::bootlace::RollbackReason;

use crate::served::Through;
use crate::step::{By, Step};

/// Something that a board does, and what goes before it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// How often an image on trial is started.
    pub attempts: u8,
    /// What is done before, without a cut.
    pub before: Vec<Step>,
    /// What is cut.
    pub steps: Vec<Step>,
    /// Whose server takes the updates that follow.
    pub through: Through,
    /// The board has a golden image, which is the one from the factory.
    pub golden: bool,
}

const fn patch(half: bool, through: Through) -> Step {
    Step::Patch {
        image: 1,
        half,
        through,
    }
}

const UPLOAD: Step = Step::Upload(1, Through::Bootloader);
const UPDATE: Step = Step::Update {
    image: 1,
    permanent: false,
    through: Through::Bootloader,
};
const TEST: Step = mark(false, Through::Bootloader);
const PERMANENT: Step = mark(true, Through::Bootloader);

const fn mark(permanent: bool, through: Through) -> Step {
    Step::Mark {
        image: 1,
        permanent,
        through,
    }
}

impl Scenario {
    fn new(name: &'static str, before: &[Step], steps: &[Step]) -> Self {
        Scenario {
            name,
            attempts: 1,
            before: before.to_vec(),
            steps: steps.to_vec(),
            through: Through::Bootloader,
            golden: false,
        }
    }

    fn golden(self) -> Self {
        Scenario { golden: true, ..self }
    }

    fn attempts(self, attempts: u8) -> Self {
        Scenario { attempts, ..self }
    }

    fn through(self, through: Through) -> Self {
        Scenario { through, ..self }
    }

    /// The board's rules.
    pub fn policy(&self) -> Policy {
        Policy {
            confirm_over_wire: true,
            attempts: self.attempts,
            permanent: true,
            ..Policy::default()
        }
    }

    /// Every scenario. Image 0 comes from the factory and was started once.
    pub fn all() -> Vec<Scenario> {
        use Step::{Confirm, Damage, Erase, GaveUp, Start, Upload, UploadHalf};
        use Through::{Application, Bootloader};
        let trailer = Confirm(By::Trailer);
        let app = mark(false, Application);
        vec![
            Scenario::new("first start", &[], &[Start]),
            Scenario::new("upload", &[Start], &[UPDATE]),
            Scenario::new(
                "resumed upload",
                &[Start, UploadHalf(1, Bootloader)],
                &[UPLOAD, TEST],
            ),
            Scenario::new("patch", &[Start], &[patch(false, Bootloader), TEST, Start]),
            Scenario::new(
                "resumed patch",
                &[Start, patch(true, Bootloader)],
                &[patch(false, Bootloader), TEST],
            ),
            Scenario::new(
                "patch after an upload",
                &[Start, UploadHalf(1, Bootloader)],
                &[patch(false, Bootloader), TEST],
            ),
            Scenario::new(
                "application: patch",
                &[Start],
                &[patch(false, Application), app, Start],
            )
            .through(Application),
            Scenario::new(
                "upload over a request",
                &[Start, UPLOAD, PERMANENT],
                &[Upload(2, Bootloader)],
            ),
            Scenario::new("upload of what is marked", &[Start, UPDATE], &[UPLOAD, Start]),
            Scenario::new("mark again", &[Start, UPLOAD, TEST], &[PERMANENT, TEST]),
            Scenario::new("test swap", &[Start, UPLOAD, TEST], &[Start]),
            Scenario::new("permanent swap", &[Start, UPLOAD, PERMANENT], &[Start]),
            Scenario::new("confirm", &[Start, UPLOAD, TEST, Start], &[trailer]),
            Scenario::new("counter bump", &[Start, UPLOAD, TEST, Start, trailer], &[Start]),
            Scenario::new("revert", &[Start, UPLOAD, TEST, Start], &[Start]),
            Scenario::new(
                "revert of a revert",
                &[Start, UPLOAD, TEST, Start, Start, TEST, Start],
                &[Start],
            ),
            Scenario::new(
                "erase",
                &[Start, UPLOAD, TEST, Start, trailer, Start],
                &[Erase(Bootloader)],
            ),
            Scenario::new("erase of a request", &[Start, UPLOAD, TEST], &[Erase(Bootloader)]),
            Scenario::new(
                "three attempts",
                &[Start, UPLOAD, TEST],
                &[Start, Start, Start, Start],
            )
            .attempts(3),
            Scenario::new(
                "confirm at the second attempt",
                &[Start, UPLOAD, TEST, Start, Start],
                &[trailer, Start],
            )
            .attempts(3),
            Scenario::new(
                "gave itself up",
                &[Start, UPLOAD, TEST, Start],
                &[GaveUp(RollbackReason::Deadline)],
            )
            .attempts(3),
            Scenario::new(
                "damaged on trial",
                &[Start, UPLOAD, TEST, Start, Damage],
                &[Start],
            )
            .attempts(3),
            Scenario::new("golden restore", &[Start, Damage], &[Start, Start]).golden(),
            Scenario::new(
                "golden restore, the old image lost",
                &[Start, Damage, UPLOAD, TEST],
                &[Start, Start],
            )
            .golden(),
            Scenario::new(
                "application: upload",
                &[Start],
                &[Upload(1, Application), app, Start],
            )
            .through(Application),
            Scenario::new(
                "application: resumed upload",
                &[Start, UploadHalf(1, Bootloader)],
                &[Upload(1, Application), app],
            )
            .through(Application),
            Scenario::new(
                "application: upload after a revert",
                &[Start, UPLOAD, TEST, Start, Start],
                &[Upload(1, Application), app, Start],
            )
            .through(Application),
            Scenario::new(
                "application: app-kit confirms",
                &[Start, UPLOAD, TEST, Start],
                &[Confirm(By::AppKit), Start],
            )
            .through(Application),
            Scenario::new(
                "application: confirmed over the wire",
                &[Start, UPLOAD, TEST, Start],
                &[Confirm(By::Request), Start],
            )
            .through(Application),
            Scenario::new(
                "application: erase",
                &[Start, UPLOAD, TEST, Start, trailer, Start],
                &[Erase(Application)],
            )
            .through(Application),
        ]
    }
}
