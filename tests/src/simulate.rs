//! `bootlace simulate` as a child process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::serial::udev::Identity;
use bootlace_browser::wait_for;

use crate::tools;

/// How long the simulator may take to show its port.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A simulated board with power; it loses power when dropped.
#[derive(Debug)]
pub struct Simulator {
    child: Child,
    link: PathBuf,
    identities: Identities,
}

/// What the ports of a simulated board say about themselves: the simulator writes a line of JSON for each that appears,
/// `{"port": PATH, "vendor": N, "product": N, "serial": TEXT}`.
#[derive(Clone, Debug, Default)]
pub struct Identities(Arc<Mutex<BTreeMap<PathBuf, Value>>>);

impl Identities {
    /// The identity of the port at `node`, under the kernel name `name`.
    pub fn of(&self, node: &Path, name: &str) -> Identity {
        let known = wait_for("the port's identity", START_LIMIT, || {
            Ok(self.0.lock().ok().and_then(|all| all.get(node).cloned()))
        });
        let mut identity = Identity::unknown(name);
        if let Ok(known) = known {
            let number = |key: &str| known[key].as_u64().and_then(|number| u16::try_from(number).ok());
            identity.vendor = number("vendor").unwrap_or(identity.vendor);
            identity.product = number("product").unwrap_or(identity.product);
            identity.serial = known["serial"].as_str().map_or(identity.serial, str::to_owned);
        }
        identity
    }

    fn note(&self, line: &str) {
        if let (Ok(value), Ok(mut all)) = (serde_json::from_str::<Value>(line), self.0.lock())
            && let Some(node) = value["port"].as_str()
        {
            all.insert(PathBuf::from(node), value);
        }
    }
}

impl Simulator {
    /// Powers a board up whose port is the symbolic link `link`; `arguments` are those of `bootlace simulate`.
    ///
    /// # Errors
    /// When the program is not there, ends at once, or shows no port.
    pub fn start<A: Into<OsString>>(link: &Path, arguments: impl IntoIterator<Item = A>) -> Result<Self> {
        let mut simulator = Self::without_port(link, arguments)?;
        wait_for("the simulator's port", START_LIMIT, || {
            if let Some(status) = simulator.child.try_wait()? {
                bail!("the simulator ended with {status}");
            }
            Ok(simulator.node().map(drop))
        })?;
        Ok(simulator)
    }

    /// The same for a board that may not show a port.
    ///
    /// # Errors
    /// When the program is not there.
    pub fn without_port<A: Into<OsString>>(
        link: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        // What a board that lost its power left there.
        std::fs::remove_file(link).ok();
        let mut child = Command::new(tools::cli()?)
            .arg("simulate")
            .arg("--link")
            .arg(link)
            .args(arguments.into_iter().map(Into::into))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting bootlace simulate")?;
        let (identities, output) = (Identities::default(), child.stdout.take());
        let seen = identities.clone();
        std::thread::spawn(move || {
            let lines = output
                .into_iter()
                .flat_map(|output| BufReader::new(output).lines());
            lines
                .map_while(std::io::Result::ok)
                .for_each(|line| seen.note(&line));
        });
        Ok(Self {
            child,
            link: link.to_owned(),
            identities,
        })
    }

    /// The pseudo-terminal that the board's port is now; none while it restarts.
    pub fn node(&self) -> Option<PathBuf> {
        node(&self.link)
    }

    /// Who its ports are.
    pub fn identities(&self) -> Identities {
        self.identities.clone()
    }

    /// The link that names the port.
    pub fn link(&self) -> &Path {
        &self.link
    }
}

/// What a simulator's link points to, if that is there.
pub(crate) fn node(link: &Path) -> Option<PathBuf> {
    std::fs::read_link(link).ok().filter(|node| node.exists())
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Power goes without a word.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_file(&self.link).ok();
    }
}
