//! The front door of the page as it stands in the repository: what may run, and where everything is taken from.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "tests")]

const PAGE: &str = include_str!("../../index.html");
const START: &str = include_str!("../static/start.js");
const WORKER: &str = include_str!("../static/worker.js");

/// The values of this attribute, in their order.
fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let begin = format!(" {attribute}=\"");
    let parts = page.split(&begin).skip(1);
    parts.map(|part| part.split('"').next().unwrap()).collect()
}

/// The page's Content-Security-Policy: each directive with its sources.
fn policy() -> Vec<(&'static str, Vec<&'static str>)> {
    let (_, rest) = PAGE.split_once("http-equiv=\"Content-Security-Policy\"").unwrap();
    let directives = values(rest, "content")[0].split(';');
    directives
        .map(|directive| {
            let mut words = directive.split_whitespace();
            (words.next().unwrap(), words.collect())
        })
        .collect()
}

/// Security 11: the page had no policy at all.
#[test]
fn the_policy_lets_the_pages_own_files_run_and_nothing_else() {
    let policy = policy();
    let sources = |name: &str| {
        let found = policy.iter().find(|(directive, _)| *directive == name);
        found.map(|(_, sources)| sources.as_slice())
    };
    assert_eq!(sources("default-src"), Some(&["'none'"][..]));
    assert_eq!(sources("script-src"), Some(&["'self'", "'wasm-unsafe-eval'"][..]));
    for directive in ["base-uri", "form-action"] {
        assert_eq!(sources(directive), Some(&["'none'"][..]), "{directive}");
    }
    for (directive, sources) in policy.iter().filter(|(name, _)| *name != "script-src") {
        assert!(
            matches!(sources.as_slice(), ["'self'"] | ["'none'"]),
            "{directive} {sources:?}"
        );
    }
    // What the policy forbids is not there.
    assert!(!PAGE.contains("<script") && !PAGE.contains("<style") && !PAGE.contains(" style="));
    // Who may frame the page only a header can say, so the page looks by itself.
    assert!(START.contains("self !== top"));
}

/// B5: below a path the page was blank.
#[test]
fn every_file_is_named_from_where_the_page_lies() {
    let named = [values(PAGE, "href"), values(PAGE, "src")].concat();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(!name.starts_with('/') && !name.contains(':'), "{name}");
    }
    for script in [START, WORKER] {
        assert!(!script.contains("(\"/") && !script.contains("('/"), "{script}");
    }
}

/// Security 11: the worker imported the address that its own query named.
#[test]
fn no_address_of_page_or_worker_says_what_runs() {
    for script in [START, WORKER] {
        for word in [
            "location",
            "search",
            "hash",
            "importScripts",
            "eval(",
            "Function(",
        ] {
            assert!(!script.contains(word), "{word}");
        }
    }
}

/// B7: progress, edges of buttons, switch and banner vanished where colours are the person's.
#[test]
fn whatever_was_told_by_colour_has_an_edge_or_a_system_colour_where_colours_are_the_persons() {
    const FORCED: &str = include_str!("../styles/forced.css");
    // Later rules win over earlier ones.
    assert!(values(PAGE, "href").contains(&"app/styles/forced.css"));
    let sheets: Vec<_> = values(PAGE, "href")
        .into_iter()
        .filter(|name| name.ends_with(".css"))
        .collect();
    assert_eq!(sheets.last(), Some(&"app/styles/forced.css"));
    let forced = FORCED.split("@media (forced-colors: active) {").skip(1);
    let rules: Vec<(Vec<&str>, &str)> = forced
        .flat_map(|block| block.split('}'))
        .filter_map(|rule| rule.split_once('{'))
        .map(|(selectors, body)| (selectors.split(',').map(str::trim).collect(), body))
        .collect();
    for (what, selector, property) in [
        ("progress", ".bar", "border:"),
        ("progress", ".bar__fill", "background: Highlight"),
        ("a button", ".primary", "border:"),
        ("a button", ".second", "border:"),
        ("the switch", ".switch input", "border:"),
        (
            "the switch that is on",
            ".switch input:checked",
            "background: Highlight",
        ),
        ("the banner of the outcome", ".outcome", "border:"),
        ("the banner of a problem", ".problem", "border:"),
    ] {
        let has_rule = rules
            .iter()
            .any(|(selectors, body)| selectors.contains(&selector) && body.contains(property));
        assert!(has_rule, "{what}: {selector} has no {property}");
    }
}
