//! The group's own error codes.

use crate::codes::{ErrorCode as Generic, error_codes};

error_codes! {
    /// The codes of the image group (Zephyr's `img_mgmt_err_code_t`) that a device of ours gives or an updater explains.
    ErrorCode {
        /// 1: something else went wrong.
        Unknown = 1,
        /// 3: the slot holds no image.
        NoImage = 3,
        /// 4: the image has no TLVs.
        NoTlvs = 4,
        /// 5: a TLV is not acceptable.
        InvalidTlv = 5,
        /// 8: the image has no hash.
        HashNotFound = 8,
        /// 9: no slot is free for an upload.
        NoFreeSlot = 9,
        /// 11: reading flash failed.
        FlashReadFailed = 11,
        /// 12: writing flash failed.
        FlashWriteFailed = 12,
        /// 13: erasing flash failed.
        FlashEraseFailed = 13,
        /// 14: no such slot.
        InvalidSlot = 14,
        /// 20: an offset is due.
        InvalidOffset = 20,
        /// 21: a length is due.
        InvalidLength = 21,
        /// 22: shorter than an image header.
        InvalidImageHeader = 22,
        /// 23: not an image.
        InvalidImageHeaderMagic = 23,
        /// 24: no image has that hash, or what arrived has another one than was announced.
        InvalidHash = 24,
        /// 25: linked for another address.
        InvalidFlashAddress = 25,
        /// 27: what runs is newer.
        CurrentVersionIsNewer = 27,
        /// 28: another image is pending.
        ImageAlreadyPending = 28,
        /// 29: the image's vectors are not of this board.
        InvalidImageVectorTable = 29,
        /// 30: larger than the slot.
        ImageTooLarge = 30,
        /// 31: more data than announced.
        ImageDataOverrun = 31,
        /// 32: it may not be confirmed.
        ConfirmationDenied = 32,
        /// 33: what runs can't be marked for test.
        SettingTestToActiveDenied = 33,
    }
}

impl ErrorCode {
    /// The nearest generic code, for v1 clients.
    pub const fn generic(self) -> Generic {
        match self {
            ErrorCode::NoImage | ErrorCode::HashNotFound => Generic::NoEntry,
            ErrorCode::ImageTooLarge => Generic::TooLarge,
            ErrorCode::NoFreeSlot | ErrorCode::ImageAlreadyPending => Generic::BadState,
            ErrorCode::ConfirmationDenied | ErrorCode::SettingTestToActiveDenied => Generic::AccessDenied,
            ErrorCode::Unknown
            | ErrorCode::FlashReadFailed
            | ErrorCode::FlashWriteFailed
            | ErrorCode::FlashEraseFailed => Generic::Unknown,
            _ => Generic::Invalid,
        }
    }
}
