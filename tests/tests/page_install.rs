//! “New board” in the page: the first companion on an emulated Raspberry Pi Pico with its real boot ROM, over the real WebUSB of a
//! real Chromium, and by files for its drive. Found and pressed as a person does: by what is seen.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End};
use bootlace_browser::{Browser, Scheme};
use bootlace_tests::namespace;
use bootlace_tests::opened::{self, ORIGIN};
use bootlace_tests::page_update;
use bootlace_tests::qemu::Images;
use bootlace_tests::rp2040::{Behaviour, FLASH, Factory, Pico};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::usb::{Bus, Cord};
use serde_json::json;

/// Longest time for an installation, or an update.
const LIMIT: Duration = Duration::from_secs(120);
/// Numbers of the chip's own loader, and of a board with the companion.
const LOADER: (u16, u16) = (0x2E8A, 3);
const COMPANION: (u16, u16) = (0x1209, 1);

/// The browser's dialogs can't be pressed from outside. What a person would choose in them lies in the browser's own file system:
/// the same handles, with the same ways to write.
const PICKERS: &str = "
    const root = () => navigator.storage.getDirectory();
    window.showSaveFilePicker = async ({ suggestedName }) => (await root()).getFileHandle(suggestedName, { create: true });
    window.showDirectoryPicker = async () => (await root()).getDirectoryHandle('drive', { create: true });";

struct Stage {
    browser: Browser,
    folder: PathBuf,
    bus: Bus,
}

fn main() -> Result<()> {
    runner::share_out(2, &[])?;
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(900))?;
    let bus = Bus::new(&namespace)?;
    let mut stage = Stage {
        browser: opened::browser(&namespace)?,
        folder: namespace.scratch().to_owned(),
        bus,
    };
    stage.browser.run_before_pages(PICKERS)?;
    let scenarios: &[Scenario<Stage>] = &[(
        "a_blank_chip_gets_a_companion_with_a_new_key_then_application_update_and_patch",
        blank_chip,
    )];
    let code = runner::run(&mut stage, scenarios, &runner::wanted());
    drop(stage);
    std::process::exit(code)
}

impl Shared for Stage {
    fn leave(&mut self, _: &str, _: bool) -> Result<()> {
        opened::leave(&mut self.browser)
    }

    fn renew(&mut self) -> Result<()> {
        opened::renew(&mut self.browser)?;
        self.browser.run_before_pages(PICKERS)
    }
}

/// What the browser has loaded of the part that is loaded when it is wanted.
fn loaded(page: &Browser) -> Result<Vec<String>> {
    let script = "return performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)
        .filter(path => /new-board|companions/.test(path))";
    let found = page.run(script, &[])?;
    let names = found.as_array().into_iter().flatten();
    Ok(names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect())
}

/// The text of a file in the browser's own file system.
fn saved(page: &Browser, name: &str) -> Result<String> {
    let script = "const root = await navigator.storage.getDirectory();
        return (await (await root.getFileHandle(arguments[0])).getFile()).text()";
    let text = page.run(script, &[json!(name)])?;
    Ok(text.as_str().context("no text")?.to_owned())
}

impl Stage {
    /// The page as nobody has used it, and “New board” on it.
    fn new_board(&mut self) -> Result<()> {
        page_update::forget(&self.browser, ORIGIN)?;
        self.browser.press_named("Set up a new board")?;
        self.browser.role("heading", "New board").map(drop)
    }

    /// A key that the page makes, whose private half is saved as the page asks; gives its file.
    fn make_key(&self) -> Result<PathBuf> {
        let page = &self.browser;
        page.press_named("Make a new key")?;
        page.press_named("Save the private key")?;
        page.wait("the key", LIMIT, |page| {
            Ok(page.shows("board-key")?.then_some(()))
        })?;
        let file = self.folder.join("signing-key.pem");
        std::fs::write(&file, saved(page, "signing-key.pem")?)?;
        Ok(file)
    }

