//! SMP (mcumgr): header, messages and framings, for both ends of the cable.
