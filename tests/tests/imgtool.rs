//! Verdicts on images that imgtool makes are imgtool's own, but for the rules that are stricter on purpose.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use bootlace_image::{Error, FormatError, Image, OutOfRange, Policy, PublicKey, Refusal, TlvKind, Verified};
use bootlace_tests::tools;

/// Keys, fresh for each run, and a small payload.
struct Signers {
    folder: PathBuf,
}

impl Signers {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Signers> = OnceLock::new();
        SHARED.get_or_init(|| {
            let folder =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("imgtool-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let signers = Self { folder };
            for (name, kind) in [
                ("p256", "ecdsa-p256"),
                ("other-p256", "ecdsa-p256"),
                ("ed25519", "ed25519"),
                ("other-ed25519", "ed25519"),
                ("rsa2048", "rsa-2048"),
                ("other-rsa2048", "rsa-2048"),
                ("rsa3072", "rsa-3072"),
            ] {
                let key = signers.path(&format!("{name}.pem"));
                signers.imgtool(["keygen", "--type", kind, "--key", &key]);
                let public = signers.imgtool(["getpub", "--encoding", "pem", "--key", &key]);
                fs::write(signers.path(&format!("{name}.pub.pem")), public).unwrap();
            }
            // A vector table for 0x0800_8000, then anything.
            let payload: Vec<u8> = [0x2001_0000u32, 0x0800_8101]
                .into_iter()
                .chain(0..500)
                .flat_map(u32::to_le_bytes)
                .collect();
            fs::write(signers.path("payload"), payload).unwrap();
            signers
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).into_os_string().into_string().unwrap()
    }

    fn imgtool<const N: usize>(&self, arguments: [&str; N]) -> String {
        let imgtool = tools::required("BOOTLACE_IMGTOOL").unwrap();
        tools::output(Command::new(imgtool).args(arguments)).unwrap()
    }

    fn public(&self, key: &str) -> PublicKey {
        PublicKey::from_pem(&fs::read_to_string(self.path(&format!("{key}.pub.pem"))).unwrap()).unwrap()
    }

    /// Signs `payload` with imgtool: a key's name or none, and further options separated by spaces.
    fn sign(&self, name: &str, payload: &str, key: Option<&str>, options: &str) -> Vec<u8> {
        let imgtool = tools::required("BOOTLACE_IMGTOOL").unwrap();
        let image = self.path(name);
        let mut command = Command::new(imgtool);
        command.args([
            "sign",
            "--version",
            "1.2.3+4",
            "--header-size",
            "0x200",
            "--pad-header",
            "--align",
            "8",
        ]);
        command.args(["--slot-size", "0x80000"]);
        if let Some(key) = key {
            command.args(["--key", &self.path(&format!("{key}.pem"))]);
        }
        tools::output(command.args(options.split_whitespace()).args([payload, &image])).unwrap();
        fs::read(image).unwrap()
    }

    /// imgtool's verdict on these bytes.
    fn accepts(&self, name: &str, bytes: &[u8], key: &str) -> bool {
        let image = self.path(name);
        fs::write(&image, bytes).unwrap();
        let key = self.path(&format!("{key}.pub.pem"));
        let imgtool = tools::required("BOOTLACE_IMGTOOL").unwrap();
        Command::new(imgtool)
            .args(["verify", "--key", &key, &image])
            .output()
            .unwrap()
            .status
            .success()
    }
}

fn ours(bytes: &[u8], key: PublicKey) -> Result<Verified, Error<OutOfRange>> {
    let mut source = bytes;
    let image = Image::read(&mut source)?;
    image.verify(&mut source, &[key], &Policy::default())
}

/// Both verdicts must be the same, and the one expected.
fn same(name: &str, bytes: &[u8], key: &str, good: bool) {
    let signers = Signers::shared();
    let verdict = ours(bytes, signers.public(key));
    assert_eq!(verdict.is_ok(), good, "{name} with {key}: {verdict:?}");
    assert_eq!(
        signers.accepts(name, bytes, key),
        good,
        "imgtool on {name} with {key}"
    );
}

/// imgtool accepts it, we do not, for this reason.
fn stricter(name: &str, bytes: &[u8], key: &str, reason: impl Into<Error<OutOfRange>>) {
    let signers = Signers::shared();
    assert!(signers.accepts(name, bytes, key), "imgtool on {name} with {key}");
    assert_eq!(
        ours(bytes, signers.public(key)),
        Err(reason.into()),
        "{name} with {key}"
    );
}

/// Names of keys, and the TLV of the signatures that they make.
const SIGNATURES: [(&str, TlvKind); 4] = [
    ("p256", TlvKind::ECDSA),
    ("ed25519", TlvKind::ED25519),
    ("rsa2048", TlvKind::RSA2048),
    ("rsa3072", TlvKind::RSA3072),
];

fn signed(key: &str) -> Vec<u8> {
    let signers = Signers::shared();
    signers.sign(
        &format!("signed-{key}-{:?}", thread::current().id()),
        &signers.path("payload"),
        Some(key),
        "",
    )
}

/// Where the TLV of this kind starts, its four bytes of type and length included, and its length with them.
fn find(bytes: &[u8], kind: TlvKind) -> (usize, usize) {
    let mut source = bytes;
    let image = Image::read(&mut source).unwrap();
    let tlv = image
        .tlvs(&mut source)
        .map(Result::unwrap)
        .find(|tlv| tlv.kind == kind)
        .unwrap();
    (tlv.offset as usize - 4, usize::from(tlv.len) + 4)
}

/// Puts a TLV at the end of the unprotected area, or before its first entry.
fn insert(bytes: &[u8], kind: TlvKind, value: &[u8], first: bool) -> Vec<u8> {
    let mut source = bytes;
    let image = Image::read(&mut source).unwrap();
    let area = image.covered_len() as usize;
    let mut changed = bytes.to_vec();
    let size = u16::from_le_bytes([bytes[area + 2], bytes[area + 3]]) + value.len() as u16 + 4;
    changed[area + 2..area + 4].copy_from_slice(&size.to_le_bytes());
    let entry = [&kind.0.to_le_bytes(), &(value.len() as u16).to_le_bytes(), value].concat();
    let at = if first {
        area + 4
    } else {
        image.total_len() as usize
    };
    changed.splice(at..at, entry);
    changed
}

/// What `bootlace key new` makes is a key like any other to imgtool, both halves of it.
#[test]
fn imgtool_signs_with_a_key_that_bootlace_made() {
    let signers = Signers::shared();
    for algorithm in ["p256", "ed25519"] {
        let name = format!("made-{algorithm}");
        let private = signers.path(&format!("{name}.pem"));
        let mut command = Command::new(tools::cli().unwrap());
        tools::output(command.args(["key", "new", &private, "--algorithm", algorithm])).unwrap();
        let getpub = signers.imgtool(["getpub", "--encoding", "pem", "--key", &private]);
        let public = fs::read_to_string(signers.path(&format!("{name}.pub.pem"))).unwrap();
        assert_eq!(getpub.trim(), public.trim());
        let file = signers.sign(&format!("{name}.bin"), &signers.path("payload"), Some(&name), "");
        assert!(ours(&file, signers.public(&name)).is_ok(), "{name}");
    }
}

#[test]
fn whatever_imgtool_signs_is_verified() {
    let signers = Signers::shared();
    let payload = signers.path("payload");
    let options = [
        "",
        "--security-counter auto",
        "--vid example.org --cid board-a",
        "--vid aad03681-8b63-5304-89e0-8ca8f49461b5",
        "--custom-tlv 0xa0 0x1234 --custom-tlv 0x10a0 text",
        "--boot-record app --dependencies (1,1.2.3+0)",
        "--rom-fixed 0x08008000",
        "--public-key-format full",
        "--confirm",
        "--max-align 32 --test",
        "--header-size 0x20",
    ];
    let images = |key: &'static str, options: &[&'static str], more: &[&'static str]| {
        for (index, options) in options.iter().chain(more).enumerate() {
            // A space inside an argument would be split.
            let bytes = signers.sign(&format!("made-{key}-{index}"), &payload, Some(key), options);
            same(&format!("made-{key}-{index}"), &bytes, key, true);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| images("p256", &options, &["--pad-sig"]));
        scope.spawn(|| images("ed25519", &options, &["--sha 512", "--pure"]));
        scope.spawn(|| images("rsa2048", &options[..3], &["--public-key-format full"]));
        scope.spawn(|| images("rsa3072", &options[..2], &["--confirm"]));
    });
}

