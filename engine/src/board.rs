//! What a board said of itself, owned.

use alloc::string::String;
use alloc::vec::Vec;

use bootlace_image::{Algorithm, PublicKey};
use bootlace_smp::bootlace::{
    self, BootState, Description, Features, JournalEntry, Release, Reset, Role, RollbackReason, Supply, Trial,
};
use bootlace_smp::frame::Framing;
use bootlace_smp::img::{ImageSlots, StateEntry};
use bootlace_smp::os;
use bootlace_smp::{List, Text};

use crate::hash::is_listed_as;
use crate::text::clean;

/// A board.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BoardInfo {
    /// Who answers. `None`: a board without Bootlace's group (plain Zephyr, MCUboot's recovery), which does not say.
    pub role: Option<Role>,
    /// Name of its kind.
    pub name: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Version of the companion bootloader.
    pub companion: Option<String>,
    /// Vendor UUID that images must carry.
    pub vid: Option<[u8; 16]>,
    /// Class UUID that images must carry.
    pub cid: Option<[u8; 16]>,
    /// Keys that it trusts, as far as they are of a known kind. Empty: it does not say.
    pub keys: Vec<PublicKey>,
    /// Its slots, primary first, as far as it says.
    pub slots: Vec<SlotInfo>,
    /// What is in the slots.
    pub images: Vec<SlotImage>,
    /// It answers the image group: it can be updated.
    pub has_image_group: bool,
    /// Bytes of the largest packet that it takes, header included.
    pub frame: u32,
    /// Packets that it takes before it has answered one.
    pub window: u32,
    /// How packets go over the line.
    pub framing: Option<Framing>,
    /// Security counter: images below it are refused.
    pub counter: Option<u32>,
    /// What else it can do.
    pub features: Features,
    /// Why it last started.
    pub reset: Option<Reset>,
    /// What it is doing; in the bootloader, why it is there.
    pub state: Option<BootState>,
    /// The last trial failed.
    pub rollback: Option<Rollback>,
    /// The running image is on trial.
    pub trial: Option<Trial>,
    /// Its supply when it was last asked.
    pub supply: Option<Supply>,
    /// Version of its golden image.
    pub golden: Option<Release>,
    /// MCUboot's serial recovery answers: no application runs.
    pub recovery: bool,
    /// How its bootloader updates, by MCUboot's number; `None`: it does not say.
    pub mode: Option<i32>,
    /// Its last updates, newest first. `None`: it was not asked ([`Command::Journal`](crate::Command)).
    pub journal: Option<Vec<JournalEntry>>,
}

/// A slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotInfo {
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// Its first address; `None`: the board does not say.
    pub addr: Option<u32>,
    /// Bytes.
    pub size: u32,
    /// Bytes of the largest image.
    pub max: Option<u32>,
    /// Bytes that are erased at once.
    pub erase: Option<u32>,
    /// Bytes that are written at once.
    pub write: Option<u32>,
    /// Number of the image that an upload to this slot has to name; `None`: the board does not say.
    pub upload_image: Option<u32>,
}

/// An image in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotImage {
    /// Which pair of slots: 0 on boards with one.
    pub image: u32,
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// Its version, as the board spells it; "?" where the board does not tell.
    pub version: String,
    /// Its hash; empty if the board gives none.
    pub hash: Vec<u8>,
    /// It can be started.
    pub bootable: bool,
    /// It will be swapped in at the next restart.
    pub pending: bool,
    /// It has proved itself.
    pub confirmed: bool,
    /// It runs, or is what would be started.
    pub active: bool,
    /// Pending for good.
    pub permanent: bool,
}

/// How a new image takes the place of the one that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Exchange {
    /// Both are kept: the new one is tried, and the old one taken back where that fails.
    Swap,
    /// The restart writes the new one over the old one: there is no way back after it.
    Overwrite,
    /// The upload itself writes over the image that is there: there is no way back once it begins.
    InPlace,
    /// In a way that this version does not know, by MCUboot's number: nothing is sent.
    Unsupported(i32),
}

