//! The page over the real Web Serial: its own worker opens real ports of a real Chromium, with `bootlace simulate`
//! at the other end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End};
use bootlace_browser::{Browser, SOON};
use bootlace_tests::cabled::CabledBoard;
use bootlace_tests::namespace;
use bootlace_tests::opened::{self, ORIGIN};
use bootlace_tests::page_update;
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::serial::udev::Identity;
use bootlace_tests::serial::{Cable, Port, Unplug, Way, models};
use bootlace_tests::tools::{self, Algorithm, Fixtures};
use serde_json::json;

#[path = "page/files.rs"]
mod files;
#[path = "page/patches.rs"]
mod patches;
#[path = "page/trouble.rs"]
mod trouble;

/// Longest time for an update at these speeds.
const LIMIT: Duration = Duration::from_secs(60);

/// Longest time until the page says that nobody sensible answers.
const GIVES_UP: Duration = Duration::from_secs(20);

struct Stage {
    browser: Browser,
    fixtures: Fixtures,
    boards: u32,
}

fn main() -> Result<()> {
    // What is missing is said once.
    tools::required("BOOTLACE_DIST")?;
    let cli = tools::cli()?;
    runner::share_out(4, &[("BOOTLACE_CLI", &cli)])?;
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(900))?;
    let fixtures = Fixtures::new(&namespace.scratch().join("fixtures"))?;
    let mut stage = Stage {
        browser: opened::browser(&namespace)?,
        fixtures,
        boards: 0,
    };
    let scenarios: &[Scenario<Stage>] = &[
        ("main_job_on_the_simulated_board", main_job_simulated),
        ("primehub_p256_up_and_down", |stage| {
            up_and_down(stage, "primehub", Algorithm::P256)
        }),
        ("primehub_ed25519_up_and_down", |stage| {
            up_and_down(stage, "primehub", Algorithm::Ed25519)
        }),
        ("movehub_p256_up_and_down", |stage| {
            up_and_down(stage, "movehub", Algorithm::P256)
        }),
        ("movehub_ed25519_up_and_down", |stage| {
            up_and_down(stage, "movehub", Algorithm::Ed25519)
        }),
        (
            "only_what_changed_goes_over_a_slow_line",
            patches::only_what_changed,
        ),
        (
            "the_whole_image_goes_where_the_base_is_unknown",
            patches::unknown_base,
        ),
        ("images_seen_before_are_kept_and_forgotten", patches::kept_images),
        ("files_that_must_not_be_installed", files::bad_files),
        ("the_page_works_below_a_path", trouble::below_a_path),
        ("a_page_that_cannot_start_says_so", trouble::without_webassembly),
        ("foreign_scripts_are_not_run", trouble::policy),
        (
            "a_file_that_cannot_be_read_closes_the_button",
            trouble::unreadable_file,
        ),
        (
            "a_key_is_trusted_only_where_keys_are_added",
            trouble::key_as_firmware,
        ),
        (
            "the_outcome_is_in_view_and_read_out",
            trouble::outcome_is_seen_and_heard,
        ),
        ("buttons_have_edges_in_forced_colours", trouble::forced_colours),
        ("an_update_can_be_left_after_the_upload", trouble::left_on_trial),
        (
            "firmware_without_a_port_ends_in_one_story",
            trouble::firmware_without_a_port,
        ),
        ("application_under_another_product_id", |stage| {
            ends(stage, "other-id", End::Confirmed)
        }),
        ("never_confirmed_is_rolled_back", |stage| {
            ends(stage, "never-confirm", End::RolledBack)
        }),
        ("crash_is_rolled_back", |stage| {
            ends(stage, "crash", End::RolledBack)
        }),
        ("hang_is_rolled_back", |stage| {
            ends(stage, "hang", End::RolledBack)
        }),
        ("cable_pulled_in_mid_upload", cable_pulled),
        ("power_lost_in_mid_upload", power_lost),
        ("page_closed_in_mid_upload", page_closed),
        ("hidden_tab", hidden_tab),
        ("two_tabs_want_one_board", two_tabs),
        ("port_busy", port_busy),
        ("port_vanishes_while_opening", port_vanishes),
        ("silent_device", |stage| wrong_device(stage, models::silent)),
        ("noise", |stage| wrong_device(stage, models::noise)),
        ("gps_receiver", |stage| wrong_device(stage, models::gps)),
        ("shell", |stage| wrong_device(stage, models::shell)),
        ("echoing_device", |stage| wrong_device(stage, models::echo)),
    ];
    let code = runner::run(&mut stage, scenarios, &runner::wanted());
    drop(stage);
    std::process::exit(code)
}

