//! What the small board does with patches: it does not apply them, a test says what comes of one.

use std::vec::Vec;

use bootlace_smp::bootlace;
use bootlace_smp::img::Upload;
use bootlace_smp::{self as smp, Header, Response};
use sha2::Digest as _;

use super::{Board, Held};

/// What the board does with patches.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patches {
    /// It knows nothing of them.
    #[default]
    Unknown,
    /// It makes this of any.
    Makes(Vec<u8>),
    /// It refuses from this offset on.
    Refuses(usize, bootlace::ErrorCode),
    /// It asks for the same piece for ever.
    Sticks,
    /// It says at the end that what it made is wrong.
    Differs,
}

impl Board {
    pub(super) fn take_patch(
        &mut self,
        header: &Header,
        buffer: &mut [u8],
        piece: &Upload<'_>,
    ) -> Result<usize, smp::EncodeError> {
        self.pieces.1 += 1;
        if piece.off == 0 && self.upload_sha != piece.sha.unwrap_or_default() {
            self.forget_upload();
            self.secondary = None;
            self.upload_len = piece.len.unwrap_or_default() as usize;
            self.upload_sha = piece.sha.unwrap_or_default().to_vec();
        }
        match &self.patches {
            Patches::Refuses(at, code) if self.upload.len() >= *at => {
                return smp::encode_error(buffer, header, *code, None);
            }
            Patches::Sticks if self.upload.len() > 100 => {}
            _ if piece.off as usize == self.upload.len() => {
                self.pieces.0 += 1;
                self.patched += piece.data.len();
                self.upload.extend_from_slice(piece.data);
            }
            _ => {}
        }
        let off = self.upload.len() as u32;
        let all = off as usize == self.upload_len;
        if all {
            assert_eq!(sha2::Sha256::digest(&self.upload)[..], self.upload_sha[..]);
            if let Patches::Makes(image) = &self.patches {
                self.secondary = Held::new(image, false);
            }
        }
        let matched = all.then_some(self.patches != Patches::Differs);
        let answer = bootlace::Response::Patch { off, matched };
        smp::encode_response(buffer, header, &Response::Bootlace(answer))
    }
}
