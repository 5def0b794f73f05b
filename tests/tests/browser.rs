//! The harness itself, on a plain page: real `navigator.serial` ports, plugged and unplugged in every way, and the
//! browser driver.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bootlace_browser::{Browser, SOON, Scheme};
use bootlace_tests::namespace::{self, Namespace};
use bootlace_tests::runner::{self, Scenario, Shared};
use bootlace_tests::serial::models::echo;
use bootlace_tests::serial::udev::Identity;
use bootlace_tests::serial::{Port, Unplug};
use bootlace_tests::serve::Site;
use serde_json::json;

const ORIGIN: &str = "http://localhost:8080";

struct Stage {
    browser: Browser,
    site: Site,
    namespace: Namespace,
    cold: Option<Port>,
    /// The scenario has crashed its browser.
    crashes: bool,
}

fn main() -> Result<()> {
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(300))?;
    let cold = Port::plug_cold(&namespace, Identity::new("ttyACM9", 0x1209, 0xc01d), echo)?;
    let site = Site::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plain"), 8080)?;
    let browser = Browser::start(&namespace.scratch().join("profile"))?;
    let mut stage = Stage {
        browser,
        site,
        namespace,
        cold: Some(cold),
        crashes: false,
    };
    let scenarios: &[Scenario<Stage>] = &[
        ("driver_finds_clicks_and_sets_files", driver),
        ("driver_reports_uncaught_errors", uncaught),
        ("port_present_at_start", present_at_start),
        ("port_plugged_later", plugged_later),
        ("unplug_hangup_first", |stage| unplug(stage, Unplug::HangupFirst)),
        ("unplug_remove_first", |stage| unplug(stage, Unplug::RemoveFirst)),
        ("two_tabs_want_one_port", two_tabs),
        ("busy_port", busy),
        ("a_tab_behind_another_is_hidden", hidden_tab),
        ("a_browser_that_crashes_is_replaced", |stage| crash(stage, true)),
        ("a_tab_that_crashes_is_replaced", |stage| crash(stage, false)),
    ];
    let code = runner::run(&mut stage, scenarios, &runner::wanted());
    drop(stage);
    std::process::exit(code)
}

impl Shared for Stage {
    fn leave(&mut self, _: &str, _: bool) -> Result<()> {
        self.browser.no_errors()
    }

    fn renew(&mut self) -> Result<()> {
        self.browser.renew()
    }
}

/// The runner begins the scenario once more: the second browser is left alone.
fn crash(stage: &mut Stage, whole: bool) -> Result<()> {
    stage.crashes ^= true;
    if stage.crashes {
        stage.browser.crash(whole)?;
        bail!("the browser did not crash");
    }
    driver(stage)
}

fn driver(stage: &mut Stage) -> Result<()> {
    let page = &mut stage.browser;
    page.look(390, 844, Scheme::Dark)?;
    page.open(stage.site.origin())?;
    let width = page.run(
        "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]",
        &[],
    )?;
    ensure!(width == json!([390, true]), "{width}");
    page.click(&page.role("button", "Go there")?)?;
    ensure!(page.text_of("go")? == "Gone");
    let file = stage.namespace.scratch().join("chosen.txt");
    std::fs::write(&file, "hello file")?;
    page.choose_file(&page.test_id("file")?, &file)?;
    page.wait("the file's text", SOON, |page| {
        Ok((page.text_of("out")? == "hello file").then_some(()))
    })?;
    let picture = stage.namespace.scratch().join("picture.png");
    page.screenshot(&picture)?;
    ensure!(std::fs::read(&picture)?.starts_with(b"\x89PNG"));
    page.look(1280, 900, Scheme::Light)
}

fn uncaught(stage: &mut Stage) -> Result<()> {
    let page = &mut stage.browser;
    page.open(stage.site.origin())?;
    page.no_errors()?;
    page.run("setTimeout(() => { throw new Error('on purpose') })", &[])?;
    let seen = bootlace_browser::wait_for("the uncaught error", SOON, || Ok(page.no_errors().err()))?;
    ensure!(format!("{seen}").contains("on purpose"), "{seen}");
    // A worker's error counts as well.
    page.run(
        "new Worker(URL.createObjectURL(new Blob(['setTimeout(() => { throw new Error(\"in the worker\") })'])))",
        &[],
    )?;
    let seen = bootlace_browser::wait_for("the worker's error", SOON, || Ok(page.no_errors().err()))?;
    ensure!(format!("{seen}").contains("in the worker"), "{seen}");
    Ok(())
}