impl SlotImage {
    /// The board says how it is with this image: some list version and hash alone.
    pub fn has_flags(&self) -> bool {
        self.bootable || self.pending || self.confirmed || self.active || self.permanent
    }

    /// Whether this is the image of that hash: as many bytes as the board lists, at least 32. `None`: the board lists no
    /// hash, so nothing is known.
    pub fn is_of_hash(&self, hash: &[u8]) -> Option<bool> {
        (!self.hash.is_empty()).then(|| is_listed_as(hash, &self.hash))
    }
}

/// The last trial failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rollback {
    /// Why.
    pub reason: RollbackReason,
    /// The version that failed.
    pub from: Option<String>,
}

impl BoardInfo {
    /// The image of the first pair that runs: the one in the primary slot, unless the board runs images where they lie.
    pub fn running(&self) -> Option<&SlotImage> {
        self.image_at(u32::from(self.runs_in_secondary()))
    }

    /// The image in the other slot of the first pair.
    pub fn other(&self) -> Option<&SlotImage> {
        self.image_at(u32::from(!self.runs_in_secondary()))
    }

    /// The image in the secondary slot runs, as only direct XIP makes it (img_mgmt.c, img_mgmt_active_slot).
    fn runs_in_secondary(&self) -> bool {
        let is_active = |slot| self.image_at(slot).is_some_and(|image| image.active);
        is_active(1) && !is_active(0)
    }

    /// It keeps a journal of its updates.
    pub fn keeps_journal(&self) -> bool {
        self.features.has(Features::JOURNAL)
    }

    /// It speaks Bootlace's group.
    pub fn is_bootlace(&self) -> bool {
        self.role.is_some()
    }

    /// Its bootloader answers, and says so: whatever its slots hold, no application runs.
    pub fn is_in_bootloader(&self) -> bool {
        self.role == Some(Role::Bootloader) || self.recovery
    }

    /// How a new image takes the place of the one that runs.
    pub fn exchange(&self) -> Exchange {
        match self.mode {
            _ if self.is_bootlace() => Exchange::Swap,
            // It puts images into the primary slot (boot_serial.c:978), unless it takes them for the secondary one, and
            // can mark them there. That it can is seen by the flags that it lists.
            _ if self.recovery => match self.direct_upload() {
                Some(_) => Exchange::Swap,
                None => Exchange::InPlace,
            },
            None if self.runs_in_secondary() => Exchange::Unsupported(os::MODE_DIRECT_XIP),
            // Scratch, move, offset.
            None | Some(1 | os::MODE_SWAP | 9) => Exchange::Swap,
            Some(os::MODE_OVERWRITE) => Exchange::Overwrite,
            Some(mode) => Exchange::Unsupported(mode),
        }
    }

    /// The number of the image that uploads to the secondary slot have to name, where the board has one of its own for
    /// that and can mark what lies there (MCUboot's `MCUBOOT_SERIAL_DIRECT_IMAGE_UPLOAD` with image states).
    pub(crate) fn direct_upload(&self) -> Option<u32> {
        let number = |slot| self.slots.iter().find(|it| it.slot == slot)?.upload_image;
        // Without direct uploads, recovery gives the secondary slot the number of the pair, and writes to the primary one.
        let (primary, secondary) = (number(0)?, number(1)?);
        let marks = self.images.iter().any(SlotImage::has_flags);
        (self.recovery && primary != secondary && marks).then_some(secondary)
    }

    /// Why it stays in its bootloader with no image that it may start; `None` where it may start one, or does not say.
    pub fn starts_nothing(&self) -> Option<BootState> {
        self.state
            .filter(|state| self.is_in_bootloader() && state.starts_nothing())
    }

    /// It makes images from patches.
    pub fn takes_patches(&self) -> bool {
        self.features.has(Features::DELTA)
    }

