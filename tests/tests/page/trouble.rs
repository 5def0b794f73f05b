//! The page in trouble: it never says what is not true, and there is a way out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End};
use bootlace_browser::{Browser, SOON, Scheme};
use bootlace_tests::serve::Site;
use bootlace_tests::tools::{self, Algorithm};
use serde_json::json;

use super::{ORIGIN, Stage, nothing};

/// An update at this speed takes seconds.
const FAST: [&str; 2] = ["--speed", "20"];
const LIMIT: Duration = Duration::from_secs(60);

/// B5: a blank page, because its files were looked for at the top of the site.
pub(super) fn below_a_path(stage: &mut Stage) -> Result<()> {
    let root = stage.fixtures.folder().join("site");
    std::fs::create_dir_all(root.join("tools"))?;
    std::fs::write(root.join("index.html"), "not the page")?;
    let below = root.join("tools/bootlace");
    if !below.exists() {
        std::os::unix::fs::symlink(tools::required("BOOTLACE_DIST")?, &below)?;
    }
    let site = Site::start(&root, 0)?;
    let page = &mut stage.browser;
    main_job::open(page, &format!("{}/tools/bootlace/", site.origin()))?;
    main_job::choose_demo(page, "7.28")?;
    main_job::simulate(page, "Works")?;
    // The patch is made by a worker of the worker.
    main_job::patched(page).map(drop)
}

/// B5: a blank page where WebAssembly is blocked.
pub(super) fn without_webassembly(stage: &mut Stage) -> Result<()> {
    let own = stage.browser.tab()?;
    stage.browser.new_tab()?;
    stage.browser.run_before_pages(
        "WebAssembly.compileStreaming = WebAssembly.compile = async () => {
            throw new WebAssembly.CompileError('blocked by a policy');
        };",
    )?;
    stage.browser.open(ORIGIN)?;
    let said = stage
        .browser
        .wait("the page to say why it can't start", SOON, |page| {
            let shown = page.run(
                "const e = document.getElementById('start-help');
             return e && getComputedStyle(e).visibility === 'visible' ? e.innerText : null",
                &[],
            )?;
            Ok(shown.as_str().map(str::to_owned))
        });
    // What it throws is meant.
    _ = stage.browser.no_errors();
    stage.browser.close_tab(&own)?;
    let said = said?;
    ensure!(
        said.contains("blocked by a policy") && said.contains("Reload"),
        "{said}"
    );
    Ok(())
}

/// Security 11: what is not the page's own is not run, and no other page frames it.
pub(super) fn policy(stage: &mut Stage) -> Result<()> {
    main_job::open(&stage.browser, ORIGIN)?;
    let blocked = stage.browser.run(
        "const blocked = new Promise(done => {
             document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective), { once: true });
             setTimeout(() => done('nothing'), 2000);
         });
         const script = document.createElement('script');
         script.textContent = 'globalThis.injected = true';
         document.body.append(script);
         return [await blocked, globalThis.injected === true]",
        &[],
    )?;
    // The violation is logged as an error.
    _ = stage.browser.no_errors();
    ensure!(blocked == json!(["script-src-elem", false]), "{blocked}");
    Ok(())
}

/// B1: the button stayed open for the image before, and installed that.
pub(super) fn unreadable_file(stage: &mut Stage) -> Result<()> {
    let _bench = stage.bench("movehub", Algorithm::P256, super::Way::Direct, &FAST)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let large = stage.fixtures.folder().join("film.bin");
    std::fs::File::create(&large)?.set_len(100 * 1024 * 1024)?;
    let page = &stage.browser;
    main_job::board(page)?;
    page.wait(
        "the button to open",
        SOON,
        |page| Ok(is_open(page)?.then_some(())),
    )?;
    main_job::choose_file(page, &large)?;
    main_job::problem(page, &["FileTooLarge"], SOON)?;
    ensure!(!is_open(page)?, "an image is offered that is not the one shown");
    Ok(())
}

fn is_open(page: &Browser) -> Result<bool> {
    let open = page.run(
        "return document.querySelector('[data-testid=update]')?.disabled === false",
        &[],
    )?;
    Ok(open == json!(true))
}

/// Security 4: a key that was chosen as firmware became a trusted one.
pub(super) fn key_as_firmware(stage: &mut Stage) -> Result<()> {
    let (_, key) = stage.fixtures.signed("movehub", "7.28.0", Algorithm::P256)?;
    let page = &stage.browser;
    page.open(ORIGIN)?;
    page.run("localStorage.clear()", &[])?;
    main_job::open(page, ORIGIN)?;
    main_job::choose_file(page, &key)?;
    main_job::problem(page, &["KeyFile"], SOON)?;
    ensure!(trusted(page)?.is_empty(), "the key is trusted");
    // Added where keys are added, it is shown whole, with its day.
    main_job::trust(page, &key)?;
    let shown = trusted(page)?;
    let digits = shown.chars().filter(char::is_ascii_hexdigit).count();
    ensure!(digits >= 64 && shown.contains("added on 20"), "{shown}");
    Ok(())
}

fn trusted(page: &Browser) -> Result<String> {
    let shown = page.run(
        "return [...document.querySelectorAll('[data-testid=trusted-key]')].map(e => e.textContent).join()",
        &[],
    )?;
    Ok(shown.as_str().unwrap_or_default().to_owned())
}

