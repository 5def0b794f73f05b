//! A headless Chromium as a test sees it: windows, elements, waiting, pictures, and everything the page complained of.

mod named;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use serde_json::{Value, json};

use crate::webdriver::{ELEMENT, Session, Tools};

/// How long a page may take to show what a person just did: on a busy machine with four browsers. What comes at all comes within
/// a second; a shorter limit would try the machine and not the page.
pub const SOON: Duration = Duration::from_secs(40);

/// `prefers-color-scheme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A reference to an element of the page that is shown.
#[derive(Clone, Debug)]
pub struct Element(String);

/// A tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab(String);

/// A running browser; it ends when dropped.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    launch: Launch,
    complaints: Vec<String>,
    errors: Vec<String>,
}

/// How a browser is started: as often as it has to be.
#[derive(Clone, Debug)]
struct Launch {
    tools: Tools,
    profile: PathBuf,
    flags: Vec<String>,
    /// The page that is opened at once.
    url: Option<String>,
    /// How many were started: each has a profile of its own.
    started: u32,
}

impl Launch {
    fn start(&mut self) -> Result<Session> {
        let profile = self.profile.with_added_extension(self.started.to_string());
        self.started += 1;
        let session = Session::start(&self.tools, &profile, &self.flags)?;
        session.post(
            "/timeouts",
            &json!({ "script": 150_000, "pageLoad": 30_000, "implicit": 0 }),
        )?;
        if let Some(url) = &self.url {
            open(&session, url)?;
        }
        Ok(session)
    }

    /// On a machine under load a Chromium now and then never shows its first page: another one is started then.
    fn start_for_sure(&mut self) -> Result<Session> {
        self.start().or_else(|_| self.start()).or_else(|_| self.start())
    }
}

fn open(session: &Session, url: &str) -> Result<()> {
    session
        .post("/url", &json!({ "url": url }))
        .with_context(|| format!("opening {url}"))
        .map(drop)
}

impl Browser {
    /// Starts a headless Chromium with an empty profile beside `profile`.
    ///
    /// # Errors
    /// When the tools are missing or do not start.
    pub fn start(profile: &Path) -> Result<Self> {
        Self::start_with(&Tools::find()?, profile, &[])
    }

    /// Starts one and opens `url` in it.
    ///
    /// # Errors
    /// When none of three shows the page.
    pub fn start_at(profile: &Path, url: &str) -> Result<Self> {
        Self::launch(&Tools::find()?, profile, &[], Some(url))
    }

    /// The same with given programs, and flags added to Chromium's.
    ///
    /// # Errors
    /// When they do not start.
    pub fn start_with(tools: &Tools, profile: &Path, flags: &[String]) -> Result<Self> {
        Self::launch(tools, profile, flags, None)
    }

