//! Whether a board can always be mended: damage to a single slot at any time, and somebody at the line who sends an image.

use anyhow::{Context as _, Result};
use bootlace_client::Client as _;
use bootlace_core::flash::{Area, Flash as _};
use bootlace_smp::bootlace::BootState;

use crate::images::Images;
use crate::rig::{Rig, Started};
use crate::scenario::Scenario;
use crate::served::Served;
use crate::shapes::Shape;

/// What came of all damages.
#[derive(Clone, Debug, Default)]
pub struct Mended {
    /// Boards that were damaged.
    pub damaged: u64,
    /// Starts that stayed in the bootloader, and were mended from there.
    pub stayed: u64,
    /// The reasons to stay that were seen.
    pub conditions: Vec<BootState>,
    /// Boards that started what nobody made.
    pub bricks: Vec<String>,
    /// Boards that no image brought back.
    pub stuck: Vec<String>,
}

/// The image that mends: its counter is the highest.
const BEST: u8 = 2;
/// Starts after the damage; the second of an image on trial ends its trial.
const STARTS: usize = 3;

/// Bytes of a slot whose flips matter: of the image at the slot's start and one unit above (header, payload), and of the
/// trailer at its end (swap info, `copy_done`, `image_ok`, magic).
fn places(rig: &Rig, shape: &Shape, area: Area) -> Vec<u32> {
    let slot = rig.chip.geometry(area);
    let align = u32::from(slot.write.max(8) as u16);
    let unit = shape.geometry.unit();
    let image = [0, 8, 12, 20, 40, 100];
    let mut places: Vec<u32> = image.into_iter().flat_map(|at| [at, unit + at]).collect();
    places.extend([1, 9, 16 + align, 16 + 2 * align, 16 + 3 * align].map(|back| slot.size - back));
    places
}

impl Mended {
    /// Damages one bit of one slot at a time, after each step of each scenario on this shape.
    ///
    /// # Errors
    /// A step that the undamaged board refuses.
    pub fn sweep(&mut self, shape: &Shape, scenarios: &[Scenario]) -> Result<()> {
        let images = Images::new(&shape.geometry)?;
        for scenario in scenarios {
            let mut rig = Rig::new(&shape.geometry, &images, scenario.policy(), scenario.golden);
            for (index, step) in scenario.before.iter().chain(&scenario.steps).enumerate() {
                step.run(&mut rig, &images)
                    .with_context(|| format!("{}, step {index}", scenario.name))?;
                for area in [Area::Primary, Area::Secondary] {
                    for place in places(&rig, shape, area) {
                        let mut damaged = rig.fork();
                        damaged.chip.nor.flip(area, place);
                        self.damaged += 1;
                        let name = format!(
                            "{}: {}, after step {index}, {area:?} at {place}",
                            shape.name, scenario.name
                        );
                        self.follow(&mut damaged, &images, &name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts the board again and again, and mends a copy of it whenever it stays.
    fn follow(&mut self, rig: &mut Rig, images: &Images, name: &str) {
        for start in 0..STARTS {
            match rig.start(images, None).started {
                Started::Image(..) => {}
                Started::Unknown => self.bricks.push(format!("{name}, start {start}")),
                Started::Bootloader(condition) => {
                    self.stayed += 1;
                    if !self.conditions.contains(&condition) {
                        self.conditions.push(condition);
                    }
                    let mended = mend(&mut rig.fork(), images);
                    if let Err(error) = mended {
                        self.stuck
                            .push(format!("{name}, start {start}, {condition:?}: {error:#}"));
                    }
                }
            }
        }
    }
}

/// Sends an image to a board that stays, marks the image, and starts the board.
fn mend(rig: &mut Rig, images: &Images) -> Result<()> {
    let file = images.file(BEST);
    let mut served = Served::staying(rig)?;
    served.upload(file, file.bytes.len())?;
    served.set_state(Some(&file.hash), false)?;
    drop(served);
    match rig.start(images, None).started {
        Started::Image(BEST, _) => Ok(()),
        other => anyhow::bail!("{other:?} instead of the image that was sent"),
    }
}
