//! Flash that behaves, and flash that does not.
#![allow(clippy::unwrap_used)]

use super::*;

fn chip() -> NorFlash {
    let region = |offset, size| Region {
        offset,
        size,
        erase: 256,
    };
    let map = Map {
        state: region(0, 512),
        primary: region(512, 1024),
        secondary: region(1536, 1024),
        golden: None,
    };
    NorFlash::new(0, map, 4, Timing::default())
}

#[test]
fn who_follows_the_changes_has_a_true_copy() {
    let mut flash = chip();
    let mut copy = flash.bytes().to_vec();
    for round in 0..40u32 {
        let unit = round % 4 * 256;
        let moment = [Moment::Before, Moment::Torn, Moment::After][round as usize % 3];
        if round % 5 == 0 {
            flash.cut(Some(Cut {
                at: flash.operations() + 1,
                moment,
                seed: round.into(),
            }));
        }
        let _ = flash.erase(Area::Primary, unit);
        let _ = flash.program(Area::Primary, unit, &[round as u8; 64]);
        let _ = flash.program(Area::Primary, unit + 64, &[7; 128]);
        flash.revive();
        for (start, len) in flash.take_changed() {
            copy[start..start + len].copy_from_slice(&flash.bytes()[start..start + len]);
        }
        assert_eq!(copy, flash.bytes(), "round {round}");
    }
}

#[test]
fn fingerprints_tell_all_that_differs() {
    let mut flash = chip();
    let blank = flash.fingerprint(None);
    assert!(blank.is_some());
    // Programmed as erased: it reads the same, but may not be programmed again.
    flash.program(Area::Primary, 0, &[0xFF; 4]).unwrap();
    assert_ne!(flash.fingerprint(None), blank);
    assert_eq!(
        flash.fingerprint(Some(Area::State)),
        chip().fingerprint(Some(Area::State))
    );
    flash.erase(Area::Primary, 0).unwrap();
    assert_eq!(flash.fingerprint(None), blank);
    for byte in 0..1024 {
        let mut other = chip();
        let mut bytes = flash.bytes().to_vec();
        bytes[512 + byte] = 0xFE;
        other.restore(&bytes);
        assert_ne!(
            other.fingerprint(Some(Area::Primary)),
            flash.fingerprint(Some(Area::Primary))
        );
    }
    flash.cut(Some(Cut {
        at: flash.operations(),
        moment: Moment::Torn,
        seed: 1,
    }));
    let _ = flash.program(Area::Primary, 0, &[0; 4]);
    assert_eq!(flash.fingerprint(None), None);
    assert!(flash.fingerprint(Some(Area::State)).is_some());
}

#[test]
fn a_word_is_programmed_once_and_bits_only_fall() {
    let mut flash = chip();
    flash.program(Area::Primary, 0, &[0xF0; 4]).unwrap();
    assert_eq!(
        flash.program(Area::Primary, 0, &[0x0F; 4]),
        Err(FlashError::NotErased)
    );
    assert_eq!(
        flash.program(Area::Primary, 2, &[0; 4]),
        Err(FlashError::Misaligned)
    );
    assert_eq!(
        flash.program(Area::Primary, 1022, &[0; 4]),
        Err(FlashError::OutOfRange)
    );
    assert_eq!(flash.erase(Area::Primary, 100), Err(FlashError::Misaligned));
    flash.erase(Area::Primary, 0).unwrap();
    flash.program(Area::Primary, 0, &[0x0F; 4]).unwrap();
    let mut word = [0; 4];
    flash.read(Area::Primary, 0, &mut word).unwrap();
    assert_eq!(word, [0x0F; 4]);
    assert_eq!(flash.take_spent(), 85_000 / 16 + 2 * 41);
}

#[test]
fn a_torn_word_reads_differently_or_not_at_all() {
    for checked in [false, true] {
        let (mut differed, mut failed) = (false, false);
        for seed in 0..50 {
            let mut flash = if checked {
                chip().with_error_correction()
            } else {
                chip()
            };
            flash.cut(Some(Cut {
                at: 0,
                moment: Moment::Torn,
                seed,
            }));
            assert_eq!(
                flash.program(Area::Primary, 0, &[0; 256]),
                Err(FlashError::Hardware)
            );
            assert!(flash.is_dead());
            flash.revive();
            let mut reads = [[0; 256]; 2];
            for read in &mut reads {
                failed |= flash.read(Area::Primary, 0, read).is_err();
            }
            differed |= reads[0] != reads[1];
        }
        // A weak word is wholly right or wholly blank, which no error correction tells.
        assert_eq!((differed, failed), (true, checked));
    }
}
