//! Makes signed images as imgtool does, good ones and deliberately wrong ones: for `bootlace image sign`, tests, the simulator and
//! demonstrations. Keys stay in memory as they are.

use alloc::boxed::Box;
use alloc::vec::Vec;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use sha2::Digest as _;

use crate::tlv::{AREA_MAGIC, HEAD, PROTECTED_MAGIC};
use crate::{Algorithm, Flags, Header, KeyError, OtherKey, PublicKey, TlvKind, Version, der};

/// A private key.
#[derive(Clone)]
pub enum SigningKey {
    /// ECDSA P-256.
    P256(p256::ecdsa::SigningKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::SigningKey),
}

impl SigningKey {
    /// A key of 32 bytes: any for Ed25519, and for P-256 any number from 1 to below the group's order.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] for a number that is no P-256 key, [`KeyError::Unsupported`] for RSA.
    pub fn from_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(seed).map_err(|_| KeyError::Damaged)?;
                Ok(Self::P256(key))
            }
            Algorithm::Ed25519 => Ok(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed))),
            #[allow(unreachable_patterns, reason = "RSA is a feature")]
            _ => Err(KeyError::Unsupported(OtherKey::Other)),
        }
    }

    /// Reads a private key as imgtool and OpenSSL write it: PKCS #8, or SEC1 for P-256; not encrypted.
    ///
    /// # Errors
    /// [`KeyError::NoKey`], or [`KeyError::Unsupported`] for other algorithms.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 512];
        let (label, body) = der::pem_block(text).ok_or(KeyError::NoKey)?;
        let len = der::base64(body, &mut bytes).ok_or(KeyError::Damaged)?;
        let bytes = bytes.get(..len).unwrap_or_default();
        let key = match label {
            "EC PRIVATE KEY" => sec1(bytes),
            "PRIVATE KEY" => pkcs8(bytes),
            _ => None,
        };
        let (algorithm, seed) = key.ok_or(KeyError::Unsupported(OtherKey::Other))?;
        Self::from_seed(algorithm, &seed)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::P256(key) => {
                let mut bytes = [0; 65];
                let point = key.verifying_key().to_sec1_point(false);
                bytes.copy_from_slice(point.as_bytes());
                PublicKey::P256(bytes)
            }
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
        }
    }

    /// Signs a digest, as imgtool does; DER for ECDSA. The same digest gives the same signature.
    pub fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                // Fails only for digests shorter than half the curve's order.
                let signed: Result<p256::ecdsa::Signature, _> = key.sign_prehash(digest);
                signed
                    .map(|signature| ecdsa_der(&signature.to_bytes()))
                    .unwrap_or_default()
            }
            Self::Ed25519(_) => self.sign_message(digest),
        }
    }

    /// Signs bytes by the algorithm's own rule: ECDSA hashes them with SHA-256 first.
    fn sign_message(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(_) => self.sign(&sha2::Sha256::digest(message).into()),
            Self::Ed25519(key) => {
                use ed25519_dalek::Signer;
                key.sign(message).to_bytes().to_vec()
            }
        }
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({:?})", self.public())
    }
}

const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// The curve inside an `ECPrivateKey`.
const PARAMETERS: u8 = 0xa0;

/// `ECPrivateKey` (RFC 5915).
fn sec1(bytes: &[u8]) -> Option<(Algorithm, [u8; 32])> {
    let (body, _) = der::take(der::SEQUENCE, bytes)?;
    let (_version, rest) = der::take(der::INTEGER, body)?;
    let (seed, rest) = der::take(OCTETS, rest)?;
    if let Some((curve, _)) = der::take(PARAMETERS, rest) {
        (der::take(OID, curve)?.0 == OID_P256).then_some(())?;
    }
    Some((Algorithm::P256, seed.try_into().ok()?))
}

/// `OneAsymmetricKey` (RFC 5958).
fn pkcs8(bytes: &[u8]) -> Option<(Algorithm, [u8; 32])> {
    let (body, _) = der::take(der::SEQUENCE, bytes)?;
    let (_version, rest) = der::take(der::INTEGER, body)?;
    let (algorithm, rest) = der::take(der::SEQUENCE, rest)?;
    let (key, _) = der::take(OCTETS, rest)?;
    let (oid, parameters) = der::take(OID, algorithm)?;
    if oid == OID_ED25519 {
        let (seed, _) = der::take(OCTETS, key)?;
        Some((Algorithm::Ed25519, seed.try_into().ok()?))
    } else {
        (der::take(OID, parameters)?.0 == OID_P256).then_some(())?;
        sec1(key)
    }
}

