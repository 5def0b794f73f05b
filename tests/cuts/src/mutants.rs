//! Mistakes that the sweep must catch: each is one place of the core, changed. A check that can't fail proves nothing.

/// A mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What is wrong.
    pub name: &'static str,
    /// The file, from the core's `src`.
    pub file: &'static str,
    /// What is there. It must be found exactly once, white space aside.
    pub from: &'static str,
    /// What is there instead.
    pub to: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { name, file, from, to }
}

impl Mutant {
    /// The source with this mistake; `None` where the place is not found, or more than once.
    pub fn apply(&self, source: &str) -> Option<String> {
        // Line breaks are the formatter's: they differ where a neighbour grows.
        let dense = |text: &str| text.split_whitespace().collect::<Vec<_>>().concat();
        let from = dense(self.from);
        let mut places = Vec::new();
        for (start, c) in source.char_indices() {
            if c.is_whitespace() || !from.starts_with(c) {
                continue;
            }
            let mut wanted = from.chars().peekable();
            let mut end = start;
            for (at, c) in source.get(start..)?.char_indices() {
                if c.is_whitespace() {
                    continue;
                }
                if wanted.next_if_eq(&c).is_none() {
                    break;
                }
                end = start + at + c.len_utf8();
                if wanted.peek().is_none() {
                    break;
                }
            }
            if wanted.peek().is_none() {
                places.push((start, end));
            }
        }
        let [(start, end)] = places.as_slice() else {
            return None;
        };
        Some(format!(
            "{}{}{}",
            source.get(..*start)?,
            self.to,
            source.get(*end..)?
        ))
    }
}

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    mutant(
        "a complete copy is not marked",
        "boot.rs",
        "self.log.push(Record::SwapMark(done));",
        "let _ = done;",
    ),
    mutant(
        "a copy is marked before it is complete",
        "boot.rs",
        "self.stage = Stage::Copying(Copy::new(route, unit, self.suspect), number);",
        "self.log.push(Record::SwapMark(number + 1)); self.stage = Stage::Copying(Copy::new(route, unit, self.suspect), number);",
    ),
    mutant(
        "the request is not taken back after the swap",
        "boot.rs",
        "After::Swap => Stage::Trailer(TrailerWrite::clear(Area::Secondary), After::SwapEnd),",
        "After::Swap => { self.log.push(Record::SwapEnd); Stage::Start }",
    ),
    mutant(
        "the request is taken back before the swap",
        "boot/verdict.rs",
        "self.log.push(Record::SwapStart(SwapPlan { kind,",
        "let _ = flash.erase(Area::Secondary, flash.geometry(Area::Secondary).size - flash.geometry(Area::Secondary).erase); self.log.push(Record::SwapStart(SwapPlan { kind,",
    ),
    mutant(
        "a trial is not counted",
        "boot/verdict.rs",
        "state.trial.unwrap_or(0).saturating_add(1)",
        "state.trial.unwrap_or(0)",
    ),
    mutant(
        "an image on trial raises the counter",
        "boot/verdict.rs",
        "if self.trial { self.log",
        "if self.trial { self.raise_counter(found); let state = *self.log.state(); self.log",
    ),
    mutant(
        "a confirmation is not recorded",
        "boot/decide.rs",
        "if is_confirmed(primary) { self.log.push(Record::Confirmed);",
        "if is_confirmed(primary) {",
    ),
    mutant(
        "what runs is not verified",
        "slots.rs",
        "self.verify(flash, board, &found).map(|()| found)",
        "if self.area == Area::Primary { return Ok(found); } self.verify(flash, board, &found).map(|()| found)",
    ),
    mutant(
        "what a cut left of a copy is compared, not written again",
        "boot.rs",
        "suspect: true,",
        "suspect: false,",
    ),
    mutant(
        "the header that a swap leaves is not erased",
        "swap.rs",
        "(false, _) => Some(0),",
        "(false, _) => None,",
    ),
    mutant(
        "a swapped image's trailer has no flags",
        "trailer.rs",
        "Stage::SwapInfo }; return Ok(done >= unit && self.fields.is_none());",
        "if self.fields.is_some_and(|fields| fields.copy_done) { Stage::Magic } else { Stage::SwapInfo } }; return Ok(done >= unit && self.fields.is_none());",
    ),
    mutant(
        "a request outlives the image that it was made for",
        "server/store.rs",
        "Ok(Stage::Unmark(TrailerWrite::clear(Area::Secondary)))",
        "Ok(Stage::Note)",
    ),
    mutant(
        "a marked image is written once more",
        "server/store.rs",
        "Mark::Set => len,",
        "Mark::Set => entry.at,",
    ),
    mutant(
        "an upload believes what reads as erased",
        "server/store.rs",
        "if !ready && file.at.is_multiple_of(shape.erase) {",
        "if !ready && file.at.is_multiple_of(shape.erase) && !crate::flash::is_blank(flash, Area::Secondary, file.at, shape.erase) {",
    ),
    mutant(
        "what a cut left of a trailer passes for a mark",
        "server/store.rs",
        "_ if trailer == Trailer::ERASED => entry.at, _ => 0,",
        "_ if trailer == Trailer::ERASED => entry.at, _ => len,",
    ),
    mutant(
        "a slot is erased from its first byte up",
        "server/images.rs",
        "match flash.erase(Area::Secondary, shape.size - done) {",
        "match flash.erase(Area::Secondary, done - shape.erase) {",
    ),
    mutant(
        "a doubtful last record is believed",
        "state/log.rs",
        "|| !unit.doubled || unit.state.swap.is_some()",
        "|| unit.state.swap.is_some()",
    ),
    mutant(
        "a unit is not raised before its successor is erased",
        "state/log.rs",
        "{ Job::Raise } else",
        "{ Job::Erase } else",
    ),
    mutant(
        "the header is written before the records",
        "state/log.rs",
        "self.state.snapshot(index, depth(flash));",
        "index.checked_sub(1).map_or(Some(Record::Header { generation }), |index| self.state.snapshot(index, depth(flash)));",
    ),
    mutant(
        "a swap goes on before the log has moved",
        "state/log.rs",
        "|| !unit.doubled || unit.state.swap.is_some()",
        "|| !unit.doubled",
    ),
    mutant(
        "a restore goes on before the log has moved",
        "boot/golden.rs",
        "self.log.push(Record::Trial(RESTORING));",
        "if self.log.state().trial != Some(RESTORING) { self.log.push(Record::Trial(RESTORING)); }",
    ),
    mutant(
        "a counter is forgotten when the log moves",
        "state/mod.rs",
        "return Some(Record::Counter(self.counter));",
        "return Some(Record::Counter(self.counter - 1));",
    ),
];
