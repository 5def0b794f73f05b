//! The page over the real Web Serial with the board's own binary on an emulated chip at the other end of the line.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::Browser;
use bootlace_browser::main_job::{self, End};
use bootlace_tests::namespace;
use bootlace_tests::opened::{self, ORIGIN};
use bootlace_tests::page_update;
use bootlace_tests::qemu::{Emulator, Images, Line, with_primary};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::serial::udev::Identity;
use bootlace_tests::serial::{Cable, Way};

const APPLICATION: &str = "self-testing";
/// Bytes of the images.
const LEN: usize = 60_000;
/// Longest time for an update.
const LIMIT: Duration = Duration::from_secs(90);

struct Stage {
    browser: Browser,
    images: Images,
    folder: PathBuf,
    boards: u32,
}

/// A micro:bit on a cable; the cable goes first.
struct CabledBoard {
    cable: Cable,
    board: Emulator,
}

fn main() -> Result<()> {
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(600))?;
    let mut stage = Stage {
        browser: opened::browser(&namespace)?,
        images: Images::new()?,
        folder: namespace.scratch().to_owned(),
        boards: 0,
    };
    let scenarios: &[Scenario<Stage>] = &[
        ("update_while_the_application_runs", update),
        ("failed_self_test_is_taken_back_with_its_number", unhealthy),
        ("hang_is_taken_back", hangs),
        ("flipped_bit_is_refused", flipped),
        ("line_torn_down_in_mid_upload", torn_down),
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
    /// A board that runs version 1.0.0.
    fn bench(&mut self) -> Result<CabledBoard> {
        self.boards += 1;
        let name = format!("ttyACM{}", self.boards);
        let (image, _) = self.images.signed(APPLICATION, 0, LEN)?;
        let board = Emulator::running(Line::Terminal, &with_primary(Some(&image))?)?;
        let link = self.folder.join(&name);
        symlink(board.terminal()?, &link)?;
        // DAPLink's ids: the micro:bit's interface chip.
        let identity = Identity::new(&name, 0x0D28, 0x0204);
        // Not QEMU's own terminal: a browser's mark that it has a port to itself would stay on that.
        let cable = Cable::new(link, Way::Relayed, move |_| Ok(identity.clone()));
        Ok(CabledBoard { cable, board })
    }

    /// Opens the page, which trusts the demonstration's key, with version 1.1.0 of a program chosen.
    fn open_with(&mut self, program: &str, alter: bool) -> Result<()> {
        let (mut image, _) = self.images.signed(program, 1, LEN)?;
        if alter && let Some(byte) = image.get_mut(30_000) {
            *byte ^= 1;
        }
        let file = self.folder.join(format!("{program}-1.1.0.bin"));
        std::fs::write(&file, image)?;
        page_update::forget(&self.browser, ORIGIN)?;
        page_update::trust_demonstration(&self.browser)?;
        main_job::choose_file(&self.browser, &file).map(drop)
    }

    /// Updates to a program and gives what the page says of the outcome.
    fn ends(&mut self, program: &str, end: End) -> Result<String> {
        let bench = self.bench()?;
        self.open_with(program, false)?;
        let page = &mut self.browser;
        ensure!(main_job::board(page)?.contains("1.0.0"), "{}", page.state());
        let seen = main_job::update(page, end, LIMIT, &mut nothing)?;
        seen.only_forwards()?;
        println!(
            "  {:.2} s, phases {:?}: {}",
            seen.took.as_secs_f32(),
            seen.phases,
            seen.outcome
        );
        let expected = if end == End::Confirmed { "1.1.0" } else { "1.0.0" };
        ensure!(
            main_job::board(page)?.contains(expected),
            "afterwards: {}",
            page.state()
        );
        drop(bench);
        Ok(seen.outcome)
    }
}

fn nothing(_: &mut Browser, _: &str, _: &str) -> Result<()> {
    Ok(())
}

fn update(stage: &mut Stage) -> Result<()> {
    stage.ends(APPLICATION, End::Confirmed).map(drop)
}

fn unhealthy(stage: &mut Stage) -> Result<()> {
    let said = stage.ends("self-testing-unhealthy", End::RolledBack)?;
    ensure!(
        said.contains("self-test 1"),
        "the page does not name the self-test: {said}"
    );
    Ok(())
}

fn hangs(stage: &mut Stage) -> Result<()> {
    let said = stage.ends("self-testing-hangs", End::RolledBack)?;
    ensure!(said.contains("hung"), "the page does not say why: {said}");
    Ok(())
}

fn flipped(stage: &mut Stage) -> Result<()> {
    let _bench = stage.bench()?;
    stage.open_with(APPLICATION, true)?;
    let said = main_job::problem(&stage.browser, &["Altered"], LIMIT)?;
    println!("  {}", said.replace('\n', " "));
    Ok(())
}

fn torn_down(stage: &mut Stage) -> Result<()> {
    let bench = stage.bench()?;
    stage.open_with(APPLICATION, false)?;
    let page = &mut stage.browser;
    main_job::board(page)?;
    let start = Instant::now();
    page.press("update")?;
    let reached = page_update::part_sent(page, 8_000, LIMIT)?;
    bench.cable.pull();
    std::thread::sleep(Duration::from_millis(700));
    bench.cable.plug();
    let seen = main_job::watch(page, start, End::Confirmed, LIMIT, &mut nothing)?;
    let first = seen.progress.iter().copied().find(|&done| done > 0);
    println!("  {reached} bytes before, then {first:?}");
    let first = first.context("the page shows no progress")?;
    ensure!(
        2 * first >= reached,
        "it went on at {first}, though {reached} bytes were there"
    );
    ensure!(
        main_job::board(page)?.contains("1.1.0"),
        "afterwards: {}",
        page.state()
    );
    drop(bench.board);
    Ok(())
}