fn ecdsa_der(both: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for number in both.chunks(32) {
        let digits: Vec<u8> = number.iter().copied().skip_while(|&byte| byte == 0).collect();
        let negative = digits.first().is_none_or(|&byte| byte & 0x80 != 0);
        body.extend([der::INTEGER, (digits.len() + usize::from(negative)) as u8]);
        body.extend(negative.then_some(0));
        body.extend(digits);
    }
    let mut signature = alloc::vec![der::SEQUENCE, body.len() as u8];
    signature.extend(body);
    signature
}

/// What stands in the unprotected area, in its order.
#[derive(Debug, Clone)]
enum Entry {
    Digest,
    Signed(Box<SigningKey>),
    Raw(TlvKind, Vec<u8>),
}

/// An image in the making.
///
/// ```
/// # use bootlace_image::{Algorithm, Image, Policy, builder::{ImageBuilder, SigningKey}};
/// let key = SigningKey::from_seed(Algorithm::Ed25519, &[7; 32])?;
/// let bytes = ImageBuilder::new(vec![0; 100]).security_counter(3).sign(&key).build();
/// let mut source = &bytes[..];
/// let image = Image::read(&mut source).unwrap();
/// assert_eq!(image.security_counter(), Some(3));
/// assert!(image.verify(&mut source, &[key.public()], &Policy::default()).is_ok());
/// # Ok::<(), bootlace_image::KeyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    header: Header,
    payload: Vec<u8>,
    protected: Vec<(TlvKind, Vec<u8>)>,
    unprotected: Vec<Entry>,
    /// What fills the header behind its fixed part.
    filler: u8,
    /// The digest is SHA-512, and so is what names a key.
    has_sha512: bool,
    /// Signatures are over the image and not over its digest.
    is_pure: bool,
    /// Keys stand there whole, and not by their hash.
    has_whole_keys: bool,
}

impl ImageBuilder {
    /// An image of this payload, version 1.0.0, with a header of 512 bytes and a digest.
    pub fn new(payload: Vec<u8>) -> Self {
        let header = Header {
            load_addr: 0,
            header_size: 0x200,
            protected_size: 0,
            image_size: payload.len() as u32,
            flags: Flags::default(),
            version: Version {
                major: 1,
                ..Version::default()
            },
        };
        Self {
            header,
            payload,
            protected: Vec::new(),
            unprotected: alloc::vec![Entry::Digest],
            filler: 0,
            has_sha512: false,
            is_pure: false,
            has_whole_keys: false,
        }
    }

    /// Fills the header behind its 32 fixed bytes with this byte, and not with zeros.
    #[must_use]
    pub fn header_filler(mut self, byte: u8) -> Self {
        self.filler = byte;
        self
    }

    /// Takes SHA-512 for the digest and for the hash that names a key, as imgtool's `--sha 512`: for Ed25519.
    #[must_use]
    pub fn sha512(mut self) -> Self {
        self.has_sha512 = true;
        self
    }

    /// Signs the image itself and not its digest, which is SHA-512 then, as imgtool's `--pure`: for Ed25519.
    #[must_use]
    pub fn pure(mut self) -> Self {
        self.is_pure = true;
        self.sha512()
    }

    /// Puts whole keys in the place of their hashes, as imgtool's `--public-key-format full`.
    #[must_use]
    pub fn whole_keys(mut self) -> Self {
        self.has_whole_keys = true;
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.header.version = version;
        self
    }

    /// Sets the header's size in bytes, at least 32.
    #[must_use]
    pub fn header_size(mut self, size: u16) -> Self {
        self.header.header_size = size.max(Header::LEN as u16);
        self
    }

    /// Sets the header's flags.
    #[must_use]
    pub fn flags(mut self, flags: Flags) -> Self {
        self.header.flags = flags;
        self
    }

    /// Sets the header's load address.
    #[must_use]
    pub fn load_addr(mut self, address: u32) -> Self {
        self.header.load_addr = address;
        self
    }

    /// Adds a security counter.
    #[must_use]
    pub fn security_counter(self, counter: u32) -> Self {
        self.protected(TlvKind::SEC_CNT, &counter.to_le_bytes())
    }

    /// Adds a vendor UUID.
    #[must_use]
    pub fn vid(self, uuid: [u8; 16]) -> Self {
        self.protected(TlvKind::UUID_VID, &uuid)
    }

    /// Adds a device class UUID.
    #[must_use]
    pub fn cid(self, uuid: [u8; 16]) -> Self {
        self.protected(TlvKind::UUID_CID, &uuid)
    }

