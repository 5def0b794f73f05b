//! What the engine says, as the page shows it. No browser types: tested on the host.

use bootlace_image::{Algorithm, Image, Policy, PublicKey, Refusal};
use bootlace_session::{self as session, BoardInfo, Error, Options, Plan, Role, Route, words as say};

use crate::messages::{
    self, BoardCard, HeldImage, ImageCard, KeyCard, NamedKey, Problem, SlotCard, Standing, Target, Verdict,
    Way,
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
    BoardCard {
        name: info.name.clone().unwrap_or_default(),
        serial: info.serial.clone().unwrap_or_default(),
        role,
        companion: info.companion.clone(),
        running: info.running().map(|image| version(&image.version)),
        remark: waits.or(rollback),
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
    }
}

/// As the page spells versions: a build number of 0 is left out.
fn version(text: &str) -> String {
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

/// What the button would do.
pub fn plan(plan: Result<Plan, Error>) -> messages::Plan {
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
            reason: format!(
                "{} was taken back: {}.",
                version(&failed.to_string()),
                reason.map_or("it didn’t prove itself", say::rollback)
            ),
        },
        session::Outcome::Unchanged { reason, .. } => messages::Outcome::Unchanged {
            reason: say::unchanged(*reason).to_owned(),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use bootlace_image::Version;
    use bootlace_image::builder::{ImageBuilder, SigningKey};
    use bootlace_session::{Rollback, RollbackReason, SlotImage, SlotInfo};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Algorithm::Ed25519, &[seed; 32]).unwrap()
    }

    fn signed(by: &SigningKey) -> Vec<u8> {
        let version = Version {
            major: 2,
            minor: 1,
            revision: 0,
            build: 0,
        };
        ImageBuilder::new(vec![0; 300])
            .version(version)
            .security_counter(7)
            .cid([0x11; 16])
            .sign(by)
            .build()
    }

    fn trusting(key: &SigningKey) -> Trust {
        Trust {
            keys: vec![("Ours".into(), key.public())],
            development: false,
        }
    }

    #[test]
    fn an_image_is_a_strangers_until_there_is_a_key_to_check_it_with() {
        let file = signed(&key(1));
        let verdict =
            |trust: &Trust, boards: &[&[PublicKey]]| image("a.bin", &file, trust, boards).unwrap().verdict;
        let stranger = Verdict::Stranger {
            hash: Some(say::hex(&key(1).public().hash())),
        };
        assert_eq!(verdict(&Trust::default(), &[]), stranger);
        let Verdict::Signed { key: card, board } = verdict(&trusting(&key(1)), &[]) else {
            panic!()
        };
        assert_eq!((card.name.as_deref(), board), (Some("Ours"), None));
        let (ours, other) = ([key(1).public()], [key(2).public()]);
        let by_board = verdict(&Trust::default(), &[&ours]);
        assert!(
            matches!(
                by_board,
                Verdict::Signed {
                    board: Some(true),
                    ..
                }
            ),
            "{by_board:?}"
        );
        let not_by_board = verdict(&trusting(&key(1)), &[&other]);
        assert!(
            matches!(
                not_by_board,
                Verdict::Signed {
                    board: Some(false),
                    ..
                }
            ),
            "{not_by_board:?}"
        );
        let Verdict::Refused(problem) = verdict(&Trust::default(), &[&other]) else {
            panic!()
        };
        assert_eq!(problem.name, "UnknownSigner");
    }

    #[test]
    fn an_altered_image_is_refused_whoever_is_trusted() {
        let mut file = signed(&key(1));
        file[600] ^= 1;
        for trust in [Trust::default(), trusting(&key(1))] {
            let Verdict::Refused(problem) = image("a.bin", &file, &trust, &[]).unwrap().verdict else {
                panic!()
            };
            assert_eq!(problem.name, "Altered");
        }
    }

    #[test]
    fn an_image_says_what_it_is_and_other_files_that_they_are_none() {
        let card = image("a.bin", &signed(&key(1)), &Trust::default(), &[]).unwrap();
        assert_eq!((card.version.as_str(), card.counter), ("2.1.0", Some(7)));
        let class = Some("11111111-1111-1111-1111-111111111111".into());
        assert_eq!(card.target, Target::Named { vendor: None, class });
        let problem = image(
            "a.jpg",
            b"\xff\xd8\xff\xe0 no image at all, but long enough",
            &Trust::default(),
            &[],
        );
        assert_eq!(problem.unwrap_err().name, "NotAnImage");
    }

    #[test]
    fn a_boards_own_keys_count_beside_the_persons() {
        let board = [key(2).public()];
        assert!(
            Trust::default().options(&board).keys.is_empty(),
            "the session takes the board's own"
        );
        assert_eq!(
            trusting(&key(1)).options(&board).keys,
            [key(1).public(), key(2).public()]
        );
    }

    #[test]
    fn slots_show_how_their_images_stand() {
        let held = |slot, version: &str, confirmed, active, pending| SlotImage {
            slot,
            version: version.into(),
            confirmed,
            active,
            pending,
            ..SlotImage::default()
        };
        let mut info = BoardInfo {
            role: Some(Role::Application),
            slots: vec![SlotInfo {
                slot: 0,
                size: 4096,
                ..SlotInfo::default()
            }],
            images: vec![
                held(0, "1.0.0+0", true, true, false),
                held(1, "2.0.0.0", false, false, true),
            ],
            rollback: Some(Rollback {
                reason: RollbackReason::Fault,
                from: Some("1.5.0".into()),
            }),
            ..BoardInfo::default()
        };
        let card = board(&info);
        assert_eq!(card.running.as_deref(), Some("1.0.0"));
        let standing = |card: &BoardCard| -> Vec<_> {
            card.slots
                .iter()
                .map(|slot| slot.holds.as_ref().map(|held| held.standing))
                .collect()
        };
        assert_eq!(
            standing(&card),
            [Some(Standing::Confirmed), Some(Standing::Pending)]
        );
        assert_eq!(card.remark.as_deref(), Some("1.5.0 was taken back: it crashed."));
        info.images = vec![held(0, "2.0.0", false, true, false)];
        assert_eq!(standing(&board(&info)), [Some(Standing::OnTrial)]);
    }
}
