//! What a person wants, and what every part of the view is given.

use std::rc::Rc;

use bootlace_install::{Board, Way};
use web_sys::File;
use yew::prelude::*;

use crate::state::{State, Step};

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// This board.
    Board(&'static Board),
    /// Back to this step.
    Change(Step),
    /// On to the board.
    Continue,
    /// The public keys in this file.
    AddKeys(File),
    /// Not this key.
    RemoveKey(usize),
    /// A new key.
    MakeKey,
    /// The new key's private half as a file.
    SavePrivate,
    /// The file is there, or not.
    PrivateKept(bool),
    /// The new key's public half as a file.
    SavePublic,
    /// A name for the board.
    Name(String),
    /// Vendor (0) or class (1).
    Id(usize, String),
    /// The application in this file.
    AddApplication(File),
    /// No application.
    RemoveApplication,
    /// Connect the board's loader.
    Connect(Way),
    /// The file for the drive, to be copied by hand.
    Download,
    /// What the board holds as a file.
    SaveBefore,
    /// What the board holds is not needed, or is.
    Discard(bool),
    /// Change the flash.
    Install,
    /// Break off.
    Cancel,
    /// The next board.
    Another,
    /// Back to the page.
    Close,
    /// Back to the page, which connects the board.
    ConnectBoard,
}

/// Every part draws the whole state or a part of it.
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
