//! Ways to sign an image, good and bad.

/// How an image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// With the board's key.
    Good,
    /// Not at all.
    Missing,
    /// The signature names the board's key, and is of another.
    OtherKey,
    /// The signature was good, and the image was altered afterwards.
    Altered,
    /// The signature names the board's key, and is good for the curve's base point as a key, whose private half is 1: an
    /// arithmetic that loses the board's key on its way may take it.
    BasePoint,
    /// Not at all; what is no instruction is an address of one of the image's own: a stack that lost its place may return
    /// to it.
    OwnAddresses,
    /// Not at all; what is no instruction is an address in the bootloader's code that starts an image.
    JumpAddresses,
    /// As [`Signing::OtherKey`], with numbers that are made of addresses of the image's instructions.
    SignatureOfAddresses,
    /// The signature names the board's key, and is what the sum is after the first eight bits of its factors, which can be guessed.
    CutShort,
    /// Of Ed25519: the signature is good where nothing is hashed, so that the challenge is known before R is chosen.
    NothingHashed,
    /// Of Ed25519: the signature is good where the key is left out of the sum.
    KeyLeftOut,
}
