//! What the loader accepts and what it activates: `nrf_dfu_validation.c`, `nrf_dfu_ver_validation.c`,
//! `nrf_bootloader_fw_activation.c`.

use std::time::Duration;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::init::{self, Packet};
use crate::loader::{Answer, Config, INSUFFICIENT_RESOURCES, INVALID_OBJECT, Loader, MBR, OPERATION_FAILED};
use crate::settings::{Bank, Code, Progress, Validation};

/// `NRF_DFU_APP_DATA_AREA_SIZE` of the dongle's `sdk_config.h`.
const DATA_AREA: u32 = 12_288;

impl Config {
    /// A loader that takes what this key has signed, x and y in hexadecimal; `None`: it is none.
    pub fn signed_by(key: &str) -> Option<Self> {
        let digits = key.trim();
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let point: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        const UNCOMPRESSED: u8 = 4;
        let key = VerifyingKey::from_sec1_bytes(&[vec![UNCOMPRESSED], point?].concat()).ok()?;
        Some(Config {
            key: Some(key),
            ..Config::default()
        })
    }
}

impl Loader {
    /// `nrf_bootloader_init`: what is to be activated is, and the settings come from flash.
    pub(crate) fn start(&mut self) {
        self.settings = self.stored.clone();
        // `app_activate` (`nrf_bootloader_fw_activation.c`, line 150): in place, as all of it was received in one bank.
        if self.settings.bank_1.code == Code::Application {
            let bank = self.settings.bank_1;
            assert_eq!(
                self.settings.progress.update_start, MBR,
                "it would have to be copied"
            );
            if crc32fast::hash(self.range(MBR, bank.size)) == bank.crc {
                self.settings.bank_0 = bank;
            }
            self.settings.bank_1 = Bank::default();
            self.settings.reset_progress();
            self.store();
        }
        // `nrf_dfu_req_handler_init` (line 857): a stored init packet counts.
        let progress = self.settings.progress;
        let len = progress.command_size as usize;
        self.valid = (len > 0)
            .then(|| init::decode(&self.settings.init_command[..len]))
            .flatten();
        if let Some(packet) = &self.valid {
            self.firmware_start = MBR;
            self.firmware_size = packet.init.app_size.unwrap_or_default();
        }
    }

    /// `nrf_dfu_validation_prevalidate` (line 580), then room (`nrf_dfu_cache_prepare`).
    pub(crate) fn judge(&mut self, packet: &Packet) -> Result<(), u8> {
        let init = &packet.init;
        const APPLICATION: u32 = 0;
        if let Some(key) = self.config.key
            && init.kind.unwrap_or_default() == APPLICATION
        {
            self.check_signature(packet, &key)?;
        }
        // `nrf_dfu_ver_validation_check` (`nrf_dfu_ver_validation.c`, line 257).
        if init.kind.is_none_or(|kind| kind > 3) {
            return Err(self.extended(4));
        }
        if init.hash_kind != 3 {
            return Err(self.extended(9));
        }
        match init.hardware {
            None => return Err(self.extended(4)),
            Some(hardware) if hardware != self.config.hardware => return Err(self.extended(6)),
            Some(_) => {}
        }
        // `sd_req_ok` (line 74), without a SoftDevice.
        match init.softdevices.first() {
            Some(first) if *first != 0 => return Err(self.extended(7)),
            _ if self.config.version.is_some() && init.version.is_none() => return Err(self.extended(7)),
            _ => {}
        }
        if let (Some(is), Some(version)) = (self.config.version, init.version)
            && version < is.max(self.settings.app_version)
        {
            return Err(self.extended(5));
        }
        assert_eq!(init.kind, Some(APPLICATION), "the model knows applications alone");
        // `update_data_size_get` (line 418), `nrf_dfu_cache_prepare` (`nrf_dfu_utils.c`, line 118): in one bank.
        let size = init.app_size.filter(|size| *size > 0);
        let size = size.ok_or_else(|| self.extended(4))?;
        if size > self.config.start - DATA_AREA - MBR {
            return Err(INSUFFICIENT_RESOURCES);
        }
        self.settings.bank_0 = Bank::default();
        self.settings.write_offset = 0;
        (self.firmware_start, self.firmware_size) = (MBR, size);
        Ok(())
    }

    /// `nrf_dfu_validation_signature_check` (line 346).
    fn check_signature(&mut self, packet: &Packet, key: &VerifyingKey) -> Result<(), u8> {
        let Some((kind, bytes)) = &packet.signature else {
            return Err(self.extended(8));
        };
        if *kind != 0 {
            return Err(self.extended(11));
        }
        let Ok(mut bytes) = <[u8; 64]>::try_from(bytes.as_slice()) else {
            return Err(OPERATION_FAILED);
        };
        // Both halves come with the least significant byte first.
        bytes.chunks_mut(32).for_each(<[u8]>::reverse);
        let signature = Signature::from_slice(&bytes).map_err(|_| INVALID_OBJECT)?;
        key.verify(&packet.signed, &signature).map_err(|_| INVALID_OBJECT)
    }

    /// `postvalidate` (`nrf_dfu_validation.c`, line 1012).
    pub(crate) fn judge_firmware(&mut self) -> Answer {
        let (start, size) = (self.firmware_start, self.firmware_size);
        let Some(packet) = self.valid.clone() else {
            // Nothing was ever announced: the hash of nothing is compared with what RAM holds.
            self.settings.reset_progress();
            return Err(self.extended(12));
        };
        let bytes = self.range(start, size);
        let hash = Sha256::digest(bytes);
        let crc = crc32fast::hash(bytes);
        let is_right = hash.iter().rev().eq(&packet.init.hash);
        self.took += Duration::from_millis(u64::from(size) / 1000);
        let validation = match packet.init.validations.first() {
            Some(0) => Some(Validation::None),
            None | Some(1) => Some(Validation::Crc(crc)),
            Some(2) => Some(Validation::Sha256(hash.into())),
            Some(_) => None,
        };
        let outcome = match validation {
            _ if !is_right => Err(self.extended(12)),
            None => Err(INVALID_OBJECT),
            Some(validation) => {
                self.settings.validation = validation;
                self.settings.app_version = packet.init.version.unwrap_or_default();
                self.settings.bank_0.code = Code::Invalid;
                let code = Code::Application;
                self.settings.bank_1 = Bank { size, crc, code };
                Ok(vec![])
            }
        };
        self.settings.reset_progress();
        self.settings.progress = Progress {
            update_start: start,
            ..Progress::default()
        };
        if outcome.is_err() {
            self.settings.bank_1 = Bank::default();
            self.store();
            // `on_dfu_complete` is called after a failure as well: the loader restarts.
            self.restart();
        }
        outcome
    }
}