    /// Where it runs images from.
    pub fn primary(&self) -> Option<&SlotInfo> {
        self.slots.iter().find(|slot| slot.slot == 0)
    }

    /// Bytes of the largest image that it takes, as far as it says.
    pub fn max_image(&self) -> Option<u32> {
        let secondary = self.slots.iter().find(|slot| slot.slot == 1);
        secondary.map(|slot| slot.max.unwrap_or(slot.size))
    }

    fn image_at(&self, slot: u32) -> Option<&SlotImage> {
        self.images
            .iter()
            .find(|image| image.image == 0 && image.slot == slot)
    }

    /// Takes over what a description says.
    pub(crate) fn describe(&mut self, it: &Description<'_>) {
        let text = |text: Option<&str>| text.map(clean);
        *self = BoardInfo {
            role: Some(it.role),
            name: text(it.board),
            serial: text(it.serial),
            companion: text(it.bootloader),
            vid: it.vid.copied(),
            cid: it.cid.copied(),
            keys: it.keys.iter().filter_map(|key| public_key(&key)).collect(),
            slots: it.slots.iter().map(SlotInfo::from).collect(),
            frame: it.frame.unwrap_or(0),
            window: it.window.unwrap_or(0),
            counter: it.counter,
            features: it.features,
            reset: it.reset,
            state: it.state,
            rollback: it.rollback.map(|back| Rollback {
                reason: back.reason,
                from: text(back.from.map(Text::as_str)),
            }),
            trial: it.trial,
            supply: it.supply,
            golden: it.golden,
            journal: self.journal.take(),
            images: core::mem::take(&mut self.images),
            has_image_group: self.has_image_group,
            framing: self.framing,
            recovery: false,
            mode: None,
        };
    }

    /// Takes over what a list of images says.
    pub(crate) fn list(&mut self, images: &List<'_, StateEntry<'_>>) {
        self.images = images.iter().map(SlotImage::from).collect();
        self.has_image_group = true;
    }

    /// Takes over what a list of slots says, where there is no description.
    pub(crate) fn sizes(&mut self, images: &List<'_, ImageSlots<'_>>) {
        let Some(first) = images.iter().find(|image| image.image == 0) else {
            return;
        };
        self.slots = first
            .slots
            .iter()
            .map(|slot| SlotInfo {
                slot: slot.slot,
                size: slot.size,
                max: first.max_image_size,
                upload_image: slot.upload_image_id,
                ..SlotInfo::default()
            })
            .collect();
    }
}

fn public_key(key: &bootlace::Key<'_>) -> Option<PublicKey> {
    let algorithm = match key.alg {
        bootlace::Algorithm::P256 => Algorithm::P256,
        bootlace::Algorithm::Ed25519 => Algorithm::Ed25519,
        _ => return None,
    };
    PublicKey::from_parts(algorithm, key.key).ok()
}

impl From<bootlace::Slot> for SlotInfo {
    fn from(slot: bootlace::Slot) -> Self {
        SlotInfo {
            slot: slot.slot,
            addr: Some(slot.addr),
            size: slot.size,
            max: Some(slot.max),
            erase: Some(slot.erase),
            write: Some(slot.write),
            upload_image: None,
        }
    }
}

/// In the place of a version that a board does not tell.
const UNKNOWN_VERSION: &str = "?";

impl From<StateEntry<'_>> for SlotImage {
    fn from(entry: StateEntry<'_>) -> Self {
        SlotImage {
            image: entry.image.unwrap_or(0),
            slot: entry.slot,
            version: match clean(entry.version.as_str()) {
                none if none.is_empty() => UNKNOWN_VERSION.into(),
                version => version,
            },
            hash: entry.hash.unwrap_or_default().to_vec(),
            bootable: entry.bootable,
            pending: entry.pending,
            confirmed: entry.confirmed,
            active: entry.active,
            permanent: entry.permanent,
        }
    }
}
