//! The WebDriver protocol, as far as these tests need it: chromedriver as a child process, one session, JSON calls.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

/// The key under which WebDriver writes a reference to an element.
pub(crate) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Every call ends within this time: longer than any single thing that a page is asked to do, on a busy machine.
const CALL_LIMIT: Duration = Duration::from_secs(180);

/// The browser ended by itself: it crashed, or something ended it. What it said last is in the text.
#[derive(Debug)]
pub struct Gone(String);

impl std::fmt::Display for Gone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the browser ended by itself: {}", self.0)
    }
}

impl std::error::Error for Gone {}

/// Whether an error of chromedriver says that its browser, or the tab that it shows, has ended (chromedriver's
/// `chrome/test/chromedriver/chrome/status.cc` has the texts). What a script of the page throws says nothing of that.
fn says_gone(error: &str, message: &str) -> bool {
    const TEXTS: [&str; 4] = ["session deleted", "disconnected", "not reachable", "tab crashed"];
    error == "invalid session id"
        || (error != "javascript error" && TEXTS.iter().any(|text| message.contains(text)))
}

/// As many lines hold the stack of a crash.
const LAST_LINES: usize = 40;

/// The programs that drive a browser.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Chromium or Chrome, 148 or later.
    pub chromium: PathBuf,
    /// The chromedriver of the same version.
    pub chromedriver: PathBuf,
}

impl Tools {
    /// The programs that `BOOTLACE_CHROMIUM` and `BOOTLACE_CHROMEDRIVER` name, or those on the PATH.
    ///
    /// # Errors
    /// A sentence that says how to get what is missing.
    pub fn find() -> Result<Self> {
        let find = |variable: &str, name: &str| {
            std::env::var_os(variable)
                .map(PathBuf::from)
                .or_else(|| on_path(name))
                .filter(|path| path.exists())
                .with_context(|| {
                    format!("{name} is missing ({variable} does not name it): run `cargo xtask test`")
                })
        };
        Ok(Self {
            chromium: find("BOOTLACE_CHROMIUM", "chromium")?,
            chromedriver: find("BOOTLACE_CHROMEDRIVER", "chromedriver")?,
        })
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A running chromedriver with one browser session. Both end when it is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    agent: ureq::Agent,
    base: String,
    driver: Child,
    /// What chromedriver and the browser say.
    log: PathBuf,
}

impl Session {
    /// Starts chromedriver on a free port and a headless Chromium with `flags` added and its profile in `profile`.
    pub(crate) fn start(tools: &Tools, profile: &Path, flags: &[String]) -> Result<Self> {
        let log = profile.with_added_extension("log");
        let file = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
        let mut driver = Command::new(&tools.chromedriver)
            .args(["--port=0", "--log-level=WARNING", "--enable-chrome-logs"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            // A group of its own, so that what chromedriver starts can be ended with it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", tools.chromedriver.display()))?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(CALL_LIMIT))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let port = announced_port(&mut driver);
        let mut session = Self {
            agent,
            base: String::new(),
            driver,
            log,
        };
        let root = format!("http://127.0.0.1:{}", port?);
        let mut args = vec![
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            // Not every build machine has room there.
            "--disable-dev-shm-usage".into(),
            "--disable-quic".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            format!("--user-data-dir={}", profile.display()),
        ];
        args.extend_from_slice(flags);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "binary": tools.chromium, "args": args },
        } } });
        let made = session.send("POST", &format!("{root}/session"), Some(&wanted))?;
        let id = made["sessionId"]
            .as_str()
            .ok_or_else(|| anyhow!("chromedriver gave no session: {made}"))?;
        session.base = format!("{root}/session/{id}");
        Ok(session)
    }

    /// `GET /session/{id}{path}`.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.send("GET", &format!("{}{path}", self.base), None)
    }

    /// `POST /session/{id}{path}`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send("POST", &format!("{}{path}", self.base), Some(body))
    }

    /// `DELETE /session/{id}{path}`.
    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        self.send("DELETE", &format!("{}{path}", self.base), None)
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Result<Value> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(url).call(),
            ("DELETE", _) => self.agent.delete(url).call(),
            (_, body) => {
                let text = body.map_or_else(|| "{}".to_owned(), Value::to_string);
                self.agent
                    .post(url)
                    .header("content-type", "application/json")
                    .send(text)
            }
        };
        let mut answer = answer.with_context(|| format!("chromedriver did not answer {method} {url}"))?;
        let failed = !answer.status().is_success();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let mut answer: Value = serde_json::from_str(&text)?;
        let value = answer["value"].take();
        if failed {
            let message = value["message"].as_str().unwrap_or_default();
            let error = value["error"].as_str().unwrap_or_default();
            let said = format!("{error}: {}", message.lines().next().unwrap_or_default());
            if says_gone(error, message) {
                return Err(Gone(format!("{said}\n{}", self.last_words())).into());
            }
            bail!(said);
        }
        Ok(value)
    }

    /// The end of what chromedriver and the browser have said.
    fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let (_, last) = lines.split_at(lines.len().saturating_sub(LAST_LINES));
        last.iter().map(|line| format!("  | {line}\n")).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.base.is_empty() {
            self.delete("").ok();
        }
        if let Some(group) = rustix::process::Pid::from_raw(self.driver.id().cast_signed()) {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        self.driver.wait().ok();
    }
}

/// chromedriver writes the port it chose: "ChromeDriver was started successfully on port N."
fn announced_port(driver: &mut Child) -> Result<u16> {
    let output = driver.stdout.take().context("chromedriver without output")?;
    let mut lines = BufReader::new(output).lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            line.split("successfully on port ")
                .nth(1)?
                .trim_end_matches('.')
                .parse()
                .ok()
        })
        .context("chromedriver ended without naming its port")?;
    // It must never block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(port)
}
