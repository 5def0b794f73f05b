//! The identity block on emulated boards: a bootloader that `bootlace companion fill` filled runs what that key signed and
//! nothing else; one whose block says nothing runs nothing at all.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use bootlace_client::Client as _;
use bootlace_smp::bootlace::{BootState, Role};
use bootlace_tests::qemu::{Emulator, Images, Line, PRIMARY, SECONDARY, STATE, with_primary};
use bootlace_tests::rp2040::{Behaviour, Factory, Function, Pico};
use bootlace_tests::{rp2040, tools};

/// Bytes of a block, which ends where the bootloader's region ends.
const BLOCK: usize = 256;
/// A key whose private half is not published, apart from these tests.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/image/tests/data");

fn own_images() -> Images {
    Images::with_key(Path::new(&format!("{DATA}/p256.pem"))).unwrap()
}

/// A folder for one test's files.
fn folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("identity-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The bootloader of a board as a file of this format, filled with a key of our own.
fn filled(folder: &Path, board: &str, format: &str) -> Vec<u8> {
    tools::filled(folder, board, format, Path::new(&format!("{DATA}/p256.pub.pem"))).unwrap()
}

#[test]
fn a_filled_micro_bit_runs_what_its_new_key_signed_and_refuses_the_old_one() {
    let folder = folder("microbit");
    let bootloader = filled(&folder, "qemu-microbit", "bin");
    let (mine, my_hash) = own_images().signed("self-testing", 1, 50_000).unwrap();
    let (theirs, their_hash) = Images::new().unwrap().signed("self-testing", 2, 50_000).unwrap();
    // What the key of the build signed does not even start from the primary slot.
    let mut flash = with_primary(Some(&theirs)).unwrap();
    flash.splice(..bootloader.len(), bootloader);
    let board = Emulator::running(Line::Socket, &flash).unwrap();
    let mut client = board.client().unwrap();
    let told = client.describe_when_up(|it| (it.role, it.state, it.board.map(str::to_owned)));
    let wanted = (
        Role::Bootloader,
        Some(BootState::BadImage),
        Some("Pump 3".to_owned()),
    );
    assert_eq!(told.unwrap(), wanted);
    assert_eq!(client.upload(&theirs, theirs.len()).unwrap().1, Some(true));
    assert!(client.test(&their_hash).is_err());
    assert_eq!(client.upload(&mine, mine.len()).unwrap().1, Some(true));
    client.test(&my_hash).unwrap();
    client.reset(false).unwrap();
    // The application reads the same block.
    let told = client.describe_when_up(|it| (it.role, it.state, it.board.map(str::to_owned)));
    assert_eq!(
        told.unwrap(),
        (
            Role::Application,
            Some(BootState::Running),
            Some("Pump 3".to_owned())
        )
    );
}

#[test]
fn a_filled_pico_runs_what_its_new_key_signed() {
    let folder = folder("pico");
    let uf2 = filled(&folder, "rp2040", "uf2");
    let bootloader: Vec<u8> = uf2
        .chunks(512)
        .flat_map(|block| block[32..288].to_vec())
        .collect();
    let factory = Factory::signing(own_images()).unwrap();
    for (image, state) in [
        (
            factory.application(Behaviour::Normal, 0).unwrap().0,
            BootState::Running,
        ),
        (
            Factory::new()
                .unwrap()
                .application(Behaviour::Normal, 0)
                .unwrap()
                .0,
            BootState::BadImage,
        ),
    ] {
        let mut flash = factory.flash(Some(&image)).unwrap();
        flash.splice(..bootloader.len(), bootloader.iter().copied());
        let pico = Pico::running(&flash).unwrap();
        let mut client = pico.client(Function::Vendor).unwrap();
        let told = client.describe_when_up(|it| (it.state, it.board.map(str::to_owned)));
        assert_eq!(told.unwrap(), (Some(state), Some("Pump 3".to_owned())));
        pico.behaved().unwrap();
    }
    assert_eq!(bootloader.len(), rp2040::STATE);
}

/// Blank as the build may leave it, erased, and damaged in a bit of the key.
#[test]
fn a_block_that_says_nothing_starts_nothing_and_says_so() {
    let (image, hash) = Images::new().unwrap().signed("self-testing", 1, 50_000).unwrap();
    for (offset, bytes, name) in [
        (8, [0xFF; BLOCK - 8].as_slice(), "blank identity block"),
        (0, [0xFF; BLOCK].as_slice(), "blank identity block"),
        (120, [0x55].as_slice(), "damaged identity block"),
    ] {
        let mut flash = with_primary(Some(&image)).unwrap();
        let at = STATE - BLOCK + offset;
        flash.splice(at..at + bytes.len(), bytes.iter().copied());
        let before = flash.clone();
        let board = Emulator::running(Line::Socket, &flash).unwrap();
        let mut client = board.client().unwrap();
        let mut told = || {
            client
                .describe_when_up(|it| {
                    (
                        it.role,
                        it.state,
                        it.keys.iter().count(),
                        it.board.map(str::to_owned),
                    )
                })
                .unwrap()
        };
        let wanted = (Role::Bootloader, Some(BootState::NoKey), 0, Some(name.to_owned()));
        assert_eq!(told(), wanted);
        // Nor after a restart, nor with an image that the key of the build signed.
        client.reset(false).unwrap();
        client.describe_when_up(|_| ()).unwrap();
        assert_eq!(client.upload(&image, image.len()).unwrap().1, Some(true));
        assert!(client.test(&hash).is_err());
        let after = board.power_down().unwrap();
        assert_eq!(after[PRIMARY..SECONDARY], before[PRIMARY..SECONDARY]);
    }
}
