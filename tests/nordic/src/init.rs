//! `dfu-cc.pb.c` as nanopb decodes it, with the lengths of `dfu-cc.options`.

/// `InitCommand`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) version: Option<u32>,
    pub(crate) hardware: Option<u32>,
    pub(crate) softdevices: Vec<u32>,
    pub(crate) kind: Option<u32>,
    pub(crate) app_size: Option<u32>,
    pub(crate) hash_kind: u32,
    pub(crate) hash: Vec<u8>,
    /// Kinds of boot validation.
    pub(crate) validations: Vec<u32>,
}

/// `Packet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) init: Init,
    /// The bytes that a signature is of.
    pub(crate) signed: Vec<u8>,
    /// Kind and bytes of the signature.
    pub(crate) signature: Option<(u32, Vec<u8>)>,
}

enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Value<'b> {
    fn number(self) -> Option<u32> {
        match self {
            Value::Number(number) => u32::try_from(number).ok(),
            Value::Bytes(_) => None,
        }
    }

    fn bytes(self, most: usize) -> Option<&'b [u8]> {
        match self {
            Value::Bytes(bytes) => (bytes.len() <= most).then_some(bytes),
            Value::Number(_) => None,
        }
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A message's fields in their order; `None`: it is malformed.
fn fields(message: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => {
                rest = rest.get(8..)?;
                continue;
            }
            2 => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(len)?;
                rest = after;
                Value::Bytes(bytes)
            }
            5 => {
                rest = rest.get(4..)?;
                continue;
            }
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

const ANY: usize = usize::MAX;

/// `stored_init_cmd_decode` (`nrf_dfu_validation.c`, lines 146 to 196).
pub(crate) fn decode(bytes: &[u8]) -> Option<Packet> {
    let mut packet = Packet::default();
    let mut commands = 0;
    for (field, value) in fields(bytes)? {
        match field {
            1 => {
                commands += 1;
                command(value.bytes(ANY)?, &mut packet)?;
            }
            2 => {
                commands += 1;
                let mut kind = None;
                let mut signature = None;
                let mut has_command = false;
                for (field, value) in fields(value.bytes(ANY)?)? {
                    match field {
                        1 => {
                            has_command = true;
                            command(value.bytes(ANY)?, &mut packet)?;
                        }
                        2 => kind = Some(value.number()?),
                        3 => signature = Some(value.bytes(64)?.to_vec()),
                        _ => {}
                    }
                }
                // Required fields.
                if !has_command {
                    return None;
                }
                packet.signature = Some((kind?, signature?));
            }
            _ => {}
        }
    }
    // Lines 167 and 95: one command, signed or not, with one init command.
    (commands == 1 && !packet.signed.is_empty()).then_some(packet)
}

fn command(bytes: &[u8], packet: &mut Packet) -> Option<()> {
    for (field, value) in fields(bytes)? {
        match field {
            1 => drop(value.number()?),
            2 => {
                let bytes = value.bytes(ANY)?;
                if !packet.signed.is_empty() {
                    return None;
                }
                packet.signed = bytes.to_vec();
                packet.init = init(bytes)?;
            }
            _ => {}
        }
    }
    Some(())
}

fn init(bytes: &[u8]) -> Option<Init> {
    let mut init = Init::default();
    for (field, value) in fields(bytes)? {
        match field {
            1 => init.version = Some(value.number()?),
            2 => init.hardware = Some(value.number()?),
            3 => {
                match value {
                    Value::Number(number) => init.softdevices.push(u32::try_from(number).ok()?),
                    Value::Bytes(mut packed) => {
                        while !packed.is_empty() {
                            init.softdevices.push(u32::try_from(varint(&mut packed)?).ok()?);
                        }
                    }
                }
                if init.softdevices.len() > 16 {
                    return None;
                }
            }
            4 => init.kind = Some(value.number()?),
            5 | 6 | 9 => drop(value.number()?),
            7 => init.app_size = Some(value.number()?),
            8 => {
                let (mut kind, mut hash) = (None, None);
                for (field, value) in fields(value.bytes(ANY)?)? {
                    match field {
                        1 => kind = Some(value.number()?),
                        2 => hash = Some(value.bytes(32)?.to_vec()),
                        _ => {}
                    }
                }
                (init.hash_kind, init.hash) = (kind?, hash?);
            }
            10 => {
                let (mut kind, mut has_bytes) = (None, false);
                for (field, value) in fields(value.bytes(ANY)?)? {
                    match field {
                        1 => kind = Some(value.number()?),
                        2 => {
                            value.bytes(64)?;
                            has_bytes = true;
                        }
                        _ => {}
                    }
                }
                if !has_bytes || init.validations.len() == 3 {
                    return None;
                }
                init.validations.push(kind?);
            }
            _ => {}
        }
    }
    Some(init)
}