#[test]
fn an_image_is_refused_for_every_key_but_its_signers() {
    let signers = Signers::shared();
    for (key, others) in [
        ("p256", ["other-p256", "ed25519"]),
        ("ed25519", ["other-ed25519", "p256"]),
        ("rsa2048", ["other-rsa2048", "rsa3072"]),
        ("rsa3072", ["rsa2048", "p256"]),
    ] {
        let image = signed(key);
        for other in others {
            same(&format!("by-{key}-for-{other}"), &image, other, false);
        }
        let unsigned = signers.sign(&format!("unsigned-{key}"), &signers.path("payload"), None, "");
        same(&format!("unsigned-{key}"), &unsigned, key, false);
    }
    let pure = signers.sign("pure", &signers.path("payload"), Some("ed25519"), "--pure");
    same("pure-other", &pure, "other-ed25519", false);
}

#[test]
fn an_altered_image_is_refused() {
    for (key, signature) in SIGNATURES {
        let image = Signers::shared().sign(
            &format!("unaltered-{key}"),
            &Signers::shared().path("payload"),
            Some(key),
            "--security-counter 5",
        );
        let last = |kind| find(&image, kind).0 + find(&image, kind).1 - 1;
        for (what, at) in [
            ("magic", 0),
            ("version", 20),
            ("payload", 0x400),
            ("counter", last(TlvKind::SEC_CNT)),
            ("digest", last(TlvKind::SHA256)),
            ("signature", last(signature)),
        ] {
            let mut altered = image.clone();
            altered[at] ^= 0x01;
            same(&format!("altered-{key}-{what}"), &altered, key, false);
        }
        same(&format!("cut-{key}"), &image[..0x500], key, false);
    }
}

