//! What the loader remembers (`nrf_dfu_types.h`, `nrf_dfu_settings_t`), as far as an application needs it.

/// `NRF_DFU_BANK_INVALID` and `NRF_DFU_BANK_VALID_APP` (lines 166 and 167).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Code {
    #[default]
    Invalid,
    Application,
}

/// `nrf_dfu_bank_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bank {
    pub(crate) size: u32,
    pub(crate) crc: u32,
    pub(crate) code: Code,
}

/// `dfu_progress_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) command_size: u32,
    pub(crate) command_offset: u32,
    pub(crate) command_crc: u32,
    pub(crate) object_size: u32,
    pub(crate) crc: u32,
    pub(crate) crc_last: u32,
    pub(crate) offset: u32,
    pub(crate) offset_last: u32,
    pub(crate) update_start: u32,
}

/// How the application is judged at each start (`boot_validation_t`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Validation {
    #[default]
    None,
    Crc(u32),
    Sha256([u8; 32]),
}

/// `nrf_dfu_settings_t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) app_version: u32,
    pub(crate) bank_0: Bank,
    pub(crate) bank_1: Bank,
    pub(crate) write_offset: u32,
    pub(crate) progress: Progress,
    pub(crate) init_command: Vec<u8>,
    pub(crate) validation: Validation,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Settings {
            app_version: 0,
            bank_0: Bank::default(),
            bank_1: Bank::default(),
            write_offset: 0,
            progress: Progress::default(),
            init_command: vec![0; 512],
            validation: Validation::default(),
        }
    }

    /// `nrf_dfu_settings_progress_reset`.
    pub(crate) fn reset_progress(&mut self) {
        self.init_command.fill(0xFF);
        self.progress = Progress::default();
        self.write_offset = 0;
    }
}
