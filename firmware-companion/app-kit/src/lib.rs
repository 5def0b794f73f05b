//! What an application links: the SMP server, confirm, and the way back to the bootloader.
