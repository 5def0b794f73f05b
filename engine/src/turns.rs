//! Several boards at one machine: which session gets a board that was found, and whose turn it is to restart.
//!
//! A driver with several boards asks each port once who is there ([`Greeter`](crate::Greeter)) and hands the board to the
//! session that waits for it ([`Session::adopt`](crate::Session::adopt)). Boards without a serial number all look alike:
//! one at a time is away, so that no outcome is taken for another board's.

use alloc::vec::Vec;

use crate::{BoardInfo, FindReason, Match, Wanted};

/// The sessions at one machine, by the driver's own names for them.
#[derive(Clone, Debug)]
pub struct Turns<I> {
    seats: Vec<Seat<I>>,
}

#[derive(Clone, Debug)]
struct Seat<I> {
    id: I,
    /// Whom its session waits for.
    wanted: Option<Wanted>,
    turn: Turn,
}

/// Whether a board that looks like others may restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    NotAsked,
    Waits,
    Has,
}

/// Whose board was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<I> {
    /// That of this session, which waits for it.
    Session(I),
    /// Nobody waits for it: a board that is new here.
    Nobody,
    /// Several sessions wait for one like it, and nothing says whose it is: it is left alone.
    Unclear,
}

impl<I> Default for Turns<I> {
    fn default() -> Self {
        Turns { seats: Vec::new() }
    }
}

impl<I: Copy + PartialEq> Turns<I> {
    /// No boards.
    pub fn new() -> Self {
        Turns::default()
    }

    fn seat(&mut self, id: I) -> &mut Seat<I> {
        let at = self.seats.iter().position(|seat| seat.id == id);
        let at = at.unwrap_or_else(|| {
            self.seats.push(Seat {
                id,
                wanted: None,
                turn: Turn::NotAsked,
            });
            self.seats.len() - 1
        });
        #[allow(
            clippy::indexing_slicing,
            reason = "`at` was found, or is of the seat just added"
        )]
        &mut self.seats[at]
    }

    /// The session waits for its board ([`Event::FindBoard`](crate::Event::FindBoard)).
    pub fn waits(&mut self, id: I, wanted: Wanted) {
        self.seat(id).wanted = Some(wanted);
    }

    /// The session has its board again, or needs none any more.
    pub fn has_board(&mut self, id: I) {
        self.seat(id).wanted = None;
    }

    /// Whose board is this? By serial number where it has one. A board without one is only handed to a session if no
    /// other waits for one like it; or if all of them were unplugged before anything was marked, where it makes no
    /// difference.
    pub fn claim(&self, found: &BoardInfo) -> Claim<I> {
        let waiting = || {
            self.seats.iter().filter_map(|seat| {
                let wanted = seat.wanted.as_ref()?;
                Some((seat.id, wanted.reason, wanted.matches(found)))
            })
        };
        if let Some((id, ..)) = waiting().find(|(.., by)| *by == Match::Serial) {
            return Claim::Session(id);
        }
        let mut alike = waiting().filter(|(.., by)| *by == Match::Images);
        let Some((first, reason, _)) = alike.next() else {
            return Claim::Nobody;
        };
        let mut others = alike.peekable();
        let all_unplugged = reason == FindReason::Unplugged;
        if others.peek().is_none()
            || all_unplugged && others.all(|(_, reason, _)| reason == FindReason::Unplugged)
        {
            Claim::Session(first)
        } else {
            Claim::Unclear
        }
    }

    /// An update wants to restart its board ([`Event::WantsRestart`](crate::Event::WantsRestart)). `true`: it may
    /// ([`Session::allow_restart`](crate::Session::allow_restart)); otherwise its turn comes.
    #[must_use]
    pub fn may_restart(&mut self, id: I, board: &BoardInfo) -> bool {
        if board.serial.is_some() {
            return true;
        }
        let taken = self
            .seats
            .iter()
            .any(|seat| seat.turn == Turn::Has && seat.id != id);
        self.seat(id).turn = if taken { Turn::Waits } else { Turn::Has };
        !taken
    }

    /// The update of this session ended, however it did. The session that is named may restart its board now.
    #[must_use]
    pub fn update_ended(&mut self, id: I) -> Option<I> {
        let seat = self.seat(id);
        let had = seat.turn == Turn::Has;
        seat.turn = Turn::NotAsked;
        seat.wanted = None;
        let next = self
            .seats
            .iter_mut()
            .find(|seat| had && seat.turn == Turn::Waits)?;
        next.turn = Turn::Has;
        Some(next.id)
    }

    /// The session is gone. The session that is named may restart its board now.
    #[must_use]
    pub fn remove(&mut self, id: I) -> Option<I> {
        let next = self.update_ended(id);
        self.seats.retain(|seat| seat.id != id);
        next
    }
}
