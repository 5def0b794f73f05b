//! A board whose flash holds anything, and whose line says anything.

use std::cell::OnceCell;
use std::ops::Range;

use bootlace_core::flash::{Area, Flash, FlashError, Geometry as Shape};
use bootlace_core::state::{Log, Record};
use bootlace_core::trailer::{Trailers, is_on_trial};
use bootlace_cuts::{Geometry, Images, Rig, Scenario, Served, Started, Through};
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Request, Version, bootlace, img, os};

const SHAPE: Geometry = Geometry {
    pages: (512, 512),
    write: 4,
    slots: (4, 5),
    state: 512,
    error_correction: false,
};

/// Boards in all the states that a scenario begins with.
struct Boards {
    images: Images,
    rigs: Vec<Rig>,
}

impl Boards {
    fn new() -> Self {
        let images = Images::new(&SHAPE).expect("images");
        let rig = |scenario: &Scenario| {
            let mut rig = Rig::new(&SHAPE, &images, scenario.policy(), scenario.golden);
            for step in &scenario.before {
                step.run(&mut rig, &images).expect("a scenario's beginning");
            }
            rig
        };
        let rigs = Scenario::all().iter().map(rig).collect();
        Boards { images, rigs }
    }
}

thread_local! {
    static BOARDS: OnceCell<Boards> = const { OnceCell::new() };
}

fn with<T>(work: impl FnOnce(&Boards) -> T) -> T {
    BOARDS.with(|boards| work(boards.get_or_init(Boards::new)))
}

/// One of the boards, its flash changed by the first bytes: how many changes, then each one's place and value.
fn changed<'d>(boards: &Boards, data: &'d [u8]) -> Option<(Rig, &'d [u8])> {
    let (&[board, count], rest) = data.split_first_chunk()?;
    let mut rig = boards
        .rigs
        .get(usize::from(board) % boards.rigs.len())?
        .clone()
        .fork();
    let count = usize::from(count).min(rest.len() / 3);
    let (edits, rest) = rest.split_at(count * 3);
    if count > 0 {
        let mut bytes = rig.chip.nor.bytes().to_vec();
        for edit in edits.as_chunks::<3>().0 {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
            bytes[at] = edit[2];
        }
        rig.chip.nor.restore(&bytes);
    }
    Some((rig, rest))
}

/// Nothing but a state area and two trailers' units, of 256 bytes each.
struct Small([u8; 1024]);

impl Small {
    fn place(area: Area, offset: u32, len: usize) -> Result<Range<usize>, FlashError> {
        let (start, size) = match area {
            Area::State => (0, 512),
            Area::Primary => (512, 256),
            Area::Secondary => (768, 256),
            Area::Golden => (0, 0),
        };
        let end = offset as usize + len;
        if end > size {
            return Err(FlashError::OutOfRange);
        }
        Ok(start + offset as usize..start + end)
    }
}

impl Flash for Small {
    fn geometry(&self, area: Area) -> Shape {
        let size = match area {
            Area::State => 512,
            Area::Primary | Area::Secondary => 256,
            Area::Golden => 0,
        };
        Shape {
            address: 0,
            size,
            erase: 256,
            write: 4,
        }
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        out.copy_from_slice(&self.0[Self::place(area, offset, out.len())?]);
        Ok(())
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        let place = Self::place(area, offset, data.len())?;
        assert!(
            offset.is_multiple_of(4) && data.len().is_multiple_of(4),
            "aligned"
        );
        // A word is programmed once between erases.
        if self.0[place.clone()].iter().any(|&byte| byte != 0xFF) {
            return Err(FlashError::NotErased);
        }
        self.0[place].copy_from_slice(data);
        Ok(())
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        let place = Self::place(area, offset, 256)?;
        assert!(offset.is_multiple_of(256), "aligned");
        self.0[place].fill(0xFF);
        Ok(())
    }
}

/// The state area and both trailers, of any bytes: read twice they say the same, and what is recorded then is there at the
/// next start.
pub fn state(data: &[u8]) {
    let mut flash = Small([0xFF; 1024]);
    let (area, trailers) = data.split_at(data.len().min(512));
    flash.0[..area.len()].copy_from_slice(area);
    // From the slots' ends: that is where the fields are.
    let (primary, secondary) = trailers.split_at(trailers.len() / 2);
    for (unit, bytes) in [(768, primary), (1024, secondary)] {
        let bytes = &bytes[..bytes.len().min(256)];
        flash.0[unit - bytes.len()..unit].copy_from_slice(bytes);
    }
    let flash = &mut flash;
    let mut log = Log::mount(flash);
    let state = *log.state();
    assert_eq!(state, *Log::mount(flash).state());
    let _ = Trailers::read(flash).decision();
    let _ = is_on_trial(flash, &state);
    for record in [Record::Saved(false), Record::Trial(1)] {
        log.push(record);
    }
    let mut steps = 200;
    while log.busy() {
        steps -= 1;
        assert!(steps > 0, "the log does not come to rest");
        let _ = log.step(flash);
    }
    let again = *Log::mount(flash).state();
    assert_eq!(
        (again.trial, again.saved, again.counter),
        (Some(1), false, state.counter)
    );
}

/// A board with anything in its flash starts, and its server answers anything. What runs was signed.
pub fn server(data: &[u8]) {
    with(|boards| {
        let Some((mut rig, rest)) = changed(boards, data) else {
            return;
        };
        let through = if data.first().is_some_and(|first| *first < 64) {
            Through::Application
        } else {
            Through::Bootloader
        };
        if let Ok(mut served) = Served::new(&mut rig, through) {
            served.talk(rest);
        }
        // Twice: what the first start left is what the second finds.
        for _ in 0..2 {
            let observed = rig.start(&boards.images, None);
            assert_ne!(observed.started, Started::Unknown);
        }
    });
}

pub(crate) fn state_seeds() -> Vec<Vec<u8>> {
    with(|boards| {
        let area = SHAPE.state as usize * 2;
        let seeds = boards.rigs.iter().map(|rig| {
            // The first records of each unit: there is room for no more.
            let bytes = rig.chip.nor.bytes();
            [&bytes[..area / 4], &bytes[area / 2..area / 4 * 3]].concat()
        });
        seeds.collect()
    })
}

pub(crate) fn server_seeds() -> Vec<Vec<u8>> {
    with(|boards| {
        let hash = boards.images.file(1).hash;
        let file = &boards.images.file(1).bytes;
        let piece = img::Upload {
            len: Some(file.len() as u32),
            data: &file[..file.len().min(256)],
            ..img::Upload::default()
        };
        let requests = [
            Request::Os(os::Request::Params),
            Request::Img(img::Request::State),
            Request::Img(img::Request::Upload(piece)),
            Request::Img(img::Request::SetState {
                hash: Some(&hash),
                confirm: false,
            }),
            Request::Img(img::Request::Erase { slot: None }),
            Request::Bootlace(bootlace::Request::Describe),
            Request::Bootlace(bootlace::Request::Journal),
            Request::Bootlace(bootlace::Request::Patch(piece)),
        ];
        let mut seeds = Vec::new();
        for board in 0..boards.rigs.len() as u8 {
            for (index, request) in requests.iter().enumerate() {
                let mut packet = [0; 512];
                let Ok(len) = smp::encode_request(&mut packet, Version::V2, 1, request) else {
                    continue;
                };
                let mut seed = vec![board + if index % 2 == 0 { 87 } else { 0 }, 0];
                frame::encode(Framing::Raw, &packet[..len], |bytes| {
                    seed.extend_from_slice(bytes)
                });
                seeds.push(seed);
            }
        }
        seeds
    })
}
