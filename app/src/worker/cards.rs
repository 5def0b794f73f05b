//! What the engine says, as the page shows it. No browser types: tested on the host.

use bootlace_engine::{
    self as session, BoardInfo, Error, JournalEntry, JournalOutcome, Options, Plan, Role, Route, words as say,
};
use bootlace_image::{Algorithm, Image, Policy, PublicKey, Refusal};

use crate::messages::{
    self, BoardCard, Ending, HeldImage, ImageCard, KeyCard, NamedKey, PastUpdate, Problem, Sends, SlotCard,
    Standing, Target, Verdict, Way,
};

/// Whom the person trusts.
#[derive(Default)]
pub struct Trust {
    keys: Vec<(String, PublicKey)>,
    development: bool,
}

impl Trust {
    /// Reads the keys; says of each one what it is.
    pub fn new(keys: &[NamedKey], development: bool) -> (Self, Vec<Result<KeyCard, Problem>>) {
        let mut trust = Trust {
            keys: Vec::new(),
            development,
        };
        let cards = keys
            .iter()
            .map(|named| match PublicKey::from_pem(&named.pem) {
                Ok(key) => {
                    let card = KeyCard {
                        name: Some(named.name.clone()),
                        ..key_card(&key)
                    };
                    trust.keys.push((named.name.clone(), key));
                    Ok(card)
                }
                Err(error) => Err(problem(say::key_error(&error))),
            })
            .collect();
        (trust, cards)
    }

    /// How a board with these keys is to be updated: its own keys count beside the person's.
    pub fn options(&self, board: &[PublicKey]) -> Options {
        let own = self.keys.iter().map(|(_, key)| key);
        let keys = if self.keys.is_empty() {
            Vec::new()
        } else {
            own.chain(board).cloned().collect()
        };
        Options {
            keys,
            allow_development_keys: self.development,
            ..Options::default()
        }
    }
}

/// A sentence as the page keeps it.
pub fn problem(sentence: say::Sentence) -> Problem {
    let say::Sentence {
        name,
        what,
        next,
        unharmed,
    } = sentence;
    Problem {
        name,
        what,
        next,
        unharmed,
    }
}

fn key_card(key: &PublicKey) -> KeyCard {
    let algorithm = match key.algorithm() {
        Algorithm::P256 => "ECDSA P-256",
        Algorithm::Ed25519 => "Ed25519",
    };
    KeyCard {
        name: None,
        hash: say::hex(&key.hash()),
        algorithm: algorithm.into(),
        development: key.is_development_key(),
    }
}

/// What a file is and who signed it. `boards` are the keys of the boards that are connected and name theirs.
///
/// # Errors
/// It is no image.
pub fn image(name: &str, file: &[u8], trust: &Trust, boards: &[&[PublicKey]]) -> Result<ImageCard, Problem> {
    let damaged = |error: Error| Problem {
        unharmed: false,
        ..problem(say::error(&error))
    };
    let mut source = file;
    let image = Image::read(&mut source).map_err(|error| damaged(error.into()))?;
    let hash = image
        .hash(&mut source)
        .map(|hash| say::hex(hash.as_bytes()))
        .unwrap_or_default();
    let target = match (image.vid(), image.cid()) {
        (None, None) => Target::Address(image.reset_vector(&mut source).map_or(0, |start| start & !1)),
        (vendor, class) => Target::Named {
            vendor: vendor.map(|id| say::uuid(&id)),
            class: class.map(|id| say::uuid(&id)),
        },
    };
    Ok(ImageCard {
        file: name.to_owned(),
        version: version(&image.header().version.to_string()),
        size: u32::try_from(file.len()).unwrap_or(u32::MAX),
        hash,
        target,
        counter: image.security_counter(),
        verdict: verdict(&image, file, trust, boards),
    })
}

fn verdict(image: &Image, mut file: &[u8], trust: &Trust, boards: &[&[PublicKey]]) -> Verdict {
    let own = trust.keys.iter().map(|(_, key)| key);
    let keys: Vec<PublicKey> = own.chain(boards.iter().copied().flatten()).cloned().collect();
    let policy = Policy {
        allow_development_keys: trust.development,
    };
    match image.verify(&mut file, &keys, &policy) {
        Ok(verified) => {
            let Some(key) = keys.get(verified.key) else {
                return Verdict::Stranger { hash: None };
            };
            let name = trust
                .keys
                .iter()
                .find(|(_, own)| own == key)
                .map(|(name, _)| name.clone());
            let board = (!boards.is_empty()).then(|| boards.iter().any(|keys| keys.contains(key)));
            Verdict::Signed {
                key: KeyCard {
                    name,
                    ..key_card(key)
                },
                board,
            }
        }
        Err(bootlace_image::Error::Refused(Refusal::UnknownSigner { key_hash })) if keys.is_empty() => {
            Verdict::Stranger {
                hash: key_hash.map(|hash| say::hex(&hash)),
            }
        }
        Err(error) => Verdict::Refused(Problem {
            unharmed: false,
            ..problem(say::error(&error.into()))
        }),
    }
}

