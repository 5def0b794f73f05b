//! Requests to the loader (`nrf_dfu_req_handler.h`, `nrf_dfu_op_t`; their bytes in `nrf_dfu_serial.c`).

use alloc::vec;
use alloc::vec::Vec;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// An object begins: its kind and its length.
    Create = 0x01,
    /// After how many writes the loader answers one by itself.
    SetReceipts = 0x02,
    /// How much of the object has arrived, and its CRC-32.
    Crc = 0x03,
    /// The object is whole: it is to be used.
    Execute = 0x04,
    /// Which kind of object is meant, how long one may be, and what has arrived of it.
    Select = 0x06,
    /// How long a frame may be.
    Mtu = 0x07,
    /// Bytes of the object.
    Write = 0x08,
    /// Whether somebody is there.
    Ping = 0x09,
    /// Which chip it is.
    Hardware = 0x0A,
    /// What lies where: image 0 is the loader itself.
    Firmware = 0x0B,
}

/// What a reply begins with.
pub(crate) const REPLY: u8 = 0x60;

/// The two kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Object {
    /// The init packet.
    Command = 1,
    /// A part of the firmware.
    Data = 2,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Ping(u8),
    SetReceipts(u16),
    Mtu,
    Hardware,
    Firmware(u8),
    Select(Object),
    Create(Object, u32),
    Crc,
    Execute,
}

impl Request {
    pub(crate) fn op(self) -> Op {
        match self {
            Request::Ping(_) => Op::Ping,
            Request::SetReceipts(_) => Op::SetReceipts,
            Request::Mtu => Op::Mtu,
            Request::Hardware => Op::Hardware,
            Request::Firmware(_) => Op::Firmware,
            Request::Select(_) => Op::Select,
            Request::Create(..) => Op::Create,
            Request::Crc => Op::Crc,
            Request::Execute => Op::Execute,
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let op = self.op() as u8;
        match self {
            Request::Ping(id) => vec![op, id],
            Request::SetReceipts(every) => {
                let [low, high] = every.to_le_bytes();
                vec![op, low, high]
            }
            Request::Firmware(image) => vec![op, image],
            Request::Select(object) => vec![op, object as u8],
            Request::Create(object, len) => {
                let mut bytes = vec![op, object as u8];
                bytes.extend(len.to_le_bytes());
                bytes
            }
            Request::Mtu | Request::Hardware | Request::Crc | Request::Execute => vec![op],
        }
    }
}
