//! `cargo xtask run`: the page, built and served.

pub(crate) mod demo;
pub(crate) mod page;
mod serve;

use anyhow::Result;

/// Builds the page with its demo images.
pub(crate) fn build() -> Result<()> {
    page::build()?;
    demo::place(&page::dist())
}

/// Builds the page and serves it until interrupted.
pub(crate) fn serve(port: u16) -> Result<()> {
    // Before the build: who can't have the port should know it at once.
    let listener = serve::listen(port)?;
    build()?;
    println!(
        "\nThe page is at http://localhost:{port}\n\
         \n\
         1. Open it in Chrome, Edge or another Chromium (desktop).\n\
         2. Choose \"simulated board\": no hardware needed. Or plug in a board that runs the companion.\n\
         3. Choose one of the demo images, or drop your own that imgtool signed.\n\
         4. Update, and watch the board prove the new image.\n\
         \n\
         Ctrl-C ends it."
    );
    serve::serve(&listener, &page::dist())
}