    /// Adds any TLV to the protected area.
    #[must_use]
    pub fn protected(mut self, kind: TlvKind, value: &[u8]) -> Self {
        self.protected.push((kind, value.to_vec()));
        self
    }

    /// Adds any TLV to the unprotected area, where it stands at the time: before or after a signature.
    #[must_use]
    pub fn unprotected(mut self, kind: TlvKind, value: &[u8]) -> Self {
        self.unprotected.push(Entry::Raw(kind, value.to_vec()));
        self
    }

    /// Adds KEYHASH and signature of this key.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.unprotected.push(Entry::Signed(Box::new(key.clone())));
        self
    }

    /// Leaves the digest out.
    #[must_use]
    pub fn without_digest(mut self) -> Self {
        self.unprotected.retain(|entry| !matches!(entry, Entry::Digest));
        self
    }

    /// The SHA-256 of header, payload and protected TLVs: what the image carries and its signatures are made over, where nothing
    /// else was asked for.
    pub fn digest(&self) -> [u8; 32] {
        sha2::Sha256::digest(self.covered()).into()
    }

    /// Header, payload and protected TLVs.
    fn covered(&self) -> Vec<u8> {
        let protected = area(
            PROTECTED_MAGIC,
            self.protected.iter().map(|(kind, value)| (*kind, value.clone())),
        );
        let mut header = self.header;
        header.protected_size = protected.len() as u16;
        let mut bytes = header.to_bytes().to_vec();
        bytes.resize(usize::from(header.header_size), self.filler);
        bytes.extend(&self.payload);
        bytes.extend(protected);
        bytes
    }

    /// Whether its protected TLVs are few enough for an image to say their length.
    pub fn is_possible(&self) -> bool {
        let lengths = || self.protected.iter().map(|(_, value)| value.len());
        let total: usize = lengths().map(|len| HEAD as usize + len).sum();
        lengths().all(|len| u16::try_from(len).is_ok()) && u16::try_from(HEAD as usize + total).is_ok()
    }

    /// The image's bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.covered();
        let digest = match self.has_sha512 {
            true => sha2::Sha512::digest(&bytes).to_vec(),
            false => sha2::Sha256::digest(&bytes).to_vec(),
        };
        let entries = self.unprotected.iter().flat_map(|entry| match entry {
            Entry::Digest => self.digest_entries(&digest),
            Entry::Signed(key) => self.signature_entries(key, &bytes, &digest),
            Entry::Raw(kind, value) => alloc::vec![(*kind, value.clone())],
        });
        let mut unprotected = area(AREA_MAGIC, entries);
        if unprotected.is_empty() {
            unprotected = [AREA_MAGIC.to_le_bytes(), (HEAD as u16).to_le_bytes()].concat();
        }
        bytes.extend(unprotected);
        bytes
    }

    fn digest_entries(&self, digest: &[u8]) -> Vec<(TlvKind, Vec<u8>)> {
        let kind = match self.has_sha512 {
            true => TlvKind::SHA512,
            false => TlvKind::SHA256,
        };
        let mut entries = alloc::vec![(kind, digest.to_vec())];
        if self.is_pure {
            entries.push((TlvKind::SIG_PURE, alloc::vec![1]));
        }
        entries
    }

    fn signature_entries(&self, key: &SigningKey, covered: &[u8], digest: &[u8]) -> Vec<(TlvKind, Vec<u8>)> {
        let public = key.public();
        let named = match (self.has_whole_keys, self.has_sha512) {
            (true, _) => (TlvKind::PUBKEY, public.to_der()),
            (false, true) => (TlvKind::KEYHASH, public.hash_sha512().to_vec()),
            (false, false) => (TlvKind::KEYHASH, public.hash().to_vec()),
        };
        // The digest of an ECDSA signature is the image's own; for Ed25519 a digest is a message like any other.
        let signature = match (key, self.is_pure) {
            (SigningKey::P256(_), _) | (_, true) => key.sign_message(covered),
            (_, false) => key.sign_message(digest),
        };
        alloc::vec![named, (public.algorithm().tlv(), signature)]
    }
}

/// An area with its header; nothing if it has no entries.
fn area(magic: u16, entries: impl Iterator<Item = (TlvKind, Vec<u8>)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in entries {
        body.extend(kind.0.to_le_bytes());
        body.extend((value.len() as u16).to_le_bytes());
        body.extend(value);
    }
    if body.is_empty() {
        return body;
    }
    let size = (body.len() + HEAD as usize) as u16;
    let mut bytes = [magic.to_le_bytes(), size.to_le_bytes()].concat();
    bytes.extend(body);
    bytes
}
