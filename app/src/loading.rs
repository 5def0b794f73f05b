//! What a new worker has to know to load the page's own module: `start.js` and `worker.js` keep it in the global scope.

use js_sys::{Object, Reflect};
use web_sys::{Worker, WorkerOptions, WorkerType};

/// Starts a worker with this entry point of the module. It lies beside the page, wherever that is.
pub(crate) fn start_worker(entry: &str) -> Option<Worker> {
    let own = Reflect::get(&js_sys::global(), &"bootlace".into()).ok()?;
    let message = Object::new();
    for name in ["script", "module"] {
        Reflect::set(&message, &name.into(), &Reflect::get(&own, &name.into()).ok()?).ok()?;
    }
    Reflect::set(&message, &"entry".into(), &entry.into()).ok()?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options("worker.js", &options).ok()?;
    worker.post_message(&message).ok()?;
    Some(worker)
}
