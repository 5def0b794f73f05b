//! What a board tells the core about itself: constant data, written once in the board's own file.

use bootlace_image::PublicKey;

use crate::allow::Allow;

/// A board's identity, keys and rules.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// What people call it: at most 32 bytes.
    pub name: &'a str,
    /// Unique among all boards, and the same as its USB serial number: at most 32 bytes.
    pub serial: &'a str,
    /// Vendor that images must name, as a UUID (imgtool `--vid`).
    pub vendor: Option<[u8; 16]>,
    /// Class of boards that images must name, as a UUID (imgtool `--cid`).
    pub class: Option<[u8; 16]>,
    /// Keys whose images run here. A board without one starts nothing and stays in its bootloader.
    pub keys: &'a [PublicKey],
    /// Rules that a product may set.
    pub policy: Policy,
}

/// Rules that a product may set. The defaults are MCUboot's, apart from [`Policy::confirm_over_wire`] and
/// [`Policy::idle_return`].
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How often an image on trial is started before it is given up: at least 1.
    pub attempts: u8,
    /// Whether an image may be marked as confirmed before it ever ran.
    pub permanent: bool,
    /// Whether images signed with development keys run, whose private halves are published. A build with `small-p256` does
    /// not know the P-256 ones; there the build refuses such a key.
    pub development_keys: bool,
    /// Whether an image must have a security counter.
    pub counter_required: bool,
    /// How long an image on trial has to confirm itself, in seconds: 30 to 300. Kept by the application.
    pub deadline: u16,
    /// Who may ask for what.
    pub allow: Allow,
    /// Whether an image on trial may be confirmed over the wire. If not, its own self-test does, and nobody else: whoever is
    /// at the other end can't tell whether the application works.
    pub confirm_over_wire: bool,
    /// Whether images of a lower version than the running one are refused. For a bar that also outlasts a bootloader without an
    /// application, give images a security counter.
    pub no_downgrade: bool,
    /// After how many seconds without a request a bootloader that was asked for over the wire starts the application again;
    /// `None`: it stays.
    pub idle_return: Option<u16>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            attempts: 1,
            permanent: false,
            development_keys: false,
            counter_required: false,
            deadline: 60,
            allow: Allow::EVERYTHING,
            confirm_over_wire: false,
            no_downgrade: false,
            idle_return: Some(600),
        }
    }
}