fn present_at_start(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    let same = page.run(
        "const port = await find(0xc01d); await port.open({baudRate: 115200});
         const same = await echo(port, 5000); await port.close(); return same",
        &[],
    )?;
    ensure!(same == json!(true), "{same}");
    if let Some(cold) = stage.cold.take() {
        cold.unplug(Unplug::HangupFirst)?;
    }
    Ok(())
}

fn plugged_later(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    // Chromium looks for ports only when first asked, and listens from then on.
    page.run("return (await navigator.serial.getPorts()).length", &[])?;
    let mut port = Port::plug(Identity::new("ttyACM0", 0x1209, 0x0001), echo)?;
    let same = page.run(
        "window.port = await find(1); await port.open({baudRate: 921600, bufferSize: 65536});
         return await echo(port, 100000)",
        &[],
    )?;
    ensure!(same == json!(true), "{same}");
    ensure!(port.baud() == 921_600, "the device sees {} bit/s", port.baud());
    ensure!(port.openings()? == (1, 0), "{:?}", port.openings()?);
    page.run("await port.close()", &[])?;
    bootlace_browser::wait_for("the close", SOON, || {
        Ok((port.openings()? == (1, 1)).then_some(()))
    })?;
    Ok(())
}

fn unplug(stage: &mut Stage, order: Unplug) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    page.run("await navigator.serial.getPorts()", &[])?;
    let identity = Identity::new("ttyACM1", 0x1209, 0x0002);
    for round in 0..2 {
        let port = Port::plug(identity.clone(), echo)?;
        let same = page.run(
            "const port = await find(2); await port.open({baudRate: 115200});
             if (!await echo(port, 1000)) return false;
             window.lost = port.readable.getReader().read().then(r => r.done ? 'done' : 'bytes', e => e.name);
             return true",
            &[],
        )?;
        ensure!(same == json!(true), "round {round}: {same}");
        port.unplug(order)?;
        let lost = page.run("return await lost", &[])?;
        ensure!(lost == "NetworkError" || lost == "done", "round {round}: {lost}");
        page.wait("the disconnect event", SOON, |page| {
            Ok((page.run("return events.at(-1)", &[])? == "disconnect 2").then_some(()))
        })?;
        let left = page.run("return (await navigator.serial.getPorts()).length", &[])?;
        ensure!(left == json!(0), "{left} ports after the unplug");
    }
    let events = page.run("return events.join()", &[])?;
    ensure!(
        events == "connect 2,disconnect 2,connect 2,disconnect 2",
        "{events}"
    );
    Ok(())
}

/// What a page finds when another one has the port open.
fn two_tabs(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    page.run("return (await navigator.serial.getPorts()).length", &[])?;
    let _port = Port::plug(Identity::new("ttyACM2", 0x1209, 0x0003), echo)?;
    let open = "const port = await find(3); window.port = port;
        return await port.open({baudRate: 115200}).then(() => 'open', e => e.name + ': ' + e.message)";
    let first = page.run(open, &[])?;
    let one = page.tab()?;
    let _two = page.new_tab()?;
    page.open(stage.site.origin())?;
    let second = page.run(open, &[])?;
    ensure!(first == "open", "{first}");
    ensure!(
        second
            .as_str()
            .is_some_and(|error| error.starts_with("NetworkError")),
        "{second}"
    );
    page.close_tab(&one)?;
    page.run("await port.close()", &[])?;
    Ok(())
}

fn hidden_tab(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    page.run(
        "window.states = []; document.onvisibilitychange = () => states.push(document.visibilityState)",
        &[],
    )?;
    let one = page.tab()?;
    page.new_tab()?;
    page.open(stage.site.origin())?;
    std::thread::sleep(Duration::from_millis(500));
    page.close_tab(&one)?;
    let states = page.run("return states.concat(document.visibilityState)", &[])?;
    ensure!(states == json!(["hidden", "visible", "visible"]), "{states}");
    Ok(())
}

fn busy(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    page.open(stage.site.origin())?;
    page.run("return (await navigator.serial.getPorts()).length", &[])?;
    let port = Port::plug(Identity::new("ttyACM3", 0x1209, 0x0004), echo)?;
    port.occupy()?;
    let opened = page.run(
        "const port = await find(4);
         return await port.open({baudRate: 115200}).then(() => 'open', e => e.name)",
        &[],
    )?;
    ensure!(opened == "NetworkError", "{opened}");
    Ok(())
}
