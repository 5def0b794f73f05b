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
    from_cable: [Permission; RequestKind::ALL.len()],
    from_network: [Permission; RequestKind::ALL.len()],
}

impl Allow {
    /// Everything is granted, as MCUboot's own recovery does: what runs, a signature decides.
    pub const EVERYTHING: Self = Allow {
        from_cable: [Permission::Granted; RequestKind::ALL.len()],
        from_network: [Permission::Granted; RequestKind::ALL.len()],
    };

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
    #[allow(
        clippy::indexing_slicing,
        reason = "there is a place for each kind, and constants know no `get_mut`"
    )]
    pub const fn rule_from(mut self, origin: Origin, kind: RequestKind, permission: Permission) -> Self {
        match origin {
            Origin::Cable => self.from_cable[kind as usize] = permission,
            Origin::Network => self.from_network[kind as usize] = permission,
        }
        self
    }

    /// What the product says to such a request.
    pub fn allow(&self, kind: RequestKind, origin: Origin) -> Permission {
        let rules = match origin {
            Origin::Cable => &self.from_cable,
            Origin::Network => &self.from_network,
        };
        let rule = rules.get(kind as usize);
        // There is a place for each kind: the other is never seen.
        rule.copied().unwrap_or(Permission::Denied)
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