/// An RSA signature has no byte that may differ.
#[test]
fn an_rsa_signature_with_any_byte_altered_is_refused() {
    for (key, kind) in [("rsa2048", TlvKind::RSA2048), ("rsa3072", TlvKind::RSA3072)] {
        let mut image = signed(key);
        let public = Signers::shared().public(key);
        assert!(ours(&image, public).is_ok());
        let (at, len) = find(&image, kind);
        for byte in at + 4..at + len {
            let bit = 1 << (byte % 8);
            image[byte] ^= bit;
            let key_hash = public.hash();
            assert_eq!(
                ours(&image, public),
                Err(Refusal::BadSignature { key_hash }.into()),
                "{key}: byte {byte}"
            );
            image[byte] ^= bit;
        }
    }
}

/// The right key alone does not do: the signature must be PSS as imgtool makes it, over the image's own bytes.
#[test]
fn an_rsa_signature_of_another_scheme_or_of_other_bytes_is_refused() {
    const SIGN: &str = "
import sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
key = serialization.load_pem_private_key(open(sys.argv[1], 'rb').read(), None)
covered = open(sys.argv[2], 'rb').read()
kinds = {'pss': padding.PSS(padding.MGF1(hashes.SHA256()), 32), 'pss-no-salt': padding.PSS(padding.MGF1(hashes.SHA256()), 0),
         'pss-sha1-mask': padding.PSS(padding.MGF1(hashes.SHA1()), 32), 'pkcs1': padding.PKCS1v15()}
kinds['pss-of-other-bytes'] = kinds['pss']
if sys.argv[3] == 'pss-of-other-bytes': covered += b' '
print(key.sign(covered, kinds[sys.argv[3]], hashes.SHA256()).hex())
";
    let signers = Signers::shared();
    let python = tools::required("BOOTLACE_PYTHON").unwrap();
    for (key, kind) in [("rsa2048", TlvKind::RSA2048), ("rsa3072", TlvKind::RSA3072)] {
        let mut image = signed(key);
        let covered = Image::read(&mut &image[..]).unwrap().covered_len() as usize;
        let covered_file = signers.path(&format!("covered-{key}"));
        fs::write(&covered_file, &image[..covered]).unwrap();
        let (at, len) = find(&image, kind);
        for (scheme, good) in [
            ("pss", true),
            ("pss-no-salt", false),
            ("pss-sha1-mask", false),
            ("pkcs1", false),
            ("pss-of-other-bytes", false),
        ] {
            let private = signers.path(&format!("{key}.pem"));
            let signature =
                tools::output(Command::new(&python).args(["-c", SIGN, &private, &covered_file, scheme]))
                    .unwrap();
            let signature: Vec<u8> = (0..signature.trim().len())
                .step_by(2)
                .map(|digit| u8::from_str_radix(&signature[digit..digit + 2], 16).unwrap())
                .collect();
            image[at + 4..at + len].copy_from_slice(&signature);
            same(&format!("{key}-{scheme}"), &image, key, good);
        }
    }
}

/// The only thing that names the key must name the right one, as in MCUboot: imgtool tries the key it is given.
#[test]
fn stricter_the_key_must_be_named() {
    for (key, _) in SIGNATURES {
        let mut image = signed(key);
        let (at, len) = find(&image, TlvKind::KEYHASH);
        let value: [u8; 32] = image[at + 4..at + len].try_into().unwrap();
        let mut other = value;
        other[0] ^= 1;
        image[at + 4] ^= 1;
        stricter(
            &format!("renamed-{key}"),
            &image,
            key,
            Refusal::UnknownSigner {
                key_hash: Some(other),
            },
        );
    }
}

#[test]
fn stricter_tlvs_that_count_must_be_protected() {
    for (key, _) in SIGNATURES {
        let image = insert(&signed(key), TlvKind::SEC_CNT, &[9, 0, 0, 0], true);
        stricter(
            &format!("moved-{key}"),
            &image,
            key,
            Refusal::UnprotectedTlv {
                kind: TlvKind::SEC_CNT,
            },
        );
    }
}

