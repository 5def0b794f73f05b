//! What the loader answers (`nrf_dfu_serial.c`, `response_send`).

use crate::request::{Op, REPLY};

/// How a request ended, where not well (`nrf_dfu_req_handler.h`, `nrf_dfu_result_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 0: no result at all.
    Invalid,
    /// 2: it does not know the request.
    NotSupported,
    /// 3: a parameter is missing or wrong.
    InvalidParameter,
    /// 4: it has not enough memory for the object.
    TooLarge,
    /// 5: the object does not fit firmware and hardware, its signature is wrong, or it can't be read.
    InvalidObject,
    /// 7: it does not know that kind of object.
    UnsupportedType,
    /// 8: not in this state.
    NotPermitted,
    /// 10: it went wrong.
    Failed,
    /// 11: for this reason.
    Extended(Extended),
    /// A number that no SDK has.
    Other(u8),
}

/// The reason behind result 11 (`nrf_dfu_handling_error.h`, `nrf_dfu_ext_error_code_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// 0: none was given.
    None,
    /// 1: an error that is none.
    InvalidError,
    /// 2: the format of the command is wrong.
    WrongFormat,
    /// 3: it does not know the command.
    UnknownCommand,
    /// 4: the init packet has the wrong type, or lacks something.
    InitInvalid,
    /// 5: the firmware's version is below the one that is there.
    FirmwareVersion,
    /// 6: the hardware has another version.
    HardwareVersion,
    /// 7: the SoftDevice that is there is none that the firmware takes.
    SoftDevice,
    /// 8: there is no signature.
    NoSignature,
    /// 9: it does not know that kind of hash.
    HashType,
    /// 10: the hash can't be calculated.
    HashFailed,
    /// 11: it does not know that kind of signature.
    SignatureType,
    /// 12: what arrived has another hash than the init packet says.
    WrongHash,
    /// 13: there is no room for the firmware.
    NoSpace,
    /// A number that no SDK has.
    Other(u8),
}

impl Code {
    /// The number that stands in a reply.
    pub fn number(self) -> u8 {
        match self {
            Code::Invalid => 0,
            Code::NotSupported => 2,
            Code::InvalidParameter => 3,
            Code::TooLarge => 4,
            Code::InvalidObject => 5,
            Code::UnsupportedType => 7,
            Code::NotPermitted => 8,
            Code::Failed => 10,
            Code::Extended(_) => 11,
            Code::Other(code) => code,
        }
    }

    fn read(code: u8, extended: Option<u8>) -> Self {
        match code {
            0 => Code::Invalid,
            2 => Code::NotSupported,
            3 => Code::InvalidParameter,
            4 => Code::TooLarge,
            5 => Code::InvalidObject,
            7 => Code::UnsupportedType,
            8 => Code::NotPermitted,
            10 => Code::Failed,
            11 => Code::Extended(extended.map_or(Extended::None, Extended::read)),
            other => Code::Other(other),
        }
    }
}

impl Extended {
    /// The number that stands in a reply.
    pub fn number(self) -> u8 {
        match self {
            Extended::None => 0,
            Extended::InvalidError => 1,
            Extended::WrongFormat => 2,
            Extended::UnknownCommand => 3,
            Extended::InitInvalid => 4,
            Extended::FirmwareVersion => 5,
            Extended::HardwareVersion => 6,
            Extended::SoftDevice => 7,
            Extended::NoSignature => 8,
            Extended::HashType => 9,
            Extended::HashFailed => 10,
            Extended::SignatureType => 11,
            Extended::WrongHash => 12,
            Extended::NoSpace => 13,
            Extended::Other(code) => code,
        }
    }

    fn read(code: u8) -> Self {
        let known = [
            Extended::None,
            Extended::InvalidError,
            Extended::WrongFormat,
            Extended::UnknownCommand,
            Extended::InitInvalid,
            Extended::FirmwareVersion,
            Extended::HardwareVersion,
            Extended::SoftDevice,
            Extended::NoSignature,
            Extended::HashType,
            Extended::HashFailed,
            Extended::SignatureType,
            Extended::WrongHash,
            Extended::NoSpace,
        ];
        known
            .get(usize::from(code))
            .copied()
            .unwrap_or(Extended::Other(code))
    }
}

/// What a frame says about a request; `None`: it is no reply to that one.
pub(crate) fn read(frame: &[u8], op: Op) -> Option<Result<&[u8], Code>> {
    let (head, rest) = frame.split_first_chunk::<3>()?;
    let [kind, about, code] = *head;
    const SUCCESS: u8 = 1;
    (kind == REPLY && about == op as u8).then(|| match code {
        SUCCESS => Ok(rest),
        code => Err(Code::read(code, rest.first().copied())),
    })
}

/// The words of a reply, least significant byte first; `None` where it is too short.
pub(crate) fn words<const N: usize>(rest: &[u8]) -> Option<[u32; N]> {
    let (words, _) = rest.as_chunks::<4>();
    let words: &[[u8; 4]; N] = words.first_chunk()?;
    Some(words.map(u32::from_le_bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_its_name_and_its_number() {
        for code in 0..=u8::MAX {
            let frame = [REPLY, Op::Execute as u8, code];
            match read(&frame, Op::Execute).unwrap() {
                Ok(rest) => assert!(code == 1 && rest.is_empty()),
                Err(named) => assert_eq!(named.number(), code),
            }
            let frame = [REPLY, Op::Execute as u8, 11, code];
            let Some(Err(Code::Extended(named))) = read(&frame, Op::Execute) else {
                unreachable!("{code}");
            };
            assert_eq!(named.number(), code);
            assert_eq!(matches!(named, Extended::Other(_)), code > 13);
        }
        assert_eq!(
            read(&[REPLY, 4, 11], Op::Execute),
            Some(Err(Code::Extended(Extended::None)))
        );
    }

    #[test]
    fn other_frames_are_no_reply() {
        for frame in [&[REPLY, 3, 1][..], &[0x61, 4, 1], &[REPLY, 4], &[]] {
            assert_eq!(read(frame, Op::Execute), None);
        }
        assert_eq!(words::<2>(&[1, 0, 0, 0, 2, 0, 0, 0]), Some([1, 2]));
        assert_eq!(words::<2>(&[1, 0, 0, 0, 2, 0, 0]), None);
    }
}
