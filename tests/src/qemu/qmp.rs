//! QEMU's own protocol: a line of JSON a command, a line an answer, events in between.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut qmp = Self {
            stream: BufReader::new(stream),
        };
        qmp.line()?;
        qmp.command("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("QEMU does not answer")?;
        serde_json::from_str(&line).with_context(|| format!("QEMU said {line:?}"))
    }

    /// Runs a command and gives what it returns.
    ///
    /// # Errors
    /// What QEMU says.
    pub fn command(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let command = json!({ "execute": name, "arguments": arguments });
        self.stream
            .get_mut()
            .write_all(format!("{command}\n").as_bytes())?;
        loop {
            let mut answer = self.line()?;
            if !answer["error"].is_null() {
                bail!("{name}: {}", answer["error"]);
            }
            if answer.get("return").is_some() {
                return Ok(answer["return"].take());
            }
        }
    }
}

/// The protocol of QEMU's own tests: a line, and "OK" for an answer.
pub(super) fn exchange(mut stream: &UnixStream, line: &str) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.trim() != "OK" {
        bail!("{}: {answer:?}", line.trim());
    }
    Ok(())
}
