//! What the page needs of the window: its ports, its storage, the clock on the wall.

use bootlace_engine::read_keys;
use bootlace_engine::words::{hex, unhex};
use bootlace_image::{Algorithm, PublicKey};
use bootlace_page_parts::web_api::{self, settled};
use bootlace_page_parts::window::{document, fetch, window};
use js_sys::{Array, JSON, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::Storage;

use crate::messages::{PageError, Problem};
use crate::state::{Choosers, Demo, DemoImage, TrustedKey};
use crate::{web_serial, web_usb};

/// The choosers of ports that this page can show.
///
/// # Errors
/// What keeps this page from ports.
pub(crate) fn choosers() -> Result<Choosers, Problem> {
    if !window().is_secure_context() {
        return Err(PageError::Insecure.into());
    }
    let names = [web_serial::NAME, web_usb::NAME];
    let there = names.map(|name| web_api::of_window::<JsValue>(name).is_some());
    let document = document();
    let is_allowed = |name| {
        !document
            .as_ref()
            .is_some_and(|document| web_api::is_forbidden(document.as_ref(), name))
    };
    match [there[0] && is_allowed(names[0]), there[1] && is_allowed(names[1])] {
        [false, false] if there == [false, false] => Err(PageError::BrowserWithoutPorts.into()),
        [false, false] => Err(PageError::Forbidden.into()),
        [serial, usb] => Ok(Choosers { serial, usb }),
    }
}

/// Local time of day.
pub(crate) fn clock() -> String {
    let now = js_sys::Date::new_0();
    format!(
        "{:02}:{:02}:{:02}",
        now.get_hours(),
        now.get_minutes(),
        now.get_seconds()
    )
}

/// Today, as `2026-11-28`.
pub(crate) fn today() -> String {
    let now = js_sys::Date::new_0();
    format!(
        "{:04}-{:02}-{:02}",
        now.get_full_year(),
        now.get_month() + 1,
        now.get_date()
    )
}

async fn fetch_text(address: &str) -> Option<String> {
    let bytes = fetch(address).await.ok()?;
    String::from_utf8(Uint8Array::new(&bytes).to_vec()).ok()
}

/// What came with the page to try it with, if anything did.
pub(crate) async fn demo() -> Option<Demo> {
    let text = |value: &JsValue, name: &str| Reflect::get(value, &name.into()).ok()?.as_string();
    let list = JSON::parse(&fetch_text("demo/demo.json").await?).ok()?;
    let key = fetch_text(&format!("demo/{}", text(&list, "key")?)).await?;
    let board = Reflect::get(&list, &"board".into()).ok();
    let images: Array = Reflect::get(&list, &"images".into()).ok()?.dyn_into().ok()?;
    let images: Vec<DemoImage> = images
        .iter()
        .filter_map(|image| {
            Some(DemoImage {
                title: text(&image, "name")?,
                file: text(&image, "file")?,
            })
        })
        .collect();
    Some(Demo {
        key: read_keys(key.as_bytes())
            .ok()
            .and_then(|keys| keys.first().copied()),
        board: board.and_then(|board| text(&board, "name")).unwrap_or_default(),
        images,
    })
}

/// Keys that the person added, one entry each, so that two tabs don't overwrite each other's. An entry is named for the
/// key's hash and holds the day, the name and the key in hexadecimal, a line each.
const PREFIX: &str = "bootlace.trusted.";

/// Names of the algorithms in entries.
const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::P256, "p256"),
    (Algorithm::Ed25519, "ed25519"),
    (Algorithm::Rsa2048, "rsa2048"),
    (Algorithm::Rsa3072, "rsa3072"),
];

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

fn entry_of(key: &PublicKey) -> String {
    format!("{PREFIX}{}", hex(&key.hash()))
}

fn write_key(key: &TrustedKey) -> String {
    let algorithm = key.key.algorithm();
    let stored = ALGORITHMS.iter().find(|(known, _)| *known == algorithm);
    let algorithm = stored.map_or("", |(_, name)| name);
    let name = key.name.replace('\n', " ");
    format!("{}\n{name}\n{algorithm}\n{}", key.added, hex(key.key.bytes()))
}

fn read_key(entry: &str) -> Option<TrustedKey> {
    let mut lines = entry.lines();
    let (added, name) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    let stored = lines.next()?;
    let (algorithm, _) = ALGORITHMS.iter().find(|(_, name)| *name == stored)?;
    let key = PublicKey::from_parts(*algorithm, &unhex(lines.next()?)?).ok()?;
    Some(TrustedKey { name, added, key })
}

/// The keys kept in this browser, by the day on which they were added and by name.
pub(crate) fn keys() -> Vec<TrustedKey> {
    let Some(storage) = storage() else {
        return Vec::new();
    };
    let count = storage.length().unwrap_or(0);
    let read = (0..count)
        .filter_map(|at| storage.key(at).ok().flatten())
        .filter(|name| name.starts_with(PREFIX))
        .filter_map(|name| read_key(&storage.get_item(&name).ok().flatten()?));
    // One by one into its place: there are few, and a sort would weigh more than all of this.
    let mut keys = Vec::<TrustedKey>::new();
    for key in read {
        let at = keys.partition_point(|known| (&known.added, &known.name) <= (&key.added, &key.name));
        keys.insert(at, key);
    }
    keys
}

/// Keeps a key, or its new name.
pub(crate) fn keep_key(key: &TrustedKey) {
    if let Some(storage) = storage() {
        // A browser that keeps nothing forgets the key with the page.
        _ = storage.set_item(&entry_of(&key.key), &write_key(key));
    }
}

/// Forgets a key.
pub(crate) fn forget_key(key: &PublicKey) {
    if let Some(storage) = storage() {
        _ = storage.remove_item(&entry_of(key));
    }
}

/// Puts text on the clipboard.
pub(crate) fn copy(text: &str) {
    let copied = window().navigator().clipboard().write_text(text);
    spawn_local(async move { _ = settled(copied).await });
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn key(name: &str, byte: u8) -> TrustedKey {
        TrustedKey {
            name: name.into(),
            added: "2026-11-28".into(),
            key: PublicKey::Ed25519([byte; 32]),
        }
    }

    #[test]
    fn keys_are_kept_under_their_last_name_until_they_are_removed() {
        keep_key(&key("first", 1));
        keep_key(&key("second\nline", 1));
        keep_key(&key("other", 2));
        let names = || keys().into_iter().map(|key| key.name).collect::<Vec<_>>();
        assert_eq!(names(), ["other", "second line"]);
        assert_eq!(keys().last(), Some(&key("second line", 1)));
        forget_key(&key("", 1).key);
        assert_eq!(names(), ["other"]);
        forget_key(&key("", 2).key);
    }

    #[test]
    async fn where_nothing_came_with_the_page_there_is_no_demonstration() {
        assert_eq!(demo().await, None);
    }
}