/// What a board is.
pub fn board(info: &BoardInfo) -> BoardCard {
    let role = match info.role {
        Some(Role::Bootloader) => messages::Role::Bootloader,
        Some(Role::Application) => messages::Role::Application,
        _ => messages::Role::Unknown,
    };
    let mut slots: Vec<u32> = info.slots.iter().map(|slot| slot.slot).collect();
    slots.extend(
        info.images
            .iter()
            .filter(|image| image.image == 0)
            .map(|image| image.slot),
    );
    slots.sort_unstable();
    slots.dedup();
    let rollback = info.rollback.as_ref().map(|rollback| {
        let from = rollback.from.as_deref().unwrap_or("The last update");
        format!("{from} was taken back: {}.", say::rollback(rollback.reason))
    });
    let waits = info
        .state
        .filter(|_| role == messages::Role::Bootloader)
        .map(|state| say::state(state).to_owned());
    let golden = info
        .journal
        .as_deref()
        .and_then(<[_]>::first)
        .filter(|newest| newest.outcome == JournalOutcome::Golden)
        .map(|newest| format!("The {} was {}", say::from_to(newest), say::came_of(newest)));
    BoardCard {
        name: info.name.clone().unwrap_or_default(),
        serial: info.serial.clone().unwrap_or_default(),
        role,
        companion: info.companion.clone(),
        running: info.running().map(|image| version(&image.version)),
        remark: waits.or(golden).or(rollback),
        slots: slots
            .into_iter()
            .map(|slot| SlotCard {
                slot: u8::try_from(slot).unwrap_or(u8::MAX),
                size: info.slots.iter().find(|it| it.slot == slot).map(|it| it.size),
                holds: info
                    .images
                    .iter()
                    .find(|image| image.image == 0 && image.slot == slot)
                    .map(held),
            })
            .collect(),
        keys: info.keys.iter().map(key_card).collect(),
        counter: info.counter,
        link: (info.frame > 0).then_some((info.frame, info.window)),
        golden: info.golden.map(|release| version(&say::release(release))),
        supply: info.supply.map(|supply| (say::supply(&supply), supply.is_low())),
        history: info
            .journal
            .as_deref()
            .unwrap_or_default()
            .iter()
            .map(past)
            .collect(),
    }
}

fn past(update: &JournalEntry) -> PastUpdate {
    PastUpdate {
        versions: say::from_to(update),
        what: say::came_of(update),
        start: update.start,
        ending: match update.outcome {
            JournalOutcome::Confirmed => Ending::Good,
            JournalOutcome::RolledBack | JournalOutcome::Refused => Ending::Back,
            JournalOutcome::Golden => Ending::Golden,
            _ => Ending::Open,
        },
    }
}

/// The version of an image, as the page spells it; nothing for what is none.
pub fn image_version(mut bytes: &[u8]) -> String {
    let image = Image::read(&mut bytes);
    image.map_or_else(
        |_| String::new(),
        |image| version(&image.header().version.to_string()),
    )
}

/// As the page spells versions: a build number of 0 is left out.
pub(super) fn version(text: &str) -> String {
    text.strip_suffix("+0")
        .or_else(|| {
            text.strip_suffix(".0")
                .filter(|short| short.matches('.').count() == 2)
        })
        .unwrap_or(text)
        .to_owned()
}

fn held(image: &session::SlotImage) -> HeldImage {
    let standing = match (image.slot, image.pending, image.confirmed, image.active) {
        (_, true, _, _) => Standing::Pending,
        (0, _, true, _) => Standing::Confirmed,
        (0, _, false, true) => Standing::OnTrial,
        _ => Standing::Stored,
    };
    HeldImage {
        version: version(&image.version),
        hash: say::hex(&image.hash),
        standing,
    }
}

/// The first line of a board in the log.
pub fn greeting(card: &BoardCard) -> String {
    let name = if card.name.is_empty() {
        "A board"
    } else {
        &card.name
    };
    let who = match card.role {
        messages::Role::Bootloader => "in its bootloader",
        messages::Role::Application => "its firmware answers",
        messages::Role::Unknown => "without Bootlace’s companion",
    };
    let runs = card
        .running
        .as_ref()
        .map(|version| format!(", runs {version}"))
        .unwrap_or_default();
    format!("{name} {}: {who}{runs}", card.serial).replace(" :", ":")
}

/// What the button would do, and what it would send.
pub fn plan(plan: Result<Plan, Error>, sends: Sends) -> messages::Plan {
    match plan {
        Ok(plan) => messages::Plan::Ready {
            way: match plan.way {
                _ if plan.route == Route::Nothing => Way::Nothing,
                _ if plan.route == Route::Watch => Way::Watch,
                session::Way::Install => Way::Install,
                session::Way::Update => Way::Update,
                session::Way::Downgrade => Way::Downgrade,
                session::Way::Same | session::Way::Replace => Way::Replace,
            },
            from: plan.from.as_deref().map(version),
            to: version(&plan.to.to_string()),
            stored: matches!(plan.route, Route::Test | Route::Restart),
            sends,
        },
        Err(error) => messages::Plan::Refused(problem(say::error(&error))),
    }
}

/// How it ended.
pub fn outcome(outcome: &session::Outcome) -> messages::Outcome {
    match outcome {
        session::Outcome::Confirmed { version: new, took } => messages::Outcome::Confirmed {
            version: version(&new.to_string()),
            took: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
            note: None,
        },
        session::Outcome::RolledBack {
            reason,
            version: old,
            failed,
        } => messages::Outcome::RolledBack {
            version: old
                .as_deref()
                .map(version)
                .unwrap_or_else(|| "the old firmware".into()),
            reason: {
                let failed = version(&failed.to_string());
                let next = say::after_rollback(&failed, *reason);
                format!("{} {next}", say::taken_back(&failed, *reason))
            },
        },
        session::Outcome::Unchanged { reason, .. } => messages::Outcome::Unchanged {
            reason: say::unchanged(*reason).to_owned(),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
