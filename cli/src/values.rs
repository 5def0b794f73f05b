//! Values of arguments that several commands take.

use bootlace_simulator::{Allow, Permission, Policy, RequestKind};

/// A product's rules.
#[derive(Debug, clap::Args)]
pub(crate) struct Rules {
    /// How often an image on trial is started.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    attempts: u8,
    /// Seconds that an image has to confirm itself.
    #[arg(long, default_value_t = 30)]
    deadline: u16,
    /// Have the board run images signed with development keys, whose private halves are published.
    #[arg(long)]
    pub(crate) allow_development_keys: bool,
    /// Let an image be confirmed before it ever ran.
    #[arg(long)]
    permanent: bool,
    /// The product's rule for a kind of request, as in mark=presence; may be given several times. Kinds: read, upload, erase, mark,
    /// confirm, reset, boot-mode; rules: granted, presence (while somebody is present), denied.
    #[arg(long, value_name = "KIND=RULE", value_parser = rule)]
    rule: Vec<(RequestKind, Permission)>,
    /// Let an image on trial be confirmed over the wire, and not only by its own self-test.
    #[arg(long)]
    confirm_over_wire: bool,
    /// Refuse images without a security counter.
    #[arg(long)]
    counter_required: bool,
    /// Refuse images of a lower version than the running one.
    #[arg(long)]
    no_downgrade: bool,
    /// Seconds without a request after which a bootloader that was asked for over the wire starts the application again; 0: never.
    #[arg(long, default_value_t = 600)]
    idle_return: u16,
}

impl Rules {
    /// The rules as a board keeps them.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            attempts: self.attempts,
            deadline: self.deadline,
            permanent: self.permanent,
            development_keys: self.allow_development_keys,
            allow: self
                .rule
                .iter()
                .fold(Allow::EVERYTHING, |rules, &(kind, permission)| {
                    rules.rule(kind, permission)
                }),
            confirm_over_wire: self.confirm_over_wire,
            counter_required: self.counter_required,
            no_downgrade: self.no_downgrade,
            idle_return: (self.idle_return > 0).then_some(self.idle_return),
        }
    }
}

fn rule(text: &str) -> Result<(RequestKind, Permission), String> {
    let (kind, rule) = text.split_once('=').unwrap_or((text, ""));
    let known = RequestKind::ALL.into_iter().find(|(name, _)| *name == kind);
    let kind = known.map(|(_, kind)| kind);
    let permission = match rule {
        "granted" => Some(Permission::Granted),
        "presence" => Some(Permission::WithPresence),
        "denied" => Some(Permission::Denied),
        _ => None,
    };
    kind.zip(permission)
        .ok_or_else(|| "a kind of request and a rule are wanted, as in mark=presence".into())
}

/// A UUID, with or without its hyphens.
pub(crate) fn uuid(text: &str) -> Result<[u8; 16], String> {
    bootlace_engine::words::uuid_of(text).ok_or_else(|| "a UUID has 32 hexadecimal digits".into())
}

/// A number in decimal or, after 0x, in hexadecimal digits.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let read = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    read.map_err(|_| "a number is wanted, as in 4096 or 0x1000".into())
}

/// The same for an address, or anything else of 32 bits.
pub(crate) fn address(text: &str) -> Result<u32, String> {
    number(text)?
        .try_into()
        .map_err(|_| "an address has 32 bits".into())
}
