//! End to end: virtual serial ports, a real browser, interop peers.
