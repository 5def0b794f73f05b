//! A board without time.

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_core::Applier;
use bootlace_core::board::{Board, Policy};
use bootlace_core::boot::{self, Decision, Entry, Loader};
use bootlace_core::flash::Area;
use bootlace_core::link::Link;
use bootlace_core::server::{Role, Server, Step};
use bootlace_core::slots::find;
use bootlace_core::state::Log;
use bootlace_core::trailer;
use bootlace_image::PublicKey;
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use bootlace_simulator::{Map, NorFlash, Region, Timing};
use bootlace_smp::bootlace::{Reset, State as Condition};
use bootlace_smp::frame::{self, Framing};
use bootlace_smp::{self as smp, Header, Request, Response, bootlace, img};
use sha2::{Digest as _, Sha256};

/// The shape of a board's flash.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Erase unit of the slots in bytes.
    pub page: u32,
    /// Write unit in bytes.
    pub write: u32,
    /// Units of each slot: primary, secondary.
    pub slots: (u32, u32),
    /// Erase unit of the state area in bytes.
    pub state: u32,
    /// Torn words cannot be read.
    pub error_correction: bool,
}

impl Geometry {
    fn map(&self) -> Map {
        let region = |offset, size, erase| Region { offset, size, erase };
        let primary = self.state * 2;
        let secondary = primary + self.slots.0 * self.page;
        Map {
            state: region(0, self.state * 2, self.state),
            primary: region(primary, self.slots.0 * self.page, self.page),
            secondary: region(secondary, self.slots.1 * self.page, self.page),
            golden: None,
        }
    }
}

/// Where the simulated processor sees its flash.
const ADDRESS: u32 = 0x0800_0000;

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The image of this digest runs, on trial or not.
    Image([u8; 32], bool),
    /// The bootloader serves.
    Bootloader(Condition),
    /// The power went.
    Dead,
}

/// The board.
#[derive(Clone)]
pub struct Rig {
    /// Its flash.
    pub flash: NorFlash,
    board: Board<'static>,
}

impl Rig {
    /// A board of this shape that trusts `key`, with an image from the factory.
    pub fn new(geometry: &Geometry, key: &SigningKey, factory: Option<&[u8]>) -> Self {
        let mut flash = NorFlash::new(
            ADDRESS,
            geometry.map(),
            geometry.write,
            Timing { erase_4k: 0, word: 0 },
        );
        if geometry.error_correction {
            flash = flash.with_error_correction();
        }
        if let Some(image) = factory {
            flash.flash_primary(image);
        }
        let keys: &'static [PublicKey] = Box::leak(Box::new([key.public()]));
        let board = Board {
            name: "Rig",
            serial: "RIG",
            vendor: None,
            class: None,
            keys,
            policy: Policy {
                permanent: true,
                ..Policy::default()
            },
        };
        Rig { flash, board }
    }

    /// The same with other rules.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.board.policy = policy;
        self
    }

    /// Starts the board and says what runs.
    pub fn start(&mut self, reset: Reset) -> Started {
        let mut loader = Loader::new(
            &mut self.flash,
            &self.board,
            Entry {
                reset,
                requested: false,
                gave_up: None,
            },
        );
        let decision = boot::run(&mut self.flash, &self.board, &mut loader, || {});
        if self.flash.is_dead() {
            return Started::Dead;
        }
        match decision {
            Decision::Stay(condition) => Started::Bootloader(condition),
            Decision::Boot { trial, .. } => {
                let hash = find(&mut self.flash, Area::Primary).and_then(|found| found.hash(&mut self.flash));
                Started::Image(hash.unwrap_or([0; 32]), trial)
            }
        }
    }

    /// The security counter that the board remembers.
    pub fn counter(&mut self) -> u32 {
        Log::mount(&mut self.flash).state().counter
    }

    /// The running application confirms itself.
    ///
    /// # Errors
    /// When the flash fails.
    pub fn confirm(&mut self) -> Result<()> {
        trailer::confirm(&mut self.flash).map_err(|error| anyhow::anyhow!("confirm: {error:?}"))
    }

    /// Starts the bootloader's server and has it answer `work`'s requests.
    ///
    /// # Errors
    /// Whatever `work` says, or that the power went.
    pub fn serve<T>(&mut self, work: impl FnOnce(&mut Served) -> Result<T>) -> Result<T> {
        let entry = Entry {
            reset: Reset::Software,
            requested: true,
            gave_up: None,
        };
        let mut loader = Loader::new(&mut self.flash, &self.board, entry);
        let decision = boot::run(&mut self.flash, &self.board, &mut loader, || {});
        ensure!(!self.flash.is_dead(), "the power went while starting");
        let Decision::Stay(condition) = decision else {
            bail!("the bootloader did not stay: {decision:?}")
        };
        let role = Role::Bootloader {
            log: loader.into_log(),
            condition,
        };
        let link =
            Link::new(vec![0; 4096], 600, 2).map_err(|needed| anyhow::anyhow!("{needed} bytes of memory"))?;
        let mut served = Served {
            server: Server::new(&self.board, role, entry.reset),
            link,
            applier: Box::default(),
            flash: &mut self.flash,
            board: &self.board,
        };
        work(&mut served)
    }
}

/// A board's server, answering.
pub struct Served<'a> {
    server: Server<'a>,
    link: Link<Vec<u8>>,
    applier: Box<Applier>,
    flash: &'a mut NorFlash,
    board: &'a Board<'a>,
}

