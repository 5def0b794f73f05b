//! What a loader says of itself: DFU_GETSTATUS (DFU 1.1, 6.1.2).

use core::time::Duration;

use bootlace_loader::{Fault, Refusal};

/// Bytes of a status.
pub(crate) const LEN: usize = 6;

/// errSTALLEDPKT: a request that the loader did not expect.
pub(crate) const STALLED: u8 = 0x0F;

/// A status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How the last request ended: 0 is well (`bStatus`).
    pub code: u8,
    /// How long the host waits before it asks again (`bwPollTimeout`).
    pub wait: Duration,
    /// The state that the loader enters with this answer (`bState`).
    pub state: State,
}

/// States of a loader (DFU 1.1, A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// dfuIDLE.
    Idle,
    /// dfuDNLOAD-SYNC and dfuMANIFEST-SYNC: GETSTATUS takes it on.
    Sync,
    /// dfuDNBUSY.
    Busy,
    /// dfuDNLOAD-IDLE.
    DownloadIdle,
    /// dfuMANIFEST and dfuMANIFEST-WAIT-RESET: the loader is about to leave.
    Manifest,
    /// dfuUPLOAD-IDLE.
    UploadIdle,
    /// dfuERROR.
    Error,
    /// A state of a program that is no loader, or of nothing.
    Other,
}

impl Status {
    /// From the loader's bytes; `None` where they are too few or too many.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [code, low, middle, high, state, _text] = *<&[u8; LEN]>::try_from(bytes).ok()?;
        let millis = u32::from_le_bytes([low, middle, high, 0]);
        Some(Status {
            code,
            wait: Duration::from_millis(u64::from(millis)),
            state: match state {
                2 => State::Idle,
                3 | 6 => State::Sync,
                4 => State::Busy,
                5 => State::DownloadIdle,
                7 | 8 => State::Manifest,
                9 => State::UploadIdle,
                10 => State::Error,
                _ => State::Other,
            },
        })
    }

    /// Whether the last request failed.
    pub fn is_error(&self) -> bool {
        self.code != 0 || self.state == State::Error
    }

    /// The reason by name: ST's loaders say errTARGET and errADDRESS of an address that they do not serve, and errVENDOR where
    /// flash is protected against reading (AN3156, 4.1 and 5.1).
    pub fn fault(&self) -> Fault {
        Fault::Refused(match self.code {
            0x01 | 0x08 => Refusal::Address,
            0x0B => Refusal::Protected,
            STALLED => Refusal::Unknown,
            code => Refusal::Other(u32::from(code)),
        })
    }
}
