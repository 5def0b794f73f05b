//! Mistakes that the sweep must catch: each is one place of the core, changed. A check that can't fail proves nothing.
//!
//! A mistake names the function that it is made in, not the file: moving a function to another file breaks no mutant.

use std::path::{Path, PathBuf};

/// Folders of a checkout whose functions a mistake may be made in.
const MUTATED: [&str; 2] = ["firmware-companion/core/src", "protocol/image/src"];

/// A mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What is wrong.
    pub name: &'static str,
    /// Name of the function that the mistake is made in. Several functions of the core may have this name: exactly one of
    /// them holds `from`.
    pub function: &'static str,
    /// The text that is replaced. White space does not count: line breaks are the formatter's.
    pub from: &'static str,
    /// The text that stands there instead.
    pub to: &'static str,
}

const fn mutant(name: &'static str, function: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant {
        name,
        function,
        from,
        to,
    }
}

/// A source file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where the file lies.
    pub path: PathBuf,
    /// All of its text, formatted by rustfmt.
    pub text: String,
}

/// The sources of the checkout at `root` that mistakes may be made in.
///
/// # Errors
/// A file or folder that can't be read.
pub fn core_sources(root: &Path) -> std::io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = MUTATED.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path)?;
                sources.push(Source { path, text });
            }
        }
    }
    Ok(sources)
}

/// A source file with a mistake in it.
#[derive(Clone, Debug)]
pub struct Mistaken<'s> {
    /// The file as it was.
    pub source: &'s Source,
    /// Its text with the mistake.
    pub text: String,
}

impl Mutant {
    /// Makes the mistake in one of `sources`.
    ///
    /// # Errors
    /// A sentence that says where the text was looked for, when there is not exactly one place for it.
    pub fn apply<'s>(&self, sources: &'s [Source]) -> Result<Mistaken<'s>, String> {
        let mut places = Vec::new();
        let mut bodies = 0;
        for source in sources {
            for (start, end) in functions(&source.text, self.function) {
                bodies += 1;
                let body = source.text.get(start..end).unwrap_or_default();
                for (from, to) in matches(body, self.from) {
                    places.push((source, start + from, start + to));
                }
            }
        }
        match places.as_slice() {
            [(source, from, to)] => {
                let (before, after) = (source.text.get(..*from), source.text.get(*to..));
                let text = [before.unwrap_or_default(), self.to, after.unwrap_or_default()].concat();
                Ok(Mistaken { source, text })
            }
            places => Err(format!(
                "{}: the text stands {} times in {bodies} functions named {}, not once: {}",
                self.name,
                places.len(),
                self.function,
                self.from
            )),
        }
    }
}

/// Byte ranges of all functions of this name: from `fn` to the closing brace, which rustfmt puts below the line that the
/// function begins on, at the same indentation.
fn functions(text: &str, name: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, word) in text.match_indices("fn ") {
        let signature = text.get(start + word.len()..).unwrap_or_default();
        let named = signature
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['(', '<']));
        if !named {
            continue;
        }
        let line = text.get(..start).unwrap_or_default();
        let line = line.rsplit('\n').next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let closing = format!("\n{}}}\n", " ".repeat(indent));
        let body = text.get(start..).unwrap_or_default();
        if let Some(len) = body.find(&closing) {
            found.push((start, start + len + closing.len()));
        }
    }
    found
}

