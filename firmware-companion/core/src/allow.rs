//! Who may ask the board for what: a product's own rules, asked before anything is done.

use crate::wire::Origin;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// What the board is, holds and did.
    Read,
    /// To take a piece of an image or of a patch.
    Upload,
    /// To erase the secondary slot.
    Erase,
    /// To start the image in the secondary slot next, on trial or for good.
    Mark,
    /// To confirm the running image, whatever its own self-test says.
    Confirm,
    /// To restart.
    Reset,
    /// To restart into the bootloader.
    BootMode,
}

impl RequestKind {
    /// Every kind, with the name that the command line knows it by.
    pub const ALL: [(&'static str, RequestKind); 7] = [
        ("read", RequestKind::Read),
        ("upload", RequestKind::Upload),
        ("erase", RequestKind::Erase),
        ("mark", RequestKind::Mark),
        ("confirm", RequestKind::Confirm),
        ("reset", RequestKind::Reset),
        ("boot-mode", RequestKind::BootMode),
    ];
}

/// What a product says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It is done.
    Granted,
    /// It is done while somebody is present, as the board tells by [`Owner::presence`](crate::Owner::presence): a button
    /// that is held, a jumper, a lid that is open.
    WithPresence,
    /// It is refused.
    Denied,
}

/// A product's rules: a permission for each kind of request from each origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Two bits for each kind, in the order of [`RequestKind::ALL`]: from bit 0 on for a cable, from bit 16 on for a network.
    bits: u32,
}

/// A permission's bits; others grant nothing.
const GRANTED: u32 = 0;
const WITH_PRESENCE: u32 = 1;
const DENIED: u32 = 2;

/// The first bit of a rule.
const fn place(origin: Origin, kind: RequestKind) -> u32 {
    let first = match origin {
        Origin::Cable => 0,
        Origin::Network => 16,
    };
    first + 2 * kind as u32
}

impl Allow {
    /// Everything is granted, as MCUboot's own recovery does: what runs, a signature decides.
    pub const EVERYTHING: Self = Allow { bits: 0 };

    /// The rules as they are stored, see [`Allow::bits`]: two bits for each kind of request, in the order of
    /// [`RequestKind::ALL`], from bit 0 on for a cable and from bit 16 on for a network. 0 is granted, 1 with presence; others
    /// are denied.
    pub const fn from_bits(bits: u32) -> Self {
        Allow { bits }
    }

    /// The rules as [`Allow::from_bits`] takes them.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// Nothing is changed unless somebody is present: marking, erasing and the way into the bootloader need it, from
    /// everywhere.
    pub const WITH_PRESENCE: Self = Self::EVERYTHING
        .rule(RequestKind::Mark, Permission::WithPresence)
        .rule(RequestKind::Erase, Permission::WithPresence)
        .rule(RequestKind::BootMode, Permission::WithPresence);

    /// The same rules with another one for this kind of request, from everywhere.
    #[must_use]
    pub const fn rule(self, kind: RequestKind, permission: Permission) -> Self {
        self.rule_from(Origin::Cable, kind, permission)
            .rule_from(Origin::Network, kind, permission)
    }

    /// The same rules with another one for this kind of request from that origin.
    #[must_use]
    pub const fn rule_from(self, origin: Origin, kind: RequestKind, permission: Permission) -> Self {
        let number = match permission {
            Permission::Granted => GRANTED,
            Permission::WithPresence => WITH_PRESENCE,
            Permission::Denied => DENIED,
        };
        let place = place(origin, kind);
        Allow {
            bits: self.bits & !(3 << place) | number << place,
        }
    }

    /// What the product says to such a request.
    pub const fn allow(&self, kind: RequestKind, origin: Origin) -> Permission {
        match self.bits >> place(origin, kind) & 3 {
            GRANTED => Permission::Granted,
            WITH_PRESENCE => Permission::WithPresence,
            _ => Permission::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_rule_for_each_origin() {
        for (at, (_, kind)) in RequestKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            let rules = Allow::EVERYTHING.rule_from(Origin::Network, kind, Permission::Denied);
            for (_, other) in RequestKind::ALL {
                assert_eq!(rules.allow(other, Origin::Cable), Permission::Granted);
                let wanted = match other == kind {
                    true => Permission::Denied,
                    false => Permission::Granted,
                };
                assert_eq!(rules.allow(other, Origin::Network), wanted);
            }
        }
    }
}