    fn launch(tools: &Tools, profile: &Path, flags: &[String], url: Option<&str>) -> Result<Self> {
        let mut launch = Launch {
            tools: tools.clone(),
            profile: profile.to_owned(),
            flags: flags.to_owned(),
            url: url.map(str::to_owned),
            started: 0,
        };
        Ok(Self {
            session: launch.start_for_sure()?,
            launch,
            complaints: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// Starts another browser in the place of this one, in the same way and with an empty profile.
    ///
    /// # Errors
    /// When none of three shows its first page.
    pub fn renew(&mut self) -> Result<()> {
        self.session = self.launch.start_for_sure()?;
        self.errors.clear();
        Ok(())
    }

    /// Makes the browser crash, or only what shows its tab.
    ///
    /// # Errors
    /// [`Gone`](crate::webdriver::Gone), which is what the next call finds.
    pub fn crash(&self, whole: bool) -> Result<()> {
        let command = if whole { "Browser.crash" } else { "Page.crash" };
        self.session.devtools(command, &json!({})).map(drop)
    }

    /// Gives the shown tab's page a size in CSS pixels and a colour scheme.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn look(&self, width: u32, height: u32, scheme: Scheme) -> Result<()> {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        self.session.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        )?;
        // A scroll bar that takes up width would cut the picture of a whole page at its right edge.
        self.session
            .devtools("Emulation.setScrollbarsHidden", &json!({ "hidden": true }))?;
        self.session.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }),
        )?;
        Ok(())
    }

    /// Opens `url` in the shown tab and waits for its load event.
    ///
    /// # Errors
    /// When it can't be loaded.
    pub fn open(&self, url: &str) -> Result<()> {
        open(&self.session, url)
    }

    /// Loads the page again, as its user would.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn reload(&self) -> Result<()> {
        self.session.post("/refresh", &json!({})).map(drop)
    }

    /// Opens a new tab and shows it; the one before is hidden behind it.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn new_tab(&self) -> Result<Tab> {
        let made = self.session.post("/window/new", &json!({ "type": "tab" }))?;
        let tab = Tab(made["handle"].as_str().context("no handle")?.to_owned());
        self.show(&tab)?;
        Ok(tab)
    }

    /// The tab that is shown.
    ///
    /// # Errors
    /// When there is none.
    pub fn tab(&self) -> Result<Tab> {
        Ok(Tab(self
            .session
            .get("/window")?
            .as_str()
            .context("no tab")?
            .to_owned()))
    }

    /// Brings a tab to the front.
    ///
    /// # Errors
    /// When it is closed.
    pub fn show(&self, tab: &Tab) -> Result<()> {
        self.session.post("/window", &json!({ "handle": tab.0 }))?;
        self.session.devtools("Page.bringToFront", &json!({})).map(drop)
    }

    /// Closes the shown tab, without asking, and shows `next`.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn close_tab(&self, next: &Tab) -> Result<()> {
        self.session.delete("/window")?;
        self.show(next)
    }

    /// Runs a function body in the page; `return` gives the result, `arguments` holds `args`. A promise is awaited.
    ///
    /// # Errors
    /// What the script throws.
    pub fn run(&self, script: &str, args: &[Value]) -> Result<Value> {
        self.session
            .post("/execute/sync", &json!({ "script": script, "args": args }))
    }

    /// Makes a script run in every page that is opened from now on in the shown tab, before the page's own.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn run_before_pages(&self, script: &str) -> Result<()> {
        self.session
            .devtools(
                "Page.addScriptToEvaluateOnNewDocument",
                &json!({ "source": script }),
            )
            .map(drop)
    }

    /// A command of the DevTools protocol, for what has no name here.
    ///
    /// # Errors
    /// What the browser answers.
    pub fn devtools(&self, command: &str, params: &Value) -> Result<Value> {
        self.session.devtools(command, params)
    }

    /// All elements that a CSS selector matches.
    ///
    /// # Errors
    /// When the selector is not one.
    pub fn all(&self, css: &str) -> Result<Vec<Element>> {
        let found = self
            .session
            .post("/elements", &json!({ "using": "css selector", "value": css }))?;
        let found = found.as_array().context("no list of elements")?;
        Ok(found
            .iter()
            .filter_map(|one| Some(Element(one[ELEMENT].as_str()?.to_owned())))
            .collect())
    }

    /// The first element that a CSS selector matches, waiting a moment for it.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn find(&self, css: &str) -> Result<Element> {
        self.wait(&format!("an element {css}"), SOON, |page| {
            Ok(page.all(css)?.into_iter().next())
        })
    }

    /// The element with this `data-testid`.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn test_id(&self, id: &str) -> Result<Element> {
        self.find(&format!("[data-testid=\"{id}\"]"))
    }

    /// Whether an element with this `data-testid` is shown right now.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn shows(&self, id: &str) -> Result<bool> {
        let script = "const e = document.querySelector(`[data-testid=\"${arguments[0]}\"]`);
            return !!e && e.checkVisibility({visibilityProperty: true});";
        Ok(self.run(script, &[json!(id)])? == json!(true))
    }

    /// Clicks as a person does: scrolled into view, and refused when something covers it.
    ///
    /// # Errors
    /// When it can't be clicked.
    pub fn click(&self, element: &Element) -> Result<()> {
        self.session
            .post(&format!("/element/{}/click", element.0), &json!({}))
            .map(drop)
    }

    /// Clicks the element with this `data-testid` as soon as it is there and enabled.
    ///
    /// # Errors
    /// When it can't be clicked in time; the error says why.
    pub fn press(&self, id: &str) -> Result<()> {
        let start = Instant::now();
        loop {
            let element = self.test_id(id)?;
            let enabled = self.session.get(&format!("/element/{}/enabled", element.0));
            let clicked = match enabled {
                Ok(Value::Bool(true)) => self.click(&element),
                Ok(_) => Err(anyhow!("it is disabled")),
                Err(error) => Err(error),
            };
            match clicked {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > SOON => {
                    return Err(error.context(format!("{id:?} can't be clicked\n{}", self.state())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(30)),
            }
        }
    }

    /// Picks a file in a file input, as the file dialog would; a hidden input is fine.
    ///
    /// # Errors
    /// When it is no file input.
    pub fn choose_file(&self, input: &Element, file: &Path) -> Result<()> {
        let file = file
            .canonicalize()
            .with_context(|| format!("choosing {}", file.display()))?;
        self.session
            .post(&format!("/element/{}/value", input.0), &json!({ "text": file }))
            .map(drop)
    }

    /// Types into an element, behind what is there.
    ///
    /// # Errors
    /// When it takes no text.
    pub fn type_into(&self, element: &Element, text: &str) -> Result<()> {
        self.session
            .post(&format!("/element/{}/value", element.0), &json!({ "text": text }))
            .map(drop)
    }

    /// The text of an element as it is shown.
    ///
    /// # Errors
    /// When the element has gone.
    pub fn text(&self, element: &Element) -> Result<String> {
        let text = self.session.get(&format!("/element/{}/text", element.0))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The shown text of the element with this `data-testid`.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn text_of(&self, id: &str) -> Result<String> {
        self.wait(&format!("the text of {id}"), SOON, |page| {
            // Redrawn between the two calls: ask again.
            Ok(page.test_id(id).and_then(|element| page.text(&element)).ok())
        })
    }

    /// An attribute of an element, if it has it.
    ///
    /// # Errors
    /// When the element has gone.
    pub fn attribute(&self, element: &Element, name: &str) -> Result<Option<String>> {
        let value = self
            .session
            .get(&format!("/element/{}/attribute/{name}", element.0))?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// An attribute of the element with this `data-testid`, right now.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn attribute_of(&self, id: &str, name: &str) -> Result<Option<String>> {
        let script = "const e = document.querySelector(`[data-testid=\"${arguments[0]}\"]`);
            return e && e.getAttribute(arguments[1]);";
        Ok(self
            .run(script, &[json!(id), json!(name)])?
            .as_str()
            .map(str::to_owned))
    }

    /// Asks `probe` until it gives a value.
    ///
    /// # Errors
    /// The probe's own; after `limit`, one that shows the page as it then is.
    pub fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        crate::wait_for(what, limit, || probe(self)).map_err(|error| error.context(self.state()))
    }

    /// The page as text, for the end of an error message.
    pub fn state(&self) -> String {
        match self.run("return location.href + '\\n' + document.body.innerText", &[]) {
            Ok(text) => format!(
                "the page is {}",
                text.as_str().unwrap_or_default().replace('\n', "\n  | ")
            ),
            Err(error) => format!("the page can't be read: {error}"),
        }
    }

    /// A PNG of the whole page, beyond the window's edge too.
    ///
    /// # Errors
    /// When the picture can't be taken or written.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.session.devtools("Page.captureScreenshot", &params)?;
        let text = picture["data"].as_str().context("no picture")?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, base64::engine::general_purpose::STANDARD.decode(text)?)?;
        Ok(())
    }

    /// Reads what came into the console since the last call. Errors (uncaught ones, panics, failed loads) are kept
    /// for [`Browser::no_errors`].
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn console(&mut self) -> Result<Vec<String>> {
        let entries = self.session.post("/se/log", &json!({ "type": "browser" }))?;
        let mut lines = Vec::new();
        for entry in entries.as_array().into_iter().flatten() {
            let message = entry["message"].as_str().unwrap_or_default().to_owned();
            if entry["level"] == "SEVERE" {
                self.errors.push(message.clone());
            }
            lines.push(message);
        }
        self.complaints.extend_from_slice(&lines);
        Ok(lines)
    }

    /// Fails if the page has thrown or logged an error since the last call.
    ///
    /// # Errors
    /// The errors of the page.
    pub fn no_errors(&mut self) -> Result<()> {
        self.console()?;
        let errors = std::mem::take(&mut self.errors);
        if !errors.is_empty() {
            bail!("errors in the page's console:\n  {}", errors.join("\n  "));
        }
        Ok(())
    }

    /// Everything that came into the console since the browser started.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
