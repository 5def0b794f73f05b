//! The numbers that a device answers where it refuses.

/// The codes of a group: a list of names and numbers.
macro_rules! error_codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$item_doc])* $item = $code,)*
        }

        impl $name {
            /// The number on the wire.
            pub const fn rc(self) -> u16 {
                self as u16
            }

            /// The code of a number on the wire; `None` for 0 (no error) and for codes that are nobody's.
            pub const fn from_rc(rc: u16) -> Option<$name> {
                Some(match rc {
                    $($code => $name::$item,)*
                    _ => return None,
                })
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u16(self.rc())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let rc = u16::deserialize(deserializer)?;
                $name::from_rc(rc).ok_or_else(|| serde::de::Error::custom("not a code of this group"))
            }
        }
    };
}
pub(crate) use error_codes;

error_codes! {
    /// The generic return codes (Zephyr's `mcumgr_err_t`).
    ErrorCode {
        /// 1: something else went wrong.
        Unknown = 1,
        /// 2: out of memory or buffers.
        NoMemory = 2,
        /// 3: a value in the request is not acceptable.
        Invalid = 3,
        /// 4: it took too long.
        Timeout = 4,
        /// 5: no such entry.
        NoEntry = 5,
        /// 6: not in this state.
        BadState = 6,
        /// 7: the answer, or what was sent, is too large.
        TooLarge = 7,
        /// 8: not a command of this device.
        NotSupported = 8,
        /// 9: data are corrupt.
        Corrupt = 9,
        /// 10: busy with another command.
        Busy = 10,
        /// 11: not allowed.
        AccessDenied = 11,
        /// 12: this version of SMP is too old for the device.
        TooOld = 12,
        /// 13: this version of SMP is too new for the device.
        TooNew = 13,
    }
}
