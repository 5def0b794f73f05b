//! A static web server on localhost for the page under test.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Request, Response, Server, StatusCode};

/// Serves one folder until it is dropped.
#[derive(Debug)]
pub struct Site {
    origin: String,
    folder: PathBuf,
    _server: Running,
}

struct Running {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Site {
    /// Serves `folder` on `port` of localhost; 0 takes any free one.
    ///
    /// # Errors
    /// When the port is taken, or the folder holds no `index.html`.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        if !folder.join("index.html").is_file() {
            return Err(anyhow!("there is no built page in {}", folder.display()));
        }
        let server = Arc::new(
            Server::http(("127.0.0.1", port)).map_err(|error| anyhow!("serving on port {port}: {error}"))?,
        );
        let port = server
            .server_addr()
            .to_ip()
            .map_or(port, |address| address.port());
        let (inner, root) = (Arc::clone(&server), folder.to_owned());
        let thread = std::thread::spawn(move || {
            for request in inner.incoming_requests() {
                // A browser that goes away in the middle is no fault of the server.
                answer(&root, request).ok();
            }
        });
        Ok(Self {
            origin: format!("http://localhost:{port}"),
            folder: folder.to_owned(),
            _server: Running {
                server,
                thread: Some(thread),
            },
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

impl Drop for Running {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn answer(root: &Path, request: Request) -> std::io::Result<()> {
    let path = request.url().split(['?', '#']).next().unwrap_or("/");
    let relative = Path::new(path.trim_start_matches('/'));
    let inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let file = if path == "/" {
        root.join("index.html")
    } else {
        root.join(relative)
    };
    match std::fs::read(&file) {
        Ok(bytes) if inside => {
            let mut response = Response::from_data(bytes);
            for (name, value) in [
                ("content-type", content_type(&file)),
                ("cache-control", "no-store"),
            ] {
                if let Ok(header) = Header::from_bytes(name, value) {
                    response.add_header(header);
                }
            }
            request.respond(response)
        }
        _ => request.respond(Response::empty(StatusCode(404))),
    }
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "webmanifest") => "application/json",
        Some("ico") => "image/x-icon",
        _ => "application/octet-stream",
    }
}
