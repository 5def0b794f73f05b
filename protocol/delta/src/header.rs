//! What a patch says before its stream.

/// The first two bytes of a patch.
pub const MAGIC: [u8; 2] = [0xB1, 0xDE];
/// The version of the format that is read and written here.
pub const VERSION: u8 = 1;
/// The longest header, in bytes.
pub const MAX_LEN: usize = 64;
/// Bytes of a digest that a header holds: the first of the SHA-256. They tell images apart; what is trusted is the
/// target's signature.
pub const DIGEST: usize = 8;
/// The largest base of a [`Method::Relocated`] patch, in bytes: what a map's keys can name.
pub const MAX_RELOCATED: u32 = 0x80_0000;
/// The largest base and target together, in bytes.
pub const MAX_TOTAL: u32 = 1 << 30;

/// How a patch uses the base and how it takes the images' bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The target compressed on its own.
    Full,
    /// The base as it is serves as the dictionary.
    Plain,
    /// The target compressed on its own, its branches as absolute targets.
    FullThumb,
    /// The base serves as the dictionary, its branches and pointers moved by a map; branches as absolute targets.
    Relocated,
}

impl Method {
    /// Whether a base is needed.
    #[must_use]
    pub const fn has_base(self) -> bool {
        matches!(self, Method::Plain | Method::Relocated)
    }

    /// Whether branches are absolute in the stream.
    #[must_use]
    pub const fn is_thumb(self) -> bool {
        matches!(self, Method::FullThumb | Method::Relocated)
    }
}

/// What a patch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the base is used.
    pub method: Method,
    /// Bytes of the base; 0 where there is none.
    pub base_len: u32,
    /// The first bytes of the base's SHA-256; zeros where there is no base.
    pub base_digest: [u8; DIGEST],
    /// Bytes of what the patch makes.
    pub target_len: u32,
    /// The first bytes of the target's SHA-256.
    pub target_digest: [u8; DIGEST],
    /// Bytes of the stream that follows the header.
    pub stream_len: u32,
    /// Where the base's first byte is linked to; 0 unless relocated.
    pub base_address: u32,
    /// Where the target's first byte is linked to; 0 unless relocated.
    pub target_address: u32,
    /// Bytes of RAM, from 0x2000_0000, whose pointers are moved; a multiple of 1024.
    pub ram: u32,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// More bytes are needed.
    Incomplete,
    /// Not a patch.
    Magic,
    /// A version of the format that is not known here.
    Version(u8),
    /// A method that is not known here.
    Method(u8),
    /// A number that is too large, or a length that does not fit the contents.
    Malformed,
}

/// Reads what a header holds; what is wrong shows at the end.
struct Reader<'a> {
    bytes: &'a [u8],
    wrong: bool,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes.split_off_first();
        self.wrong |= byte.is_none();
        byte.copied().unwrap_or(0)
    }

    /// A number in groups of seven bits, lowest first, all but the last with the highest bit set.
    fn number(&mut self) -> u32 {
        let (mut value, mut shift) = (0u32, 0);
        loop {
            let byte = self.byte();
            let bits = u32::from(byte & 0x7f);
            value |= bits << shift;
            // 32 bits are enough, and there is one way to write a number.
            self.wrong |= shift == 28 && byte > 0x0f || shift > 0 && byte == 0;
            if byte < 0x80 || self.wrong {
                return value;
            }
            shift += 7;
        }
    }

    fn digest(&mut self, out: &mut [u8; DIGEST]) {
        for slot in out {
            *slot = self.byte();
        }
    }
}

impl Header {
    pub(crate) const EMPTY: Self = Self {
        method: Method::Full,
        base_len: 0,
        base_digest: [0; DIGEST],
        target_len: 0,
        target_digest: [0; DIGEST],
        stream_len: 0,
        base_address: 0,
        target_address: 0,
        ram: 0,
    };

    /// Reads a header from the start of `bytes`; returns it and its length.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut header = Self::EMPTY;
        let len = header.read(bytes)?;
        Ok((header, len))
    }

    /// The same in place; what is here after an error means nothing.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<usize, HeaderError> {
        if bytes.iter().zip(&MAGIC).any(|(a, b)| a != b) {
            return Err(HeaderError::Magic);
        }
        let &[_, _, version, len, method] = bytes.first_chunk().ok_or(HeaderError::Incomplete)?;
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        let len = usize::from(len);
        if len > MAX_LEN {
            return Err(HeaderError::Malformed);
        }
        let bytes = bytes.get(..len).ok_or(HeaderError::Incomplete)?;
        *self = Self::EMPTY;
        self.method = match method {
            0 => Method::Full,
            1 => Method::Plain,
            2 => Method::FullThumb,
            3 => Method::Relocated,
            other => return Err(HeaderError::Method(other)),
        };
        let mut reader = Reader {
            bytes: bytes.get(5..).unwrap_or_default(),
            wrong: false,
        };
        self.target_len = reader.number();
        self.stream_len = reader.number();
        reader.digest(&mut self.target_digest);
        if self.method.has_base() {
            self.base_len = reader.number();
            reader.digest(&mut self.base_digest);
        }
        let mut most = MAX_TOTAL;
        if self.method == Method::Relocated {
            self.base_address = reader.number();
            self.target_address = self.base_address.wrapping_add(reader.number());
            let kilobytes = reader.number();
            reader.wrong |= kilobytes > MAX_RELOCATED / 1024;
            self.ram = kilobytes.wrapping_mul(1024);
            most = MAX_RELOCATED;
        }
        let too_large = self.base_len > most || self.target_len > MAX_TOTAL - self.base_len.min(MAX_TOTAL);
        if reader.wrong || !reader.bytes.is_empty() || too_large {
            return Err(HeaderError::Malformed);
        }
        Ok(len)
    }

    /// Writes the header; returns its length.
    #[must_use]
    pub fn write(&self, out: &mut [u8; MAX_LEN]) -> usize {
        let method = match self.method {
            Method::Full => 0,
            Method::Plain => 1,
            Method::FullThumb => 2,
            Method::Relocated => 3,
        };
        let [first, second] = MAGIC;
        let mut len = 0;
        let mut put = |byte: u8| {
            if let Some(slot) = out.get_mut(len) {
                *slot = byte;
                len += 1;
            }
        };
        [first, second, VERSION, 0, method].into_iter().for_each(&mut put);
        number(self.target_len, &mut put);
        number(self.stream_len, &mut put);
        self.target_digest.into_iter().for_each(&mut put);
        if self.method.has_base() {
            number(self.base_len, &mut put);
            self.base_digest.into_iter().for_each(&mut put);
        }
        if self.method == Method::Relocated {
            number(self.base_address, &mut put);
            number(self.target_address.wrapping_sub(self.base_address), &mut put);
            number(self.ram / 1024, &mut put);
        }
        out[3] = len as u8;
        len
    }
}

fn number(mut value: u32, put: &mut impl FnMut(u8)) {
    while value > 0x7f {
        put(value as u8 | 0x80);
        value >>= 7;
    }
    put(value as u8);
}
