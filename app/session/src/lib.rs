//! The update engine: sans-IO, used by the page and by the command line.
