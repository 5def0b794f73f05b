//! “New board” in the page: the first companion on an emulated Raspberry Pi Pico with its real boot ROM, over the real WebUSB of a
//! real Chromium, and by files for its drive. Found and pressed as a person does: by what is seen.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End};
use bootlace_browser::{Browser, Scheme, wait_for};
use bootlace_nordic_model::{Config, Loader, SIZE, Terminal};
use bootlace_roms::dfuse::Rom;
use bootlace_roms::flash::{Flash, LEN};
use bootlace_roms::random::Random;
use bootlace_roms::uart;
use bootlace_tests::namespace;
use bootlace_tests::opened::{self, ORIGIN};
use bootlace_tests::page_update;
use bootlace_tests::qemu::Images;
use bootlace_tests::rp2040::{Behaviour, FLASH, Factory, Pico};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::serial::udev::Identity;
use bootlace_tests::serial::{Cable, Way};
use bootlace_tests::serial_chip::SerialChip;
use bootlace_tests::tools;
use bootlace_tests::usb::{Bus, Cord, DfuChip};
use serde_json::json;

/// Longest time for an installation, or an update.
const LIMIT: Duration = Duration::from_secs(120);
/// Numbers of the chip's own loader, and of a board with the companion.
const LOADER: (u16, u16) = (0x2E8A, 3);
const COMPANION: (u16, u16) = (0x1209, 1);

