//! The view's end of the worker.

use std::cell::RefCell;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Url, Worker, WorkerOptions, WorkerType};

use crate::messages::{Command, Notice, Problem};
use crate::platform::document;
use crate::words::PageError;

/// The running worker. It takes commands from the start: until it listens they are kept.
pub(crate) struct Engine {
    worker: Option<Worker>,
    early: RefCell<Option<Vec<Command>>>,
}

impl Engine {
    /// Starts the worker; `heard` gets what it says.
    pub(crate) fn start(heard: impl Fn(Result<Notice, Problem>) + Clone + 'static) -> Self {
        let worker = spawn(heard.clone());
        if worker.is_none() {
            heard(Err(PageError::EngineStopped.into()));
        }
        Engine {
            worker,
            early: RefCell::new(Some(Vec::new())),
        }
    }

    /// Sends a command, or keeps it until the worker listens.
    pub(crate) fn send(&self, command: Command) {
        if let Some(early) = self.early.borrow_mut().as_mut() {
            early.push(command);
            return;
        }
        self.post(&command);
    }

    /// The worker listens.
    pub(crate) fn is_ready(&self) {
        let early = self.early.borrow_mut().take();
        early
            .into_iter()
            .flatten()
            .for_each(|command| self.post(&command));
    }

    fn post(&self, command: &Command) {
        if let (Some(worker), Ok(bytes)) = (&self.worker, postcard::to_allocvec(command)) {
            _ = worker.post_message(&Uint8Array::from(bytes.as_slice()));
        }
    }
}

/// The same script and module that this thread runs: Trunk names them in the page's head.
fn spawn(heard: impl Fn(Result<Notice, Problem>) + Clone + 'static) -> Option<Worker> {
    let document = document()?;
    let link = |selector: &str| {
        document
            .query_selector(selector)
            .ok()
            .flatten()?
            .get_attribute("href")
    };
    let address = |path: String| {
        Some(
            Url::new_with_base(&path, &document.base_uri().ok()??)
                .ok()?
                .href(),
        )
    };
    let script = address(link("link[rel=modulepreload]")?)?;
    let module = address(link("link[rel=preload][as=fetch]")?)?;
    let quoted = |text: &str| String::from(js_sys::encode_uri_component(text));
    let place = format!("worker.js?script={}&module={}", quoted(&script), quoted(&module));

    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&place, &options).ok()?;

    let said = heard.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let bytes = Uint8Array::new(&event.data()).to_vec();
        if let Ok(notice) = postcard::from_bytes(&bytes) {
            said(Ok(notice));
        }
    });
    worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
    let died = Closure::<dyn FnMut()>::new(move || heard(Err(PageError::EngineStopped.into())));
    worker.set_onerror(Some(died.as_ref().unchecked_ref()));
    // The worker lives as long as the page.
    message.forget();
    died.forget();
    Some(worker)
}
