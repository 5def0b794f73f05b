//! Group 1: images and slots.

use minicbor::decode::Decoder;

use crate::cbor::{self, Encoder, Fields, Item, List};
use crate::{DecodeError, EncodeError, Header, Op};

mod error;
pub use error::ErrorCode;

/// Number of the group.
pub const GROUP: u16 = 1;

const STATE: u8 = 0;
const UPLOAD: u8 = 1;
const ERASE: u8 = 5;
const SLOT_INFO: u8 = 6;

/// What can be asked about images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// What is in the slots.
    State,
    /// Mark an image for test, or confirm one.
    SetState {
        /// Its hash (the TLV's, not the file's). Absent: the running image, to be confirmed.
        hash: Option<&'a [u8]>,
        /// Keep it, rather than try it once.
        confirm: bool,
    },
    /// A piece of an image, for the secondary slot.
    Upload(Upload<'a>),
    /// Erase a slot.
    Erase {
        /// Absent: 1, the secondary.
        slot: Option<u32>,
    },
    /// Sizes of the slots.
    SlotInfo,
}

/// A piece of an image. `image`, `len`, `sha` and `upgrade` come with offset 0 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upload<'a> {
    /// Which pair of slots; absent: 0.
    pub image: Option<u32>,
    /// Where the piece belongs, bytes from the file's start.
    pub off: u32,
    /// Bytes of the whole file.
    pub len: Option<u32>,
    /// SHA-256 of the whole file: names the upload, so that it can be resumed.
    pub sha: Option<&'a [u8]>,
    /// The piece.
    pub data: &'a [u8],
    /// Refuse it unless it is newer than what runs.
    pub upgrade: bool,
}

impl<'a> Request<'a> {
    /// Op, group and command of this request.
    pub const fn address(&self) -> (Op, u16, u8) {
        match self {
            Request::State => (Op::Read, GROUP, STATE),
            Request::SetState { .. } => (Op::Write, GROUP, STATE),
            Request::Upload(_) => (Op::Write, GROUP, UPLOAD),
            Request::Erase { .. } => (Op::Write, GROUP, ERASE),
            Request::SlotInfo => (Op::Read, GROUP, SLOT_INFO),
        }
    }

