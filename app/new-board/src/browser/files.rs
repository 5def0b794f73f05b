//! Files that a person gets: written where the person says, or downloaded where the browser does not ask.

use bootlace_page_parts::web_api::{error_name, settled};
use bootlace_page_parts::window::{document, window};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    Blob, BlobPropertyBag, FileSystemFileHandle, FileSystemWritableFileStream, HtmlAnchorElement, Url,
};

use crate::state::SavedFile;

/// Why a file was not saved.
pub(crate) enum Unsaved {
    /// The person thought better of it.
    Cancelled,
    /// The browser's words.
    Failed(String),
}

impl From<JsValue> for Unsaved {
    fn from(error: JsValue) -> Self {
        match error_name(&error).as_str() {
            "AbortError" => Unsaved::Cancelled,
            _ => Unsaved::Failed(message(&error)),
        }
    }
}

/// The words of a DOMException.
pub(crate) fn message(error: &JsValue) -> String {
    let text = |name: &str| Reflect::get(error, &name.into()).ok()?.as_string();
    let message = text("message").filter(|message| !message.is_empty());
    message.unwrap_or_else(|| error_name(error))
}

fn function(name: &str) -> Option<Function> {
    Reflect::get(window().as_ref(), &name.into())
        .ok()?
        .dyn_into()
        .ok()
}

/// Whether the window has this picker.
pub(crate) fn has(picker: &str) -> bool {
    function(picker).is_some()
}

/// Shows a picker of the window; none where the window has no such picker. Only with a click.
pub(crate) async fn pick(picker: &str, options: &[(&str, JsValue)]) -> Option<Result<JsValue, JsValue>> {
    let picker = function(picker)?;
    let given = Object::new();
    for (name, value) in options {
        _ = Reflect::set(&given, &(*name).into(), value);
    }
    let picked = picker.call1(window().as_ref(), &given);
    Some(match picked {
        Ok(promise) => settled(promise.unchecked_into::<Promise>()).await,
        Err(error) => Err(error),
    })
}

/// Saves a file under this name, or under one that the person prefers. Only with a click.
///
/// # Errors
/// Why not.
pub(crate) async fn save(name: &str, bytes: &[u8]) -> Result<SavedFile, Unsaved> {
    match pick("showSaveFilePicker", &[("suggestedName", name.into())]).await {
        Some(picked) => {
            let file: FileSystemFileHandle = picked?.unchecked_into();
            write(&file, bytes).await?;
            Ok(SavedFile {
                name: file.name(),
                is_sure: true,
            })
        }
        None => {
            download(name, bytes)?;
            Ok(SavedFile {
                name: name.to_owned(),
                is_sure: false,
            })
        }
    }
}

/// Writes a whole file. It has its bytes when this is over, and not before.
///
/// # Errors
/// The browser's own.
pub(crate) async fn write(file: &FileSystemFileHandle, bytes: &[u8]) -> Result<(), JsValue> {
    let stream: FileSystemWritableFileStream = settled(file.create_writable()).await?.unchecked_into();
    settled(stream.write_with_js_u8_array(&Uint8Array::from(bytes))?).await?;
    settled(stream.close()).await.map(drop)
}

/// Has the browser download a file under this name. Whether it did, nobody tells.
///
/// # Errors
/// The browser's own.
pub(crate) fn download(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type("application/octet-stream");
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let document = document().ok_or(JsValue::UNDEFINED)?;
    let link: HtmlAnchorElement = document.create_element("a")?.unchecked_into();
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // The download has begun with the click, and has the bytes.
    gloo::timers::callback::Timeout::new(60_000, move || _ = Url::revoke_object_url(&address)).forget();
    Ok(())
}
