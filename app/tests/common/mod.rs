//! Facts as the worker tells them, made as the engine makes them.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests; not all of them use all of it"
)]

use std::rc::Rc;

use bootlace_app::messages::*;
use bootlace_app::state::Action;
use bootlace_app::worker::examine::examine;
use bootlace_engine::{BoardInfo, CheckedImage, Error, Options, Phase, Plan, Role, SlotImage, SlotInfo};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, PublicKey, Version};

/// The board of these tests.
pub const BOARD: BoardId = BoardId(1);

/// The signer of these tests.
pub fn signer() -> SigningKey {
    SigningKey::from_seed(Algorithm::Ed25519, &[7; 32]).unwrap()
}

/// A signed image file.
pub fn file(version: &str) -> Vec<u8> {
    let version = Version::parse(version).unwrap();
    let mut payload = vec![0; 3000];
    // A stack pointer and a reset vector.
    payload[..8].copy_from_slice(&[0, 0x40, 0, 0x20, 1, 0xA3, 0, 8]);
    ImageBuilder::new(payload)
        .version(version)
        .security_counter(7)
        .sign(&signer())
        .build()
}

/// What the worker says of an image file.
pub fn image(name: &str, version: &str, keys: &[PublicKey]) -> ImageInfo {
    let trust = Trust {
        keys: keys.to_vec(),
        development: false,
    };
    examine(name, &CheckedImage::new(file(version)).unwrap(), &trust, &[])
}

/// An image whose stack pointer does not point into RAM: no Cortex-M can start it.
pub fn unstartable() -> ImageInfo {
    let built = ImageBuilder::new(vec![0; 3000]).sign(&signer()).build();
    examine(
        "vectors.bin",
        &CheckedImage::new(built).unwrap(),
        &Trust::default(),
        &[],
    )
}

/// A board that runs this version.
pub fn board(version: &str) -> BoardInfo {
    let running = SlotImage {
        version: version.into(),
        hash: vec![9; 32],
        bootable: true,
        confirmed: true,
        active: true,
        ..SlotImage::default()
    };
    let slot = |slot| SlotInfo {
        slot,
        size: 483 * 1024,
        ..SlotInfo::default()
    };
    BoardInfo {
        role: Some(Role::Application),
        name: Some("Prime Hub".into()),
        serial: Some("BL-0042-7731".into()),
        companion: Some("0.1.0".into()),
        keys: vec![signer().public()],
        slots: vec![slot(0), slot(1)],
        images: vec![running],
        has_image_group: true,
        counter: Some(6),
        ..BoardInfo::default()
    }
}

/// What an update from one version to another would do.
pub fn offer(from: &str, to: &str, sends: Sends) -> Offer {
    Offer {
        plan: Plan::new(
            &CheckedImage::new(file(to)).unwrap(),
            &Options::default(),
            &board(from),
        ),
        sends,
    }
}

/// An update that was refused before anything was sent.
pub fn refused(error: Error) -> Offer {
    Offer {
        plan: Err(error),
        sends: Sends::WholeWanted,
    }
}

/// An update in this phase.
pub fn running(phase: Phase) -> Running {
    Running {
        phase,
        ..Running::new()
    }
}

/// Something that the worker says.
pub fn notice(notice: Notice) -> Action {
    Action::Notice("10:00:00".into(), notice)
}

/// A chosen image that the worker has examined.
pub fn chosen(image: ImageInfo) -> [Action; 2] {
    [
        Action::Reading(ChoiceId(1), image.file.clone()),
        notice(Notice::Examined(ChoiceId(1), Ok(Box::new(image)))),
    ]
}

/// A board that has said who it is.
pub fn met(board: BoardInfo) -> [Action; 2] {
    [
        notice(Notice::Appeared {
            board: BOARD,
            via: Via::Simulated,
        }),
        notice(Notice::Board(BOARD, Box::new(board))),
    ]
}

/// What the button would do.
pub fn offered(offer: Offer) -> Action {
    notice(Notice::Offer(BOARD, Some(Box::new(offer))))
}

/// An update moved on.
pub fn moved(running: Running) -> Action {
    notice(Notice::Running(BOARD, Box::new(running)))
}

/// An update ended.
pub fn ended(ending: Ending) -> Action {
    notice(Notice::Ended(BOARD, Box::new(ending)))
}

/// A key that the person added.
pub fn trusted() -> bootlace_app::state::TrustedKey {
    bootlace_app::state::TrustedKey {
        name: "Release key 2026".into(),
        added: "2026-11-28".into(),
        key: signer().public(),
    }
}

/// Shared, as the state keeps it.
pub fn shared<T>(value: T) -> Rc<T> {
    Rc::new(value)
}
