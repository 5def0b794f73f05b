//! The group's own error codes.

use crate::codes::{ErrorCode as Generic, error_codes};

error_codes! {
    /// Why an update is refused. What flash or the slots have against it comes with the codes of the image group. Whatever
    /// the reason: the image that runs is as it was.
    ErrorCode {
        /// 2: there is nothing to start from: the primary slot holds no image, or one that its own digest does not prove.
        NoBase = 2,
        /// 3: the patch is for another image than the one in the primary slot.
        WrongBase = 3,
        /// 4: not a patch, or a header that makes no sense.
        PatchFormat = 4,
        /// 5: a version or a method of the format that the board does not know.
        PatchVersion = 5,
        /// 6: the image would be larger than the board can hold.
        PatchTooLarge = 6,
        /// 7: the patch was damaged: it copies from nowhere, or ends too early or too late.
        PatchDamaged = 7,
        /// 8: the supply is below the board's limit; its description has the figures.
        SupplyLow = 8,
        /// 9: the product does this only while somebody is present, and holds its button for example.
        NobodyPresent = 9,
    }
}

impl ErrorCode {
    /// The nearest generic code, for v1 clients.
    pub const fn generic(self) -> Generic {
        match self {
            ErrorCode::NoBase => Generic::NoEntry,
            ErrorCode::WrongBase => Generic::BadState,
            ErrorCode::PatchFormat => Generic::Invalid,
            ErrorCode::PatchVersion => Generic::NotSupported,
            ErrorCode::PatchTooLarge => Generic::TooLarge,
            ErrorCode::PatchDamaged => Generic::Corrupt,
            ErrorCode::SupplyLow | ErrorCode::NobodyPresent => Generic::AccessDenied,
        }
    }
}
