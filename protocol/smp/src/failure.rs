//! How a device says no.

use minicbor::decode::Decoder;

use crate::cbor::{Encoder, Key, Kind, Reader, Text, Value, entries, fields};
use crate::codes::ErrorCode;
use crate::error::DecodeError;
use crate::header::Version;
use crate::{bootlace, img};

/// An error as a device gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A generic code: `{rc}` in both versions.
    Generic(ErrorCode),
    /// A code of the image group: `{err: {group, rc}}`, or `{rc}` with the nearest generic code to a v1 client.
    Img(img::ErrorCode),
    /// The same of group 64.
    Bootlace(bootlace::ErrorCode),
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Generic(code)
    }
}

impl From<img::ErrorCode> for Fault {
    fn from(code: img::ErrorCode) -> Self {
        Fault::Img(code)
    }
}

impl From<bootlace::ErrorCode> for Fault {
    fn from(code: bootlace::ErrorCode) -> Self {
        Fault::Bootlace(code)
    }
}

impl Fault {
    /// As it is put on the wire.
    pub(crate) fn failure(self, version: Version, reason: Option<&str>) -> Failure<'_> {
        let (group, rc, generic) = match self {
            Fault::Generic(code) => (None, 0, code),
            Fault::Img(code) => (Some(img::GROUP), code.rc(), code.generic()),
            Fault::Bootlace(code) => (Some(bootlace::GROUP), code.rc(), code.generic()),
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
        let reason = reason.utf8()?;
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
            enc.some_text(Key::RSN, self.reason.map(Text::from));
        }
    }
}
