//! The companion on simulated NOR flash with a timing model.
