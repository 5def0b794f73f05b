//! A key pair of the person's own, made by the browser's Web Crypto: ECDSA P-256, as PEM files that imgtool takes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bootlace_image::PublicKey;
use bootlace_page_parts::web_api::settled;
use bootlace_page_parts::window::window;
use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::CryptoKey;

use super::files::message;

/// Both halves.
pub(crate) struct KeyPair {
    /// PKCS#8 (RFC 5958) in PEM.
    pub(crate) private: String,
    /// SubjectPublicKeyInfo (RFC 5480) in PEM.
    pub(crate) public: String,
    /// The public half.
    pub(crate) key: PublicKey,
}

/// Makes a pair.
///
/// # Errors
/// The browser's words.
pub(crate) async fn make() -> Result<KeyPair, String> {
    generate().await.map_err(|error| message(&error))
}

async fn generate() -> Result<KeyPair, JsValue> {
    let subtle = window().crypto()?.subtle();
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &"ECDSA".into())?;
    Reflect::set(&algorithm, &"namedCurve".into(), &"P-256".into())?;
    let usages = Array::of2(&"sign".into(), &"verify".into());
    let pair = settled(subtle.generate_key_with_object(&algorithm, true, &usages)?).await?;
    let half = async |name: &str, format: &str| -> Result<Vec<u8>, JsValue> {
        let key: CryptoKey = Reflect::get(&pair, &name.into())?.unchecked_into();
        let bytes: ArrayBuffer = settled(subtle.export_key(format, &key)?).await?.unchecked_into();
        Ok(Uint8Array::new(&bytes).to_vec())
    };
    let private = half("privateKey", "pkcs8").await?;
    let public = half("publicKey", "spki").await?;
    Ok(KeyPair {
        key: PublicKey::from_der(&public).map_err(|error| JsError::new(&format!("{error:?}")))?,
        private: pem("PRIVATE KEY", &private),
        public: pem("PUBLIC KEY", &public),
    })
}

/// Lines of at most 64 letters between two that name what they are (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use bootlace_engine::{Error, read_keys};
    use bootlace_image::{Algorithm, KeyError};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    async fn both_halves_are_files_as_imgtool_writes_them_and_no_two_are_alike() {
        let (one, other) = (make().await.unwrap(), make().await.unwrap());
        assert_eq!(one.key.algorithm(), Algorithm::P256);
        assert_eq!(read_keys(one.public.as_bytes()), Ok(vec![one.key]));
        assert_eq!(
            read_keys(one.private.as_bytes()),
            Err(Error::Key(KeyError::PrivateKey))
        );
        assert!(
            one.private.lines().all(|line| line.len() <= 64),
            "{}",
            one.private
        );
        assert!(one.key != other.key && one.private != other.private);
    }
}
