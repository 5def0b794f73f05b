//! The published page, served and open in a browser that sees ports of our own.

use anyhow::Result;
use bootlace_browser::Browser;

use crate::namespace::Namespace;
use crate::serve::Site;
use crate::tools;

/// Where the page is. Policies name exact origins, and each namespace has a localhost of its own.
pub const ORIGIN: &str = "http://localhost:8080";
const PORT: u16 = 8080;

/// Serves the page at [`ORIGIN`] until the tests end, and starts a browser there that knows of ports from now on.
///
/// # Errors
/// When the page is not built, or the browser does not start.
pub fn browser(namespace: &Namespace) -> Result<Browser> {
    Site::start(&tools::required("BOOTLACE_DIST")?, PORT)?;
    let browser = Browser::start_at(&namespace.scratch().join("profile"), ORIGIN)?;
    look_for_ports(&browser)?;
    Ok(browser)
}

/// Chromium looks for ports when it is first asked, and hears of those that come from then on.
fn look_for_ports(browser: &Browser) -> Result<()> {
    browser
        .run(
            "return (await navigator.serial.getPorts()).length + (await navigator.usb.getDevices()).length",
            &[],
        )
        .map(drop)
}

/// Another browser at [`ORIGIN`] in the place of one that has ended by itself.
///
/// # Errors
/// When it does not start.
pub fn renew(browser: &mut Browser) -> Result<()> {
    browser.renew()?;
    look_for_ports(browser)
}

/// Leaves the page, so that the next scenario starts without it.
///
/// # Errors
/// What the page has written to the console as an error.
pub fn leave(page: &mut Browser) -> Result<()> {
    page.no_errors()?;
    page.open("about:blank")
}
