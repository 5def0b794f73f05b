//! What the view needs of the window: files, what came with the page, the wake lock, and a person's leave.

use std::cell::RefCell;
use std::rc::Rc;

use bootlace_engine::words::page::PageError;
use gloo::events::{EventListener, EventListenerOptions};
use js_sys::{ArrayBuffer, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{BeforeUnloadEvent, Document, Event, File, Response, WakeLockSentinel, WakeLockType, Window};

use crate::web_api::settled;

/// The largest file that is read: firmware is smaller, and a film chosen by mistake isn't read to the end.
const LARGEST_FILE_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// The window. The view runs nowhere else.
pub fn window() -> Window {
    js_sys::global().unchecked_into()
}

/// Its document.
pub fn document() -> Option<Document> {
    window().document()
}

/// All bytes of a file.
///
/// # Errors
/// It is too large, or the system does not give it.
pub async fn read(file: &File) -> Result<ArrayBuffer, PageError> {
    if file.size() > LARGEST_FILE_BYTES {
        return Err(PageError::FileTooLarge);
    }
    let buffer = settled(file.array_buffer())
        .await
        .map_err(|_| PageError::Unreadable)?;
    Ok(buffer.unchecked_into())
}

/// All bytes of a file that came with the page.
///
/// # Errors
/// It is not there.
pub async fn fetch(address: &str) -> Result<ArrayBuffer, PageError> {
    let get = async {
        let response: Response = settled(window().fetch_with_str(address)).await?.unchecked_into();
        if !response.ok() {
            return Err(JsValue::UNDEFINED);
        }
        let buffer = settled(response.array_buffer()?).await?;
        Ok::<_, JsValue>(buffer.unchecked_into())
    };
    get.await.map_err(|_| PageError::Unreadable)
}

/// Has the browser ask before the page is left, until it is dropped.
pub fn ask_before_leaving(words: &'static str) -> EventListener {
    let options = EventListenerOptions::enable_prevent_default();
    EventListener::new_with_options(&window(), "beforeunload", options, move |event: &Event| {
        event.prevent_default();
        if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>() {
            event.set_return_value(words);
        }
    })
}

/// Keeps the machine awake until it is dropped.
pub struct Awake(Rc<RefCell<Option<WakeLockSentinel>>>);

impl Awake {
    /// From now on, if the browser lets us.
    #[allow(clippy::new_without_default, reason = "making one does something")]
    pub fn new() -> Self {
        let kept = Rc::new(RefCell::new(None));
        let there = Reflect::get(window().navigator().as_ref(), &"wakeLock".into())
            .is_ok_and(|lock| lock.is_object());
        if there {
            let asked = window().navigator().wake_lock().request(WakeLockType::Screen);
            let kept = kept.clone();
            spawn_local(async move {
                if let Ok(sentinel) = settled(asked).await {
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
            spawn_local(async move { _ = settled(released).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    async fn what_is_not_there_cannot_be_fetched() {
        assert_eq!(
            fetch("nothing/of/the/kind.json").await.err(),
            Some(PageError::Unreadable)
        );
    }
}
