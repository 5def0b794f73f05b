//! Packages for Nordic's bootloader: a ZIP archive with a manifest, the firmware and its init packet.

use alloc::vec::Vec;

use bootlace_formats::zip;
use bootlace_nordic_dfu::{
    HARDWARE, InitError, ManifestError, Package, Target, facts, init_packet, manifest, names,
};

use crate::boards::{Board, Way};
use crate::plan::FlashPlan;

/// Why a file is no package that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpackaged {
    /// It is no archive that can be read.
    Archive(zip::Error),
    /// Its manifest names nothing that can be sent.
    Manifest(ManifestError),
    /// A file that the manifest names, or the manifest, is not in it.
    Missing,
    /// Its init packet does not go with its firmware.
    Init(InitError),
}

/// Bytes that the files of a package may have: more than the chip's flash.
const MOST: usize = 2 << 20;
/// Names of the files in a package that is made here.
const MANIFEST: &str = "manifest.json";
const FIRMWARE: &str = "companion.bin";
const INIT: &str = "companion.dat";

/// Reads a package.
///
/// # Errors
/// Why nothing can be sent of it.
pub fn package(archive: &[u8]) -> Result<Package, Unpackaged> {
    let files = zip::read(archive, MOST).map_err(Unpackaged::Archive)?;
    let file = |wanted: &str| {
        let found = files.iter().find(|(name, _)| name == wanted);
        found.map(|(_, bytes)| bytes).ok_or(Unpackaged::Missing)
    };
    let names = names(file(MANIFEST)?).map_err(Unpackaged::Manifest)?;
    let (firmware, init) = (file(&names.firmware)?, file(&names.init)?);
    facts(init, firmware).map_err(Unpackaged::Init)?;
    Ok(Package {
        init: init.clone(),
        firmware: firmware.clone(),
    })
}

/// A package as a file.
pub(crate) fn zip(package: &Package) -> Vec<u8> {
    zip::write(&[
        (MANIFEST, manifest(FIRMWARE, INIT).as_bytes()),
        (FIRMWARE, &package.firmware),
        (INIT, &package.init),
    ])
}

impl Board {
    /// The chip and the loader that the board's companion is for, where Nordic's bootloader takes it.
    pub fn nordic(&self) -> Option<Target> {
        const NRF52840: u32 = 0x5_2840;
        let end = self
            .units
            .last()
            .and_then(|units| u32::try_from(units.end()).ok());
        self.ways.contains(&Way::Nordic).then_some(Target {
            part: NRF52840,
            end: end.unwrap_or(u32::MAX),
        })
    }

    /// What Nordic's bootloader is sent; `None`: this board has none, or the plan holds an image as well. The loader notes a sum of
    /// all that it gets, starts nothing else, and locks it: what changes later can't be among it.
    pub fn package(&self, plan: &FlashPlan) -> Option<Package> {
        self.nordic()?;
        let [part] = plan.parts.as_slice() else {
            return None;
        };
        // Up to the end of the companion's identity block: what is behind that are records.
        let end =
            bootlace_identity::find(&part.bytes).map_or(part.bytes.len(), |at| at + bootlace_identity::LEN);
        let mut firmware = part.bytes.get(..end)?.to_vec();
        firmware.resize(firmware.len().next_multiple_of(4), 0xFF);
        const VERSION: u32 = 1;
        Some(Package {
            init: init_packet(&firmware, HARDWARE, VERSION),
            firmware,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::vec;

    use super::*;
    use crate::Format;
    use crate::boards::named;

    #[test]
    fn a_package_is_read_as_it_was_made_and_holds_the_companion_alone() {
        let board = named("nrf52840-dongle").unwrap();
        let companion = vec![7; 57_344];
        let plan = board.plan(companion.clone(), None).unwrap();
        let archive = board.file(&plan, Format::Zip).unwrap();
        let read = package(&archive).unwrap();
        assert_eq!(read.firmware, companion);
        assert_eq!(Some(read), board.package(&plan));
        // A file of all that the companion has for itself holds blank records as well, which change.
        let block = bootlace_identity::blank(bootlace_identity::KeyKinds::P256);
        let own = [&companion[..57_088], &block].concat();
        let all = [own.clone(), vec![0xFF; 8192]].concat();
        let plan = board.plan(all, None).unwrap();
        assert_eq!(board.package(&plan).unwrap().firmware, own);
        let with_image = board.plan(companion.clone(), Some(vec![1; 100])).unwrap();
        assert_eq!(board.file(&with_image, Format::Zip), None);
        let pico = named("rp2040").unwrap();
        let plan = pico.plan(companion, None).unwrap();
        assert_eq!((pico.package(&plan), pico.file(&plan, Format::Zip)), (None, None));
    }

    #[test]
    fn what_is_no_package_says_why() {
        let init = init_packet(&[7; 8], HARDWARE, 1);
        let with = |manifest: &str, firmware: &[u8]| {
            package(&zip::write(&[
                (MANIFEST, manifest.as_bytes()),
                (FIRMWARE, firmware),
                (INIT, &init),
            ]))
        };
        let good = manifest(FIRMWARE, INIT);
        assert!(with(&good, &[7; 8]).is_ok());
        assert_eq!(with(&good, &[8; 8]), Err(Unpackaged::Init(InitError::Hash)));
        assert_eq!(
            with(&manifest("other.bin", INIT), &[7; 8]),
            Err(Unpackaged::Missing)
        );
        let malformed = Unpackaged::Manifest(ManifestError::Malformed);
        assert_eq!(with("{}", &[7; 8]), Err(malformed));
        assert_eq!(package(&zip::write(&[])), Err(Unpackaged::Missing));
        assert_eq!(package(b"PK"), Err(Unpackaged::Archive(zip::Error::NoArchive)));
    }
}
