//! What the view needs of the window: files, storage, the wake lock, the clock on the wall.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, JSON, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Document, File, Storage, WakeLockSentinel, WakeLockType, Window};

use crate::messages::{NamedKey, Problem};
use crate::state::{Demo, DemoImage};
use crate::words::PageError;
use crate::worker::serial;

/// The largest file that is read, in bytes: firmware is smaller, and a film chosen by mistake isn't read to the end.
const LARGEST: f64 = 64.0 * 1024.0 * 1024.0;

/// The window. The view runs nowhere else.
pub(crate) fn window() -> Window {
    js_sys::global().unchecked_into()
}

/// Its document.
pub(crate) fn document() -> Option<Document> {
    window().document()
}

/// What keeps this page from ports, if anything.
pub(crate) fn obstacle() -> Option<Problem> {
    let error = if !window().is_secure_context() {
        PageError::Insecure
    } else if !serial::is_there() {
        PageError::NoWebSerial
    } else if document().is_some_and(|document| serial::is_forbidden(document.as_ref())) {
        PageError::Forbidden
    } else {
        return None;
    };
    Some(error.into())
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

/// All bytes of a file.
pub(crate) async fn read(file: &File) -> Result<Vec<u8>, PageError> {
    if file.size() > LARGEST {
        return Err(PageError::FileTooLarge);
    }
    let buffer = JsFuture::from(file.array_buffer())
        .await
        .map_err(|_| PageError::Unreadable)?;
    Ok(js_sys::Uint8Array::new(buffer.as_ref()).to_vec())
}

/// All bytes of a file that came with the page.
pub(crate) async fn fetch(address: &str) -> Result<Vec<u8>, PageError> {
    let get = async {
        let response: web_sys::Response = JsFuture::from(window().fetch_with_str(address))
            .await?
            .unchecked_into();
        if !response.ok() {
            return Err(JsValue::UNDEFINED);
        }
        let buffer = JsFuture::from(response.array_buffer()?).await?;
        Ok::<_, JsValue>(js_sys::Uint8Array::new(buffer.as_ref()).to_vec())
    };
    get.await.map_err(|_| PageError::Unreadable)
}

/// Whether a file is PEM text rather than an image.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN ")
}

/// What came with the page to try it with, if anything did.
pub(crate) async fn demo() -> Option<Demo> {
    let text = |value: &JsValue, name: &str| Reflect::get(value, &name.into()).ok()?.as_string();
    let list = String::from_utf8(fetch("demo/demo.json").await.ok()?).ok()?;
    let list = JSON::parse(&list).ok()?;
    let key = fetch(&format!("demo/{}", text(&list, "key")?)).await.ok()?;
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
        key: String::from_utf8(key).ok()?,
        board: board.and_then(|board| text(&board, "name")).unwrap_or_default(),
        // The first one is what the board comes with.
        installed: (!images.is_empty()).then_some(0),
        images,
    })
}

/// Keys that the person added, one entry each, so that two tabs don't overwrite each other's.
const PREFIX: &str = "bootlace.key.";

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// The keys kept in this browser.
pub(crate) fn keys() -> Vec<NamedKey> {
    let Some(storage) = storage() else {
        return Vec::new();
    };
    let count = storage.length().unwrap_or(0);
    let mut entries: Vec<String> = (0..count)
        .filter_map(|at| storage.key(at).ok().flatten())
        .filter(|name| name.starts_with(PREFIX))
        .filter_map(|name| storage.get_item(&name).ok().flatten())
        .collect();
    entries.sort();
    let named = |entry: String| {
        let (name, pem) = entry.split_once('\n')?;
        Some(NamedKey {
            name: name.to_owned(),
            pem: pem.to_owned(),
        })
    };
    entries.into_iter().filter_map(named).collect()
}

/// Keeps a key. Its text is its name in the store: the same key isn't kept twice.
pub(crate) fn keep_key(key: &NamedKey) {
    if let Some(storage) = storage() {
        // A browser that keeps nothing forgets the key with the page.
        _ = storage.set_item(
            &entry_of(&key.pem),
            &format!("{}\n{}", key.name.replace('\n', " "), key.pem),
        );
    }
}

/// Forgets a key.
pub(crate) fn drop_key(pem: &str) {
    if let Some(storage) = storage() {
        _ = storage.remove_item(&entry_of(pem));
    }
}

fn entry_of(pem: &str) -> String {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .map(str::trim)
        .collect();
    format!("{PREFIX}{body}")
}

/// Puts text on the clipboard.
pub(crate) fn copy(text: &str) {
    let copied = window().navigator().clipboard().write_text(text);
    spawn_local(async move { _ = JsFuture::from(copied).await });
}

/// Keeps the machine awake until it is dropped.
pub(crate) struct Awake(Rc<RefCell<Option<WakeLockSentinel>>>);

impl Awake {
    /// From now on, if the browser lets us.
    pub(crate) fn new() -> Self {
        let kept = Rc::new(RefCell::new(None));
        let there = Reflect::get(window().navigator().as_ref(), &"wakeLock".into())
            .is_ok_and(|lock| lock.is_object());
        if there {
            let asked = window().navigator().wake_lock().request(WakeLockType::Screen);
            let kept = kept.clone();
            spawn_local(async move {
                if let Ok(sentinel) = JsFuture::from(asked).await {
                    *kept.borrow_mut() = Some(sentinel.unchecked_into());
                }
            });
        }
        Awake(kept)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(sentinel) = self.0.take() {
            let released = sentinel.release();
            spawn_local(async move { _ = JsFuture::from(released).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn key(name: &str, pem: &str) -> NamedKey {
        NamedKey {
            name: name.into(),
            pem: pem.into(),
        }
    }

    #[test]
    fn keys_are_kept_under_their_last_name_until_they_are_dropped() {
        let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\nBBBB\n-----END PUBLIC KEY-----";
        keep_key(&key("first", pem));
        keep_key(&key("second\nline", pem));
        keep_key(&key(
            "other",
            "-----BEGIN PUBLIC KEY-----\nCCCC\n-----END PUBLIC KEY-----",
        ));
        let names = || keys().into_iter().map(|key| key.name).collect::<Vec<_>>();
        assert_eq!(names(), ["other", "second line"]);
        assert_eq!(keys().last().map(|key| key.pem.clone()).as_deref(), Some(pem));
        drop_key(pem);
        assert_eq!(names(), ["other"]);
    }

    #[test]
    fn a_pem_file_is_known_by_its_first_line() {
        assert!(is_pem(b"\n-----BEGIN PUBLIC KEY-----\n"));
        assert!(!is_pem(&[0x3d, 0xb8, 0xf3, 0x96]));
    }

    #[test]
    async fn what_is_not_there_cannot_be_fetched() {
        assert_eq!(
            fetch("nothing/of/the/kind.json").await,
            Err(PageError::Unreadable)
        );
        assert_eq!(demo().await, None);
    }
}