impl Shared for Stage {
    fn leave(&mut self, name: &str, failed: bool) -> Result<()> {
        if failed && let Some(folder) = std::env::var_os("BOOTLACE_SCREENSHOTS") {
            self.browser
                .screenshot(&PathBuf::from(folder).join(format!("failed-{name}.png")))?;
        }
        opened::leave(&mut self.browser)
    }

    fn renew(&mut self) -> Result<()> {
        opened::renew(&mut self.browser)
    }
}

impl Stage {
    /// A board that runs `board` 7.27.0, on a cable of its own, with more arguments for the simulator.
    fn bench(&mut self, board: &str, algorithm: Algorithm, way: Way, more: &[&str]) -> Result<CabledBoard> {
        self.boards += 1;
        let (image, key) = self.fixtures.signed(board, "7.27.0", algorithm)?;
        let mut arguments = vec!["--image", text(&image)?, "--key", text(&key)?];
        arguments.extend_from_slice(more);
        CabledBoard::new(
            self.fixtures.folder(),
            &format!("ttyACM{}", self.boards),
            way,
            &arguments,
        )
    }

    /// Opens the page, which trusts the key of the algorithm, with an image chosen.
    fn open_with(&mut self, board: &str, version: &str, algorithm: Algorithm) -> Result<()> {
        let (image, key) = self.fixtures.signed(board, version, algorithm)?;
        page_update::forget(&self.browser, ORIGIN)?;
        main_job::trust(&self.browser, &key)?;
        main_job::choose_file(&self.browser, &image).map(drop)
    }

