//! The type-length-value entries behind an image's payload.

use crate::error::detail;
use crate::{Error, FormatError, Source, TlvKind};

/// Magic of the unprotected area (`IMAGE_TLV_INFO_MAGIC`).
pub(crate) const AREA_MAGIC: u16 = 0x6907;
/// Magic of the protected area (`IMAGE_TLV_PROT_INFO_MAGIC`).
pub(crate) const PROTECTED_MAGIC: u16 = 0x6908;
/// Bytes of an area's header, and of an entry's.
pub(crate) const HEAD: u32 = 4;

/// One entry: where its value lies, not the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv {
    /// Its type.
    pub kind: TlvKind,
    /// Where its value starts, in bytes from the start of the image.
    pub offset: u32,
    /// Bytes of the value.
    pub len: u16,
    /// Whether the digest covers it.
    pub protected: bool,
}

/// The entries of an image in their order, protected ones first; ends after the first error.
#[derive(Debug)]
pub struct Tlvs<'s, S> {
    source: &'s mut S,
    position: Position,
}

/// Progress through the two areas, apart from the source so that its owner may read values on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    at: u32,
    end: u32,
    protected: bool,
    /// The unprotected area, if the protected one comes first.
    next: Option<(u32, u32)>,
}

impl Position {
    /// Behind the last entry.
    pub(crate) const END: Self = Self {
        at: 0,
        end: 0,
        protected: false,
        next: None,
    };

    /// Areas are (offset of the first entry, end), already checked against the source.
    pub(crate) fn new(protected: Option<(u32, u32)>, unprotected: (u32, u32)) -> Self {
        match protected {
            Some((at, end)) => Self {
                at,
                end,
                protected: true,
                next: Some(unprotected),
            },
            None => Self {
                at: unprotected.0,
                end: unprotected.1,
                protected: false,
                next: None,
            },
        }
    }

    /// Reads the next entry to `tlv`; false at the end.
    #[inline(never)]
    pub(crate) fn step<S: Source>(&mut self, source: &mut S, tlv: &mut Tlv) -> Result<bool, Error<S::Error>> {
        while self.at >= self.end {
            let Some((at, end)) = self.next.take() else {
                return Ok(false);
            };
            (self.at, self.end, self.protected) = (at, end, false);
        }
        let start = self.at;
        let overrun = || FormatError::TlvOverrun {
            offset: detail(|| start),
        };
        let room = self.end - self.at;
        if room < HEAD {
            return Err(overrun().into());
        }
        let mut head = [0; HEAD as usize];
        source.read(self.at, &mut head).map_err(Error::Source)?;
        let [k0, k1, l0, l1] = head;
        tlv.kind = TlvKind(u16::from_le_bytes([k0, k1]));
        tlv.len = u16::from_le_bytes([l0, l1]);
        tlv.offset = self.at + HEAD;
        tlv.protected = self.protected;
        if u32::from(tlv.len) > room - HEAD {
            return Err(overrun().into());
        }
        self.at = tlv.offset + u32::from(tlv.len);
        Ok(true)
    }
}

impl Tlv {
    /// To be read to.
    pub(crate) fn none() -> Self {
        Self {
            kind: TlvKind(0),
            offset: 0,
            len: 0,
            protected: false,
        }
    }
}

impl<'s, S: Source> Tlvs<'s, S> {
    pub(crate) fn new(source: &'s mut S, position: Position) -> Self {
        Self { source, position }
    }
}

impl<S: Source> Iterator for Tlvs<'_, S> {
    type Item = Result<Tlv, Error<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut tlv = Tlv::none();
        match self.position.step(self.source, &mut tlv) {
            Ok(true) => Some(Ok(tlv)),
            Ok(false) => None,
            Err(error) => {
                self.position = Position::END;
                Some(Err(error))
            }
        }
    }
}
