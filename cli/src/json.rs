//! What scripts read: facts by name. Each line carries [`SCHEMA`]; a field that changes its meaning or goes raises it,
//! a new one does not.

use bootlace_delta::{Header, Method};
use bootlace_engine::words::tables::{self, ImageFacts};
use bootlace_engine::words::{self, terminal};
use bootlace_engine::{
    BoardInfo, Content, Event, JournalEntry, JournalOutcome, Outcome, Role, RollbackReason, SlotImage,
    Unchanged, Witness,
};
use bootlace_host::{Address, Listed};
use serde_json::{Value, json};

use crate::patch::Patch;
use crate::problem::Problem;

/// Number of the form of all that is written as JSON.
pub(crate) const SCHEMA: u32 = 1;

/// The name of a code, or its number where this version has no name for it.
fn named(name: Option<&'static str>, code: u8) -> Value {
    name.map_or_else(|| json!(code), |name| json!(name))
}

fn reason(reason: RollbackReason) -> Value {
    match reason.failed_self_test() {
        Some(number) => json!({ "self_test": number }),
        None => named(reason.name(), reason.code()),
    }
}

pub(crate) fn problem(problem: &Problem) -> Value {
    let sentence = &problem.sentence;
    json!({
        "event": "error",
        "error": sentence.name,
        "phase": problem.phase,
        "what": sentence.what,
        "next": sentence.next,
        "developers": sentence.developers,
        "unharmed": sentence.unharmed,
    })
}

/// Arguments that make no sense; `what` is clap's word.
pub(crate) fn misused(what: &str) -> Value {
    json!({
        "event": "error",
        "error": "Usage",
        "what": what,
        "next": terminal::see_help(),
        "unharmed": true,
    })
}

pub(crate) fn warning(name: &str, text: &str) -> Value {
    json!({ "event": "warning", "warning": name, "what": text })
}

pub(crate) fn port(address: &Address) -> Value {
    json!({ "event": "port", "port": address.to_string() })
}

/// A board did what it was asked.
pub(crate) fn done(command: bootlace_engine::Command) -> Value {
    use bootlace_engine::Command;
    let name = match command {
        Command::Refresh => "refresh",
        Command::Journal => "journal",
        Command::Test => "test",
        Command::Confirm => "confirm",
        Command::Erase => "erase",
        Command::Reset { .. } => "reset",
    };
    json!({ "event": "done", "command": name })
}

/// A board, or a serial port that may be one's.
pub(crate) fn listed(listed: &Listed) -> Value {
    let ways: Vec<_> = listed.ways.iter().map(Address::to_string).collect();
    let hex = |number: u16| format!("{number:04x}");
    json!({
        "event": "listed",
        "ports": ways,
        "product": listed.product,
        "serial": listed.serial,
        "vid": listed.numbers.map(|(vendor, _)| hex(vendor)),
        "pid": listed.numbers.map(|(_, product)| hex(product)),
    })
}

/// What a board says of itself at first.
pub(crate) fn board(board: &BoardInfo) -> Value {
    json!({
        "event": "board",
        "name": board.name,
        "serial": board.serial,
        "role": match board.role {
            Some(Role::Bootloader) => Some("bootloader"),
            Some(Role::Application) => Some("application"),
            _ if board.recovery => Some("recovery"),
            _ => None,
        },
        "companion": board.companion,
        "running": board.running().map(|image| json!({
            "version": image.version,
            "hash": words::hex(&image.hash),
            // Not known where the board lists version and hash alone.
            "confirmed": image.has_flags().then_some(image.confirmed),
        })),
        "counter": board.counter,
        "frame": board.frame,
        "window": board.window,
    })
}

/// All that a board says of itself.
pub(crate) fn whole_board(board: &BoardInfo) -> Value {
    let mut value = self::board(board);
    value["second"] = json!(board.other().map(|image| json!({
        "version": image.version,
        "hash": words::hex(&image.hash),
    })));
    value["golden"] = json!(board.golden.map(words::release));
    value["supply"] = json!(board.supply.map(|supply| json!({
        "level": supply.level,
        "limit": supply.limit,
        "unit": if supply.percent { "percent" } else { "millivolts" },
        "low": supply.is_low(),
    })));
    value["state"] = json!(board.state.map(|state| named(state.name(), state.code())));
    value["journal"] = json!(
        board
            .journal
            .as_deref()
            .map(|entries| entries.iter().map(entry).collect::<Vec<_>>())
    );
    value
}

fn entry(entry: &JournalEntry) -> Value {
    // Elsewhere the reason means nothing.
    let failed = !matches!(entry.outcome, JournalOutcome::Trial | JournalOutcome::Confirmed);
    json!({
        "from": words::release(entry.from),
        "to": words::release(entry.to),
        "start": entry.start,
        "outcome": named(entry.outcome.name(), entry.outcome.code()),
        "reason": failed.then(|| reason(entry.reason)),
        "what": words::came_of(entry),
    })
}

