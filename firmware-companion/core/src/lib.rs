//! The companion bootloader without its chip: SMP server, slots, swap and boot decision.