    fn pictures(&self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("BOOTLACE_SCREENSHOTS").map(PathBuf::from) else {
            return Ok(());
        };
        let page = &self.browser;
        for (width, scheme) in [(1280, Scheme::Light), (390, Scheme::Dark)] {
            page.look(width, 900, scheme)?;
            page.screenshot(&folder.join(format!("{name}-{width}-{scheme:?}.png").to_lowercase()))?;
        }
        page.look(1280, 900, Scheme::Light)
    }

    /// Waits until the page says that the companion is installed, and the board runs it.
    fn installed(&self, pico: &Pico, arrivals: u32) -> Result<()> {
        self.browser.wait("the installation", LIMIT, |page| {
            Ok(page.shows("done")?.then_some(()))
        })?;
        let numbers = pico.wait_beyond(arrivals)?.numbers;
        ensure!(numbers == COMPANION, "{numbers:x?} is on the bus");
        Ok(())
    }
}

fn nothing(_: &mut Browser, _: &str, _: &str) -> Result<()> {
    Ok(())
}

fn blank_chip(stage: &mut Stage) -> Result<()> {
    page_update::forget(&stage.browser, ORIGIN)?;
    ensure!(
        loaded(&stage.browser)?.is_empty(),
        "{:?} before it was wanted",
        loaded(&stage.browser)
    );
    stage.new_board()?;
    ensure!(loaded(&stage.browser)?.len() >= 4, "{:?}", loaded(&stage.browser));
    stage.pictures("1-board")?;
    stage.browser.press_named("Raspberry Pi Pico")?;
    stage.pictures("2-key")?;
    let private = stage.make_key()?;
    let name = stage.browser.role("textbox", "What the board is called")?;
    stage.browser.type_into(&name, "Bench 7")?;
    stage.pictures("2-key-made")?;
    stage.browser.press_named("Continue")?;
    stage.pictures("3-connect")?;

    let pico = Pico::running(&vec![0xFF; FLASH])?;
    ensure!(pico.info()?.numbers == LOADER, "{:?}", pico.info());
    let cord = Cord::new(&stage.bus, &pico);
    cord.ready()?;
    let arrivals = pico.arrivals();
    stage.browser.press_named("Connect by USB")?;
    let page = &stage.browser;
    page.wait("what it holds", LIMIT, |page| {
        Ok(page.shows("held")?.then_some(()))
    })?;
    let held = page.text_of("held")?;
    ensure!(held.contains("blank"), "{held}");
    ensure!(
        pico.count("operations")? == 0.0,
        "something changed before anybody said so"
    );
    stage.pictures("4-check")?;
    stage.browser.press_named("Install the companion")?;
    stage.installed(&pico, arrivals)?;
    stage.pictures("6-done")?;
    cord.ready()?;
    stage.browser.press_named("Connect the board")?;
    main_job::board(&stage.browser)?;
    let card = stage.browser.text_of("board-card")?;
    ensure!(card.contains("Bench 7") && card.contains("No firmware"), "{card}");
    stage.pictures("7-board")?;

    // The key is one that the real imgtool signs with, and the board starts what it signed.
    let factory = Factory::signing(Images::with_key(&private)?)?;
    for (minor, patched) in [(0, false), (1, false), (2, true)] {
        let file = stage.folder.join(format!("1.{minor}.0.bin"));
        std::fs::write(&file, factory.application(Behaviour::Normal, minor)?.0)?;
        main_job::choose_file(&stage.browser, &file)?;
        if patched {
            main_job::patched(&stage.browser)?;
        }
        let seen = main_job::update(&mut stage.browser, End::Confirmed, LIMIT, &mut nothing)?;
        println!("  {:.2} s: {}", seen.took.as_secs_f32(), seen.outcome);
        let runs = main_job::board(&stage.browser)?;
        ensure!(runs.contains(&format!("1.{minor}.0")), "{runs}");
        stage.browser.press("again")?;
    }
    pico.behaved()
}
