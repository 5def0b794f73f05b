//! Images that were seen before, kept by the browser under their hash: what patches are made from, also without a
//! network. Bounded; the oldest go first.
//!
//! They lie in a `Cache`, which keeps the order in which they came. What is to be shown of an image is part of its
//! address there, so that a list needs no contents.

use bootlace_page_parts::web_api::settled;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Cache, CacheStorage, Request, Response};

use bootlace_engine::is_listed_as;

use super::scope::scope;
use crate::messages::KeptImage;
use bootlace_engine::words::{hex, unhex};

/// Name of the cache.
const CACHE: &str = "bootlace-images";
/// The first part of each address in it, below the page's own.
const FOLDER: &str = "/kept/";
/// Bytes and images that are kept at most: some dozens of versions of a firmware.
const MOST_BYTES: u32 = 24 * 1024 * 1024;
const MOST_IMAGES: usize = 48;

/// The cache; none where the browser gives no room (a page that is not secure, some private windows).
async fn cache() -> Option<Cache> {
    let caches: JsValue = scope().caches().ok()?.into();
    let caches: CacheStorage = caches.is_object().then(|| caches.unchecked_into())?;
    Some(settled(caches.open(CACHE)).await.ok()?.unchecked_into())
}

fn address(image: &KeptImage) -> String {
    let part = |text: &str| String::from(js_sys::encode_uri_component(text));
    let KeptImage {
        hash,
        size,
        version,
        file,
    } = image;
    format!("{FOLDER}{}/{size}/{}/{}", hex(hash), part(version), part(file))
}

fn parse(address: &str) -> Option<KeptImage> {
    let (_, parts) = address.split_once(FOLDER)?;
    let mut parts = parts.split('/');
    let text = |part: Option<&str>| js_sys::decode_uri_component(part?).ok().map(String::from);
    Some(KeptImage {
        hash: unhex(parts.next()?)?,
        size: parts.next()?.parse().ok()?,
        version: text(parts.next())?,
        file: text(parts.next())?,
    })
}

async fn requests(cache: &Cache) -> Vec<(KeptImage, Request)> {
    let Ok(keys) = settled(cache.keys()).await else {
        return Vec::new();
    };
    Array::from(keys.as_ref())
        .iter()
        .map(JsCast::unchecked_into::<Request>)
        .filter_map(|request| Some((parse(&request.url())?, request)))
        .collect()
}

async fn delete(cache: &Cache, request: &Request) {
    // What can't be deleted is gone already.
    _ = settled(cache.delete_with_request(request)).await;
}

/// What is kept, the latest last.
pub(super) async fn list() -> Vec<KeptImage> {
    match cache().await {
        Some(cache) => requests(&cache).await.into_iter().map(|it| it.0).collect(),
        None => Vec::new(),
    }
}

/// Keeps an image, as the latest; what no longer fits goes.
pub(super) async fn keep(image: &KeptImage, bytes: &[u8]) {
    let Some(cache) = cache().await.filter(|_| image.size <= MOST_BYTES) else {
        return;
    };
    let mut room = MOST_BYTES - image.size;
    let mut places = MOST_IMAGES - 1;
    for (old, request) in requests(&cache).await.into_iter().rev() {
        if old.hash != image.hash && old.size <= room && places > 0 {
            room -= old.size;
            places -= 1;
        } else {
            delete(&cache, &request).await;
        }
    }
    if let Ok(response) = Response::new_with_opt_js_u8_array(Some(&Uint8Array::from(bytes))) {
        // A browser without room keeps nothing: images are sent as a whole, then.
        _ = settled(cache.put_with_str(&address(image), &response)).await;
    }
}

/// The bytes of the image that a board lists with this hash, if it is kept.
pub(super) async fn find(hash: &[u8]) -> Option<Vec<u8>> {
    let cache = cache().await?;
    let all = requests(&cache).await;
    let (_, request) = all.iter().find(|(image, _)| is_listed_as(&image.hash, hash))?;
    let found = settled(cache.match_with_request(request)).await.ok()?;
    let response: Response = found.dyn_into().ok()?;
    let buffer = settled(response.array_buffer().ok()?).await.ok()?;
    Some(Uint8Array::new(buffer.as_ref()).to_vec())
}

/// Deletes the image with this hash; all of them without one.
pub(super) async fn delete_images(hash: Option<&[u8]>) {
    let Some(cache) = cache().await else { return };
    for (image, request) in requests(&cache).await {
        if hash.is_none_or(|hash| hash == image.hash) {
            delete(&cache, &request).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn image(hash: u8, size: u32) -> KeptImage {
        KeptImage {
            hash: vec![hash; 2],
            size,
            version: "1.2.3+4".into(),
            file: "ä / b?#%.bin".into(),
        }
    }

    async fn hashes() -> Vec<u8> {
        list().await.iter().map(|image| image.hash[0]).collect()
    }

    /// One test: they share the browser's cache.
    #[test]
    async fn images_are_kept_in_order_found_and_deleted_and_the_oldest_go() {
        delete_images(None).await;
        for (hash, bytes) in [(b'a', b"one"), (b'b', b"two"), (b'c', b"six")] {
            keep(&image(hash, 3), bytes).await;
        }
        assert_eq!(list().await.last(), Some(&image(b'c', 3)), "names survive");
        assert_eq!(find(b"bb").await.as_deref(), Some(&b"two"[..]));
        assert_eq!(find(b"dd").await, None);
        // Seen again: the latest.
        keep(&image(b'a', 3), b"one").await;
        assert_eq!(hashes().await, b"bca");
        delete_images(Some(b"cc")).await;
        assert_eq!(hashes().await, b"ba");
        // Room for one more of this size, and not for the oldest.
        keep(&image(b'd', MOST_BYTES - 5), b"large").await;
        assert_eq!(hashes().await, b"ad");
        keep(&image(b'e', MOST_BYTES + 1), b"too large").await;
        assert_eq!(hashes().await, b"ad");
        for number in 0..MOST_IMAGES as u8 {
            keep(&image(number, 1), b"x").await;
        }
        let all = list().await;
        assert_eq!(all.len(), MOST_IMAGES);
        assert_eq!(all.first().map(|image| image.hash[0]), Some(0));
        delete_images(None).await;
        assert_eq!(hashes().await, b"");
    }
}
