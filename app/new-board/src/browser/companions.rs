//! The companions that came with the page: `companions/index.json` lists them.

use bootlace_engine::words::page::PageError;
use bootlace_engine::words::unhex;
use bootlace_install::boards;
use bootlace_page_parts::window::fetch;
use js_sys::{Array, JSON, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::state::{Companion, List};

/// The list; [`List::Missing`] where there is none.
pub(crate) async fn list() -> List {
    let read = async {
        let bytes = fetch("companions/index.json").await.ok()?;
        let text = String::from_utf8(Uint8Array::new(&bytes).to_vec()).ok()?;
        let list = JSON::parse(&text).ok()?;
        let companions: Array = Reflect::get(&list, &"companions".into()).ok()?.dyn_into().ok()?;
        Some(companions.iter().filter_map(|entry| companion(&entry)).collect())
    };
    read.await.map_or(List::Missing, List::There)
}

/// An entry of the list; none for boards that this page does not know.
fn companion(entry: &JsValue) -> Option<Companion> {
    let text = |name: &str| Reflect::get(entry, &name.into()).ok()?.as_string();
    let size = Reflect::get(entry, &"size".into()).ok()?.as_f64()?;
    Some(Companion {
        board: boards::named(&text("board")?)?,
        file: text("file")?,
        version: text("version")?,
        size: size as u32,
        digest: unhex(&text("sha256")?)?.try_into().ok()?,
    })
}

/// The bytes of a companion.
///
/// # Errors
/// It can't be loaded.
pub(crate) async fn load(companion: &Companion) -> Result<Vec<u8>, PageError> {
    let bytes = fetch(&format!("companions/{}", companion.file)).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}
