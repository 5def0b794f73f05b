use alloc::format;
use core::time::Duration;

use bootlace_image::{Refusal, TlvKind};

use super::*;
use crate::{BootState, RollbackReason};

#[test]
fn sizes_times_and_hashes_are_short() {
    assert_eq!(
        [bytes(1023), bytes(1025), bytes(1_500_000)],
        ["1023 B", "2 KB", "1.4 MB"]
    );
    assert_eq!([rate(900), rate(11_500)], ["900 B/s", "11.2 KB/s"]);
    let times = [8_400, 45_900, 200_000].map(Duration::from_millis).map(time);
    assert_eq!(times, ["8.4 s", "45 s", "3 min 20 s"]);
    assert_eq!(short(&[0xab; 32]), "abab abab abab abab");
    assert_eq!(uuid(&[0x12; 16]), "12121212-1212-1212-1212-121212121212");
}

/// The codes are numbers, so no compiler tells which of them lacks a sentence.
#[test]
fn every_code_has_a_sentence() {
    let unknown = 0x7F;
    for code in 0..unknown {
        let state = (BootState::from_code(code), BootState::from_code(unknown));
        assert_eq!(
            state.0.name().is_some(),
            super::state(state.0) != super::state(state.1),
            "{state:?}"
        );
        let reason = (
            RollbackReason::from_code(code),
            RollbackReason::from_code(unknown),
        );
        assert_eq!(
            reason.0.name().is_some(),
            rolled_back("1", Some(reason.0)) != rolled_back("1", Some(reason.1)),
            "{reason:?}"
        );
    }
}

/// Harm is a matter of what was done to the board, whatever the phase.
#[test]
fn a_failure_says_that_the_board_is_unharmed_only_where_the_session_does() {
    for unharmed in [true, false] {
        let it = Failure {
            error: Error::PortLost,
            phase: crate::Phase::Uploading,
            unharmed,
        };
        assert_eq!(failure(&it).unharmed, unharmed);
    }
}

#[test]
fn every_sentence_has_a_next_step() {
    let refusals = [
        Refusal::NoDigest,
        Refusal::Altered,
        Refusal::Unsigned,
        Refusal::UnknownSigner { key_hash: None },
        Refusal::BadSignature { key_hash: [1; 32] },
        Refusal::DevelopmentKey { key_hash: [1; 32] },
        Refusal::RepeatedSigner { key_hash: [1; 32] },
        Refusal::UnprotectedTlv {
            kind: TlvKind::SEC_CNT,
        },
        Refusal::Encrypted,
        Refusal::Compressed,
        Refusal::NonBootable,
        Refusal::RamLoad,
        Refusal::UnsupportedDigest {
            kind: TlvKind::SHA384,
        },
        Refusal::UnsupportedSignature {
            kind: TlvKind::RSA2048,
        },
    ];
    for refusal in refusals {
        let sentence = error(&Error::Refused(refusal));
        assert!(
            sentence.what.ends_with('.') && sentence.next.ends_with('.'),
            "{sentence:?}"
        );
        // The name is the variant's.
        assert!(format!("{refusal:?}").starts_with(&sentence.name), "{sentence:?}");
    }
}

/// What answers from an application is an application that runs, whatever its list says.
#[test]
fn an_application_that_answers_is_never_said_to_be_nothing() {
    use crate::BoardInfo;
    use bootlace_smp::bootlace::Role;
    let all = |board: &BoardInfo| format!("{}\n{}", terminal::board(board), tables::board(board));
    for role in [None, Some(Role::Application)] {
        let board = BoardInfo {
            role,
            ..BoardInfo::default()
        };
        let said = all(&board);
        assert!(
            !said.contains("nothing") && said.contains("does not list"),
            "{said}"
        );
    }
    for (role, recovery) in [(None, true), (Some(Role::Bootloader), false)] {
        let board = BoardInfo {
            role,
            recovery,
            ..BoardInfo::default()
        };
        let said = all(&board);
        assert!(
            said.contains("nothing") && !said.contains("does not list"),
            "{said}"
        );
    }
}
