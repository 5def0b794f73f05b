//! An image as a whole: the header, and where everything else lies.

use crate::digest::{Hashed, of_part};
use crate::error::detail;
use crate::tlv::{AREA_MAGIC, HEAD, PROTECTED_MAGIC, Position};
use crate::{Digest, Digester, Error, FormatError, Header, Refusal, Source, Tlv, TlvKind, Tlvs};

/// TLVs of an image, at most. imgtool writes about ten; 64 KB of them would take a Cortex-M0 seconds to read.
pub const MAX_TLVS: u16 = 128;

/// A well-formed image: its areas lie inside the source and its TLVs fill theirs. That says nothing yet about trust;
/// [`Image::verify`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    header: Header,
    /// End of payload and protected TLVs, which is the end of what the digest covers.
    covered: u32,
    total: u32,
    digest: Option<Tlv>,
    counter: Option<u32>,
    vid: Option<[u8; 16]>,
    cid: Option<[u8; 16]>,
    /// The first TLV that stands unprotected and may not.
    pub(crate) stray: Option<TlvKind>,
    pub(crate) pure: bool,
}

impl Image {
    /// Reads the header, locates the TLV areas and walks them once.
    ///
    /// # Errors
    /// [`Error::Format`] if this is no whole image, [`Error::Source`] if it cannot be read.
    pub fn read<S: Source>(source: &mut S) -> Result<Self, Error<S::Error>> {
        let mut image = Self::none();
        image.load(source)?;
        Ok(image)
    }

    /// To be read to.
    pub fn none() -> Self {
        Self {
            header: Header::none(),
            covered: 0,
            total: 0,
            digest: None,
            counter: None,
            vid: None,
            cid: None,
            stray: None,
            pure: false,
        }
    }

    /// [`Image::read`] to where the image is to stay; it must be [`Image::none()`].
    ///
    /// # Errors
    /// As [`Image::read`].
    pub fn load<S: Source>(&mut self, source: &mut S) -> Result<(), Error<S::Error>> {
        read_header(&mut self.header, source)?;
        self.locate(source)?;
        let (mut position, mut tlv) = (self.position(), Tlv::none());
        for _ in 0..MAX_TLVS {
            if !position.step(source, &mut tlv)? {
                return Ok(());
            }
            self.note(&tlv, source)?;
        }
        match position.step(source, &mut tlv)? {
            false => Ok(()),
            true => Err(FormatError::TooManyTlvs {
                most: detail(|| MAX_TLVS),
            }
            .into()),
        }
    }

    /// Finds the ends of the covered part and of the image. Sums are 64-bit: header and sizes are whatever somebody wrote.
    fn locate<S: Source>(&mut self, source: &mut S) -> Result<(), Error<S::Error>> {
        let header = &self.header;
        let payload_end = u64::from(header.header_size) + u64::from(header.image_size);
        let (magic, size) = area(payload_end, source)?;
        let mut covered = payload_end;
        let mut last = (magic, size);
        if magic == PROTECTED_MAGIC {
            if header.protected_size != size {
                return Err(FormatError::ProtectedSize {
                    header: detail(|| header.protected_size),
                    area: detail(|| size),
                }
                .into());
            }
            covered += u64::from(size);
            last = area(covered, source)?;
        } else if magic == AREA_MAGIC && header.protected_size != 0 {
            return Err(FormatError::ProtectedSize {
                header: detail(|| header.protected_size),
                area: detail(|| 0),
            }
            .into());
        }
        let (magic, size) = last;
        if magic != AREA_MAGIC {
            return Err(FormatError::TlvMagic {
                found: detail(|| magic),
            }
            .into());
        }
        let total = covered + u64::from(size);
        let available = source.len();
        match (u32::try_from(covered), u32::try_from(total)) {
            (Ok(covered), Ok(total)) if total <= available => {
                (self.covered, self.total) = (covered, total);
                Ok(())
            }
            _ => Err(FormatError::Truncated {
                needed: detail(|| total),
                available: detail(|| available),
            }
            .into()),
        }
    }

