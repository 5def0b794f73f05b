//! Web Serial in the window: the chooser. The worker's part is `worker/ports/serial.rs`; no other file names its types.

use bootlace_page_parts::web_api::{error_name, of_window, settled};
use web_sys::Serial;

use crate::messages::PageError;

/// Its name in a navigator and in a Permissions-Policy.
pub(crate) const NAME: &str = "serial";

/// Lets the person choose a port. Only with a click; the worker finds what was granted.
pub(crate) async fn ask() -> Result<(), PageError> {
    let serial: Serial = of_window(NAME).ok_or(PageError::BrowserWithoutPorts)?;
    match settled(serial.request_port()).await {
        Ok(_) => Ok(()),
        Err(error) if error_name(error.as_ref()) == "NotFoundError" => Err(PageError::NoPortChosen),
        Err(_) => Err(PageError::Forbidden),
    }
}
