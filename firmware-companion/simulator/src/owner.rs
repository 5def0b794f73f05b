//! One poll of whoever owns the board.

use bootlace_app_kit::Applier;
use bootlace_core::link::Link;
use bootlace_core::{Next, Owner};

use crate::config::Config;
use crate::flash::NorFlash;

/// One poll of the board's owner.
pub(crate) fn poll<O: Owner>(
    owner: &mut O,
    config: &Config,
    is_button_held: bool,
    flash: &mut NorFlash,
    link: &mut Link<Vec<u8>>,
    applier: &mut Option<Box<Applier>>,
    millis: u64,
) -> Next {
    if let Some(supply) = config.supply {
        owner.measured(supply);
    }
    owner.presence(is_button_held || config.present);
    if owner.is_checking()
        && let Some(applier) = applier
    {
        // A small chip uses that memory for something else meanwhile.
        **applier = Applier::new();
    }
    owner.poll(flash, link, millis, applier.as_deref_mut())
}
