//! A corner of the machine where a browser sees our serial ports and nothing else does.
//!
//! [`enter`] runs the calling program again as the first process of its own user, network, mount and process
//! namespaces; it need not be root. Inside, Chromium's policy, `/proc/tty/drivers` and `/run/udev` are replaced
//! by bind mounts, so nothing on the machine changes, other programs hear no device events, and the browser has no
//! network but localhost. When the program ends, the kernel ends every process it left.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::mount::{self, MountFlags, MountPropagationFlags};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, netlink};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;
use serde_json::json;

/// Tells the inner run of the program where its scratch folder is, and that it is the inner one.
const SCRATCH: &str = "BOOTLACE_NAMESPACE";

/// Character-device major of our ports: of the range that Linux keeps for local and experimental use (60-63), so
/// that no real port of the machine passes Chromium's filter.
pub const MAJOR: u32 = 60;

/// Vendor number of the USB devices that pages get without a click: pid.codes', which has products for tests.
const TEST_VENDOR: u16 = 0x1209;
/// Loaders in chips, which a person would choose in the browser's list: the RP2040's and the STM32s'.
const LOADERS: [(u16, u16); 2] = [(0x2E8A, 3), (0x0483, 0xDF11)];

/// Where managed policies live: Chromium, and Chrome.
const POLICY_FOLDERS: [&str; 2] = ["/etc/chromium", "/etc/opt/chrome"];

/// Proof that this process runs inside its own namespaces, and its scratch folder there.
#[derive(Debug)]
pub struct Namespace {
    scratch: PathBuf,
}

impl Namespace {
    /// A folder for this run's files, removed when the outer process ends.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }
}

/// Runs the rest of the program inside namespaces of its own, where pages of `origins` (exact, such as
/// `http://localhost:8080`) get every serial port, and USB devices of the vendor for tests, without a click.
///
/// Call it first in `main`, before any thread exists. In the outer process it does not return: it waits for the
/// inner one, at most `limit`, and exits with its code.
///
/// # Errors
/// What the machine does not allow or have, named.
pub fn enter(origins: &[&str], limit: Duration) -> Result<Namespace> {
    match std::env::var_os(SCRATCH) {
        Some(scratch) => settle(PathBuf::from(scratch), origins),
        None => std::process::exit(outer(limit)?),
    }
}

/// The outer process: makes the namespaces, starts the inner process in them and waits for it.
fn outer(limit: Duration) -> Result<i32> {
    let (uid, gid) = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    // A user namespace for root as well: the real root may open a port that another program has to itself, so no port
    // would ever be busy.
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWNS | UnshareFlags::NEWPID).context(
        "this user may have no namespaces: run as root, or allow them (sysctl kernel.unprivileged_userns_clone=1, \
         kernel.apparmor_restrict_unprivileged_userns=0)",
    )?;
    // The kernel takes a group map from an ordinary user only when it has given up changing groups.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    let scratch = std::env::temp_dir().join(format!("bootlace-tests-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let inner = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(SCRATCH, &scratch)
        // libudev is to take devices whose folder in /sys is ours for devices.
        .env("SYSTEMD_DEVICE_VERIFY_SYSFS", "0")
        .spawn()
        .context("starting the tests inside their namespaces")
        .and_then(|mut child| {
            // No thread may be made here: the next process is to be in another process namespace than this one.
            let start = Instant::now();
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok(status.code().unwrap_or(1));
                }
                if start.elapsed() > limit {
                    child.kill()?;
                    child.wait()?;
                    bail!("the tests took longer than {} s and were ended", limit.as_secs());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    fs::remove_dir_all(&scratch).ok();
    inner
}

#[allow(
    unsafe_code,
    reason = "rustix marks unshare unsafe because of CLONE_FILES alone"
)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: no descriptor table is unshared, so no thread can see a descriptor that another has not.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// The inner process: replaces what Chromium and libudev look at.
fn settle(scratch: PathBuf, origins: &[&str]) -> Result<Namespace> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount::mount("proc", "/proc", "proc", MountFlags::empty(), None).context("mounting the own /proc")?;
    loopback_up().context("bringing localhost up")?;
    policy(&scratch, origins)?;

    // Chromium takes a device for a serial port when a line of type `serial` holds its numbers.
    let drivers = scratch.join("drivers");
    fs::write(
        &drivers,
        format!("bootlace             /dev/ttyBL    {MAJOR} 0-255 serial\n"),
    )?;
    mount::mount_bind(&drivers, "/proc/tty/drivers")?;

    // libudev delivers no event at all when it believes that no udevd runs; and what a real one has recorded is
    // about devices that must not be seen here.
    if Path::new("/run/udev").is_dir() {
        let udev = scratch.join("udev");
        fs::create_dir_all(&udev)?;
        fs::write(udev.join("control"), "")?;
        mount::mount_bind(&udev, "/run/udev")?;
    } else {
        mount::mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None)?;
        fs::create_dir("/run/udev")?;
        fs::write("/run/udev/control", "")?;
    }
    Ok(Namespace { scratch })
}

fn policy(scratch: &Path, origins: &[&str]) -> Result<()> {
    let mut placed = false;
    for (number, folder) in POLICY_FOLDERS.iter().enumerate() {
        if !Path::new(folder).is_dir() {
            continue;
        }
        let copy = scratch.join(format!("policy{number}"));
        copy_tree(Path::new(folder), &copy)?;
        let managed = copy.join("policies/managed");
        fs::create_dir_all(&managed)?;
        let loaders = LOADERS
            .iter()
            .map(|(vendor, product)| json!({ "vendor_id": vendor, "product_id": product }));
        let allowed: Vec<_> = [json!({ "vendor_id": TEST_VENDOR })]
            .into_iter()
            .chain(loaders)
            .collect();
        let devices = json!([{ "devices": allowed, "urls": origins }]);
        let text = json!({
            "SerialAllowAllPortsForUrls": origins,
            "WebUsbAllowDevicesForUrls": devices,
        });
        let text = text.to_string();
        fs::File::create(managed.join("bootlace-tests.json"))?.write_all(text.as_bytes())?;
        mount::mount_bind(&copy, *folder)?;
        placed = true;
    }
    if !placed {
        bail!(
            "there is no /etc/chromium to put a policy over: install Debian's chromium (or make the folder)"
        );
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if entry.path().is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// `ip link set lo up`, as one RTM_NEWLINK message: 16 bytes of nlmsghdr, 16 of ifinfomsg.
fn loopback_up() -> Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 0x0005;
    const IFF_UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend([0; 8]); // sequence number, port
    message.extend([0; 4]); // family, padding, link type
    message.extend(1u32.to_ne_bytes()); // lo is the first interface of every network namespace
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // which flags change
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // protocol 0 is NETLINK_ROUTE
    )?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 64];
    let (length, _) = rustix::net::recv(&socket, &mut answer[..], rustix::net::RecvFlags::empty())?;
    match answer.get(16..20).filter(|_| length >= 20) {
        Some([0, 0, 0, 0]) => Ok(()),
        other => bail!("the kernel refused: {other:?}"),
    }
}