/// What became of a patch; `running` is what the board runs.
pub(crate) fn patch(patch: &Patch, running: Option<&SlotImage>) -> Value {
    match patch {
        Patch::Made {
            base, saving, took, ..
        } => json!({
            "event": "patch",
            "base": base.display().to_string(),
            "bytes": saving.patch,
            "image_bytes": saving.image,
            "making_seconds": took.as_secs_f64(),
            "saves_seconds": saving.time.map(|time| time.as_secs_f64()),
        }),
        Patch::None(reason) => json!({
            "event": "no-patch",
            "reason": reason.name(),
            "what": terminal::no_patch_made(*reason, running),
        }),
    }
}

/// What a session says; `None`: nothing that scripts need.
pub(crate) fn event(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Board(board) => self::board(board),
        Event::Phase(phase) => json!({ "event": "phase", "phase": phase.name() }),
        Event::Progress(progress) => json!({
            "event": "progress",
            "content": match progress.content {
                Content::Image => "image",
                Content::Patch => "patch",
            },
            "done": progress.done,
            "total": progress.total,
            "rate": progress.rate,
            "remaining": progress.remaining.map(|time| time.as_secs_f64()),
        }),
        Event::WholeInstead(reason) => json!({
            "event": "whole-instead",
            "reason": reason.name(),
            "what": words::no_patch(*reason),
        }),
        Event::Resumed { offset } => json!({ "event": "resumed", "offset": offset }),
        Event::Attention(attention) => json!({
            "event": "attention",
            "attention": attention.name(),
            "what": words::attention(*attention),
        }),
        Event::Outcome(outcome) => self::outcome(outcome),
        _ => return None,
    })
}

fn outcome(outcome: &Outcome) -> Value {
    let mut value = match outcome {
        Outcome::Confirmed { version, took, by } => json!({
            "outcome": "confirmed",
            "version": version.to_string(),
            "seconds": took.as_secs_f64(),
            "by": match by {
                Witness::Itself => "itself",
                Witness::Bootloader => "bootloader",
            },
        }),
        Outcome::RolledBack {
            reason,
            version,
            failed,
        } => json!({
            "outcome": "rolled-back",
            "reason": reason.map(self::reason),
            "version": version,
            "failed": failed.to_string(),
        }),
        Outcome::Unchanged { reason, version } => json!({
            "outcome": match reason {
                Unchanged::AlreadyRuns => "already-runs",
                Unchanged::Cancelled => "cancelled",
                Unchanged::NotStarted => "not-started",
            },
            "version": version,
        }),
    };
    value["event"] = "outcome".into();
    value["what"] = words::outcome(outcome).into();
    value
}

/// Facts of a patch of `len` bytes.
pub(crate) fn delta(header: &Header, len: usize) -> Value {
    let mut value = json!({
        "bytes": len,
        "method": match header.method {
            Method::Full => "full",
            Method::Plain => "plain",
            Method::FullThumb => "full-thumb",
            Method::Relocated => "relocated",
        },
        "target": { "bytes": header.target_len, "digest": words::hex(&header.target_digest) },
    });
    if header.method.has_base() {
        value["base"] = json!({ "bytes": header.base_len, "digest": words::hex(&header.base_digest) });
    }
    if header.method == Method::Relocated {
        value["base"]["address"] = header.base_address.into();
        value["target"]["address"] = header.target_address.into();
    }
    value
}

/// Facts of an image.
pub(crate) fn image(it: &ImageFacts) -> Value {
    json!({
        "version": it.version.to_string(),
        "file_size": it.file_size,
        "size": it.size,
        "header_size": it.header_size,
        "payload_size": it.payload_size,
        "protected_size": it.protected_size,
        "load_address": it.load_address,
        "reset_vector": it.start.map(|start| start | 1),
        "flags": tables::flags(it.flags),
        "flag_bits": it.flags.0,
        "security_counter": it.counter,
        "dependencies": it.dependencies.iter().map(|needed| json!({
            "image": needed.image,
            "version": needed.version.to_string(),
        })).collect::<Vec<_>>(),
        "vid": it.vid.map(|uuid| words::uuid(&uuid)),
        "cid": it.cid.map(|uuid| words::uuid(&uuid)),
        "hash": it.hash.as_ref().map(|(hash, _)| words::hex(hash)),
        "intact": it.hash.as_ref().map(|(_, intact)| intact),
        "signatures": it.signatures.iter().map(|signature| json!({
            "type": words::tlv(signature.kind),
            "key_hash": signature.key_hash.as_deref().map(words::hex),
            "published_key": signature.published,
        })).collect::<Vec<_>>(),
        "tlvs": it.tlvs.iter().map(|tlv| json!({
            "type": tlv.kind.0,
            "name": tlv.kind.name(),
            "offset": tlv.offset,
            "length": tlv.value.len(),
            "protected": tlv.protected,
            "value": words::hex(&tlv.value),
        })).collect::<Vec<_>>(),
        "warnings": it.warnings.iter().map(|warning| json!({
            "name": warning.name,
            "what": warning.what,
            "next": warning.next,
        })).collect::<Vec<_>>(),
    })
}