#[test]
fn stricter_there_is_one_digest() {
    let image = signed("p256");
    let (at, len) = find(&image, TlvKind::SHA256);
    let twice = insert(&image, TlvKind::SHA256, &image[at + 4..at + len], true);
    stricter(
        "two-digests",
        &twice,
        "p256",
        FormatError::DuplicateTlv {
            kind: TlvKind::SHA256,
        },
    );
}

#[test]
fn stricter_signatures_have_one_spelling() {
    let mut image = Signers::shared().sign(
        "spelling",
        &Signers::shared().path("payload"),
        Some("p256"),
        "--pad-sig",
    );
    let (at, len) = find(&image, TlvKind::ECDSA);
    let key_hash = Signers::shared().public("p256").hash();
    // Behind the signature proper, of which the second byte tells the length.
    let end = at + 4 + usize::from(image[at + 5]) + 2;
    if end == at + len {
        // No room was left to pad: nothing to alter this time.
        return;
    }
    image[end] = 1;
    stricter("spelling", &image, "p256", Refusal::BadSignature { key_hash });
}

#[test]
fn stricter_only_what_runs_in_place_is_taken() {
    let signers = Signers::shared();
    let enc = signers.path("other-p256.pub.pem");
    for (name, options, reason) in [
        ("clear", format!("--encrypt {enc} --clear"), Refusal::Encrypted),
        ("compressed", "--compression lzma2".into(), Refusal::Compressed),
        ("non-bootable", "--non-bootable".into(), Refusal::NonBootable),
        ("ram", "--load-addr 0x20000000".into(), Refusal::RamLoad),
    ] {
        let image = signers.sign(name, &signers.path("payload"), Some("p256"), &options);
        stricter(name, &image, "p256", reason);
    }
    // imgtool takes the ciphertext for an altered image; both refuse it.
    let image = signers.sign(
        "encrypted",
        &signers.path("payload"),
        Some("p256"),
        &format!("--encrypt {enc}"),
    );
    same("encrypted", &image, "p256", false);
    assert_eq!(
        ours(&image, signers.public("p256")),
        Err(Refusal::Encrypted.into())
    );
}

#[test]
fn stricter_development_keys_are_refused() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/image/tests/data");
    for key in ["published-p256", "published-ed25519"] {
        let signers = Signers::shared();
        fs::copy(
            data.join(format!("{key}.pub.pem")),
            signers.path(&format!("{key}.pub.pem")),
        )
        .unwrap();
        let image = fs::read(data.join(format!("{key}.bin"))).unwrap();
        stricter(
            key,
            &image,
            key,
            Refusal::DevelopmentKey {
                key_hash: signers.public(key).hash(),
            },
        );
    }
}

/// Real firmware, signed by each algorithm, and what a damaged copy of it is worth.
#[test]
fn real_firmware_is_verified_and_refused_with_any_flipped_bit() {
    const FLIPS: u64 = 10_000;
    let signers = Signers::shared();
    let firmware = tools::required("BOOTLACE_FIRMWARE").unwrap();
    for name in ["primehub-7.27.0", "primehub-7.28.0", "movehub-7.28.0"] {
        for (key, _) in SIGNATURES {
            let payload = firmware
                .join(format!("{name}.bin"))
                .into_os_string()
                .into_string()
                .unwrap();
            let image = signers.sign(
                &format!("{name}-{key}"),
                &payload,
                Some(key),
                "--security-counter auto",
            );
            same(&format!("{name}-{key}"), &image, key, true);
            if name == "primehub-7.28.0" && !key.starts_with("rsa") {
                let key = signers.public(key);
                // Halves of the seeds on two cores; each algorithm sees half of the flips.
                thread::scope(|scope| {
                    for half in 0..2 {
                        let image = image.clone();
                        scope.spawn(move || flip(image, key, half * (FLIPS / 4)..(half + 1) * (FLIPS / 4)));
                    }
                });
            }
        }
    }
}

fn flip(mut image: Vec<u8>, key: PublicKey, seeds: std::ops::Range<u64>) {
    assert!(ours(&image, key).is_ok());
    for seed in seeds {
        // SplitMix64's mixing; every eighth flip falls into header or TLVs.
        let mut number = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        let at = (number >> 3) as usize;
        let at = match seed % 16 {
            0 => at % 32,
            8 => image.len() - 1 - at % 150,
            _ => at % image.len(),
        };
        image[at] ^= 1 << (number % 8);
        assert!(ours(&image, key).is_err(), "seed {seed}: byte {at}");
        image[at] ^= 1 << (number % 8);
    }
    assert!(ours(&image, key).is_ok());
}
