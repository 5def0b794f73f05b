//! `bootlace simulate` as a child process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{tools, wait_for};

/// How long the simulator may take to show its port.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A simulated board with power; it loses power when dropped.
#[derive(Debug)]
pub struct Simulator {
    child: Child,
    link: PathBuf,
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
        let child = Command::new(tools::cli()?)
            .arg("simulate")
            .arg("--link")
            .arg(link)
            .args(arguments.into_iter().map(Into::into))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting bootlace simulate")?;
        Ok(Self {
            child,
            link: link.to_owned(),
        })
    }

    /// The pseudo-terminal that the board's port is now; none while it restarts.
    pub fn node(&self) -> Option<PathBuf> {
        node(&self.link)
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