    /// Opens the page without anything, and makes "Connect" choose the first port: headless Chromium has no chooser.
    fn open_bare(&mut self) -> Result<()> {
        self.browser.run_before_pages(
            "if (navigator.serial) navigator.serial.requestPort = async () => {
                const ports = await navigator.serial.getPorts();
                if (!ports.length) throw new DOMException('No port selected by the user.', 'NotFoundError');
                return ports[0];
            };",
        )?;
        main_job::open(&self.browser, ORIGIN)
    }

    /// A port that is no board.
    fn identity(&mut self) -> Identity {
        self.boards += 1;
        Identity::new(&format!("ttyACM{}", self.boards), 0x1209, 0x0005)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

fn nothing(_: &mut Browser, _: &str, _: &str) -> Result<()> {
    Ok(())
}

fn main_job_simulated(stage: &mut Stage) -> Result<()> {
    let folder = std::env::var_os("BOOTLACE_SCREENSHOTS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| stage.fixtures.folder().join("screenshots"));
    main_job::check_one(
        &mut stage.browser,
        ORIGIN,
        &folder,
        "Works",
        End::Confirmed,
        &mut |line| println!("{line}"),
    )
}

fn up_and_down(stage: &mut Stage, board: &str, algorithm: Algorithm) -> Result<()> {
    let _bench = stage.bench(board, algorithm, Way::Direct, &["--speed", "20"])?;
    stage.open_with(board, "7.28.0", algorithm)?;
    let page = &mut stage.browser;
    let runs = main_job::board(page)?;
    ensure!(runs.contains("7.27.0"), "before: {runs}");
    let seen = main_job::update(page, End::Confirmed, LIMIT, &mut nothing)?;
    seen.only_forwards()?;
    println!("  up: {:.2} s, phases {:?}", seen.took.as_secs_f32(), seen.phases);
    ensure!(
        main_job::board(page)?.contains("7.28.0"),
        "after the update: {}",
        page.state()
    );
    page.press("again")?;
    let (image, _) = stage.fixtures.signed(board, "7.27.0", algorithm)?;
    main_job::choose_file(page, &image)?;
    let seen = main_job::update(page, End::Confirmed, LIMIT, &mut nothing)?;
    println!(
        "  down: {:.2} s, phases {:?}",
        seen.took.as_secs_f32(),
        seen.phases
    );
    ensure!(
        main_job::board(page)?.contains("7.27.0"),
        "after the way back: {}",
        page.state()
    );
    Ok(())
}

/// An update to firmware that behaves like `app`.
fn ends(stage: &mut Stage, app: &str, end: End) -> Result<()> {
    let _bench = stage.bench(
        "movehub",
        Algorithm::P256,
        Way::Direct,
        &["--speed", "20", "--app", app],
    )?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    let seen = main_job::update(page, end, LIMIT, &mut nothing)?;
    println!(
        "  {:.2} s, phases {:?}: {}",
        seen.took.as_secs_f32(),
        seen.phases,
        seen.outcome
    );
    let expected = if end == End::Confirmed { "7.28.0" } else { "7.27.0" };
    ensure!(
        main_job::board(page)?.contains(expected),
        "afterwards: {}",
        page.state()
    );
    Ok(())
}

/// Starts an update and returns when the board has acknowledged a good part of it.
fn start_and_reach(page: &Browser, share: f64) -> Result<u64> {
    page.press("update")?;
    reach(page, share)
}

/// The page has noticed that the board is away.
fn noticed(page: &Browser) -> Result<()> {
    page.wait("the page to notice", SOON, |page| {
        Ok((!page.all(".run--lost")?.is_empty()).then_some(()))
    })
}

/// Slow enough to be interrupted in the middle on a busy machine too: 9 seconds for the small firmware.
const SLOW: [&str; 4] = ["--speed", "1", "--baud", "115200"];

fn cable_pulled(stage: &mut Stage) -> Result<()> {
    let bench = stage.bench("movehub", Algorithm::P256, Way::Relayed, &SLOW)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    for share in [0.2, 0.5] {
        let start = Instant::now();
        let reached = if share < 0.3 {
            start_and_reach(page, share)?
        } else {
            reach(page, share)?
        };
        bench.cable()?.pull();
        noticed(page)?;
        std::thread::sleep(Duration::from_millis(700));
        bench.cable()?.plug();
        if share > 0.3 {
            let seen = main_job::watch(page, start, End::Confirmed, LIMIT, &mut nothing)?;
            println!("  {reached} bytes before, then {:?}", seen.progress);
            let first = seen
                .progress
                .iter()
                .copied()
                .find(|&done| done > 0)
                .unwrap_or_default();
            ensure!(
                2 * first >= reached,
                "it went on at {first}, though {reached} bytes were there"
            );
        }
    }
    // The port that went away is no matter for the person.
    ensure!(main_job::problems(page)?.is_empty(), "{}", page.state());
    Ok(())
}

fn reach(page: &Browser, share: f64) -> Result<u64> {
    page.wait("a part of the upload", LIMIT, |page| {
        let number = |name| -> Result<f64> {
            Ok(page
                .attribute_of("progress", name)?
                .and_then(|text| text.parse().ok())
                .unwrap_or_default())
        };
        let (done, total) = (number("data-done")?, number("data-total")?);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "file sizes"
        )]
        Ok((total > 0.0 && done > share * total).then_some(done as u64))
    })
}

fn power_lost(stage: &mut Stage) -> Result<()> {
    let mut bench = stage.bench("movehub", Algorithm::P256, Way::Direct, &SLOW)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    let start = Instant::now();
    let reached = start_and_reach(page, 0.4)?;
    bench.power_down();
    noticed(page)?;
    bench.power_up()?;
    let seen = main_job::watch(page, start, End::Confirmed, LIMIT, &mut nothing)?;
    println!("  {reached} bytes before, then {:?}", seen.progress);
    Ok(())
}

fn page_closed(stage: &mut Stage) -> Result<()> {
    let _bench = stage.bench("movehub", Algorithm::P256, Way::Direct, &SLOW)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let first = stage.browser.tab()?;
    let empty = stage.browser.new_tab()?;
    stage.browser.show(&first)?;
    main_job::board(&stage.browser)?;
    let reached = start_and_reach(&stage.browser, 0.4)?;
    stage.browser.close_tab(&empty)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    let seen = main_job::update(page, End::Confirmed, LIMIT, &mut nothing)?;
    let first = seen
        .progress
        .iter()
        .copied()
        .find(|&done| done > 0)
        .unwrap_or_default();
    ensure!(
        2 * first >= reached,
        "it went on at {first}, though {reached} bytes were there"
    );
    Ok(())
}