    /// Keeps what is asked for again and again. Only protected TLVs count, but for those that make the signature. Values
    /// are read to where they stay, because copies of arrays cost a bootloader's flash.
    fn note<S: Source>(&mut self, tlv: &Tlv, source: &mut S) -> Result<(), Error<S::Error>> {
        if !tlv.protected && !tlv.kind.may_stand_unprotected() {
            self.stray = self.stray.or(Some(tlv.kind));
            return Ok(());
        }
        let seen = match (tlv.kind, tlv.protected) {
            (TlvKind::SEC_CNT, _) => {
                let seen = self.counter.is_some();
                let mut counter = [0; 4];
                value(tlv, source, &mut counter)?;
                self.counter = Some(u32::from_le_bytes(counter));
                seen
            }
            (TlvKind::UUID_VID, _) => uuid(&mut self.vid, tlv, source)?,
            (TlvKind::UUID_CID, _) => uuid(&mut self.cid, tlv, source)?,
            (TlvKind::SIG_PURE, false) => {
                let (seen, mut pure) = (self.pure, [0]);
                value(tlv, source, &mut pure)?;
                self.pure = pure == [1];
                seen
            }
            (kind, false) if kind.is_digest() => self.digest.replace(*tlv).is_some(),
            _ => false,
        };
        if seen {
            return Err(FormatError::DuplicateTlv {
                kind: detail(|| tlv.kind),
            }
            .into());
        }
        Ok(())
    }

    fn position(&self) -> Position {
        let protected = (self.header.protected_size > 0).then(|| {
            (
                self.covered - u32::from(self.header.protected_size) + HEAD,
                self.covered,
            )
        });
        Position::new(protected, self.unprotected())
    }

    /// First entry and end of the unprotected area.
    pub(crate) fn unprotected(&self) -> (u32, u32) {
        (self.covered + HEAD, self.total)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of the whole image, from the header to the last TLV; the source may be longer (padding, a slot).
    pub fn total_len(&self) -> u32 {
        self.total
    }

    /// Bytes from the start that the digest and the signature cover: header, payload, protected TLVs.
    pub fn covered_len(&self) -> u32 {
        self.covered
    }

    /// Every TLV, protected ones first.
    pub fn tlvs<'s, S: Source>(&self, source: &'s mut S) -> Tlvs<'s, S> {
        Tlvs::new(source, self.position())
    }

    /// The digest that the image carries: what SMP calls its hash.
    ///
    /// # Errors
    /// [`Refusal::NoDigest`], [`Refusal::UnsupportedDigest`], a digest of the wrong length, or a failed read.
    pub fn hash<S: Source>(&self, source: &mut S) -> Result<Digest, Error<S::Error>> {
        let mut hashed = Hashed::none();
        self.carried(source, &mut hashed)?;
        Ok(hashed.digest().ok_or(Refusal::NoDigest)?)
    }

    /// The SHA-256 that the image carries, read to `out`: the first half of a longer digest. Whether there is one.
    pub fn sha256<S: Source>(&self, source: &mut S, out: &mut [u8; 32]) -> bool {
        let mut hashed = Hashed::none();
        match (self.carried(source, &mut hashed), hashed.as_slice().first_chunk()) {
            (Ok(()), Some(digest)) => {
                *out = *digest;
                true
            }
            _ => false,
        }
    }

    #[inline(never)]
    pub(crate) fn carried<S: Source>(&self, source: &mut S, out: &mut Hashed) -> Result<(), Error<S::Error>> {
        let tlv = self.digest.ok_or(Refusal::NoDigest)?;
        let room = match tlv.kind {
            TlvKind::SHA256 => out.room(32),
            #[cfg(feature = "sha512")]
            TlvKind::SHA512 => out.room(64),
            _ => None,
        };
        let room = room.ok_or(Refusal::UnsupportedDigest {
            kind: detail(|| tlv.kind),
        })?;
        value(&tlv, source, room)
    }

    /// The digest computed, of the kind that the image carries.
    ///
    /// # Errors
    /// As [`Image::hash`].
    pub fn digest<S: Source>(&self, source: &mut S) -> Result<Digest, Error<S::Error>> {
        let mut hashed = Hashed::none();
        of_part(source, self.digest_kind()?, (0, self.covered), &mut hashed)?;
        Ok(hashed.digest().ok_or(Refusal::NoDigest)?)
    }

    /// The same in steps.
    ///
    /// # Errors
    /// [`Refusal::NoDigest`] or [`Refusal::UnsupportedDigest`].
    pub fn digester(&self) -> Result<Digester, Refusal> {
        Digester::new(self.digest_kind()?, 0, self.covered)
    }

    pub(crate) fn digest_kind(&self) -> Result<TlvKind, Refusal> {
        self.digest.map(|tlv| tlv.kind).ok_or(Refusal::NoDigest)
    }

    /// The security counter, if the image has one.
    pub fn security_counter(&self) -> Option<u32> {
        self.counter
    }

    /// The vendor that the image is for, if it says so.
    pub fn vid(&self) -> Option<[u8; 16]> {
        self.vid
    }

    /// The class of boards that the image is for, if it says so.
    pub fn cid(&self) -> Option<[u8; 16]> {
        self.cid
    }

    /// The second word of the payload: on a Cortex-M the address that it starts at (bit 0 is the Thumb bit).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] for a payload of less than 8 bytes, or a failed read.
    pub fn reset_vector<S: Source>(&self, source: &mut S) -> Result<u32, Error<S::Error>> {
        if self.header.image_size < 8 {
            return Err(FormatError::Truncated {
                needed: detail(|| 8),
                available: detail(|| self.header.image_size),
            }
            .into());
        }
        let mut vector = [0; 4];
        source
            .read(u32::from(self.header.header_size) + 4, &mut vector)
            .map_err(Error::Source)?;
        Ok(u32::from_le_bytes(vector))
    }
}

