//! Numbers that stand for facts. Each list may grow: a number that is not known yet is kept as it is. They are numbers in
//! memory as well, so that a bootloader needs no code to translate them.

use core::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(u8);

        #[allow(non_upper_case_globals, reason = "they are matched on as variants are")]
        impl $name {
            $($(#[$item_doc])* pub const $item: $name = $name($code);)*

            /// The number on the wire.
            pub const fn code(self) -> u8 {
                self.0
            }

            /// The meaning of a number, which may be one that this version does not know.
            pub const fn from_code(code: u8) -> Self {
                $name(code)
            }

            /// Its name here, if this version knows it.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$item => Some(stringify!($item)),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "Other({})", self.0),
                }
            }
        }
    };
}

codes! {
    /// Who answers.
    Role {
        /// The bootloader.
        Bootloader = 0,
        /// The application, with the same server linked in.
        Application = 1,
    }
}

impl Default for Role {
    fn default() -> Self {
        Role::Bootloader
    }
}

codes! {
    /// Kind of a public key.
    Algorithm {
        /// ECDSA over P-256 with SHA-256.
        P256 = 0,
        /// Ed25519.
        Ed25519 = 1,
    }
}

codes! {
    /// Why the board last started.
    Reset {
        /// Power came.
        PowerOn = 0,
        /// The reset pin.
        Pin = 1,
        /// Software asked for it.
        Software = 2,
        /// The watchdog bit.
        Watchdog = 3,
        /// The processor locked up, or the application faulted.
        Fault = 4,
        /// The supply was too low.
        Brownout = 5,
    }
}

codes! {
    /// What the board is doing. In the bootloader: why it is there.
    BootState {
        /// The application runs, and is confirmed.
        Running = 0,
        /// The application runs on trial.
        OnTrial = 1,
        /// In the bootloader because it was asked to stay there.
        Requested = 2,
        /// In the bootloader because the primary slot holds no image.
        NoImage = 3,
        /// In the bootloader because the image is not signed by a key it trusts, or was altered.
        BadImage = 4,
        /// In the bootloader because the image is older than the security counter allows.
        TooOld = 5,
        /// In the bootloader because flash can't be read or written.
        FlashFailed = 6,
        /// In the bootloader for a moment, before the application starts.
        Waiting = 7,
        /// In the bootloader because the image on trial was not confirmed and there is none to go back to.
        NothingToRevertTo = 8,
        /// In the bootloader because no image can run, and the golden one is older than the security counter allows.
        GoldenTooOld = 9,
        /// In the bootloader because no image can run, and the golden one is not signed by a key it trusts, was altered,
        /// or is for another board.
        GoldenBad = 10,
        /// In the bootloader because the image is for another board: another vendor, class or address.
        WrongBoard = 11,
        /// In the bootloader because it has no key to check images with: its identity block is blank or damaged.
        NoKey = 12,
    }
}

impl BootState {
    /// Whether the bootloader stays because there is nothing that it may start. A code that this version does not know
    /// says nothing about that: `false`.
    pub const fn starts_nothing(self) -> bool {
        matches!(self.reason_to_stay(), Some(Stays::NothingStarts))
    }

    /// What each code means for the start of an application. The codes are numbers, so no compiler asks for one that is
    /// missing here: a test does.
    const fn reason_to_stay(self) -> Option<Stays> {
        Some(match self {
            BootState::Running | BootState::OnTrial => Stays::No,
            BootState::Requested => Stays::Asked,
            BootState::Waiting => Stays::Briefly,
            BootState::NoImage
            | BootState::BadImage
            | BootState::TooOld
            | BootState::FlashFailed
            | BootState::NothingToRevertTo
            | BootState::GoldenTooOld
            | BootState::GoldenBad
            | BootState::WrongBoard
            | BootState::NoKey => Stays::NothingStarts,
            _ => return None,
        })
    }
}

/// Whether a board stays in its bootloader, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// The application runs.
    No,
    /// Until the application starts by itself.
    Briefly,
    /// It was asked to; a restart starts the application.
    Asked,
    /// No image may be started: a restart changes nothing.
    NothingStarts,
}

codes! {
    /// Why an image on trial was taken back.
    RollbackReason {
        /// It restarted, or lost power, before it was confirmed.
        NotConfirmed = 0,
        /// It did not confirm itself in time.
        Deadline = 1,
        /// It hung: the watchdog bit.
        Watchdog = 2,
        /// It crashed.
        Fault = 3,
        /// It no longer verified.
        BadImage = 4,
        /// It said itself that it is not well.
        Unhealthy = 5,
        /// It never ran: its security counter is below the board's.
        TooOld = 6,
        /// It never ran: it is for another board.
        WrongBoard = 7,
        /// It never ran: it is larger than a swap can move.
        TooLarge = 8,
        /// There was none, or none that could be found.
        NoImage = 9,
    }
}

codes! {
    /// What came of an update.
    JournalOutcome {
        /// The new image has yet to confirm itself.
        Trial = 0,
        /// It was confirmed.
        Confirmed = 1,
        /// It was taken back.
        RolledBack = 2,
        /// It was asked for, and never ran.
        Refused = 3,
        /// Nothing could run: the golden image was put in the primary slot.
        Golden = 4,
    }
}

impl RollbackReason {
    /// Codes from here on name a self-test of the application that failed, by the application's own number.
    const SELF_TEST: u8 = 0x80;

    /// The application's self-test of this number failed, 1 to 127; without a number, it only says that it is not well.
    pub const fn self_test(number: u8) -> Self {
        match number {
            1..Self::SELF_TEST => RollbackReason(Self::SELF_TEST | number),
            _ => RollbackReason::Unhealthy,
        }
    }

    /// The number of the self-test that failed, if it is one that says so.
    pub const fn failed_self_test(self) -> Option<u8> {
        match self.code() {
            code @ Self::SELF_TEST.. => Some(code & !Self::SELF_TEST),
            _ => None,
        }
    }
}

/// What a board can do, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Features(pub u32);

impl Features {
    /// It takes COBS frames as well as console ones.
    pub const COBS: Features = Features(1 << 0);
    /// It resumes an upload of equal `sha`.
    pub const RESUME: Features = Features(1 << 1);
    /// It obeys `boot_mode` of a reset.
    pub const BOOT_MODE: Features = Features(1 << 2);
    /// It lets a pending image be confirmed before it ran: a swap for good.
    pub const PERMANENT: Features = Features(1 << 3);
    /// It takes patches.
    pub const DELTA: Features = Features(1 << 4);
    /// It keeps a journal of its updates.
    pub const JOURNAL: Features = Features(1 << 5);
    /// It takes no image of a lower version than the running one's.
    pub const NO_DOWNGRADE: Features = Features(1 << 6);

    /// Whether all of `other` are there.
    pub const fn has(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub const fn and(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_state_says_whether_anything_starts() {
        let known = (0..=u8::MAX)
            .map(BootState::from_code)
            .filter(|state| state.name().is_some());
        let mut nothing_starts = 0;
        for state in known.clone() {
            assert!(
                state.reason_to_stay().is_some(),
                "decide in BootState::reason_to_stay whether {state:?} starts anything"
            );
            nothing_starts += usize::from(state.starts_nothing());
        }
        assert_eq!((known.count(), nothing_starts), (13, 9));
        assert!(!BootState::from_code(0xFF).starts_nothing());
    }
}