    /// Decodes a request of this group.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match (header.op, header.id) {
            (Op::Read, STATE) => Ok(Request::State),
            (Op::Write, STATE) => {
                let (mut hash, mut confirm) = (None, false);
                cbor::payload(payload, &mut |key, dec| {
                    match key {
                        "hash" => hash = optional_bytes(dec)?,
                        "confirm" => confirm = dec.bool()?,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                Ok(Request::SetState { hash, confirm })
            }
            (Op::Write, UPLOAD) => Upload::decode(payload).map(Request::Upload),
            (Op::Write, ERASE) => {
                let mut slot = None;
                cbor::payload(payload, &mut |key, dec| {
                    if key == "slot" {
                        slot = Some(dec.u32()?);
                    }
                    Ok(key == "slot")
                })?;
                Ok(Request::Erase { slot })
            }
            (Op::Read, SLOT_INFO) => Ok(Request::SlotInfo),
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match *self {
            Request::State | Request::SlotInfo => cbor::begin_map(enc, 0)?,
            Request::SetState { hash, confirm } => {
                Fields::new().count(hash.is_some()).count(true).begin(enc)?;
                if let Some(hash) = hash {
                    cbor::put_bytes(enc, "hash", hash)?;
                }
                cbor::put_bool(enc, "confirm", confirm)?;
            }
            Request::Upload(upload) => upload.encode(enc)?,
            Request::Erase { slot } => {
                Fields::new().count(slot.is_some()).begin(enc)?;
                if let Some(slot) = slot {
                    cbor::put_u32(enc, "slot", slot)?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Upload<'a> {
    pub(crate) fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut upload = Upload::default();
        let (mut off, mut data) = (None, None);
        cbor::payload(payload, &mut |key, dec| {
            match key {
                "off" => off = Some(dec.u32()?),
                "data" => data = Some(cbor::bytes(dec)?),
                "image" => upload.image = Some(dec.u32()?),
                "len" => upload.len = Some(dec.u32()?),
                "sha" => upload.sha = optional_bytes(dec)?,
                "upgrade" => upload.upgrade = dec.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        upload.off = off.ok_or(DecodeError::Missing("off"))?;
        upload.data = data.ok_or(DecodeError::Missing("data"))?;
        Ok(upload)
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Fields::new()
            .count(self.image.is_some())
            .count(self.len.is_some())
            .count(true)
            .count(self.sha.is_some())
            .count(true)
            .count(self.upgrade)
            .begin(enc)?;
        if let Some(image) = self.image {
            cbor::put_u32(enc, "image", image)?;
        }
        if let Some(len) = self.len {
            cbor::put_u32(enc, "len", len)?;
        }
        cbor::put_u32(enc, "off", self.off)?;
        if let Some(sha) = self.sha {
            cbor::put_bytes(enc, "sha", sha)?;
        }
        if self.upgrade {
            cbor::put_bool(enc, "upgrade", true)?;
        }
        cbor::put_bytes(enc, "data", self.data)?;
        Ok(())
    }
}

/// What is answered about images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response<'a> {
    /// What is in the slots, now.
    State(List<'a, StateEntry<'a>>),
    /// How far the upload is.
    Upload {
        /// The offset wanted next: the board's word is the authority.
        off: u32,
        /// At the end: whether what is stored has the `sha` that was announced.
        matched: Option<bool>,
    },
    /// The slot is blank.
    Erase,
    /// Sizes of the slots.
    SlotInfo(List<'a, ImageSlots<'a>>),
}

impl<'a> Response<'a> {
    /// Decodes an answer of this group.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match header.id {
            STATE => list_at(payload, "images").map(Response::State),
            UPLOAD => decode_progress(payload).map(|(off, matched)| Response::Upload { off, matched }),
            ERASE => Ok(Response::Erase),
            SLOT_INFO => list_at(payload, "images").map(Response::SlotInfo),
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Response::State(images) => {
                cbor::begin_map(enc, 1)?;
                cbor::key(enc, "images")?;
                images.encode(enc)?;
            }
            Response::Upload { off, matched } => encode_progress(enc, *off, *matched)?,
            Response::Erase => cbor::begin_map(enc, 0)?,
            Response::SlotInfo(images) => {
                cbor::begin_map(enc, 1)?;
                cbor::key(enc, "images")?;
                images.encode(enc)?;
            }
        }
        Ok(())
    }
}

/// How far a transfer is: what is wanted next, and at the end whether what is stored is right.
pub(crate) fn decode_progress(payload: &[u8]) -> Result<(u32, Option<bool>), DecodeError> {
    let (mut off, mut matched) = (None, None);
    cbor::payload(payload, &mut |key, dec| {
        match key {
            "off" => off = Some(dec.u32()?),
            "match" => matched = Some(dec.bool()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((off.ok_or(DecodeError::Missing("off"))?, matched))
}

pub(crate) fn encode_progress(
    enc: &mut Encoder<'_>,
    off: u32,
    matched: Option<bool>,
) -> Result<(), EncodeError> {
    Fields::new().count(true).count(matched.is_some()).begin(enc)?;
    cbor::put_u32(enc, "off", off)?;
    if let Some(matched) = matched {
        cbor::put_bool(enc, "match", matched)?;
    }
    Ok(())
}

/// An image in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateEntry<'a> {
    /// Which pair of slots; absent: 0.
    pub image: Option<u32>,
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// `major.minor.revision`, and `.build` where it is not 0.
    pub version: &'a str,
    /// The image's hash TLV; MCUboot's recovery can be built without.
    pub hash: Option<&'a [u8]>,
    /// It can be started.
    pub bootable: bool,
    /// It will be swapped in at the next start.
    pub pending: bool,
    /// It has proved itself.
    pub confirmed: bool,
    /// It runs.
    pub active: bool,
    /// Pending for good, not for test.
    pub permanent: bool,
}

impl<'a> Item<'a> for StateEntry<'a> {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let mut entry = StateEntry::default();
        let (mut slot, mut version) = (None, None);
        cbor::map(dec, &mut |key, dec| {
            match key {
                "image" => entry.image = Some(dec.u32()?),
                "slot" => slot = Some(dec.u32()?),
                "version" => version = Some(cbor::text(dec)?),
                "hash" => entry.hash = optional_bytes(dec)?,
                "bootable" => entry.bootable = dec.bool()?,
                "pending" => entry.pending = dec.bool()?,
                "confirmed" => entry.confirmed = dec.bool()?,
                "active" => entry.active = dec.bool()?,
                "permanent" => entry.permanent = dec.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        entry.slot = slot.ok_or(DecodeError::Missing("slot"))?;
        entry.version = version.ok_or(DecodeError::Missing("version"))?;
        Ok(entry)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Fields(7)
            .count(self.image.is_some())
            .count(self.hash.is_some())
            .begin(enc)?;
        if let Some(image) = self.image {
            cbor::put_u32(enc, "image", image)?;
        }
        cbor::put_u32(enc, "slot", self.slot)?;
        cbor::put_str(enc, "version", self.version)?;
        if let Some(hash) = self.hash {
            cbor::put_bytes(enc, "hash", hash)?;
        }
        // All five, true or not, as Zephyr does unless told otherwise.
        let flags = [
            ("bootable", self.bootable),
            ("pending", self.pending),
            ("confirmed", self.confirmed),
            ("active", self.active),
            ("permanent", self.permanent),
        ];
        flags
            .into_iter()
            .try_for_each(|(key, value)| cbor::put_bool(enc, key, value))
    }
}

/// The slots of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageSlots<'a> {
    /// Which pair of slots.
    pub image: u32,
    /// The slots.
    pub slots: List<'a, SlotSize>,
    /// Bytes of the largest image that can be updated.
    pub max_image_size: Option<u32>,
}

impl<'a> Item<'a> for ImageSlots<'a> {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let (mut image, mut slots, mut max_image_size) = (0, List::default(), None);
        cbor::map(dec, &mut |key, dec| {
            match key {
                "image" => image = dec.u32()?,
                "slots" => slots = List::decode(dec)?,
                "max_image_size" => max_image_size = Some(dec.u32()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(ImageSlots {
            image,
            slots,
            max_image_size,
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Fields(2).count(self.max_image_size.is_some()).begin(enc)?;
        cbor::put_u32(enc, "image", self.image)?;
        cbor::key(enc, "slots")?;
        self.slots.encode(enc)?;
        if let Some(size) = self.max_image_size {
            cbor::put_u32(enc, "max_image_size", size)?;
        }
        Ok(())
    }
}

/// A slot and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotSize {
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// Bytes.
    pub size: u32,
    /// The `image` to name in an upload that is to land here.
    pub upload_image_id: Option<u32>,
}

impl<'a> Item<'a> for SlotSize {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let mut entry = SlotSize::default();
        cbor::map(dec, &mut |key, dec| {
            match key {
                "slot" => entry.slot = dec.u32()?,
                "size" => entry.size = dec.u32()?,
                "upload_image_id" => entry.upload_image_id = Some(dec.u32()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(entry)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Fields(2).count(self.upload_image_id.is_some()).begin(enc)?;
        cbor::put_u32(enc, "slot", self.slot)?;
        cbor::put_u32(enc, "size", self.size)?;
        if let Some(id) = self.upload_image_id {
            cbor::put_u32(enc, "upload_image_id", id)?;
        }
        Ok(())
    }
}

/// A byte string, or the `null` that some clients send for one they lack.
fn optional_bytes<'a>(dec: &mut Decoder<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    if dec.datatype()? == minicbor::data::Type::Null {
        dec.null()?;
        return Ok(None);
    }
    cbor::bytes(dec).map(Some)
}

fn list_at<'a, T: Item<'a> + 'a>(
    payload: &'a [u8],
    wanted: &'static str,
) -> Result<List<'a, T>, DecodeError> {
    let mut found = None;
    cbor::payload(payload, &mut |key, dec| {
        if key == wanted {
            found = Some(List::decode(dec)?);
        }
        Ok(key == wanted)
    })?;
    found.ok_or(DecodeError::Missing(wanted))
}
