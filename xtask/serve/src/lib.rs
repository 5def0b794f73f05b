//! A static server for this machine only: a browser treats localhost as secure, which Web Serial asks for.
//!
//! A thread a connection, and every connection ends with its answer: a browser opens more of them than it uses, and none
//! of them may keep another one waiting.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The most bytes of a request that are read; a browser's are shorter.
const LONGEST_REQUEST: u64 = 64 * 1024;

/// Nobody may frame the page: only a header can say so. What the page may load stands in the page's own head.
const POLICY: &str = "frame-ancestors 'none'";

/// Opens the port, on the loopback interface alone; 0 takes any free one.
///
/// # Errors
/// When it is taken.
pub fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} can't be served (is it taken? `--port N` chooses another)"))
}

/// Serves a folder until the process ends.
///
/// # Errors
/// When the port is lost.
pub fn serve(listener: &TcpListener, folder: &Path) -> Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        let folder = folder.to_path_buf();
        std::thread::spawn(move || {
            // A browser that went away is not this server's business.
            let _ = answer(&stream, &folder);
        });
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = match (method, locate(folder, target)) {
        ("GET" | "HEAD", Some(file)) => match fs::read(&file) {
            Ok(body) => ("200 OK", mime(&file), body),
            Err(_) => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
        },
        ("GET" | "HEAD", None) => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
        _ => (
            "405 Method Not Allowed",
            "text/plain",
            b"only GET and HEAD\n".to_vec(),
        ),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: {POLICY}\r\nX-Frame-Options: DENY\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

/// The file that a request's target means; none outside of the folder.
fn locate(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    // The page's own files need no escapes, and what is not decoded can't surprise.
    let plain = |part: &str| {
        part != ".."
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let mut file = folder.to_path_buf();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if !plain(part) {
            return None;
        }
        file.push(part);
    }
    Some(if file.is_dir() {
        file.join("index.html")
    } else {
        file
    })
}

fn mime(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "pem") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn get(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream
            .write_all(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_come_with_their_type_and_nothing_from_outside() {
        let folder = std::env::temp_dir().join(format!("xtask-serve-{}", std::process::id()));
        fs::create_dir_all(folder.join("dist/demo")).unwrap();
        fs::write(folder.join("secret"), "secret").unwrap();
        fs::write(folder.join("dist/index.html"), "front").unwrap();
        fs::write(folder.join("dist/demo/page_bg.wasm"), "wasm").unwrap();
        let listener = listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let dist = folder.join("dist");
        std::thread::spawn(move || serve(&listener, &dist));

        let front = get(port, "GET /?board=1");
        assert!(
            front.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8"),
            "{front}"
        );
        assert!(front.ends_with("\r\n\r\nfront"), "{front}");
        assert!(front.contains("Cache-Control: no-store"), "{front}");
        assert!(get(port, "GET /demo/page_bg.wasm").contains("Content-Type: application/wasm"));
        let head = get(port, "HEAD /");
        assert!(
            head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert!(
            head.contains("frame-ancestors 'none'") && head.contains("X-Frame-Options: DENY"),
            "{head}"
        );
        for outside in [
            "GET /../secret",
            "GET /demo/../../secret",
            "GET /%2e%2e/secret",
            "GET //etc/passwd",
            "GET x",
        ] {
            assert!(get(port, outside).starts_with("HTTP/1.1 404"), "{outside}");
        }
        assert!(get(port, "POST /").starts_with("HTTP/1.1 405"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn idle_connections_keep_nobody_waiting() {
        let folder = std::env::temp_dir().join(format!("xtask-serve-idle-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), "front").unwrap();
        let listener = listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let dist = folder.clone();
        std::thread::spawn(move || serve(&listener, &dist));

        let idle: Vec<_> = (0..32)
            .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
            .collect();
        assert!(get(port, "GET /").ends_with("front"));
        drop(idle);
        fs::remove_dir_all(folder).unwrap();
    }
}
