//! The view's end of the worker.

use std::cell::RefCell;

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

use crate::loading::start_worker;
use crate::messages::{Command, Notice, PageError, Problem};

/// A command, and the bytes that are handed over with it.
type Parcel = (Command, Option<ArrayBuffer>);

/// The running worker. It takes commands from the start: until the worker listens they are kept.
pub(crate) struct WorkerHandle {
    worker: Option<Worker>,
    early: RefCell<Option<Vec<Parcel>>>,
}

impl WorkerHandle {
    /// Starts the worker; `heard` gets what it says.
    pub(crate) fn start(heard: impl Fn(Result<Notice, Problem>) + Clone + 'static) -> Self {
        let worker = spawn(heard.clone());
        if worker.is_none() {
            heard(Err(PageError::WorkerStopped.into()));
        }
        WorkerHandle {
            worker,
            early: RefCell::new(Some(Vec::new())),
        }
    }

    /// Sends a command, or keeps it until the worker listens.
    pub(crate) fn send(&self, command: Command) {
        self.hand_over(command, None);
    }

    /// The same, with bytes that are the worker's from here on: the buffer is empty afterwards.
    pub(crate) fn hand_over(&self, command: Command, bytes: Option<ArrayBuffer>) {
        match self.early.borrow_mut().as_mut() {
            Some(early) => early.push((command, bytes)),
            None => self.post((command, bytes)),
        }
    }

    /// The worker listens.
    pub(crate) fn is_ready(&self) {
        let early = self.early.borrow_mut().take();
        early.into_iter().flatten().for_each(|parcel| self.post(parcel));
    }

    fn post(&self, (command, bytes): Parcel) {
        let (Some(worker), Ok(command)) = (&self.worker, postcard::to_allocvec(&command)) else {
            return;
        };
        let message = Array::of1(&Uint8Array::from(command.as_slice()));
        let owned = Array::new();
        if let Some(bytes) = bytes {
            message.push(&bytes);
            owned.push(&bytes);
        }
        _ = worker.post_message_with_transfer(&message, &owned);
    }
}

fn spawn(heard: impl Fn(Result<Notice, Problem>) + Clone + 'static) -> Option<Worker> {
    let worker = start_worker("worker_main")?;
    let said = heard.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let bytes = Uint8Array::new(&event.data()).to_vec();
        if let Ok(notice) = postcard::from_bytes(&bytes) {
            said(Ok(notice));
        }
    });
    worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
    let died = Closure::<dyn FnMut()>::new(move || heard(Err(PageError::WorkerStopped.into())));
    worker.set_onerror(Some(died.as_ref().unchecked_ref()));
    // The worker lives as long as the page.
    message.forget();
    died.forget();
    Some(worker)
}
