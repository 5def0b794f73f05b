//! What can be wrong with bytes, and how a device says no.

use minicbor::decode::Decoder;

use crate::Version;
use crate::cbor::{Encoder, Key, Kind, Reader, Value, entries, fields};

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than it says.
    Short,
    /// An op that no version of SMP uses.
    Op,
    /// A version of SMP that does not exist yet.
    Version,
    /// A group, command or op that is not served here.
    Unsupported,
    /// Not the CBOR that was due: malformed, of another type, or out of range.
    Cbor,
    /// A string in several chunks: it can't be borrowed as one.
    Chunked,
    /// Nested deeper than any message is.
    Depth,
    /// The named key is required.
    Missing(Key),
}

impl DecodeError {
    /// What a device answers to such a request.
    pub const fn code(self) -> ErrorCode {
        match self {
            DecodeError::Version => ErrorCode::TooNew,
            DecodeError::Unsupported | DecodeError::Op => ErrorCode::NotSupported,
            _ => ErrorCode::Invalid,
        }
    }
}

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It is longer than the buffer.
    Full,
}

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

/// An error as a device gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A generic code: `{rc}` in both versions.
    Generic(ErrorCode),
    /// A code of the image group: `{err: {group, rc}}`, or `{rc}` with the nearest generic code to a v1 client.
    Img(crate::img::ErrorCode),
    /// The same of group 64.
    Bootlace(crate::bootlace::ErrorCode),
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Generic(code)
    }
}

impl Fault {
    /// As it is put on the wire.
    pub(crate) fn failure(self, version: Version, reason: Option<&str>) -> Failure<'_> {
        let (group, rc, generic) = match self {
            Fault::Generic(code) => (None, 0, code),
            Fault::Img(code) => (Some(crate::img::GROUP), code.rc(), code.generic()),
            Fault::Bootlace(code) => (Some(crate::bootlace::GROUP), code.rc(), code.generic()),
        };
        match (group, version) {
            (None, _) | (_, Version::V1) => Failure {
                group: None,
                rc: generic.rc(),
                reason,
            },
            _ => Failure {
                group,
                rc,
                reason: None,
            },
        }
    }
}

/// An error as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The group whose code it is; `None` for a generic one.
    pub group: Option<u16>,
    /// The code, never 0.
    pub rc: u16,
    /// The device's own words (`rsn`), for a log.
    pub reason: Option<&'a str>,
}

impl<'a> Failure<'a> {
    /// The generic code, where it is one.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self.group {
            None => ErrorCode::from_rc(self.rc),
            Some(_) => None,
        }
    }

    /// Finds `rc` or `err` in a response; `None` where it is a success (an `rc` of 0 is).
    pub(crate) fn decode(payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let mut values = [Value::Absent; 3];
        fields(
            payload,
            &[
                (Key::RC, Kind::Raw),
                (Key::ERR, Kind::Raw),
                (Key::RSN, Kind::Text),
            ],
            &mut values,
        )?;
        let [rc, err, reason] = values;
        let reason = reason.text();
        if let Some(err) = err.bytes() {
            let wanted = const { &[(Key::GROUP, Kind::Half), (Key::RC, Kind::Half)] };
            let mut values = [Value::Absent; 2];
            entries(&mut Reader::new(err), wanted, &mut values)?;
            let [group, rc] = values;
            let (group, rc) = (group.half(), rc.half().unwrap_or(0));
            return Ok((rc != 0).then_some(Failure { group, rc, reason }));
        }
        let Some(rc) = rc.bytes() else { return Ok(None) };
        // Old servers answer with negative numbers of their own: nothing to tell apart in there.
        let code = Decoder::new(rc).i64()?;
        let rc = u16::try_from(code).unwrap_or(ErrorCode::Unknown.rc());
        let group = None;
        Ok((rc != 0).then_some(Failure { group, rc, reason }))
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) {
        let rc = u32::from(self.rc);
        if let Some(group) = self.group {
            enc.map(1);
            enc.key(Key::ERR);
            enc.map(2);
            enc.number(Key::GROUP, u32::from(group));
            enc.number(Key::RC, rc);
        } else {
            enc.map(1 + u8::from(self.reason.is_some()));
            enc.number(Key::RC, rc);
            enc.some_text(Key::RSN, self.reason);
        }
    }
}
