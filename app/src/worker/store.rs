//! Images that were seen before, kept by the browser under their hash: what patches are made from, also without a
//! network. Bounded; the oldest go first.
//!
//! They lie in a `Cache`, which keeps the order in which they came. What is to be shown of an image is part of its
//! address there, so that a list needs no contents.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, Request, Response};

use super::scope;
use crate::messages::KeptImage;

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
    Some(JsFuture::from(caches.open(CACHE)).await.ok()?.unchecked_into())
}

fn address(image: &KeptImage) -> String {
    let part = |text: &str| String::from(js_sys::encode_uri_component(text));
    let KeptImage {
        hash,
        size,
        version,
        file,
    } = image;
    format!("{FOLDER}{hash}/{size}/{}/{}", part(version), part(file))
}

fn parse(address: &str) -> Option<KeptImage> {
    let (_, parts) = address.split_once(FOLDER)?;
    let mut parts = parts.split('/');
    let text = |part: Option<&str>| js_sys::decode_uri_component(part?).ok().map(String::from);
    Some(KeptImage {
        hash: parts.next()?.to_owned(),
        size: parts.next()?.parse().ok()?,
        version: text(parts.next())?,
        file: text(parts.next())?,
    })
}

async fn requests(cache: &Cache) -> Vec<(KeptImage, Request)> {
    let Ok(keys) = JsFuture::from(cache.keys()).await else {
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
    _ = JsFuture::from(cache.delete_with_request(request)).await;
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
        _ = JsFuture::from(cache.put_with_str(&address(image), &response)).await;
    }
}

/// The bytes of the image with this hash, if it is kept.
pub(super) async fn find(hash: &str) -> Option<Vec<u8>> {
    let cache = cache().await?;
    let all = requests(&cache).await;
    let (_, request) = all.iter().find(|(image, _)| image.hash == hash)?;
    let found = JsFuture::from(cache.match_with_request(request)).await.ok()?;
    let response: Response = found.dyn_into().ok()?;
    let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
    Some(Uint8Array::new(buffer.as_ref()).to_vec())
}

/// Forgets the image with this hash; all of them without one.
pub(super) async fn forget(hash: Option<&str>) {
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

    fn image(hash: &str, size: u32) -> KeptImage {
        KeptImage {
            hash: hash.into(),
            size,
            version: "1.2.3+4".into(),
            file: "ä / b?#%.bin".into(),
        }
    }

    async fn hashes() -> String {
        list().await.into_iter().map(|image| image.hash).collect()
    }

    /// One test: they share the browser's cache.
    #[test]
    async fn images_are_kept_in_order_found_and_forgotten_and_the_oldest_go() {
        forget(None).await;
        for (hash, bytes) in [("a", b"one"), ("b", b"two"), ("c", b"six")] {
            keep(&image(hash, 3), bytes).await;
        }
        assert_eq!(list().await.last(), Some(&image("c", 3)), "names survive");
        assert_eq!(find("b").await.as_deref(), Some(&b"two"[..]));
        assert_eq!(find("d").await, None);
        // Seen again: the latest.
        keep(&image("a", 3), b"one").await;
        assert_eq!(hashes().await, "bca");
        forget(Some("c")).await;
        assert_eq!(hashes().await, "ba");
        // Room for one more of this size, and not for the oldest.
        keep(&image("d", MOST_BYTES - 5), b"large").await;
        assert_eq!(hashes().await, "ad");
        keep(&image("e", MOST_BYTES + 1), b"too large").await;
        assert_eq!(hashes().await, "ad");
        for number in 0..MOST_IMAGES {
            keep(&image(&format!("{number}-"), 1), b"x").await;
        }
        let all = list().await;
        assert_eq!(all.len(), MOST_IMAGES);
        assert_eq!(all.first().map(|image| image.hash.as_str()), Some("0-"));
        forget(None).await;
        assert_eq!(hashes().await, "");
    }
}
