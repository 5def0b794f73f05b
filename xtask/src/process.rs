//! Running other programs: output kept in a log, progress shown, time limited.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a step may be silent before it says where it is, when nobody watches a terminal.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many lines of a failed program's output are shown.
const TAIL: usize = 40;

/// The step whose progress is shown, by its number; 0 while there is none. Steps may run beside each other, but a terminal has
/// one last line, and two lines in turn can't be read.
static SHOWN: AtomicU64 = AtomicU64::new(0);
/// Numbers of steps.
static STEPS: AtomicU64 = AtomicU64::new(1);

/// One step under way: says its name, where it is, and how long it took.
pub(crate) struct Step {
    number: u64,
    title: String,
    started: Instant,
    shown: Instant,
    terminal: bool,
}

impl Step {
    /// Announces a step.
    pub(crate) fn start(title: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        if !terminal {
            eprintln!("-- {title}");
        }
        let now = Instant::now();
        let mut step = Self {
            number: STEPS.fetch_add(1, Ordering::Relaxed),
            title: title.to_owned(),
            started: now,
            shown: now,
            terminal,
        };
        step.show("");
        step
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Shows where the step is: at once on a terminal, now and then in a log.
    pub(crate) fn progress(&mut self, detail: &str) {
        let pause = if self.terminal {
            Duration::from_millis(200)
        } else {
            HEARTBEAT
        };
        if self.shown.elapsed() >= pause {
            self.show(detail);
        }
    }

    /// Whether this step's progress is shown: the first one that asks keeps the line until it ends.
    fn holds_line(&self) -> bool {
        let free = SHOWN.compare_exchange(0, self.number, Ordering::Relaxed, Ordering::Relaxed);
        free.is_ok() || free == Err(self.number)
    }

    fn show(&mut self, detail: &str) {
        self.shown = Instant::now();
        if !self.holds_line() {
            return;
        }
        let seconds = self.seconds();
        let detail: String = detail.trim().chars().take(70).collect();
        if self.terminal {
            eprint!("\r\x1b[K-- {} {seconds:.0} s {detail}", self.title);
            let _ = std::io::stderr().flush();
        } else if seconds >= 1.0 {
            eprintln!("   {} {seconds:.0} s: {detail}", self.title);
        }
    }

    /// Says that the step is done and what came of it.
    pub(crate) fn done(self, outcome: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}   {}: {outcome} ({:.1} s)", self.title, self.seconds());
    }

    /// Runs a program to its end as part of this step. Its output goes to `log`.
    pub(crate) fn run(
        &mut self,
        command: &mut Command,
        log: &Path,
        limit: Option<Duration>,
    ) -> Result<Outcome> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        }
        let file = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => bail!("`{program}` can't be started: {error}"),
        };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(2);
        let success = loop {
            if let Some(status) = child.try_wait()? {
                break status.success();
            }
            if limit.is_some_and(|limit| begun.elapsed() > limit) {
                let _ = child.kill();
                let _ = child.wait();
                // What is shown of a failed run is the end of its log: without this line that tells of nothing wrong.
                let line = format!("stopped by force after {} s", begun.elapsed().as_secs());
                writeln!(File::options().append(true).open(log)?, "\n{line}")?;
                break false;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
            self.progress(&last_line(log));
        };
        Ok(Outcome {
            success,
            log: log.to_path_buf(),
        })
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let _ = SHOWN.compare_exchange(self.number, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// How a program ended.
pub(crate) struct Outcome {
    /// It ended by itself with exit code 0.
    pub(crate) success: bool,
    log: PathBuf,
}

impl Outcome {
    /// All that the program wrote.
    pub(crate) fn text(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The end of what the program wrote, for a message.
    pub(crate) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(TAIL)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// An error with the program's last words, unless it succeeded.
    pub(crate) fn require(self, what: &str) -> Result<Self> {
        if !self.success {
            bail!(
                "{what} failed; its last lines were:\n{}\n(all of it: {})",
                self.tail(),
                self.log.display()
            );
        }
        Ok(self)
    }
}

/// Runs a short program and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => bail!("`{program}` can't be started: {error}"),
    };
    if !output.status.success() {
        bail!(
            "`{program}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The full path of a program, looked for on PATH.
pub(crate) fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program.as_ref()))
        .find(|file| file.is_file())
}

/// The cargo that runs this task, so that a `+toolchain` holds for what it starts.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn last_line(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(400)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-{}-{name}.log", std::process::id()))
    }

    #[test]
    fn a_failure_shows_the_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo why >&2; exit 3"]);
        let outcome = Step::start("sh").run(&mut command, &log("words"), None).unwrap();
        let error = outcome.require("the shell").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("the shell failed"), "{error}");
        assert!(error.to_string().contains("out\nwhy"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("30");
        let begun = Instant::now();
        let limit = Some(Duration::from_millis(100));
        let outcome = Step::start("sleep")
            .run(&mut command, &log("hang"), limit)
            .unwrap();
        assert!(!outcome.success);
        assert!(outcome.text().contains("stopped by force after 0 s"));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`no-such-program` can't be started"),
            "{error}"
        );
    }
}