/// B6: on a telephone the outcome was below the fold. B9: some screen readers stayed silent about it.
pub(super) fn outcome_is_seen_and_heard(stage: &mut Stage) -> Result<()> {
    let _bench = stage.bench("movehub", Algorithm::P256, super::Way::Direct, &FAST)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &mut stage.browser;
    page.look(390, 844, Scheme::Light)?;
    main_job::board(page)?;
    page.run(
        "globalThis.aloud = document.querySelector('[data-testid=aloud]')",
        &[],
    )?;
    page.press("update")?;
    // B8: the keyboard was lost with the button.
    page.wait("the keyboard at the way out", SOON, |page| {
        let at = page.run("return document.activeElement.dataset.testid", &[])?;
        Ok(["cancel", "leave"].iter().any(|id| at == json!(id)).then_some(()))
    })?;
    main_job::watch(
        page,
        std::time::Instant::now(),
        End::Confirmed,
        LIMIT,
        &mut nothing,
    )?;
    // The page scrolls and moves the focus once it is drawn.
    let mut last = json!(null);
    let seen = page.wait(
        "the outcome in view, read out, with the keyboard at its button",
        SOON,
        |page| {
            let seen = page.run(
                "const r = document.querySelector('.outcome__title').getBoundingClientRect();
             const aloud = document.querySelector('[data-testid=aloud]');
             return [r.top >= 0 && r.bottom <= innerHeight,
                 aloud === globalThis.aloud && aloud.textContent.startsWith('Done.'),
                 document.activeElement.dataset.testid]",
                &[],
            )?;
            last = seen;
            Ok((last == json!([true, true, "again"])).then_some(()))
        },
    );
    seen.with_context(|| format!("in view, read out, where the keyboard is: {last}"))?;
    page.look(main_job::SIZES[0].0, main_job::SIZES[0].1, Scheme::Light)?;
    Ok(())
}

/// B7: where colours are the person's, what was drawn by shadows and grounds vanished.
pub(super) fn forced_colours(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    main_job::open(page, ORIGIN)?;
    let media = |value: &str| json!({ "features": [{ "name": "forced-colors", "value": value }] });
    page.devtools("Emulation.setEmulatedMedia", &media("active"))?;
    let edges = page.run(
        "return ['update', 'simulate'].map(id =>
             getComputedStyle(document.querySelector(`[data-testid=${id}]`)).borderTopStyle)",
        &[],
    )?;
    page.devtools("Emulation.setEmulatedMedia", &media("none"))?;
    ensure!(edges == json!(["solid", "solid"]), "{edges}");
    Ok(())
}

/// B4: after the upload there was no way out.
pub(super) fn left_on_trial(stage: &mut Stage) -> Result<()> {
    // Slow enough that the board is still away when the person presses the next button: once the board is back, the page shows
    // the board in place of what was left.
    let more = ["--speed", "2", "--app", "never-confirm"];
    let _bench = stage.bench("movehub", Algorithm::P256, super::Way::Direct, &more)?;
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let page = &stage.browser;
    main_job::board(page)?;
    page.press("update")?;
    page.wait("a way out", LIMIT, |page| Ok(page.shows("leave")?.then_some(())))?;
    page.press("leave")?;
    page.wait("the page to say what is not known", SOON, |page| {
        Ok((page.attribute_of("outcome", "data-outcome")?.as_deref() == Some("left")).then_some(()))
    })?;
    page.press("again")?;
    page.wait("room for the next board", SOON, |page| {
        Ok(page.shows("connect")?.then_some(()))
    })?;
    ensure!(main_job::problems(page)?.is_empty(), "{}", page.state());
    Ok(())
}

/// B3 and B4: firmware without a port. The page calls for help so that it is heard, what it names helps, it tells one
/// story, and comes to an end.
pub(super) fn firmware_without_a_port(stage: &mut Stage) -> Result<()> {
    let page = &stage.browser;
    // A key that another scenario trusted would restrict this one.
    page.open(ORIGIN)?;
    page.run("localStorage.clear()", &[])?;
    main_job::open(page, ORIGIN)?;
    main_job::choose_demo(page, "7.28")?;
    main_job::simulate(page, "NoPort")?;
    main_job::patched(page)?;
    page.press("update")?;
    let patience = Duration::from_secs(150);
    page.wait("the call for help", patience, |page| {
        Ok(page.shows("button")?.then_some(()))
    })?;
    let title = page.run("return document.title", &[])?;
    ensure!(title == json!("Needs you · Bootlace"), "{title}");
    let heard = page.text_of("aloud")?;
    ensure!(heard.contains("bootloader mode"), "{heard:?}");
    page.press("button")?;
    page.wait("the bootloader to answer", patience, |page| {
        Ok((page.attribute_of("board-card", "data-role")?.as_deref() == Some("Bootloader")).then_some(()))
    })?;
    let text = page.run("return document.querySelector('main').innerText", &[])?;
    let text = text.as_str().unwrap_or_default();
    let stories = ["not confirmed yet", "confirmed\n"].map(|story| text.contains(story));
    ensure!(stories != [true, true], "two stories: {text}");
    for false_word in ["Replace", "different content"] {
        ensure!(
            !text.contains(false_word),
            "the same image is called another one: {text}"
        );
    }
    // The page starts the firmware again, which can't be asked: what the bootloader said is the end.
    page.wait("the end of the update", patience, |page| {
        Ok((page.attribute_of("outcome", "data-outcome")?.as_deref() == Some("confirmed")).then_some(()))
    })?;
    let said = page.text_of("outcome")?;
    ensure!(
        said.contains("The firmware has no port to be asked at"),
        "{said:?}"
    );
    Ok(())
}
