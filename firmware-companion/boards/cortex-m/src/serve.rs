//! The bootloader's life: decide, and where there is nothing to run, serve.

use bootlace_core::board::Board;
use bootlace_core::boot::{self, Decision, Entry, Loader};
use bootlace_core::flash::Flash;
use bootlace_core::link::Link;
use bootlace_core::server::{Bootloader, Server, Step};
use bootlace_smp::bootlace::Supply;

/// What the bootloader serves with: a serial line without memory of its own, and what there is to be measured.
pub trait Port {
    /// A byte that arrived.
    fn read(&mut self) -> Option<u8>;

    /// Takes a byte to be sent; false while there is no room.
    fn write(&mut self, byte: u8) -> bool;

    /// Everything has left.
    fn is_drained(&self) -> bool;

    /// What the board measures of its supply, where it does: below the limit no update begins. Asked again and again.
    fn supply(&mut self) -> Option<Supply> {
        None
    }

    /// Called when there is nothing to do until a byte arrives or leaves: may sleep. Says whether nothing has arrived for
    /// so long (about a second) that the rest of a half packet never will.
    fn wait(&mut self) -> bool;
}

/// How the bootloader's work ends.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    /// Start the image with this vector table.
    Boot(u32),
    /// Reset, and then stay in the bootloader or not.
    Reset {
        /// Stay.
        bootloader: bool,
    },
}

/// Decides what runs; if that is nothing, opens the port and serves SMP with `memory` for packets of `frame` bytes,
/// `window` at once, until somebody asks for a reset. A port that is never opened is as the application expects it.
pub fn companion<F: Flash, P: Port>(
    board: &Board,
    entry: Entry,
    flash: &mut F,
    open: impl FnOnce() -> P,
    memory: &mut [u8],
    sizes: (usize, usize),
) -> Exit {
    life(board, entry, flash, open, memory, sizes, plainly)
}

/// The same, and takes patches: that needs 8 KB of stack, in which a signature is checked as well, at another time.
#[cfg(feature = "delta")]
pub fn companion_with_patches<F: Flash, P: Port>(
    board: &Board,
    entry: Entry,
    flash: &mut F,
    open: impl FnOnce() -> P,
    memory: &mut [u8],
    sizes: (usize, usize),
) -> Exit {
    life(board, entry, flash, open, memory, sizes, with_patches)
}

fn life<F: Flash, P: Port>(
    board: &Board,
    entry: Entry,
    flash: &mut F,
    open: impl FnOnce() -> P,
    memory: &mut [u8],
    (frame, window): (usize, usize),
    serve: impl Fn(&mut Server<Bootloader>, &mut Link<&mut [u8]>, &mut F, &mut P) -> Step,
) -> Exit {
    let mut loader = Loader::new(flash, board, entry);
    let condition = match boot::run(flash, board, &mut loader, || ()) {
        Decision::Boot { vectors, .. } => return Exit::Boot(vectors),
        Decision::Stay(condition) => condition,
    };
    let Ok(mut link) = Link::new(memory, frame, window) else {
        // A board that gives too little memory is a mistake of its file that its first start shows.
        return Exit::Reset { bootloader: false };
    };
    let port = &mut open();
    let log = loader.into_log();
    let mut server = Server::new(board, Bootloader { log, condition }, entry.reset);
    loop {
        match serve(&mut server, &mut link, flash, port) {
            Step::Verify(check) => {
                let verdict = check.run(flash, board);
                server.verified(&mut link, flash, verdict);
            }
            Step::Reset { bootloader } => {
                while !port.is_drained() {}
                return Exit::Reset { bootloader };
            }
            Step::Idle | Step::Working => {}
        }
    }
}

fn plainly<F: Flash, P: Port>(
    server: &mut Server<Bootloader>,
    link: &mut Link<&mut [u8]>,
    flash: &mut F,
    port: &mut P,
) -> Step {
    until_event(link, flash, port, |link, flash, supply| {
        measure(server, supply);
        server.step(link, flash)
    })
}

/// The frame of this function is what patches need. It is left before a check, which needs a lot as well.
#[cfg(feature = "delta")]
#[inline(never)]
fn with_patches<F: Flash, P: Port>(
    server: &mut Server<Bootloader>,
    link: &mut Link<&mut [u8]>,
    flash: &mut F,
    port: &mut P,
) -> Step {
    // A constant: it is not to be put together elsewhere on the stack first.
    let mut applier = const { bootlace_core::Applier::new() };
    until_event(link, flash, port, |link, flash, supply| {
        measure(server, supply);
        server.step_with(link, flash, &mut applier)
    })
}

/// Serves until there is something to do that is not the server's.
fn until_event<F: Flash, P: Port>(
    link: &mut Link<&mut [u8]>,
    flash: &mut F,
    port: &mut P,
    mut step: impl FnMut(&mut Link<&mut [u8]>, &mut F, Option<Supply>) -> Step,
) -> Step {
    loop {
        let moved = pump(link, port);
        match step(link, flash, port.supply()) {
            Step::Idle if !moved => {
                if port.wait() && link.is_receiving() {
                    link.idle();
                }
            }
            Step::Idle | Step::Working => {}
            event => return event,
        }
    }
}

fn measure(server: &mut Server<Bootloader>, supply: Option<Supply>) {
    if let Some(supply) = supply {
        server.measured(supply);
    }
}

/// Moves bytes between port and link; says whether there were any.
fn pump<P: Port>(link: &mut Link<&mut [u8]>, port: &mut P) -> bool {
    let mut moved = receive(link, port);
    let mut piece = [0; 16];
    let len = link.transmit(&mut piece);
    for &byte in piece.iter().take(len) {
        moved = true;
        while !port.write(byte) {
            // A line takes its time, and what arrives meanwhile would be lost.
            receive(link, port);
        }
    }
    moved
}

fn receive<P: Port>(link: &mut Link<&mut [u8]>, port: &mut P) -> bool {
    let mut moved = false;
    while !link.is_full() {
        let Some(byte) = port.read() else { break };
        link.feed(&[byte]);
        moved = true;
    }
    moved
}
