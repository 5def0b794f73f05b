//! A simulated board, its flash and its cable to the browser: what stands on a technician's bench.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::serial::{Cable, Way};
use crate::simulate::Simulator;

/// A board on a cable.
#[derive(Debug)]
pub struct CabledBoard {
    arguments: Vec<String>,
    link: PathBuf,
    /// None: no browser is to see it.
    way: Option<Way>,
    name: String,
    board: Option<Simulator>,
    cable: Option<Cable>,
}

impl CabledBoard {
    /// Powers up a board called `name` and plugs it in. Its flash lies in `folder`; `arguments` go to
    /// `bootlace simulate`.
    ///
    /// # Errors
    /// When the simulator does not start.
    pub fn new(folder: &Path, name: &str, way: Way, arguments: &[&str]) -> Result<Self> {
        Self::start(folder, name, Some(way), arguments)
    }

    /// The same without a cable to a browser: for programs that open the link.
    ///
    /// # Errors
    /// When the simulator does not start.
    pub fn unconnected(folder: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::start(folder, name, None, arguments)
    }

    fn start(folder: &Path, name: &str, way: Option<Way>, arguments: &[&str]) -> Result<Self> {
        let flash = folder.join(format!("{name}.flash"));
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend([
            "--flash".to_owned(),
            flash.to_str().context("the folder is not UTF-8")?.to_owned(),
        ]);
        let link = folder.join(name);
        let mut bench = Self {
            arguments: all,
            link,
            way,
            name: name.to_owned(),
            board: None,
            cable: None,
        };
        bench.power_up()?;
        Ok(bench)
    }

    /// The link that names the board's port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// The cable.
    ///
    /// # Errors
    /// When the board has no power.
    pub fn cable(&self) -> Result<&Cable> {
        self.cable.as_ref().context("the board has no power")
    }

    /// Takes the power away, and the port with it: a board that lives from its USB cable, when that is pulled.
    pub fn power_down(&mut self) {
        self.board = None;
        // After the board, as the cable sees its port go.
        self.cable = None;
    }

    /// Gives it power again, with the flash as it was.
    ///
    /// # Errors
    /// When the simulator does not start.
    pub fn power_up(&mut self) -> Result<()> {
        let board = Simulator::start(&self.link, &self.arguments)?;
        let (name, identities) = (self.name.clone(), board.identities());
        self.cable = self
            .way
            .map(|way| Cable::new(self.link.clone(), way, move |node| Ok(identities.of(node, &name))));
        self.board = Some(board);
        Ok(())
    }
}

impl Drop for CabledBoard {
    fn drop(&mut self) {
        self.power_down();
    }
}
