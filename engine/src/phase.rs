//! Where an update is.

/// Where an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Phase {
    /// Asking the board who it is.
    Connecting,
    /// The board is known, nothing is under way.
    Ready,
    /// The image goes over the line.
    Uploading,
    /// The board verifies the image and marks it for test.
    Verifying,
    /// The board is told to restart.
    Restarting,
    /// The board is away, swapping the slots.
    Swapping,
    /// The new image runs and must prove itself.
    OnTrial,
}

impl Phase {
    /// Its name, for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Ready => "ready",
            Phase::Uploading => "uploading",
            Phase::Verifying => "verifying",
            Phase::Restarting => "restarting",
            Phase::Swapping => "swapping",
            Phase::OnTrial => "on-trial",
        }
    }
}
