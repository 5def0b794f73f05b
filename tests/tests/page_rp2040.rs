//! The main job in the page over the real Web Serial and the real WebUSB, with an emulated Raspberry Pi Pico on the cable:
//! the board's own binary, its real boot ROM and its USB.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End};
use bootlace_browser::{Browser, Scheme, wait_for};
use bootlace_smp::bootlace::Role;
use bootlace_tests::namespace;
use bootlace_tests::opened::{self, ORIGIN};
use bootlace_tests::page_update;
use bootlace_tests::rp2040::{Behaviour, Factory, Function, Pico, Terminal, touch};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::serial::udev::Identity;
use bootlace_tests::serial::{Cable, Way};
use bootlace_tests::tools;
use bootlace_tests::usb::{Bus, Cord};
use serde_json::json;

/// Longest time for an update, with a signature checked four times at a fifth of the chip's speed.
const LIMIT: Duration = Duration::from_secs(120);
/// Bytes of an image whose upload can be interrupted: 2 seconds of flash.
const LONG: usize = 160 * 1024;

struct Stage {
    browser: Browser,
    factory: Factory,
    folder: PathBuf,
    bus: Bus,
    /// What the system makes of the boards that are plugged in.
    driven: Driven,
    boards: u32,
}

/// Which of a board's functions the browser can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driven {
    Serial,
    Vendor,
    Both,
}

/// A board on a cable. The cable goes first, then the terminal.
struct CabledBoard {
    _cable: Option<Cable>,
    _cord: Option<Cord>,
    terminal: Terminal,
    pico: Pico,
}

fn main() -> Result<()> {
    // What is missing is said once; and the command line is built outside of the namespaces.
    let cli = tools::cli()?;
    runner::share_out(2, &[("BOOTLACE_CLI", &cli)])?;
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(900))?;
    let bus = Bus::new(&namespace)?;
    let mut stage = Stage {
        browser: opened::browser(&namespace)?,
        factory: Factory::new()?,
        folder: namespace.scratch().to_owned(),
        bus,
        driven: Driven::Serial,
        boards: 0,
    };
    let scenarios: &[Scenario<Stage>] = &[
        (
            "a_full_image_and_a_patch_are_confirmed_while_the_application_runs",
            full_and_patch,
        ),
        ("a_crash_is_taken_back", |stage| {
            taken_back(stage, Behaviour::Crashes, "crashed")
        }),
        ("a_hang_is_caught_by_the_watchdog_and_taken_back", |stage| {
            taken_back(stage, Behaviour::Hangs, "hung")
        }),
        (
            "an_image_that_never_confirms_is_taken_back_at_the_deadline",
            |stage| taken_back(stage, Behaviour::Undecided, "in time"),
        ),
        ("an_altered_image_is_refused", altered),
        ("a_board_unplugged_in_mid_upload_goes_on_where_it_was", unplugged),
        (
            "a_touch_at_1200_baud_brings_the_bootloader_which_is_updated",
            touched,
        ),
        (
            "webusb_full_image_and_patch_while_the_application_runs",
            |stage| over(stage, Driven::Vendor, full_and_patch),
        ),
        ("webusb_crash_is_taken_back", |stage| {
            over(stage, Driven::Vendor, |stage| {
                taken_back(stage, Behaviour::Crashes, "crashed")
            })
        }),
        ("webusb_hang_is_taken_back", |stage| {
            over(stage, Driven::Vendor, |stage| {
                taken_back(stage, Behaviour::Hangs, "hung")
            })
        }),
        ("webusb_image_that_never_confirms_is_taken_back", |stage| {
            over(stage, Driven::Vendor, |stage| {
                taken_back(stage, Behaviour::Undecided, "in time")
            })
        }),
        ("webusb_altered_image_is_refused", |stage| {
            over(stage, Driven::Vendor, altered)
        }),
        ("webusb_unplugged_in_mid_upload_goes_on", |stage| {
            over(stage, Driven::Vendor, unplugged)
        }),
        ("a_board_with_both_ports_is_one_board", |stage| {
            over(stage, Driven::Both, one_board)
        }),
        (
            "a_usb_device_that_may_not_be_used_comes_with_the_rule_to_copy",
            forbidden,
        ),
        ("a_usb_device_that_another_program_has_is_said_to_be_busy", busy),
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
        opened::renew(&mut self.browser)
    }
}

