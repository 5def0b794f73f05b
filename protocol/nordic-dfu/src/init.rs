//! The init packet: what the firmware is, in protocol buffers (`dfu-cc.proto`; proto2, as `dfu_cc_pb2` of `pc-nrfutil` writes it).

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha256};

/// Fields of the messages, by the names that `dfu-cc.proto` gives them.
mod field {
    pub(super) const PACKET_COMMAND: u32 = 1;
    pub(super) const PACKET_SIGNED: u32 = 2;
    pub(super) const SIGNED_COMMAND: u32 = 1;
    pub(super) const COMMAND_OP: u32 = 1;
    pub(super) const COMMAND_INIT: u32 = 2;
    pub(super) const VERSION: u32 = 1;
    pub(super) const HARDWARE: u32 = 2;
    pub(super) const SOFTDEVICES: u32 = 3;
    pub(super) const KIND: u32 = 4;
    pub(super) const SOFTDEVICE_SIZE: u32 = 5;
    pub(super) const BOOTLOADER_SIZE: u32 = 6;
    pub(super) const SIZE: u32 = 7;
    pub(super) const HASH: u32 = 8;
    pub(super) const DEBUG: u32 = 9;
    pub(super) const BOOT_VALIDATION: u32 = 10;
    pub(super) const HASH_KIND: u32 = 1;
    pub(super) const HASH_BYTES: u32 = 2;
}

/// `OpCode.INIT`.
const INIT: u32 = 1;
/// `HashType.SHA256`.
const SHA256: u32 = 3;
/// `ValidationType.VALIDATE_GENERATED_CRC`: the loader notes the CRC of what arrived, and compares it at each start.
const BY_CRC: u32 = 1;

/// What a firmware is (`FwType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An application: all that is sent from here.
    Application,
    /// A SoftDevice, a bootloader, or anything else.
    Other(u32),
}

/// An init packet without signature for an application without SoftDevice, as `nrfutil pkg generate --hw-version N --sd-req 0
/// --application-version V` writes it.
pub fn init_packet(firmware: &[u8], hardware: u32, version: u32) -> Vec<u8> {
    let mut hash: Vec<u8> = Sha256::digest(firmware).to_vec();
    // Least significant byte first (`nrf_dfu_validation.c`, `fw_hash_ok`).
    hash.reverse();
    let mut message = Writer::default();
    message.number(field::VERSION, version);
    message.number(field::HARDWARE, hardware);
    message.bytes(field::SOFTDEVICES, &[0]);
    message.number(field::KIND, 0);
    message.number(field::SOFTDEVICE_SIZE, 0);
    message.number(field::BOOTLOADER_SIZE, 0);
    message.number(field::SIZE, firmware.len() as u32);
    let mut hashed = Writer::default();
    hashed.number(field::HASH_KIND, SHA256);
    hashed.bytes(field::HASH_BYTES, &hash);
    message.bytes(field::HASH, &hashed.0);
    message.number(field::DEBUG, 0);
    let mut validation = Writer::default();
    validation.number(1, BY_CRC);
    validation.bytes(2, &[]);
    message.bytes(field::BOOT_VALIDATION, &validation.0);
    let mut command = Writer::default();
    command.number(field::COMMAND_OP, INIT);
    command.bytes(field::COMMAND_INIT, &message.0);
    let mut packet = Writer::default();
    packet.bytes(field::PACKET_COMMAND, &command.0);
    packet.0
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u32, value: u32) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u32);
        self.0.extend(bytes);
    }
}

/// Why an init packet can't be sent with a firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// It is no init packet, or is cut off.
    Malformed,
    /// It is for something else than an application.
    Kind(Kind),
    /// It says another length than the firmware has.
    Length {
        /// What it says.
        said: u32,
        /// What the firmware has.
        has: u32,
    },
    /// It says another SHA-256, or none.
    Hash,
    /// The firmware is no whole words of 4 bytes, and loaders write no other.
    Words,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::Malformed => f.write_str("its init packet is damaged"),
            InitError::Kind(_) => {
                f.write_str("it is for a SoftDevice or a bootloader, and not an application")
            }
            InitError::Length { said, has } => {
                write!(
                    f,
                    "its firmware has {has} bytes where its init packet says {said}"
                )
            }
            InitError::Words => f.write_str("its firmware does not end with a whole word"),
            InitError::Hash => f.write_str("its firmware is another than its init packet was made for"),
        }
    }
}

impl core::error::Error for InitError {}

/// What an init packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The hardware version that it is for.
    pub hardware: Option<u32>,
    /// The firmware's version.
    pub version: Option<u32>,
    /// Whether it is signed.
    pub is_signed: bool,
}

