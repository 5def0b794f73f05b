//! Web Locks: how one tab learns that another one has such a port. The ports themselves can't tell: two that are alike
//! look the same, and an open one says only that it can't be opened.

use std::cell::RefCell;
use std::rc::Rc;

use bootlace_page_parts::web_api::settled;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{LockManager, LockManagerSnapshot, LockMode, LockOptions};

use crate::worker::scope::scope;

thread_local! {
    /// Names of the locks that this worker holds.
    static OWN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The name of the lock by which another tab learns that this one holds a port of these USB numbers, whichever way.
pub(super) fn name(usb: Option<(u16, u16)>) -> String {
    match usb {
        Some((vendor, product)) => format!("bootlace port {vendor:04x}:{product:04x}"),
        None => "bootlace port".into(),
    }
}

fn manager() -> Option<LockManager> {
    let locks = Reflect::get(scope().navigator().as_ref(), &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// Held until it is dropped.
pub(super) struct Guard {
    name: String,
    release: Rc<RefCell<Option<Function>>>,
    _callback: Option<Closure<dyn FnMut(JsValue) -> Promise>>,
}

/// Holds the lock of this name beside others in this tab that hold it.
pub(super) fn hold(name: &str) -> Guard {
    let release = Rc::new(RefCell::new(None));
    let callback = manager().map(|manager| {
        let kept = release.clone();
        let callback = Closure::<dyn FnMut(JsValue) -> Promise>::new(move |_lock| {
            Promise::new(&mut |resolve, _reject| *kept.borrow_mut() = Some(resolve))
        });
        let options = LockOptions::new();
        options.set_mode(LockMode::Shared);
        let granted = manager.request_with_options(name, &options, callback.as_ref().unchecked_ref());
        spawn_local(async move { _ = settled(granted).await });
        OWN.with_borrow_mut(|own| own.push(name.to_owned()));
        callback
    });
    Guard {
        name: name.to_owned(),
        release,
        _callback: callback,
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        OWN.with_borrow_mut(|own| {
            if let Some(at) = own.iter().position(|name| *name == self.name) {
                own.swap_remove(at);
            }
        });
        if let Some(release) = self.release.take() {
            _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Whether another tab holds the lock of this name.
pub(super) async fn held_elsewhere(name: &str) -> bool {
    let Some(manager) = manager() else { return false };
    let Ok(snapshot) = settled(manager.query()).await else {
        return false;
    };
    let snapshot: LockManagerSnapshot = snapshot.unchecked_into();
    let held = snapshot.get_held().map_or(0, |held| {
        held.iter()
            .filter(|lock| lock.get_name().as_deref() == Some(name))
            .count()
    });
    held > OWN.with_borrow(|own| own.iter().filter(|own| *own == name).count())
}