fn read_header<S: Source>(header: &mut Header, source: &mut S) -> Result<(), Error<S::Error>> {
    let available = source.len();
    if available < Header::LEN as u32 {
        // Too short to be an image; say so as such only where it starts like one.
        let mut magic = [0; 4];
        if available >= 4 {
            source.read(0, &mut magic).map_err(Error::Source)?;
        }
        return Err(match u32::from_le_bytes(magic) {
            Header::MAGIC => FormatError::Truncated {
                needed: detail(|| Header::LEN as u64),
                available: detail(|| available),
            },
            magic => FormatError::NotAnImage {
                magic: detail(|| magic),
            },
        }
        .into());
    }
    let mut bytes = [0; Header::LEN];
    source.read(0, &mut bytes).map_err(Error::Source)?;
    *header = Header::parse(&bytes)?;
    Ok(())
}

/// Magic and size of the area at `offset`, its own header included.
fn area<S: Source>(offset: u64, source: &mut S) -> Result<(u16, u16), Error<S::Error>> {
    let needed = offset + u64::from(HEAD);
    let available = source.len();
    let Some(offset) = u32::try_from(offset)
        .ok()
        .filter(|_| needed <= u64::from(available))
    else {
        return Err(FormatError::Truncated {
            needed: detail(|| needed),
            available: detail(|| available),
        }
        .into());
    };
    let mut head = [0; HEAD as usize];
    source.read(offset, &mut head).map_err(Error::Source)?;
    let [m0, m1, s0, s1] = head;
    let (magic, size) = (u16::from_le_bytes([m0, m1]), u16::from_le_bytes([s0, s1]));
    let known = magic == AREA_MAGIC || magic == PROTECTED_MAGIC;
    if known && u32::from(size) < HEAD {
        Err(FormatError::TlvOverrun {
            offset: detail(|| offset),
        }
        .into())
    } else {
        Ok((magic, size))
    }
}

/// A UUID that may stand once; says whether it stood before.
fn uuid<S: Source>(place: &mut Option<[u8; 16]>, tlv: &Tlv, source: &mut S) -> Result<bool, Error<S::Error>> {
    let seen = place.is_some();
    value(tlv, source, place.insert([0; 16]))?;
    Ok(seen)
}

/// The value of a TLV that has exactly as many bytes as `out`.
#[inline(never)]
pub(crate) fn value<S: Source>(tlv: &Tlv, source: &mut S, out: &mut [u8]) -> Result<(), Error<S::Error>> {
    if usize::from(tlv.len) != out.len() {
        return Err(FormatError::TlvLength {
            kind: detail(|| tlv.kind),
            len: detail(|| tlv.len),
        }
        .into());
    }
    source.read(tlv.offset, out).map_err(Error::Source)
}