/// Reads an init packet that goes with a firmware.
///
/// # Errors
/// The first thing that does not fit.
pub fn facts(packet: &[u8], firmware: &[u8]) -> Result<Facts, InitError> {
    let signed = find(packet, field::PACKET_SIGNED)?;
    let command = match signed {
        Some(signed) => bytes(find(bytes(Some(signed))?, field::SIGNED_COMMAND)?)?,
        None => bytes(find(packet, field::PACKET_COMMAND)?)?,
    };
    let init = bytes(find(command, field::COMMAND_INIT)?)?;
    match number(find(init, field::KIND)?)? {
        Some(0) => {}
        kind => return Err(InitError::Kind(Kind::Other(kind.unwrap_or(u32::MAX)))),
    }
    let has = u32::try_from(firmware.len()).unwrap_or(u32::MAX);
    let said = number(find(init, field::SIZE)?)?.unwrap_or_default();
    if said != has {
        return Err(InitError::Length { said, has });
    }
    if !firmware.len().is_multiple_of(4) {
        return Err(InitError::Words);
    }
    let hash = bytes(find(init, field::HASH)?)?;
    let kind = number(find(hash, field::HASH_KIND)?)?;
    let said = bytes(find(hash, field::HASH_BYTES)?)?;
    let is = Sha256::digest(firmware);
    if kind != Some(SHA256) || !is.iter().rev().eq(said) {
        return Err(InitError::Hash);
    }
    Ok(Facts {
        hardware: number(find(init, field::HARDWARE)?)?,
        version: number(find(init, field::VERSION)?)?,
        is_signed: signed.is_some(),
    })
}

/// A field's value.
#[derive(Clone, Copy, Debug)]
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn bytes<'b>(value: Option<Value<'b>>) -> Result<&'b [u8], InitError> {
    match value {
        Some(Value::Bytes(bytes)) => Ok(bytes),
        _ => Err(InitError::Malformed),
    }
}

fn number(value: Option<Value<'_>>) -> Result<Option<u32>, InitError> {
    match value {
        Some(Value::Number(number)) => Ok(u32::try_from(number).ok()),
        Some(Value::Bytes(_)) => Err(InitError::Malformed),
        None => Ok(None),
    }
}

/// The last value of a field, as protocol buffers have it; the whole message is read.
fn find(message: &[u8], wanted: u32) -> Result<Option<Value<'_>>, InitError> {
    let mut rest = message;
    let mut found = None;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut rest)?),
            2 => {
                let len = usize::try_from(varint(&mut rest)?).map_err(|_| InitError::Malformed)?;
                let (value, after) = rest.split_at_checked(len).ok_or(InitError::Malformed)?;
                rest = after;
                Value::Bytes(value)
            }
            _ => return Err(InitError::Malformed),
        };
        if key >> 3 == u64::from(wanted) {
            found = Some(value);
        }
    }
    Ok(found)
}

fn varint(rest: &mut &[u8]) -> Result<u64, InitError> {
    let mut value = 0;
    for place in 0..10 {
        let (&byte, after) = rest.split_first().ok_or(InitError::Malformed)?;
        *rest = after;
        value |= u64::from(byte & 0x7F).checked_shl(7 * place).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(InitError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_was_written_is_read() {
        let firmware = vec![7; 5000];
        let packet = init_packet(&firmware, 52, 3);
        let read = Facts {
            hardware: Some(52),
            version: Some(3),
            is_signed: false,
        };
        assert_eq!(facts(&packet, &firmware), Ok(read));
        let mut other = firmware.clone();
        other[4000] ^= 1;
        assert_eq!(facts(&packet, &other), Err(InitError::Hash));
        let (said, has) = (5000, 4999);
        assert_eq!(
            facts(&packet, &firmware[..4999]),
            Err(InitError::Length { said, has })
        );
    }

    /// `nrfutil pkg generate --hw-version 52 --sd-req 0 --application-version 3` of nrfutil 6.1.7, `.dat` of the same firmware.
    #[test]
    fn nrfutil_writes_the_same_packet() {
        let firmware: Vec<u8> = (0..5120u32).map(|it| it as u8).collect();
        let expected = concat!(
            "0a420801123e080310341a010020002800300038802842240803",
            "12203e423a74bb63b05fc07a3aac1f2ffe96a9509c84133f846d7530c785103645434800520408011200"
        );
        let text: alloc::string::String = init_packet(&firmware, 52, 3)
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_packet_that_is_cut_off_or_of_another_kind_is_refused() {
        let firmware = vec![7; 300];
        let packet = init_packet(&firmware, 52, 0);
        for len in 0..packet.len() {
            assert!(facts(&packet[..len], &firmware).is_err(), "{len}");
        }
        // The firmware's kind stands behind its SoftDevices, one byte of 0.
        let kind = packet
            .windows(5)
            .position(|it| it == [0x1A, 1, 0, 0x20, 0])
            .unwrap()
            + 4;
        let mut softdevice = packet.clone();
        softdevice[kind] = 1;
        assert_eq!(
            facts(&softdevice, &firmware),
            Err(InitError::Kind(Kind::Other(1)))
        );
    }
}
