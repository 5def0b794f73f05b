//! The shapes of flash that are swept, and how thoroughly.

use bootlace_core::chip::Chip;
use bootlace_maps::stm32f407::Stm32f407;

use crate::geometry::Geometry;
use crate::scenario::Scenario;
use crate::sweep::{Again, Sweep};

/// How thorough a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Everything: `cargo xtask cuts`.
    Full,
    /// What fits into a test.
    Small,
    /// Enough to catch a mistake in the core.
    Tiny,
}

/// How thoroughly one shape is swept.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    stride: usize,
    tears: u64,
    again: Again,
}

/// A named shape.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What people call it.
    pub name: String,
    /// The shape.
    pub geometry: Geometry,
    effort: Effort,
}

const KB: u32 = 1024;

const TINY: Geometry = Geometry {
    pages: (KB, KB),
    write: 4,
    slots: (4, 5),
    state: KB,
    error_correction: false,
    silent: true,
};

/// Whole images in one unit: what a swap leaves of one is a whole image.
const ONE_PAGE: Geometry = Geometry {
    slots: (2, 3),
    ..TINY
};

/// The board's: 128 KB sectors for the slots, 16 KB ones for the state, words of 4 bytes.
const STM32F407: Geometry = Geometry::of(&<Stm32f407 as Chip>::MAP, 4);

/// RP2040: sectors of 4 KB, of which 256 bytes are programmed at once and any byte alone; fewer of them than the board has.
const RP2040: Geometry = Geometry {
    pages: (4 * KB, 4 * KB),
    write: 1,
    slots: (24, 25),
    state: 4 * KB,
    error_correction: false,
    silent: true,
};

/// 32 KB of bootloader, two slots of 384 KB, and the 16 KB that are a scratch area elsewhere for the state.
const CLASSIC: Geometry = Geometry {
    pages: (4 * KB, 4 * KB),
    write: 4,
    slots: (96, 96),
    state: 8 * KB,
    error_correction: false,
    silent: true,
};

impl Shape {
    fn new(name: impl Into<String>, geometry: Geometry, effort: Effort) -> Self {
        Shape {
            name: name.into(),
            geometry,
            effort,
        }
    }

    /// Every shape that a sweep of this size takes.
    pub fn all(size: Size) -> Vec<Shape> {
        let effort = |stride, tears, again| Effort { stride, tears, again };
        let twice = effort(1, if size == Size::Full { 12 } else { 1 }, Again::Everywhere);
        if size == Size::Tiny {
            let some = effort(1, 3, Again::Anywhere(2));
            let pages = |page| Geometry {
                pages: (page, page),
                ..TINY
            };
            return vec![
                Shape::new("4 KB pages, 4 B", pages(4 * KB), effort(1, 24, Again::No)),
                // A record is one word, which a cut leaves weak as a whole, and a page has few of them.
                Shape::new(
                    "1 KB pages, 16 B, torn often",
                    Geometry { write: 16, ..TINY },
                    effort(1, 100, Again::No),
                ),
                Shape::new(
                    "1 KB pages, 16 B",
                    Geometry { write: 16, ..TINY },
                    effort(1, 4, Again::Everywhere),
                ),
                Shape::new("images of one page", ONE_PAGE, some),
            ];
        }
        let full = size == Size::Full;
        let mut shapes = Vec::new();
        for (write, silent) in [
            (1, true),
            (4, true),
            (4, false),
            (8, true),
            (16, true),
            (16, false),
        ] {
            let tells = if silent { "" } else { " that tells" };
            let name = format!("1 KB pages, {write} B{tells}, cut twice everywhere");
            shapes.push(Shape::new(
                name,
                Geometry {
                    write,
                    silent,
                    ..TINY
                },
                twice,
            ));
        }
        let once = if full {
            effort(1, 10, Again::Anywhere(2))
        } else {
            effort(3, 1, Again::Anywhere(1))
        };
        shapes.push(Shape::new(
            "512 B pages, 8 B with ECC",
            Geometry {
                pages: (512, 512),
                write: 8,
                state: 512,
                error_correction: true,
                silent: false,
                ..TINY
            },
            if full { twice } else { once },
        ));
        for page in [KB, 2 * KB, 4 * KB] {
            for write in [1, 4, 8, 16] {
                let geometry = Geometry {
                    pages: (page, page),
                    write,
                    slots: (5, 6),
                    state: page,
                    silent: matches!(write, 4 | 16),
                    ..TINY
                };
                shapes.push(Shape::new(
                    format!("{} KB pages, {write} B", page / KB),
                    geometry,
                    once,
                ));
            }
        }
        for (name, geometry) in [
            ("images of one page", ONE_PAGE),
            (
                "2 KB pages, 16 B with ECC",
                Geometry {
                    pages: (2 * KB, 2 * KB),
                    write: 16,
                    slots: (6, 6),
                    state: 2 * KB,
                    error_correction: true,
                    silent: false,
                },
            ),
            (
                "slots of different length",
                Geometry {
                    slots: (5, 8),
                    state: 512,
                    ..TINY
                },
            ),
            (
                "secondary slot on another chip: 1 KB and 4 KB pages",
                Geometry {
                    pages: (KB, 4 * KB),
                    slots: (16, 5),
                    ..TINY
                },
            ),
        ] {
            shapes.push(Shape::new(name, geometry, once));
        }
        let large = |stride| {
            if full {
                effort(stride, 1, Again::Anywhere(1))
            } else {
                effort(stride * 16, 1, Again::No)
            }
        };
        shapes.push(Shape::new(
            "STM32F407: 128 KB sectors, state in 16 KB",
            STM32F407,
            large(61),
        ));
        shapes.push(Shape::new(
            "RP2040: 4 KB sectors, 256 B at once",
            RP2040,
            large(61),
        ));
        shapes.push(Shape::new(
            "32 KB bootloader, 2 x 384 KB, 16 KB for state",
            CLASSIC,
            large(61),
        ));
        shapes
    }

    /// The sweep of one scenario on this shape.
    pub fn sweep(&self, scenario: Scenario, seed: u64) -> Sweep {
        let Effort { stride, tears, again } = self.effort;
        Sweep {
            geometry: self.geometry,
            scenario,
            stride,
            tears,
            again,
            seed,
        }
    }
}

/// All sweeps of this size, with the names of their shapes; other seeds tear other parts of operations.
pub fn plan(size: Size, seed: u64) -> Vec<(String, Sweep)> {
    let mut sweeps = Vec::new();
    for shape in Shape::all(size) {
        for (index, scenario) in Scenario::all().into_iter().enumerate() {
            sweeps.push((
                shape.name.clone(),
                shape.sweep(scenario, seed * 1000 + index as u64),
            ));
        }
    }
    sweeps
}
