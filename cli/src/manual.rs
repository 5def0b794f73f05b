//! `bootlace completions` and `bootlace man`: what shells and manuals are told of the commands.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bootlace_engine::words::files;

use crate::{file, report};

/// Which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell that is to complete commands and options: bash, elvish, fish, powershell or zsh.
    shell: clap_complete::Shell,
}

/// Where manual pages go.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The folder for the pages, which is made: one page a command, bootlace.1 and so on.
    folder: PathBuf,
}

impl Completions {
    pub(crate) fn run(&self, mut command: clap::Command) -> crate::problem::Result {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "bootlace", &mut script);
        report::bytes(&script);
        Ok(ExitCode::SUCCESS)
    }
}

impl Man {
    pub(crate) fn run(&self, mut command: clap::Command) -> crate::problem::Result {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder).map_err(|why| files::unmade_folder(folder, why))?;
        command.build();
        self.pages(&command)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The page of a command, and those of the commands below it.
    fn pages(&self, command: &clap::Command) -> Result<(), bootlace_engine::words::Sentence> {
        let page = clap_mangen::Man::new(command.clone());
        let path: &Path = &self.folder.join(page.get_filename());
        let mut text = Vec::new();
        page.render(&mut text)
            .and_then(|()| text.flush())
            .map_err(|why| files::unwritable(path.display(), why))?;
        file::write(path, &text)?;
        // Every command has “help”, which needs no page.
        let below = command
            .get_subcommands()
            .filter(|command| command.get_name() != "help");
        below.into_iter().try_for_each(|command| self.pages(command))
    }
}
