//! What of the secondary slot is known to be blank: erased since the power came, and not written since. What merely reads
//! as blank may have been left so by a cut, for now.

/// The parts that are known to be blank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blank {
    /// Offset from which on the room for images is blank.
    from: u32,
    /// The unit that ends with the trailer is blank.
    trailer: bool,
}

impl Blank {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Blank {
        from: u32::MAX,
        trailer: false,
    };

    /// The whole slot was erased.
    pub(super) fn slot_erased(&mut self) {
        (self.from, self.trailer) = (0, true);
    }

    /// The trailer's unit was erased.
    pub(super) fn trailer_erased(&mut self) {
        self.trailer = true;
    }

    /// All before this offset may have been written.
    pub(super) fn written_to(&mut self, end: u32) {
        self.from = self.from.max(end);
    }

    /// The trailer's unit may have been written.
    pub(super) fn trailer_written(&mut self) {
        self.trailer = false;
    }

    /// Whether the slot is blank from this offset on, up to its trailer's unit.
    pub(super) fn is_from(&self, offset: u32) -> bool {
        offset >= self.from
    }

    pub(super) fn is_trailer(&self) -> bool {
        self.trailer
    }

    pub(super) fn is_whole_slot(&self) -> bool {
        self.from == 0 && self.trailer
    }
}