/// Byte ranges of `text` that read as `wanted`, white space aside.
fn matches(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    let wanted: String = wanted.chars().filter(|c| !c.is_whitespace()).collect();
    let dense: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect();
    let len = wanted.chars().count();
    dense
        .windows(len.max(1))
        .filter(|window| window.iter().map(|(_, c)| *c).eq(wanted.chars()))
        .filter_map(|window| Some((window.first()?.0, window.last()?)))
        .map(|(start, (end, c))| (start, end + c.len_utf8()))
        .collect()
}

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    mutant(
        "a complete copy is not marked",
        "advance",
        "self.log.push(Record::SwapMark(done));",
        "let _ = done;",
    ),
    mutant(
        "a copy is marked before it is complete",
        "next_copy",
        "self.stage = BootStage::Copying(Copy::new(route, unit, self.suspect), number);",
        "self.log.push(Record::SwapMark(number + 1)); self.stage = BootStage::Copying(Copy::new(route, unit, self.suspect), number);",
    ),
    mutant(
        "the request is not taken back after the swap",
        "advance",
        "After::Swap => { BootStage::Trailer(TrailerWrite::clear(Area::Secondary), After::SwapEnd) }",
        "After::Swap => { self.log.push(Record::SwapEnd); BootStage::Start }",
    ),
    mutant(
        "the request is taken back before the swap",
        "incoming",
        "self.log.push(Record::SwapStart(SwapPlan { kind,",
        "let _ = flash.erase(Area::Secondary, flash.geometry(Area::Secondary).size - flash.geometry(Area::Secondary).erase); self.log.push(Record::SwapStart(SwapPlan { kind,",
    ),
    mutant(
        "a trial is not counted",
        "decide_running",
        "used.saturating_add(1)",
        "used",
    ),
    mutant(
        "an image on trial raises the counter",
        "settle",
        "if !self.trial { self.raise_counter(found); }",
        "self.raise_counter(found);",
    ),
    mutant(
        "a confirmation is not recorded",
        "decide_running",
        "if is_confirmed(primary) { self.log.push(Record::Confirmed);",
        "if is_confirmed(primary) {",
    ),
    mutant(
        "what runs is not verified",
        "find",
        "self.stage = CheckStage::Proving; Ok(false)",
        "if self.area == Area::Primary { return Ok(true); } self.stage = CheckStage::Proving; Ok(false)",
    ),
    mutant(
        "what a cut left of a copy is compared, not written again",
        "new",
        "suspect: true,",
        "suspect: false,",
    ),
    mutant(
        "the header that a swap leaves is not erased",
        "leftover",
        "(false, _) => Some(0),",
        "(false, _) => None,",
    ),
    mutant(
        "a swapped image's trailer has no flags",
        "step",
        "Stage::SwapInfo }; return Ok(done >= unit && self.fields.is_none());",
        "if self.fields.is_some_and(|fields| fields.copy_done) { Stage::Magic } else { Stage::SwapInfo } }; return Ok(done >= unit && self.fields.is_none());",
    ),
    mutant(
        "a request outlives the image that it was made for",
        "step",
        "IntakeStage::Unmark(TrailerWrite::clear(Area::Secondary)) };",
        "IntakeStage::BeginLedger };",
    ),
    mutant(
        "a marked image is written once more",
        "recorded",
        "Mark::Set => file.len,",
        "Mark::Set => entry.at,",
    ),
    mutant(
        "an upload believes what reads as erased",
        "put",
        "&& !self.blank.is_from(upload.written) {",
        "&& !self.blank.is_from(upload.written) && !crate::flash::is_blank(flash, Area::Secondary, upload.written, shape.erase) {",
    ),
    mutant(
        "what a cut left of a trailer passes for a mark",
        "recorded",
        "_ if trailer == Trailer::ERASED => entry.at, _ => 0,",
        "_ if trailer == Trailer::ERASED => entry.at, _ => file.len,",
    ),
    mutant(
        "a slot is erased from its first byte up",
        "step",
        "match flash.erase(Area::Secondary, at) {",
        "match flash.erase(Area::Secondary, self.done - shape.erase) {",
    ),
    mutant(
        "a doubtful last record is believed",
        "mount",
        "|| !unit.doubled || unit.state.swap.is_some()",
        "|| unit.state.swap.is_some()",
    ),
    mutant(
        "a unit is not raised before its successor is erased",
        "mount",
        "{ Job::Raise } else",
        "{ Job::Erase } else",
    ),
    mutant(
        "the header is written before the records",
        "step",
        "self.state.snapshot(index, depth(flash));",
        "index.checked_sub(1).map_or(Some(Record::Header { generation }), |index| self.state.snapshot(index, depth(flash)));",
    ),
    mutant(
        "a swap goes on before the log has moved",
        "mount",
        "|| !unit.doubled || unit.state.swap.is_some()",
        "|| !unit.doubled",
    ),
    mutant(
        "a restore goes on before the log has moved",
        "begin_restore",
        "self.log.push(Record::Trial(RESTORING));",
        "if self.log.state().trial != Some(RESTORING) { self.log.push(Record::Trial(RESTORING)); }",
    ),
    mutant(
        "a counter is forgotten when the log moves",
        "snapshot",
        "return Some(Record::Counter(self.counter));",
        "return Some(Record::Counter(self.counter - 1));",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "impl A {\n    fn step(&self) {\n        self.mark(\n            1,\n        );\n    }\n}\n\nfn other() {\n    self.mark(1);\n}\n";

    fn source(text: &str) -> [Source; 1] {
        [Source {
            path: PathBuf::new(),
            text: text.to_owned(),
        }]
    }

    #[test]
    fn a_mistake_is_made_in_its_function_and_nowhere_else() {
        let sources = source(TEXT);
        let changed = mutant("m", "other", "self.mark(1);", "let _ = 0;").apply(&sources);
        let changed = changed.map(|mistaken| mistaken.text).unwrap_or_default();
        assert!(
            changed.ends_with("fn other() {\n    let _ = 0;\n}\n"),
            "{changed}"
        );
        assert!(
            changed.starts_with("impl A {\n    fn step(&self) {\n        self.mark(\n"),
            "{changed}"
        );
    }

    #[test]
    fn line_breaks_of_the_formatter_do_not_count() {
        assert!(
            mutant("m", "step", "self.mark(1,);", "")
                .apply(&source(TEXT))
                .is_ok()
        );
    }

    #[test]
    fn a_place_that_is_missing_or_there_twice_is_an_error() {
        assert!(
            mutant("m", "step", "self.clear();", "")
                .apply(&source(TEXT))
                .is_err()
        );
        let twice = TEXT.replace("fn other", "fn step");
        let twice = source(&twice);
        let error = mutant("m", "step", "self.mark(1", "").apply(&twice);
        assert!(error.is_err_and(|text| text.contains("2 times in 2 functions named step")));
    }
}