impl Stage {
    /// A board that runs version 1.0.0, and the page, which trusts the demonstration's key and has this image chosen.
    fn bench(&mut self, image: &[u8], name: &str) -> Result<CabledBoard> {
        let page = &self.browser;
        page_update::forget(page, ORIGIN)?;
        page_update::trust_demonstration(page)?;
        self.choose(image, name)?;
        let (old, _) = self.factory.application(Behaviour::Normal, 0)?;
        let pico = Pico::running(&self.factory.flash(Some(&old))?)?;
        let info = pico.info()?;
        let terminal = Terminal::new(&pico);
        let cord = (self.driven != Driven::Serial).then(|| Cord::new(&self.bus, &pico));
        self.boards += 1;
        let mut identity = Identity::new(&format!("ttyACM{}", self.boards), info.numbers.0, info.numbers.1);
        (identity.serial, identity.model) = (info.serial, info.name);
        let cable = (self.driven != Driven::Vendor).then(|| {
            Cable::new(terminal.link().to_owned(), Way::Relayed, move |_| {
                Ok(identity.clone())
            })
        });
        let runs = main_job::board(&self.browser)?;
        ensure!(runs.contains("1.0.0"), "the board runs {runs}");
        Ok(CabledBoard {
            _cable: cable,
            _cord: cord,
            terminal,
            pico,
        })
    }

    fn choose(&self, image: &[u8], name: &str) -> Result<()> {
        let file = self.folder.join(name);
        std::fs::write(&file, image)?;
        main_job::choose_file(&self.browser, &file).map(drop)
    }

    /// Updates the board, and gives what the page says of the outcome once the page shows `then` as running.
    fn update(&mut self, end: End, then: &str) -> Result<String> {
        let page = &mut self.browser;
        let seen = main_job::update(page, end, LIMIT, &mut nothing)?;
        seen.only_forwards()?;
        println!("  {:.2} s: {}", seen.took.as_secs_f32(), seen.outcome);
        self.runs(then)?;
        Ok(seen.outcome)
    }

    fn runs(&self, version: &str) -> Result<()> {
        let runs = main_job::board(&self.browser)?;
        ensure!(runs.contains(version), "afterwards: {}", self.browser.state());
        Ok(())
    }
}

fn nothing(_: &mut Browser, _: &str, _: &str) -> Result<()> {
    Ok(())
}

fn full_and_patch(stage: &mut Stage) -> Result<()> {
    let (new, _) = stage.factory.application(Behaviour::Normal, 1)?;
    let (newest, _) = stage.factory.application(Behaviour::Normal, 2)?;
    let bench = stage.bench(&new, "1.1.0.bin")?;
    stage.update(End::Confirmed, "1.1.0")?;
    stage.browser.press("again")?;
    // The page has kept what the board runs now, and sends what changed.
    stage.choose(&newest, "1.2.0.bin")?;
    main_job::patched(&stage.browser)?;
    stage.update(End::Confirmed, "1.2.0")?;
    bench.pico.behaved()
}

