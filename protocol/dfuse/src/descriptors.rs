//! What a loader's descriptors say of its interface.

use alloc::string::String;
use alloc::vec::Vec;

/// Types of descriptors (USB 2.0, table 9-5; DFU 1.1, 4.1.3).
pub(crate) const CONFIGURATION: u8 = 2;
/// See [`CONFIGURATION`].
pub(crate) const STRING: u8 = 3;
const INTERFACE: u8 = 4;
const DFU_FUNCTIONAL: u8 = 0x21;
/// Bytes of a configuration's first descriptor, which says how many there are in all.
pub(crate) const HEAD_LEN: u16 = 9;
/// More than any loader's configuration has.
const MOST: u16 = 4096;

/// A DFU interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its alternate settings: number, and index of the text that describes its memory.
    pub alternates: Vec<(u8, u8)>,
    /// Bytes of a full block (`wTransferSize`).
    pub transfer: u16,
}

/// Bytes of the whole configuration (USB 2.0, 9.6.3); `None` where these are not its first ones.
pub(crate) fn whole_len(head: &[u8]) -> Option<u16> {
    match head {
        [_, CONFIGURATION, low, high, ..] => {
            let len = u16::from_le_bytes([*low, *high]);
            (HEAD_LEN..=MOST).contains(&len).then_some(len)
        }
        _ => None,
    }
}

/// Class, subclass and protocol of the interface: application specific, DFU, DFU mode (DFU 1.1, 4.2.3).
pub const CLASS: (u8, u8, u8) = (0xFE, 1, 2);

/// Looks for the interface of this number in a configuration; `None` where there is none for DFU in DFU mode, or where the
/// configuration is cut off.
pub fn find(configuration: &[u8], interface: u8) -> Option<Found> {
    let mut rest = configuration;
    let (mut alternates, mut transfer, mut is_ours) = (Vec::new(), None, false);
    while let Some(&len) = rest.first() {
        let (part, after) = rest.split_at_checked(usize::from(len).max(2))?;
        match part {
            // bInterfaceNumber, bAlternateSetting, bNumEndpoints, then class, subclass, protocol (DFU 1.1, 4.2.3), iInterface.
            [
                _,
                INTERFACE,
                number,
                alternate,
                _,
                class,
                subclass,
                protocol,
                text,
                ..,
            ] => {
                is_ours = *number == interface && (*class, *subclass, *protocol) == CLASS;
                if is_ours {
                    alternates.push((*alternate, *text));
                }
            }
            // bmAttributes, wDetachTimeOut, wTransferSize.
            [_, DFU_FUNCTIONAL, _, _, _, low, high, ..] if is_ours => {
                transfer = transfer.or(Some(u16::from_le_bytes([*low, *high])));
            }
            _ => {}
        }
        rest = after;
    }
    let transfer = transfer.filter(|transfer| *transfer > 0)?;
    (!alternates.is_empty()).then_some(Found { alternates, transfer })
}

/// A string descriptor's text (USB 2.0, 9.6.7); `None` where it is none.
pub fn text(descriptor: &[u8]) -> Option<String> {
    let (&len, _) = descriptor.split_first()?;
    match descriptor.get(..usize::from(len))? {
        [_, STRING, text @ ..] => {
            let (units, _) = text.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
            Some(
                char::decode_utf16(units)
                    .map(|it| it.unwrap_or('\u{FFFD}'))
                    .collect(),
            )
        }
        _ => None,
    }
}
