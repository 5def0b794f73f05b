//! The drive that a chip shows in its loader, as a folder that the person chooses.

use bootlace_install::{Board, OtherDrive};
use bootlace_page_parts::web_api::{error_name, settled};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetFileOptions};

use super::files::{message, pick, write};

/// The file by which tools know such a drive.
const INFO: &str = "INFO_UF2.TXT";
/// The one that holds what the flash does.
const CURRENT: &str = "CURRENT.UF2";

/// Why there is no drive.
pub(crate) enum NoDrive {
    /// None was chosen.
    NotChosen,
    /// The chosen folder, by its name, is another one.
    Another(String, OtherDrive),
}

/// A drive.
pub(crate) struct Drive(FileSystemDirectoryHandle);

/// Has the person choose the drive of a board. Only with a click.
///
/// # Errors
/// None was chosen, or another folder.
pub(crate) async fn choose(board: &Board) -> Result<Drive, NoDrive> {
    let options = [("id", "bootlace-drive".into()), ("mode", "readwrite".into())];
    let picked = pick("showDirectoryPicker", &options).await;
    let Some(Ok(folder)) = picked else {
        return Err(NoDrive::NotChosen);
    };
    let drive = Drive(folder.unchecked_into());
    let info = drive.info().await.unwrap_or_default();
    match board.judge_drive(&info) {
        Ok(()) => Ok(drive),
        Err(other) => Err(NoDrive::Another(drive.0.name(), other)),
    }
}

impl Drive {
    async fn file(&self, name: &str) -> Result<File, JsValue> {
        let file: FileSystemFileHandle = settled(self.0.get_file_handle(name)).await?.unchecked_into();
        Ok(settled(file.get_file()).await?.unchecked_into())
    }

    async fn info(&self) -> Result<String, JsValue> {
        let text = settled(self.file(INFO).await?.text()).await?;
        Ok(text.as_string().unwrap_or_default())
    }

    /// What the drive says that the flash holds, where it says so at all: Adafruit's does, the RP2040's does not.
    pub(crate) async fn current(&self) -> Option<Vec<u8>> {
        let buffer = settled(self.file(CURRENT).await.ok()?.array_buffer())
            .await
            .ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    /// Puts a file there. The chip restarts as soon as it has the last block, so that the drive may be gone before the file is
    /// closed: that is as it should be.
    ///
    /// # Errors
    /// The browser's words, where the drive is still there.
    pub(crate) async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let options = FileSystemGetFileOptions::new();
        options.set_create(true);
        let put = async {
            let file = settled(self.0.get_file_handle_with_options(name, &options)).await?;
            write(file.unchecked_ref(), bytes).await
        };
        match put.await {
            Err(error) if self.info().await.is_ok() || error_name(&error) == "NotAllowedError" => {
                Err(message(&error))
            }
            _ => Ok(()),
        }
    }
}
