//! A packet made a value that borrows nothing: the packet may be released while its request is under way.

use core::ops::Range;

use bootlace_smp::{Arguments, Command, ErrorCode, Header, Text, img, os};

use crate::allow::RequestKind;
use crate::intake::{FileDigest, Kind};

/// What a packet asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// To have this text of the packet sent back.
    Echo(Place),
    Reset {
        bootloader: bool,
    },
    Params,
    Info(Parts),
    Bootloader,
    Mode,
    Piece(PieceRequest),
    List,
    SetState {
        hash: Named,
        confirm: bool,
    },
    Erase {
        slot: u32,
    },
    SlotInfo,
    Describe,
    Journal,
    /// Something that is not served here.
    Refuse(ErrorCode),
}

/// The parts that a client wants to know of an application, as `uname` has them: a bit for each of [`Parts::LETTERS`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts(u8);

impl Parts {
    /// Zephyr's letters, in the order of the answer: name, node, release, version, machine, processor, hardware platform,
    /// operating system. (Its `b`, the time of the build, is left out in Zephyr too unless asked for when built.)
    const LETTERS: [u8; 8] = *b"snrvmpio";

    /// `None` for a letter that there is not; `a` means all.
    fn named(format: Text) -> Option<Self> {
        let bit = |letter| match letter {
            b'a' => Some(u8::MAX),
            _ => {
                let at = Self::LETTERS.iter().position(|known| *known == letter)?;
                Some(1 << at)
            }
        };
        let bits = format
            .0
            .iter()
            .try_fold(0, |bits, letter| Some(bits | bit(*letter)?));
        bits.map(Parts)
    }

    /// Of the texts, in the order of [`Parts::LETTERS`], those that are wanted.
    pub(super) fn of<'t>(self, texts: &'t [&'t str; 8]) -> impl Iterator<Item = &'t str> {
        let texts = texts.iter().enumerate();
        texts.filter_map(move |(at, text)| (self.0 >> at & 1 == 1).then_some(*text))
    }
}

impl Action {
    /// What kind of request it is. To confirm an image by its hash is of two kinds: the image may be the one in the secondary
    /// slot, which is marked then.
    pub(super) fn kinds(&self) -> [RequestKind; 2] {
        let kind = match self {
            Action::Piece(_) => RequestKind::Upload,
            Action::Erase { .. } => RequestKind::Erase,
            Action::SetState { confirm: false, .. } => RequestKind::Mark,
            Action::SetState {
                hash: Named::Running, ..
            } => RequestKind::Confirm,
            Action::SetState { .. } => return [RequestKind::Confirm, RequestKind::Mark],
            Action::Reset { bootloader: true } => RequestKind::BootMode,
            Action::Reset { bootloader: false } => RequestKind::Reset,
            _ => RequestKind::Read,
        };
        [kind; 2]
    }
}

/// The image that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// None: the running one.
    Running,
    /// By something else than 32 bytes: no image of this board.
    Foreign,
    /// By its hash.
    Hash([u8; 32]),
}

/// A piece of a file; its data stays in the packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PieceRequest {
    pub(super) kind: Kind,
    pub(super) image: u32,
    pub(super) offset: u32,
    pub(super) len: Option<u32>,
    pub(super) digest: Option<FileDigest>,
    /// Refuse it unless it is newer than what runs.
    pub(super) upgrade: bool,
    pub(super) data: Place,
}

/// Where bytes of a packet lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    start: usize,
    len: usize,
}

impl Place {
    /// Of `data`, which is a part of `packet`.
    fn of(data: &[u8], packet: &[u8]) -> Self {
        let Range { start, .. } = data.as_ptr_range();
        Place {
            start: (start as usize).wrapping_sub(packet.as_ptr() as usize),
            len: data.len(),
        }
    }

    /// The bytes at this place of the packet.
    pub(super) fn of_packet(self, packet: &[u8]) -> &[u8] {
        let rest = packet.get(self.start..).unwrap_or_default();
        rest.get(..self.len).unwrap_or_default()
    }
}

impl PieceRequest {
    fn new(kind: Kind, upload: &img::Upload, packet: &[u8]) -> Self {
        let sha = upload.sha.filter(|sha| sha.len() == 32);
        PieceRequest {
            kind,
            image: upload.image.unwrap_or(0),
            offset: upload.off,
            len: upload.len,
            digest: sha.and_then(|sha| sha.first_chunk().copied()).map(FileDigest),
            upgrade: upload.upgrade,
            data: Place::of(upload.data, packet),
        }
    }
}

/// What a packet asks for, and its header, written to where they stay. False if it is no request: noise, or our own words repeated
/// by a terminal.
#[inline(never)]
pub(super) fn understand(packet: &[u8], header: &mut Header, asked: &mut Action) -> bool {
    let Ok((found, rest)) = Header::split(packet) else {
        return false;
    };
    if !found.op.is_request() {
        return false;
    }
    *header = found;
    *asked = match rest.get(..usize::from(header.len)) {
        Some(payload) => {
            let mut arguments = Arguments::new();
            match arguments.read(header, payload) {
                Ok(command) => action(command, &arguments, packet),
                Err(error) => Action::Refuse(error.code()),
            }
        }
        // Longer than a packet may be here, or than its frame was: silence would look like a line that loses packets.
        None => Action::Refuse(ErrorCode::TooLarge),
    };
    true
}

fn action(command: Command, arguments: &Arguments, packet: &[u8]) -> Action {
    let piece = |kind| Action::Piece(PieceRequest::new(kind, &arguments.piece(), packet));
    match command {
        Command::Echo => Action::Echo(Place::of(arguments.echo().0, packet)),
        Command::Reset => Action::Reset {
            bootloader: arguments.boot_mode() == Some(os::BOOT_MODE_BOOTLOADER),
        },
        Command::Params => Action::Params,
        Command::Info => Parts::named(arguments.format().unwrap_or(Text(b"s")))
            .map_or(Action::Refuse(ErrorCode::Invalid), Action::Info),
        Command::Bootloader => match arguments.query() {
            None => Action::Bootloader,
            Some(Text(b"mode")) => Action::Mode,
            Some(_) => Action::Refuse(ErrorCode::NotSupported),
        },
        Command::State => Action::List,
        Command::SetState => Action::SetState {
            hash: match arguments.hash() {
                None => Named::Running,
                Some(hash) => hash.try_into().map_or(Named::Foreign, Named::Hash),
            },
            confirm: arguments.confirm(),
        },
        Command::Upload => piece(Kind::Image),
        // Without a slot: the secondary.
        Command::Erase => Action::Erase {
            slot: arguments.slot().unwrap_or(1),
        },
        Command::SlotInfo => Action::SlotInfo,
        Command::Describe => Action::Describe,
        Command::Journal => Action::Journal,
        Command::Patch => piece(Kind::Patch),
    }
}