/// The browser's dialogs can't be pressed from outside. What a person would choose in them lies in the browser's own file system:
/// the same handles, with the same ways to write. The first serial port that there is, is the chosen one; the blank page
/// between two scenarios has no ports.
const PICKERS: &str = "
    const root = () => navigator.storage.getDirectory();
    window.showSaveFilePicker = async ({ suggestedName }) => (await root()).getFileHandle(suggestedName, { create: true });
    if (window.Serial) Serial.prototype.requestPort = async function () {
        const [port] = await this.getPorts();
        if (!port) throw new DOMException('No port selected by the user.', 'NotFoundError');
        return port;
    };
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
    stage.prepare()?;
    let scenarios: &[Scenario<Stage>] = &[
        (
            "a_blank_chip_gets_a_companion_with_a_new_key_then_application_update_and_patch",
            blank_chip,
        ),
        (
            "what_a_chip_held_is_saved_first_and_comes_back_by_its_drive",
            kept,
        ),
        (
            "a_chip_unplugged_in_the_middle_stays_in_its_loader_and_is_installed_then",
            unplugged,
        ),
        ("an_installation_is_cancelled_before_and_in_the_middle", cancelled),
        ("what_cannot_be_installed_says_why", refused),
        ("a_downloaded_file_holds_companion_and_application", downloaded),
        (
            "a_drive_takes_the_companion_and_another_folder_is_refused",
            driven,
        ),
        ("an_stm32_gets_its_companion_by_its_own_usb_device", stm32),
        ("an_stm32_gets_its_companion_by_a_serial_port", stm32_by_port),
        ("a_dongle_gets_its_companion_from_nordics_bootloader", dongle),
    ];
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
        self.prepare()
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
    /// A browser whose dialogs answer, and whose downloads go into the folder.
    fn prepare(&self) -> Result<()> {
        self.browser.run_before_pages(PICKERS)?;
        let downloads = json!({ "behavior": "allow", "downloadPath": self.folder });
        self.browser
            .devtools("Browser.setDownloadBehavior", &downloads)
            .map(drop)
    }

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

    /// Waits until the page says that the companion is installed, the board runs it, and the page shows the board.
    fn installed(&self, pico: &Pico, arrivals: u32) -> Result<()> {
        self.browser.wait("the installation", LIMIT, |page| {
            Ok(page.shows("done")?.then_some(()))
        })?;
        let numbers = pico.wait_beyond(arrivals)?.numbers;
        ensure!(numbers == COMPANION, "{numbers:x?} is on the bus");
        self.pictures("6-done")?;
        // The page may use such a board. While it is not seen, it has met the board: nobody is asked to choose.
        self.browser.wait("the page to meet the board", LIMIT, |page| {
            Ok((!page.all("[data-testid=board-card]")?.is_empty()).then_some(()))
        })?;
        self.browser.press_named("Connect the board")?;
        main_job::board(&self.browser).map(drop)
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
    let card = stage.browser.text_of("board-card")?;
    ensure!(card.contains("Bench 7") && card.contains("No firmware"), "{card}");
    stage.pictures("7-board")?;

    // The real imgtool signs with the key, and the board starts what it signed.
    let factory = Factory::signing(Images::with_key(&private)?)?;
    for (minor, patched) in [(0, false), (1, true), (2, true)] {
        let file = stage.folder.join(format!("1.{minor}.0.bin"));
        match minor {
            0 => imgtool_signs(&private, &file)?,
            _ => std::fs::write(&file, factory.application(Behaviour::Normal, minor)?.0)?,
        }
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

/// Signs the example application as version 1.0.0.
fn imgtool_signs(private: &Path, output: &Path) -> Result<()> {
    let program = tools::required("BOOTLACE_BOARDS")?.join("rp2040-application.bin");
    let mut imgtool = Command::new(tools::required("BOOTLACE_IMGTOOL")?);
    imgtool.args([
        "sign",
        "--version",
        "1.0.0",
        "--header-size",
        "0x100",
        "--pad-header",
        "--align",
        "4",
    ]);
    imgtool.args(["--slot-size", "0xf4000", "--key"]);
    let output = imgtool.arg(private).arg(program).arg(output).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "imgtool: {said}");
    Ok(())
}

/// A key pair of the person's own: both halves in PEM.
fn own_key(half: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../protocol/image/tests/data")
        .join(half)
}

impl Stage {
    /// “New board” with this board and the person's own key, before the board is connected.
    fn before_connecting(&mut self, board: &str) -> Result<()> {
        self.new_board()?;
        self.browser.press_named(board)?;
        self.choose_key()?;
        self.browser.press_named("Continue")
    }

    fn choose_key(&self) -> Result<()> {
        let input = self.browser.test_id("choose-key")?;
        self.browser.choose_file(&input, &own_key("p256.pub.pem"))?;
        self.browser.test_id("board-key").map(drop)
    }

    /// A Pico in its loader whose flash holds this, and its cable.
    fn in_loader(&self, flash: &[u8]) -> Result<(Pico, Cord)> {
        let pico = Pico::new(flash)?;
        pico.hold_bootsel(true)?;
        pico.power(true)?;
        pico.hold_bootsel(false)?;
        ensure!(pico.info()?.numbers == LOADER, "{:?}", pico.info());
        let cord = Cord::new(&self.bus, &pico);
        cord.ready()?;
        Ok((pico, cord))
    }

    /// Connects the loader and waits for the question.
    fn to_check(&self) -> Result<String> {
        self.browser.press_named("Connect by USB")?;
        self.browser.wait("what the board holds", LIMIT, |page| {
            Ok(page.shows("held")?.then_some(()))
        })?;
        self.browser.text_of("held")
    }

    /// Installs though what the board holds is lost.
    fn install_all_the_same(&self) -> Result<()> {
        self.tick("discard")?;
        self.browser.press_named("Install the companion")
    }

    /// Opens a fold.
    fn unfold(&self, name: &str) -> Result<()> {
        let fold = self.browser.wait(&format!("the fold {name:?}"), LIMIT, |page| {
            for summary in page.all("summary")? {
                if page.text(&summary).is_ok_and(|text| text == name) {
                    return Ok(Some(summary));
                }
            }
            Ok(None)
        })?;
        self.browser.click(&fold)
    }

    fn tick(&self, id: &str) -> Result<()> {
        self.browser.click(&self.browser.test_id(id)?)
    }

    /// What the page says went wrong, under this name.
    fn trouble(&self, name: &str) -> Result<String> {
        let said = main_job::problem(&self.browser, &[name], LIMIT)?;
        self.pictures(&format!("trouble-{name}"))?;
        Ok(said)
    }
}

/// Until the chip's flash is being written.
fn middle(pico: &Pico, before: f64) -> Result<()> {
    wait_for("the middle of the writing", LIMIT, || {
        Ok((pico.count("operations")? > before + 60.0).then_some(()))
    })
}

fn kept(stage: &mut Stage) -> Result<()> {
    let old = Factory::new()?.flash(None)?;
    stage.before_connecting("Raspberry Pi Pico")?;
    let (pico, cord) = stage.in_loader(&old)?;
    let held = stage.to_check()?;
    ensure!(held.contains("in use"), "{held}");
    let install = stage.browser.test_id("install")?;
    ensure!(
        stage.browser.attribute(&install, "disabled")?.is_some(),
        "what the board holds would be lost unasked"
    );
    stage.pictures("4-held")?;
    stage.browser.press_named("Save what the board holds")?;
    stage.browser.test_id("before-saved")?;
    let arrivals = pico.arrivals();
    stage.browser.press_named("Install the companion")?;
    stage.installed(&pico, arrivals)?;

    let before = bytes_of(&stage.browser, "rp2040-before.uf2")?;
    pico.power(false)?;
    pico.hold_bootsel(true)?;
    let arrivals = pico.arrivals();
    pico.power(true)?;
    pico.wait_beyond(arrivals)?;
    pico.hold_bootsel(false)?;
    let arrivals = pico.arrivals();
    pico.copy_onto_drive(&before)?;
    pico.wait_beyond(arrivals)?;
    let now = pico.flash()?;
    ensure!(
        now.get(..0x1_0000) == old.get(..0x1_0000),
        "the flash is not as it was"
    );
    cord.ready()?;
    stage.browser.wait("the board as it was", LIMIT, |page| {
        let card = page.text_of("board-card")?;
        Ok((!card.contains("Unplugged")).then_some(()))
    })?;
    pico.behaved()
}

fn unplugged(stage: &mut Stage) -> Result<()> {
    stage.before_connecting("Raspberry Pi Pico")?;
    let (pico, cord) = stage.in_loader(&[0x55; FLASH])?;
    stage.to_check()?;
    // While the page asks, it notices as well.
    pico.power(false)?;
    let said = stage.trouble("Gone")?;
    ensure!(said.contains("The board was not changed"), "{said}");
    let arrivals = pico.arrivals();
    pico.hold_bootsel(true)?;
    pico.power(true)?;
    pico.wait_beyond(arrivals)?;
    pico.hold_bootsel(false)?;
    cord.ready()?;
    stage.to_check()?;
    let before = pico.count("operations")?;
    stage.install_all_the_same()?;
    middle(&pico, before)?;
    stage.pictures("5-install")?;
    pico.power(false)?;
    let said = stage.trouble("Gone")?;
    ensure!(!said.contains("The board was not changed"), "{said}");
    // Without its button: what the chip starts from was erased first.
    let arrivals = pico.arrivals();
    pico.power(true)?;
    ensure!(pico.wait_beyond(arrivals)?.numbers == LOADER, "{:?}", pico.info());
    cord.ready()?;
    stage.to_check()?;
    let arrivals = pico.arrivals();
    stage.install_all_the_same()?;
    stage.installed(&pico, arrivals)?;
    pico.behaved()
}

fn cancelled(stage: &mut Stage) -> Result<()> {
    stage.before_connecting("Raspberry Pi Pico")?;
    let (pico, _cord) = stage.in_loader(&[0x55; FLASH])?;
    stage.to_check()?;
    let before = pico.count("operations")?;
    stage.browser.press_named("Cancel")?;
    // Nothing came of it: no word is due, and the board can be connected again.
    stage.browser.role("button", "Connect by USB")?;
    ensure!(
        main_job::problems(&stage.browser)?.is_empty(),
        "{}",
        stage.browser.state()
    );
    ensure!(pico.count("operations")? == before, "something was changed");
    stage.to_check()?;
    stage.install_all_the_same()?;
    middle(&pico, before)?;
    stage.browser.press_named("Cancel")?;
    let said = stage.trouble("Cancelled")?;
    ensure!(said.contains("holds a part of it"), "{said}");
    stage.to_check()?;
    let arrivals = pico.arrivals();
    stage.install_all_the_same()?;
    stage.installed(&pico, arrivals)?;
    // Opened once more it starts anew; closed, the page is as it was.
    stage.browser.press_named("Set up a new board")?;
    stage.browser.press_named("Raspberry Pi Pico")?;
    stage.browser.press_named("Close")?;
    main_job::board(&stage.browser)?;
    pico.behaved()
}

fn refused(stage: &mut Stage) -> Result<()> {
    stage.new_board()?;
    stage.browser.press_named("Raspberry Pi Pico")?;
    for (file, name) in [
        ("published-p256.pub.pem", "PublishedKey"),
        ("p256.pem", "PrivateKey"),
        ("rsa2048.pub.pem", "KeyKind"),
        ("README.md", "NotAKey"),
    ] {
        let input = stage.browser.test_id("choose-key")?;
        stage.browser.choose_file(&input, &own_key(file))?;
        stage.trouble(name)?;
    }
    // A key of a kind that this companion does not check.
    let input = stage.browser.test_id("choose-key")?;
    stage.browser.choose_file(&input, &own_key("ed25519.pub.pem"))?;
    stage.browser.press_named("Continue")?;
    stage.trouble("UnfitIdentity")?;
    stage.browser.press_named("Remove: ed25519.pub.pem")?;
    stage.choose_key()?;
    // A companion that is not the listed one.
    let spoil = "window.fetched = window.fetch;
        window.fetch = async (what, ...more) => String(what).endsWith('.bin') ? new Response(new Uint8Array(9)) : fetched(what, ...more);";
    stage.browser.run(spoil, &[])?;
    stage.browser.press_named("Continue")?;
    stage.trouble("AlteredCompanion")?;
    stage.browser.run("window.fetch = window.fetched", &[])?;
    stage.browser.press_named("Continue")?;
    // Nobody is in the loader. The browser's list, which nobody sees here, stays open; then it is closed without a choice.
    stage.browser.press_named("Connect by USB")?;
    stage.browser.press_named("Cancel")?;
    stage.browser.run(
        "navigator.usb.requestDevice = async () => { throw new DOMException('No device selected.', 'NotFoundError'); }",
        &[],
    )?;
    stage.browser.press_named("Connect by USB")?;
    let said = stage.trouble("NoneChosen")?;
    ensure!(said.contains("Hold the button BOOTSEL"), "{said}");

    let blank = vec![0xFF; FLASH];
    let (pico, cord) = stage.in_loader(&blank)?;
    stage.bus.forbid(true);
    let denied = stage
        .browser
        .press_named("Connect by USB")
        .and_then(|()| stage.trouble("LoaderDenied"));
    stage.bus.forbid(false);
    denied?;
    let rules = stage.browser.text_of("remedy")?;
    for rule in [
        r#"SUBSYSTEM=="usb", ATTR{idVendor}=="2e8a", ATTR{idProduct}=="0003", TAG+="uaccess""#,
        r#"SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", TAG+="uaccess""#,
    ] {
        ensure!(rules.lines().any(|line| line == rule), "{rules}");
    }
    ensure!(pico.flash()? == blank, "something was written");
    drop(cord);
    Ok(())
}

/// The bytes of a file in the browser's own file system.
fn bytes_of(page: &Browser, name: &str) -> Result<Vec<u8>> {
    let script = "let folder = await navigator.storage.getDirectory();
        const path = arguments[0].split('/');
        for (const name of path.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
        const file = await (await folder.getFileHandle(path.at(-1))).getFile();
        return [...new Uint8Array(await file.arrayBuffer())]";
    let bytes = page.run(script, &[json!(name)])?;
    let bytes = bytes.as_array().context("no bytes")?.iter();
    bytes
        .map(|byte| {
            byte.as_u64()
                .and_then(|byte| u8::try_from(byte).ok())
                .context("no byte")
        })
        .collect()
}

/// Companion and application in one file, by a browser that asks where nothing goes.
fn downloaded(stage: &mut Stage) -> Result<()> {
    let factory = Factory::signing(Images::with_key(&own_key("p256.pem"))?)?;
    let application = stage.folder.join("application.bin");
    std::fs::write(&application, factory.application(Behaviour::Normal, 3)?.0)?;
    let theirs = stage.folder.join("theirs.bin");
    std::fs::write(&theirs, Factory::new()?.application(Behaviour::Normal, 3)?.0)?;

    stage.new_board()?;
    stage.browser.run(
        "window.showSaveFilePicker = window.showDirectoryPicker = undefined",
        &[],
    )?;
    stage.browser.press_named("Raspberry Pi Pico")?;
    // A key that was downloaded goes on only once the person says that the file is there.
    stage.browser.press_named("Make a new key")?;
    stage.browser.press_named("Save the private key")?;
    stage.tick("key-kept")?;
    stage.browser.test_id("board-key")?;
    let private = stage.folder.join("signing-key.pem");
    wait_for("the private key", LIMIT, || Ok(private.exists().then_some(())))?;
    Images::with_key(&private)?;
    stage.browser.press_named("Remove: signing-key.pub.pem")?;
    stage.choose_key()?;
    stage.unfold("Application, vendor and class")?;
    let input = stage.browser.test_id("choose-application")?;
    stage.browser.choose_file(&input, &theirs)?;
    stage.trouble("UnknownSigner")?;
    let input = stage.browser.test_id("choose-application")?;
    stage.browser.choose_file(&input, &application)?;
    stage.browser.test_id("application")?;
    stage.pictures("2-application")?;
    stage.browser.press_named("Continue")?;
    stage.unfold("Other ways")?;
    stage.browser.press_named("Download the file")?;
    stage.browser.test_id("done")?;
    stage.pictures("6-by-hand")?;
    let file = stage.folder.join("rp2040-companion.uf2");
    wait_for("the file", LIMIT, || Ok(file.exists().then_some(())))?;
    let (pico, _cord) = stage.in_loader(&[0x55; FLASH])?;
    let arrivals = pico.arrivals();
    pico.copy_onto_drive(&std::fs::read(file)?)?;
    stage.installed(&pico, arrivals)?;
    let runs = main_job::board(&stage.browser)?;
    ensure!(runs.contains("1.3.0"), "{runs}");
    pico.behaved()
}

fn driven(stage: &mut Stage) -> Result<()> {
    let drive = "const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('drive', { create: true });
        const file = await (await folder.getFileHandle('INFO_UF2.TXT', { create: true })).createWritable();
        await file.write(arguments[0]); await file.close();";
    stage.before_connecting("Raspberry Pi Pico")?;
    stage.unfold("Other ways")?;
    stage
        .browser
        .run(drive, &[json!("UF2 Bootloader 0.7.0\nSoftDevice: S140 7.3.0\n")])?;
    stage.browser.press_named("Choose the drive")?;
    let said = stage.trouble("OtherBoardsDrive")?;
    ensure!(said.contains("nRF52840"), "{said}");
    // What the RP2040's ROM writes there (datasheet, 2.8.3.1).
    let info = "UF2 Bootloader v2.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n";
    stage.browser.run(drive, &[json!(info)])?;
    stage.browser.press_named("Choose the drive")?;
    let held = stage.browser.text_of("held")?;
    ensure!(held.contains("lost"), "{held}");
    stage.pictures("4-drive")?;
    stage.install_all_the_same()?;
    stage.browser.test_id("done")?;
    let (pico, _cord) = stage.in_loader(&[0x55; FLASH])?;
    let arrivals = pico.arrivals();
    pico.copy_onto_drive(&bytes_of(&stage.browser, "drive/companion.uf2")?)?;
    stage.installed(&pico, arrivals)?;
    pico.behaved()
}

fn stm32(stage: &mut Stage) -> Result<()> {
    let old = Random::new(5).bytes(LEN);
    let mut flash = Flash::new(&old);
    flash.speed = 50;
    let chip = DfuChip::new(Rom::new(flash));
    let cord = Cord::of_chip(&stage.bus, &chip);
    cord.ready()?;
    stage.before_connecting("STM32F4DISCOVERY")?;
    stage.pictures("3-stm32")?;
    stage.to_check()?;
    stage.browser.press_named("Save what the board holds")?;
    stage.browser.test_id("before-saved")?;
    let before = bytes_of(&stage.browser, "stm32f407-before.bin")?;
    ensure!(
        old.get(..before.len()) == Some(before.as_slice()),
        "another content was saved"
    );
    stage.browser.press_named("Install the companion")?;
    stage.browser.wait("the installation", LIMIT, |page| {
        Ok(page.shows("done")?.then_some(()))
    })?;
    let exit = stage.browser.text_of("exit")?;
    ensure!(exit.contains("BOOT0"), "{exit}");
    let now = chip.with(|rom| rom.flash.bytes.clone());
    let name = b"STM32F4DISCOVERY (STM32F407)";
    ensure!(
        now.windows(name.len()).any(|bytes| bytes == name),
        "no companion with this name is there"
    );
    ensure!(now.get(0x2_0000..) == old.get(0x2_0000..), "more was changed");
    ensure!(
        chip.with(|rom| rom.has_left() && !rom.flash.was_violated),
        "the chip was not started"
    );
    Ok(())
}

/// A cable to a port, which the browser sees as a USB adapter with these numbers.
fn adapter(stage: &Stage, node: &Path, numbers: (u16, u16)) -> Result<Cable> {
    let name = format!("ttyACM{:04x}", numbers.0);
    let link = stage.folder.join(&name);
    std::os::unix::fs::symlink(node, &link)?;
    let identity = Identity::new(&name, numbers.0, numbers.1);
    Ok(Cable::new(link, Way::Relayed, move |_| Ok(identity.clone())))
}

/// Waits for the word that it is installed, and gives what the page says of it.
fn done(stage: &Stage) -> Result<String> {
    stage.browser.wait("the installation", LIMIT, |page| {
        Ok(page.shows("done")?.then_some(()))
    })?;
    stage.browser.text_of("done")
}

fn stm32_by_port(stage: &mut Stage) -> Result<()> {
    let old = Random::new(6).bytes(LEN);
    let mut flash = Flash::new(&old);
    flash.speed = 50;
    stage.before_connecting("STM32F4DISCOVERY")?;
    let chip = SerialChip::new(uart::Rom::new(flash))?;
    let _cable = adapter(stage, chip.node(), (0x0403, 0x6001))?;
    port_is_there(stage)?;
    // The loader measures the speed of the first byte that it hears.
    ensure!(chip.heard() == 0, "{} bytes were sent to a loader", chip.heard());
    stage.unfold("Other ways")?;
    stage.browser.press_named("Connect by a serial port")?;
    stage.browser.wait("what the board holds", LIMIT, |page| {
        Ok(page.shows("held")?.then_some(()))
    })?;
    stage.install_all_the_same()?;
    done(stage)?;
    let now = chip.with(|rom| rom.flash.bytes.clone());
    let name = b"STM32F4DISCOVERY (STM32F407)";
    ensure!(
        now.windows(name.len()).any(|bytes| bytes == name),
        "no companion with this name is there"
    );
    ensure!(now.get(0x2_0000..) == old.get(0x2_0000..), "more was changed");
    Ok(())
}

/// Until the browser has the port.
fn port_is_there(stage: &Stage) -> Result<()> {
    stage.browser.wait("the port", LIMIT, |page| {
        let count = page.run("return (await navigator.serial.getPorts()).length", &[])?;
        Ok((count == json!(1)).then_some(()))
    })?;
    // Long enough for somebody who would ask who is there.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

fn dongle(stage: &mut Stage) -> Result<()> {
    stage.before_connecting("nRF52840 Dongle")?;
    let loader = Loader::new(Config::default(), vec![0xFF; SIZE as usize]);
    let terminal = Terminal::new(loader, None)?;
    let cable = adapter(stage, terminal.path(), (0x1915, 0x521F))?;
    port_is_there(stage)?;
    stage.pictures("3-dongle")?;
    stage.browser.press_named("Connect by a serial port")?;
    let held = stage.browser.text_of("held")?;
    ensure!(held.contains("lost"), "{held}");
    stage.install_all_the_same()?;
    let said = done(stage)?;
    ensure!(said.contains("checked"), "{said}");
    drop(cable);
    let loader = terminal.end();
    ensure!(loader.starts_application(), "it starts something else");
    let name = b"nRF52840 Dongle (PCA10059)";
    ensure!(
        loader
            .application()
            .windows(name.len())
            .any(|bytes| bytes == name),
        "no companion with this name is there"
    );
    Ok(())
}
