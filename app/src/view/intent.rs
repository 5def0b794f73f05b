//! What a person wants, and what every panel is given.

use std::rc::Rc;

use bootlace_image::PublicKey;
use web_sys::File;
use yew::prelude::*;

use crate::messages::{Behaviour, BoardId};
use crate::state::{Chooser, State};

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Use this file as firmware.
    Open(File),
    /// Use an image that came with the page.
    OpenDemo(usize),
    /// Trust the public key in this file.
    AddKey(File),
    /// Give a key a name.
    NameKey(PublicKey, String),
    /// Trust a key no longer.
    RemoveKey(PublicKey),
    /// Take MCUboot's development keys, or not.
    Development(bool),
    /// Send whole images, or patches where they do.
    Whole(bool),
    /// Delete the saved image with this hash; all of them without one.
    DeleteSaved(Option<Vec<u8>>),
    /// Choose a port.
    Connect(Chooser),
    /// Install a board's first companion.
    NewBoard,
    /// What happens to the next simulated board.
    Behave(Behaviour),
    /// Plug a simulated board in.
    Simulate,
    /// Show another board.
    Show(BoardId),
    /// Let the board go, whatever is under way.
    Release(BoardId),
    /// Ask the board again how it is.
    Refresh(BoardId),
    /// Update it.
    Update(BoardId),
    /// Cancel that.
    Cancel(BoardId),
    /// Restart a simulated board with its button held.
    Button(BoardId),
    /// On to the next one.
    Again(BoardId),
    /// The problem was read.
    Dismiss,
    /// Copy the log.
    CopyLog,
}

/// Every component draws the whole state or a part of it.
#[derive(Clone, Properties)]
pub struct Props {
    /// What to show.
    pub state: Rc<State>,
    /// What the person wants.
    pub on: Callback<Intent>,
}

// A new state is a new allocation: comparing what they point at would cost more than drawing.
impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.state, &other.state) && self.on == other.on
    }
}
