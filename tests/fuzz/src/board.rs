//! A board whose flash holds anything, and whose line says anything.

use std::cell::OnceCell;
use std::ops::Range;

use bootlace_core::flash::{Area, Flash, FlashError, Geometry as Shape};
use bootlace_core::state::{Log, Record};
use bootlace_core::trailer::{Trailers, is_on_trial};
use bootlace_cuts::{Geometry, Images, Rig, Scenario, Served, Started, Through};
use bootlace_simulator::Moment;
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Request, Version, bootlace, img, os};
use sha2::{Digest as _, Sha256};

const SHAPE: Geometry = Geometry {
    pages: (512, 512),
    write: 4,
    slots: (4, 5),
    state: 512,
    error_correction: false,
    silent: true,
};

/// Boards in all the states that a scenario begins with.
struct Boards {
    images: Images,
    /// From the first image to each.
    patches: Vec<Vec<u8>>,
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
        let patches = (0..3)
            .map(|image| images.patch(image).expect("a patch"))
            .collect();
        Boards {
            images,
            patches,
            rigs,
        }
    }
}

thread_local! {
    static BOARDS: OnceCell<Boards> = const { OnceCell::new() };
}

fn with<T>(work: impl FnOnce(&Boards) -> T) -> T {
    BOARDS.with(|boards| work(boards.get_or_init(Boards::new)))
}

/// One of the boards, its flash changed by the first bytes: how many changes, then each one's place and value. The rest is
/// for its server: bytes from the line, or a script.
fn changed<'d>(boards: &Boards, data: &'d [u8]) -> Option<(Rig, Talk<'d>)> {
    let (&[board, count], rest) = data.split_first_chunk()?;
    let is_script = count & SCRIPT != 0;
    let count = count & !SCRIPT;
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
    let talk = if is_script {
        Talk::Script(rest)
    } else {
        Talk::Line(rest)
    };
    Some((rig, talk))
}

/// What a server hears.
enum Talk<'d> {
    /// Bytes from the line, as they are.
    Line(&'d [u8]),
    /// Words for [`play`].
    Script(&'d [u8]),
}

/// In the number of changes: a script follows.
const SCRIPT: u8 = 0x80;

/// Longer scripts find little more, and take longer.
const WORDS: usize = 32;

/// A script: requests that make sense by themselves, in any order, with power cuts and restarts between them. Each word is
/// a byte that says what, and one that says how.
fn play(boards: &Boards, rig: &mut Rig, mut through: Through, words: &[u8]) {
    let mut words = words.as_chunks::<2>().0.iter().copied().take(WORDS);
    let mut going = true;
    while core::mem::take(&mut going) {
        let Ok(mut served) = Served::new(rig, through) else {
            return;
        };
        let mut at = 0;
        for [what, how] in words.by_ref() {
            let what = what % 16;
            if let Some(moment) = [Moment::Before, Moment::Torn, Moment::After].get(usize::from(what)) {
                served.cut(how.into(), *moment);
            } else if what == 3 {
                going = true;
                break;
            } else {
                ask(&mut served, boards, what, how, &mut at);
            }
        }
        drop(served);
        rig.chip.nor.revive();
        let observed = rig.start(&boards.images, None);
        assert_ne!(observed.started, Started::Unknown);
        through = match through {
            Through::Application => Through::Bootloader,
            Through::Bootloader => Through::Application,
        };
    }
}

/// One request; `at` is where a piece that follows the last one begins.
fn ask(served: &mut Served, boards: &Boards, what: u8, how: u8, at: &mut usize) {
    let image = how % 4;
    let hash = &boards.images.file(image).hash;
    let file = boards.images.file(image).bytes.as_slice();
    let patch = boards.patches.get(usize::from(image)).map_or(file, Vec::as_slice);
    let slot = Some(u32::from(how % 4));
    let request = match what {
        4 => Request::Os(os::Request::Params),
        5 => Request::Os(os::Request::Reset {
            force: how & 1 != 0,
            boot_mode: (how & 2 != 0).then_some(how >> 2),
        }),
        6 => Request::Os(os::Request::Info {
            format: Some("a".into()),
        }),
        7 => Request::Img(img::Request::State),
        8 | 9 => Request::Img(img::Request::SetState {
            hash: (image < 3).then_some(hash),
            confirm: what == 9,
        }),
        10 => Request::Img(img::Request::Erase { slot }),
        11 => Request::Img(img::Request::SlotInfo),
        12 => Request::Bootlace(bootlace::Request::Describe),
        13 => Request::Bootlace(bootlace::Request::Journal),
        _ => {
            let file = if what == 14 { file } else { patch };
            // Another piece of the same, mostly; sometimes anywhere.
            if how & 0x40 != 0 || *at >= file.len() {
                *at = usize::from(how >> 2 & 0xF) * 64;
            }
            let data = file.get(*at..file.len().min(*at + 512)).unwrap_or_default();
            let sha: [u8; 32] = Sha256::digest(file).into();
            let first = *at == 0;
            let piece = img::Upload {
                off: *at as u32,
                len: first.then_some(file.len() as u32),
                sha: (first && how & 0x80 == 0).then_some(&sha),
                data,
                ..img::Upload::default()
            };
            *at += data.len();
            return say(
                served,
                &if what == 14 {
                    Request::Img(img::Request::Upload(piece))
                } else {
                    Request::Bootlace(bootlace::Request::Patch(piece))
                },
            );
        }
    };
    say(served, &request);
}

fn say(served: &mut Served, request: &Request) {
    if let Some(wire) = wire(request) {
        served.talk(&wire);
    }
}

/// A request as it goes over the line.
fn wire(request: &Request) -> Option<Vec<u8>> {
    let mut packet = [0; 1024];
    let len = smp::encode_request(&mut packet, Version::V2, 1, request).ok()?;
    let mut wire = Vec::new();
    frame::encode(Framing::Raw, &packet[..len], |bytes| {
        wire.extend_from_slice(bytes)
    });
    Some(wire)
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
        let Some((mut rig, talk)) = changed(boards, data) else {
            return;
        };
        let through = if data.first().is_some_and(|first| *first < 64) {
            Through::Application
        } else {
            Through::Bootloader
        };
        match talk {
            Talk::Line(bytes) => {
                if let Ok(mut served) = Served::new(&mut rig, through) {
                    served.talk(bytes);
                }
            }
            Talk::Script(words) => play(boards, &mut rig, through, words),
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
                let Some(wire) = wire(request) else { continue };
                let mut seed = vec![board + if index % 2 == 0 { 87 } else { 0 }, 0];
                seed.extend(wire);
                seeds.push(seed);
            }
            // An update: pieces, marked, restarted, confirmed; by patch as well; and erased.
            for piece in [14, 15] {
                let how = [piece, 1];
                let script = [
                    how,
                    how,
                    how,
                    how,
                    [8, 1],
                    [7, 0],
                    [5, 0],
                    [3, 0],
                    [9, 3],
                    [3, 0],
                    [10, 1],
                ];
                seeds.push([vec![board + 87, SCRIPT], script.concat()].concat());
                let cut = [
                    how,
                    [1, 2],
                    how,
                    how,
                    [3, 0],
                    how,
                    how,
                    how,
                    [8, 1],
                    [0, 1],
                    [5, 0],
                    [3, 0],
                ];
                seeds.push([vec![board, SCRIPT], cut.concat()].concat());
            }
        }
        seeds
    })
}