fn taken_back(stage: &mut Stage, behaviour: Behaviour, reason: &str) -> Result<()> {
    let (new, _) = stage.factory.application(behaviour, 1)?;
    let bench = stage.bench(&new, "1.1.0.bin")?;
    let (pico, arrivals) = (&bench.pico, bench.pico.arrivals());
    let said = std::thread::scope(|scope| {
        // The trial's 30 seconds, in which the board waits, pass at once; in the other cases there is nothing to wait for.
        let haste = scope.spawn(|| {
            if behaviour == Behaviour::Undecided {
                pico.wait_beyond(arrivals)?;
                pico.hurry(true)?;
                pico.wait_beyond(arrivals + 1)?;
                pico.hurry(false)?;
            }
            anyhow::Ok(())
        });
        let said = stage.update(End::RolledBack, "1.0.0");
        let haste = haste.join();
        haste.map_err(|_| anyhow::anyhow!("the thread that hurries the board panicked"))??;
        said
    })?;
    ensure!(said.contains(reason), "the page does not say why: {said}");
    pico.behaved()
}

fn altered(stage: &mut Stage) -> Result<()> {
    let (mut new, _) = stage.factory.application(Behaviour::Normal, 1)?;
    if let Some(byte) = new.get_mut(30_000) {
        *byte ^= 1;
    }
    let bench = stage.bench(&new, "1.1.0.bin")?;
    main_job::problem(&stage.browser, &["Altered"], LIMIT)?;
    let operations = bench.pico.count("operations")?;
    ensure!(operations == 0.0, "the board has written {operations} times");
    stage.runs("1.0.0")
}

/// The board lives from its cable.
fn unplugged(stage: &mut Stage) -> Result<()> {
    let (new, _) = stage.factory.padded_application(Behaviour::Normal, 1, LONG)?;
    let bench = stage.bench(&new, "1.1.0.bin")?;
    let page = &mut stage.browser;
    let start = Instant::now();
    page.press("update")?;
    let reached = page_update::part_sent(page, LONG as u64 / 4, LIMIT)?;
    ensure!(
        reached < LONG as u64,
        "the upload had ended before the cable was pulled"
    );
    bench.pico.power(false)?;
    std::thread::sleep(Duration::from_millis(700));
    bench.pico.power(true)?;
    let seen = main_job::watch(page, start, End::Confirmed, LIMIT, &mut nothing)?;
    let first = seen.progress.iter().copied().find(|&done| done > 0);
    println!("  {reached} bytes before, then {first:?}");
    let first = first.context("the page shows no progress")?;
    ensure!(
        2 * first >= reached,
        "it went on at {first}, though {reached} bytes were there"
    );
    stage.runs("1.1.0")?;
    bench.pico.behaved()
}

fn touched(stage: &mut Stage) -> Result<()> {
    let (new, _) = stage.factory.application(Behaviour::Normal, 1)?;
    let bench = stage.bench(&new, "1.1.0.bin")?;
    let arrivals = bench.pico.arrivals();
    touch(bench.terminal.ready()?)?;
    bench.pico.wait_beyond(arrivals)?;
    // Not by the serial port, which the page has.
    let role = bench
        .pico
        .client(Function::Vendor)?
        .describe_when_up(|it| it.role)?;
    ensure!(role == Role::Bootloader, "the {role:?} answers");
    stage.update(End::Confirmed, "1.1.0")?;
    bench.pico.behaved()
}

/// Runs a scenario with boards that the browser reaches by these functions.
fn over(stage: &mut Stage, driven: Driven, scenario: fn(&mut Stage) -> Result<()>) -> Result<()> {
    stage.driven = driven;
    let result = scenario(stage);
    stage.driven = Driven::Serial;
    result
}

fn devices(page: &Browser) -> Result<serde_json::Value> {
    page.run(
        "return [(await navigator.serial.getPorts()).length, (await navigator.usb.getDevices()).length]",
        &[],
    )
}

