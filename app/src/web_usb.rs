//! WebUSB in the window: the chooser. The worker's part is `worker/ports/usb.rs`; no other file names its types.

use bootlace_engine::usb::{CLASS, PROTOCOL, SUBCLASS};
use bootlace_page_parts::web_api::{error_name, of_window, settled};
use web_sys::{Usb, UsbDeviceFilter, UsbDeviceRequestOptions};

use crate::messages::PageError;

/// Its name in a navigator and in a Permissions-Policy.
pub(crate) const NAME: &str = "usb";

/// Lets the person choose a board by its vendor interface. Only with a click; the worker finds what was granted.
pub(crate) async fn ask() -> Result<(), PageError> {
    let usb: Usb = of_window(NAME).ok_or(PageError::BrowserWithoutPorts)?;
    let filter = UsbDeviceFilter::new();
    filter.set_class_code(CLASS);
    filter.set_subclass_code(SUBCLASS);
    filter.set_protocol_code(PROTOCOL);
    let options = UsbDeviceRequestOptions::new(&[filter]);
    match settled(usb.request_device(&options)).await {
        Ok(_) => Ok(()),
        Err(error) if error_name(error.as_ref()) == "NotFoundError" => Err(PageError::NoDeviceChosen),
        Err(_) => Err(PageError::Forbidden),
    }
}
