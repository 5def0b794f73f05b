//! Group 1: images and slots.

use crate::cbor::{Encoder, Item, Key, Kind, List, Reader, Text, Value, entries, fields};
use crate::{DecodeError, Header, Op};

mod error;
pub use error::ErrorCode;

/// Number of the group.
pub const GROUP: u16 = 1;

pub(crate) const STATE: u8 = 0;
pub(crate) const UPLOAD: u8 = 1;
pub(crate) const ERASE: u8 = 5;
pub(crate) const SLOT_INFO: u8 = 6;

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

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) {
        match *self {
            Request::State | Request::SlotInfo => enc.map(0),
            Request::SetState { hash, confirm } => {
                enc.map(1 + u8::from(hash.is_some()));
                enc.some_bytes(Key::HASH, hash);
                enc.flag(Key::CONFIRM, confirm);
            }
            Request::Upload(upload) => upload.encode(enc),
            Request::Erase { slot } => {
                enc.map(u8::from(slot.is_some()));
                enc.some_number(Key::SLOT, slot);
            }
        }
    }
}

impl Upload<'_> {
    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) {
        let present = [
            self.image.is_some(),
            self.len.is_some(),
            self.sha.is_some(),
            self.upgrade,
        ];
        enc.map(present.into_iter().fold(2, |entries, it| entries + u8::from(it)));
        enc.some_number(Key::IMAGE, self.image);
        enc.some_number(Key::LEN, self.len);
        enc.number(Key::OFF, self.off);
        enc.some_bytes(Key::SHA, self.sha);
        if self.upgrade {
            enc.flag(Key::UPGRADE, true);
        }
        enc.bytes(Key::DATA, self.data);
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
            STATE => list_at(payload).map(Response::State),
            UPLOAD => decode_progress(payload).map(|(off, matched)| Response::Upload { off, matched }),
            ERASE => Ok(Response::Erase),
            SLOT_INFO => list_at(payload).map(Response::SlotInfo),
            _ => Err(DecodeError::Unsupported),
        }
    }

    /// Writes the message.
    #[inline(always)]
    pub fn encode(&self, enc: &mut Encoder<'_>) {
        match self {
            Response::State(images) => {
                enc.map(1);
                images.encode(enc, Key::IMAGES);
            }
            Response::Upload { off, matched } => encode_progress(enc, *off, *matched),
            Response::Erase => enc.map(0),
            Response::SlotInfo(images) => {
                enc.map(1);
                images.encode(enc, Key::IMAGES);
            }
        }
    }
}

/// Begins the answer to [`Request::State`]: so many [`StateEntry`] follow, each by its `encode`.
pub fn begin_images(enc: &mut Encoder<'_>, count: usize) {
    enc.map(1);
    enc.list(Key::IMAGES, count, &[]);
}

/// How far a transfer is: what is wanted next, and at the end whether what is stored is right.
pub(crate) fn decode_progress(payload: &[u8]) -> Result<(u32, Option<bool>), DecodeError> {
    let mut values = [Value::Absent; 2];
    fields(
        payload,
        &[(Key::OFF, Kind::Number), (Key::MATCH, Kind::Flag)],
        &mut values,
    )?;
    let [off, matched] = values;
    let off = off.number().ok_or(DecodeError::Missing(Key::OFF))?;
    Ok((off, matched.flag()))
}

#[inline(never)]
pub(crate) fn encode_progress(enc: &mut Encoder<'_>, off: u32, matched: Option<bool>) {
    enc.map(1 + u8::from(matched.is_some()));
    enc.number(Key::OFF, off);
    if let Some(matched) = matched {
        enc.flag(Key::MATCH, matched);
    }
}

/// An image in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateEntry<'a> {
    /// Which pair of slots; absent: 0.
    pub image: Option<u32>,
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// `major.minor.revision`, and `.build` where it is not 0. Empty where the server does not say.
    pub version: Text<'a>,
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
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Key::IMAGE, Kind::Number),
                (Key::SLOT, Kind::Number),
                (Key::VERSION, Kind::Text),
                (Key::HASH, Kind::BytesOrNull),
                (Key::BOOTABLE, Kind::Flag),
                (Key::PENDING, Kind::Flag),
                (Key::CONFIRMED, Kind::Flag),
                (Key::ACTIVE, Kind::Flag),
                (Key::PERMANENT, Kind::Flag),
            ]
        };
        let mut values = [Value::Absent; 9];
        entries(reader, wanted, &mut values)?;
        let [
            image,
            slot,
            version,
            hash,
            bootable,
            pending,
            confirmed,
            active,
            permanent,
        ] = values;
        Ok(StateEntry {
            image: image.number(),
            slot: slot.number().ok_or(DecodeError::Missing(Key::SLOT))?,
            version: version.utf8()?.map(Text::from).unwrap_or_default(),
            hash: hash.bytes(),
            bootable: bootable.is_set(),
            pending: pending.is_set(),
            confirmed: confirmed.is_set(),
            active: active.is_set(),
            permanent: permanent.is_set(),
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(7 + u8::from(self.image.is_some()) + u8::from(self.hash.is_some()));
        enc.some_number(Key::IMAGE, self.image);
        enc.number(Key::SLOT, self.slot);
        enc.text(Key::VERSION, self.version);
        enc.some_bytes(Key::HASH, self.hash);
        // All five, true or not, as Zephyr does unless told otherwise.
        enc.flag(Key::BOOTABLE, self.bootable);
        enc.flag(Key::PENDING, self.pending);
        enc.flag(Key::CONFIRMED, self.confirmed);
        enc.flag(Key::ACTIVE, self.active);
        enc.flag(Key::PERMANENT, self.permanent);
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
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Key::IMAGE, Kind::Number),
                (Key::SLOTS, Kind::Raw),
                (Key::MAX_IMAGE_SIZE, Kind::Number),
            ]
        };
        let mut values = [Value::Absent; 3];
        entries(reader, wanted, &mut values)?;
        let [image, slots, max_image_size] = values;
        Ok(ImageSlots {
            image: image.number().unwrap_or(0),
            slots: List::decode(slots)?.unwrap_or_default(),
            max_image_size: max_image_size.number(),
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(2 + u8::from(self.max_image_size.is_some()));
        enc.number(Key::IMAGE, self.image);
        self.slots.encode(enc, Key::SLOTS);
        enc.some_number(Key::MAX_IMAGE_SIZE, self.max_image_size);
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
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Key::SLOT, Kind::Number),
                (Key::SIZE, Kind::Number),
                (Key::UPLOAD_IMAGE_ID, Kind::Number),
            ]
        };
        let mut values = [Value::Absent; 3];
        entries(reader, wanted, &mut values)?;
        let [slot, size, upload_image_id] = values;
        Ok(SlotSize {
            slot: slot.number().unwrap_or(0),
            size: size.number().unwrap_or(0),
            upload_image_id: upload_image_id.number(),
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(2 + u8::from(self.upload_image_id.is_some()));
        enc.number(Key::SLOT, self.slot);
        enc.number(Key::SIZE, self.size);
        enc.some_number(Key::UPLOAD_IMAGE_ID, self.upload_image_id);
    }
}

/// The list that both lists of images come as.
fn list_at<'a, T: Item<'a> + 'a>(payload: &'a [u8]) -> Result<List<'a, T>, DecodeError> {
    let mut values = [Value::Absent; 1];
    fields(payload, &[(Key::IMAGES, Kind::Raw)], &mut values)?;
    let [images] = values;
    List::decode(images)?.ok_or(DecodeError::Missing(Key::IMAGES))
}