/// Waits until an image has gone to the board, beyond the bytes that went there `before`, and then until nobody has said anything for a while. Timers of a hidden page run
/// once a second: were each of an upload's hundred pieces to wait for one, the limit would not do.
fn falls_silent(cable: &Cable, before: u64) -> Result<()> {
    const SILENCE: Duration = Duration::from_secs(5);
    const IMAGE: u64 = 50_000;
    let (mut last, mut since) = (cable.traffic(), Instant::now());
    bootlace_browser::wait_for("the update to come to its end", LIMIT, || {
        let now = cable.traffic();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let is_sent = now.0 - before > IMAGE;
        Ok((is_sent && since.elapsed() > SILENCE).then_some(()))
    })
}

fn hidden_tab(stage: &mut Stage) -> Result<()> {
    let bench = stage.bench("movehub", Algorithm::P256, Way::Relayed, &["--speed", "20"])?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    let own = page.tab()?;
    let start = Instant::now();
    let (before, _) = bench.cable()?.traffic();
    page.press("update")?;
    page.new_tab()?;
    falls_silent(bench.cable()?, before)?;
    page.close_tab(&own)?;
    ensure!(
        page.attribute_of("outcome", "data-outcome")?.as_deref() == Some("confirmed"),
        "not done while it was hidden, after {:.1} s: {}",
        start.elapsed().as_secs_f32(),
        page.state()
    );
    Ok(())
}

fn two_tabs(stage: &mut Stage) -> Result<()> {
    let _bench = stage.bench("movehub", Algorithm::P256, Way::Direct, &["--speed", "20"])?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    main_job::board(&stage.browser)?;
    let first = stage.browser.tab()?;
    stage.browser.new_tab()?;
    stage.open_bare()?;
    stage.browser.press("connect")?;
    let said = main_job::problem(&stage.browser, &["OtherTab", "PortBusy"], GIVES_UP)?;
    println!("  {}", said.replace('\n', " "));
    stage.browser.close_tab(&first)?;
    // The first one is not disturbed.
    let page = &mut stage.browser;
    main_job::update(page, End::Confirmed, LIMIT, &mut nothing).map(drop)
}

fn port_busy(stage: &mut Stage) -> Result<()> {
    stage.open_bare()?;
    let identity = stage.identity();
    let port = Port::plug(identity, models::silent)?;
    port.occupy()?;
    stage.browser.press("connect")?;
    let said = main_job::problem(&stage.browser, &["PortBusy"], GIVES_UP)?;
    println!("  {}", said.replace('\n', " "));
    Ok(())
}

fn port_vanishes(stage: &mut Stage) -> Result<()> {
    stage.open_bare()?;
    let mut port = Port::plug(stage.identity(), models::silent)?;
    bootlace_browser::wait_for("the page to open the port", GIVES_UP, || {
        Ok((port.openings()?.0 > 0).then_some(()))
    })?;
    port.unplug(Unplug::HangupFirst)?;
    let said = main_job::problem(
        &stage.browser,
        &["PortVanished", "PortLost", "Unplugged"],
        GIVES_UP,
    )?;
    println!("  {}", said.replace('\n', " "));
    Ok(())
}

fn wrong_device(stage: &mut Stage, model: fn(bootlace_tests::serial::Line)) -> Result<()> {
    stage.open_bare()?;
    let mut port = Port::plug(stage.identity(), model)?;
    // Boards connect by themselves; a stranger gets its sentence, and the port is let go.
    let said = main_job::problem(&stage.browser, &["Silent", "Garbage", "Echo"], GIVES_UP)?;
    println!("  {}", said.replace('\n', " "));
    bootlace_browser::wait_for("the page to let the port go", GIVES_UP, || {
        let (opened, closed) = port.openings()?;
        Ok((opened == closed).then_some(()))
    })?;
    let shown = stage.browser.run(
        "return document.querySelectorAll('[data-testid=board-card]').length",
        &[],
    )?;
    ensure!(shown == json!(0), "a stranger is shown as a board");
    Ok(())
}