impl Served<'_> {
    /// Asks, and has the answer read.
    ///
    /// # Errors
    /// That the power went, or what `read` says.
    pub fn ask<T>(&mut self, request: &Request, read: impl FnOnce(Response) -> Result<T>) -> Result<T> {
        let mut packet = [0; 1024];
        let len = smp::encode_request(&mut packet, smp::Version::V2, 1, request)
            .map_err(|_| anyhow::anyhow!("too long"))?;
        let (mut wire, link) = (Vec::new(), &mut self.link);
        frame::encode(Framing::Raw, packet.get(..len).unwrap_or_default(), |bytes| {
            wire.extend_from_slice(bytes)
        });
        link.feed(&wire);
        let mut answer = Vec::new();
        loop {
            let step = self
                .server
                .step_with(&mut self.link, self.flash, &mut self.applier);
            ensure!(!self.flash.is_dead(), "the power went");
            if let Step::Verify(check) = step {
                let verdict = check.run(self.flash, self.board);
                self.server.verified(&mut self.link, self.flash, verdict);
            }
            let mut piece = [0; 256];
            let len = self.link.transmit(&mut piece);
            answer.extend_from_slice(piece.get(..len).unwrap_or_default());
            if matches!(step, Step::Idle) && len == 0 {
                break;
            }
        }
        let (header, payload) =
            Header::parse(&answer).map_err(|error| anyhow::anyhow!("no answer: {error:?}"))?;
        read(smp::decode_response(&header, payload).map_err(|error| anyhow::anyhow!("{error:?}"))?)
    }

    /// Uploads a file from wherever the board says.
    ///
    /// # Errors
    /// That the power went, or that the board refused.
    pub fn upload(&mut self, file: &[u8]) -> Result<()> {
        self.send(file, |piece| Request::Img(img::Request::Upload(piece)))
    }

    /// Sends a patch from wherever the board says.
    ///
    /// # Errors
    /// That the power went, or that the board refused.
    pub fn patch(&mut self, patch: &[u8]) -> Result<()> {
        self.send(patch, |piece| Request::Bootlace(bootlace::Request::Patch(piece)))
    }

    fn send(&mut self, file: &[u8], request: for<'p> fn(img::Upload<'p>) -> Request<'p>) -> Result<()> {
        let sha: [u8; 32] = Sha256::digest(file).into();
        let mut off = 0;
        for _ in 0..file.len() + 10 {
            let data = file
                .get(off..(off + 512).min(file.len()))
                .context("an offset beyond the file")?;
            let first = off == 0;
            let piece = img::Upload {
                off: off as u32,
                len: first.then_some(file.len() as u32),
                sha: first.then_some(sha.as_slice()),
                data,
                ..img::Upload::default()
            };
            let matched;
            (off, matched) = self.ask(&request(piece), |response| match response {
                Response::Img(img::Response::Upload { off, matched })
                | Response::Bootlace(bootlace::Response::Patch { off, matched }) => {
                    Ok((off as usize, matched))
                }
                other => bail!("a piece was answered {other:?}"),
            })?;
            if off == file.len() && matched == Some(true) {
                return Ok(());
            }
            if matched == Some(false) {
                off = 0;
            }
        }
        bail!("the upload does not come to an end")
    }

    /// Marks the uploaded image.
    ///
    /// # Errors
    /// That the power went, or that the board refused.
    pub fn mark(&mut self, hash: [u8; 32], confirm: bool) -> Result<()> {
        let request = img::Request::SetState {
            hash: Some(&hash),
            confirm,
        };
        self.ask(&Request::Img(request), |response| match response {
            Response::Img(img::Response::State(_)) => Ok(()),
            other => bail!("marking answered {other:?}"),
        })
    }

    /// Erases the secondary slot.
    ///
    /// # Errors
    /// That the power went, or that the board refused.
    pub fn erase(&mut self) -> Result<()> {
        self.ask(
            &Request::Img(img::Request::Erase { slot: None }),
            |response| match response {
                Response::Img(img::Response::Erase) => Ok(()),
                other => bail!("erase answered {other:?}"),
            },
        )
    }
}

/// The key that test images are signed with.
///
/// # Errors
/// Never, in practice: the seed is a valid one.
pub(super) fn key(algorithm: Algorithm) -> Result<SigningKey> {
    SigningKey::from_seed(algorithm, &[7; 32]).map_err(|error| anyhow::anyhow!("{error:?}"))
}

/// A signed image of this many bytes of payload that starts inside the rig's primary slot, and its digest.
pub(super) fn image(
    geometry: &Geometry,
    key: &SigningKey,
    version: u8,
    counter: u32,
    len: usize,
) -> (Vec<u8>, [u8; 32]) {
    let mut noise = u32::from(version).wrapping_mul(0x9E37_79B9);
    let mut payload: Vec<u8> = (0..len)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .collect();
    let start = (ADDRESS + geometry.state * 2 + 0x101).to_le_bytes();
    for (to, from) in payload.iter_mut().skip(4).zip(start) {
        *to = from;
    }
    let builder = ImageBuilder::new(payload)
        .version(Version {
            major: version,
            minor: 0,
            revision: 0,
            build: 0,
        })
        .header_size(32)
        .security_counter(counter)
        .sign(key);
    (builder.build(), builder.digest())
}
