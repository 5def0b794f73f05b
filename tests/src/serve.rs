//! A static web server on localhost for the page under test.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Serves one folder until the tests end.
#[derive(Debug)]
pub struct Site {
    origin: String,
    folder: PathBuf,
}

impl Site {
    /// Serves `folder` on `port` of localhost; 0 takes any free one.
    ///
    /// # Errors
    /// When the port is taken, or the folder holds no `index.html`.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        ensure!(
            folder.join("index.html").is_file(),
            "there is no built page in {}",
            folder.display()
        );
        let listener = bootlace_serve::listen(port)?;
        let port = listener.local_addr()?.port();
        let root = folder.to_owned();
        std::thread::spawn(move || bootlace_serve::serve(&listener, &root));
        Ok(Self {
            origin: format!("http://localhost:{port}"),
            folder: folder.to_owned(),
        })
    }

    /// The origin, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The folder that is served.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