/// The page may use both of the board's ports, and shows one board: before, during and after its update.
fn one_board(stage: &mut Stage) -> Result<()> {
    let (new, _) = stage.factory.application(Behaviour::Normal, 1)?;
    let bench = stage.bench(&new, "1.1.0.bin")?;
    let is_one = |page: &Browser| -> Result<()> {
        page.wait("both ports", LIMIT, |page| {
            Ok((devices(page)? == json!([1, 1])).then_some(()))
        })?;
        // Long enough for the other port to be asked.
        std::thread::sleep(Duration::from_secs(3));
        ensure!(
            page.all(".switcher")?.is_empty(),
            "several boards: {}",
            page.state()
        );
        ensure!(
            page.all("[data-testid=board-card]")?.len() == 1,
            "{}",
            page.state()
        );
        Ok(())
    };
    is_one(&stage.browser)?;
    pictures(&stage.browser, "both-ports")?;
    stage.update(End::Confirmed, "1.1.0")?;
    is_one(&stage.browser)?;
    bench.pico.behaved()
}

/// A board on the bus that is the page's first, and what the page says of it.
fn said_of(stage: &mut Stage) -> Result<(Pico, Cord)> {
    let pico = Pico::running(&stage.factory.flash(None)?)?;
    let cord = Cord::new(&stage.bus, &pico);
    cord.ready()?;
    page_update::forget(&stage.browser, ORIGIN)?;
    Ok((pico, cord))
}

fn forbidden(stage: &mut Stage) -> Result<()> {
    stage.bus.forbid(true);
    let said = said_of(stage).and_then(|board| {
        main_job::problem(&stage.browser, &["UsbDenied"], LIMIT)?;
        Ok((stage.browser.text_of("remedy")?, board))
    });
    stage.bus.forbid(false);
    let (rule, board) = said?;
    ensure!(
        rule == r#"SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", TAG+="uaccess""#,
        "{rule}"
    );
    pictures(&stage.browser, "usb-denied")?;
    drop(board);
    Ok(())
}

/// Pictures of the page at both widths, light and dark, where somebody wants them.
fn pictures(page: &Browser, name: &str) -> Result<()> {
    let Some(folder) = std::env::var_os("BOOTLACE_SCREENSHOTS").map(PathBuf::from) else {
        return Ok(());
    };
    for (width, scheme) in [
        (1280, Scheme::Light),
        (1280, Scheme::Dark),
        (390, Scheme::Light),
        (390, Scheme::Dark),
    ] {
        page.look(width, 900, scheme)?;
        page.screenshot(&folder.join(format!("{name}-{width}-{scheme:?}.png").to_lowercase()))?;
    }
    page.look(1280, 900, Scheme::Light)
}

/// Another program has the board; when that program ends, the page gets it.
fn busy(stage: &mut Stage) -> Result<()> {
    let (image, _) = stage.factory.application(Behaviour::Normal, 0)?;
    let pico = Pico::running(&stage.factory.flash(Some(&image))?)?;
    let cord = Cord::new(&stage.bus, &pico);
    let (long, _) = stage.factory.padded_application(Behaviour::Normal, 1, LONG)?;
    let file = stage.folder.join("long.bin");
    std::fs::write(&file, long)?;
    let mut other = std::process::Command::new(tools::cli()?);
    other
        .args([
            "update",
            "--json",
            "--allow-development-keys",
            "--port",
            &cord.ready()?,
            "--image",
        ])
        .arg(&file);
    let mut other = other
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    wait_for("the other program to have it", LIMIT, || {
        Ok((pico.count("operations")? > 0.0).then_some(()))
    })?;
    // So that the update does not end before the page has seen who has the board.
    let id = rustix::process::Pid::from_child(&other);
    rustix::process::kill_process(id, rustix::process::Signal::STOP)?;
    page_update::forget(&stage.browser, ORIGIN)?;
    let problem = main_job::problem(&stage.browser, &["UsbBusy"], LIMIT)
        .and_then(|_| pictures(&stage.browser, "usb-busy"));
    other.kill()?;
    other.wait()?;
    problem?;
    stage.browser.open(ORIGIN)?;
    stage.runs("1.0.0")
}
