//! Boards by their vendor interface ([`bootlace_engine::usb`]): which there are, an open one, and the thread that reads it.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bootlace_engine::usb::{CLASS, PROTOCOL, SUBCLASS};
use nusb::transfer::{Buffer, Bulk, In, Out, TransferError};
use nusb::{DeviceInfo, Endpoint, ErrorKind, Interface, MaybeFuture as _};

use crate::input::{Inputs, READ_TIMEOUT, WRITE_BYTES, WRITE_TIMEOUT};
use crate::unusable::Unusable;

/// Bytes that one transfer from the board may bring. A short packet ends it before.
const READ_BYTES: usize = 4096;
/// Transfers that wait for the board at once: the next one is there while the last one is looked at.
const READS: usize = 2;
/// Transfers to the board that may be on their way.
const WRITES: usize = 2;
/// How long the system may take to give a cancelled transfer back.
const CLOSING: Duration = Duration::from_secs(1);

/// A board with a vendor interface, as long as it is plugged in: after a re-plug it is another one.
#[derive(Clone, Debug)]
pub struct UsbBoard {
    device: Arc<DeviceInfo>,
    /// Number of its interface.
    interface: u8,
}

impl PartialEq for UsbBoard {
    fn eq(&self, other: &Self) -> bool {
        self.device.id() == other.device.id()
    }
}

impl Eq for UsbBoard {}

/// `usb:VID:PID:SERIAL`, as `--port` takes it.
impl Display for UsbBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (vendor, product) = self.numbers();
        write!(f, "usb:{vendor:04x}:{product:04x}")?;
        self.serial().map_or(Ok(()), |serial| write!(f, ":{serial}"))
    }
}

/// The boards that are plugged in.
pub(crate) fn boards() -> Vec<UsbBoard> {
    let is_ours =
        |it: &&nusb::InterfaceInfo| (it.class(), it.subclass(), it.protocol()) == (CLASS, SUBCLASS, PROTOCOL);
    // Where USB can't be listed at all, there are none: serial ports may be there all the same.
    let Ok(devices) = nusb::list_devices().wait() else {
        return Vec::new();
    };
    let mut boards: Vec<_> = devices
        .filter_map(|device| {
            let interface = device.interfaces().find(is_ours)?.interface_number();
            let device = Arc::new(device);
            Some(UsbBoard { device, interface })
        })
        .collect();
    boards.sort_by_key(|board| (board.to_string(), board.device.port_chain().to_vec()));
    boards
}

impl UsbBoard {
    /// Vendor and product number.
    pub fn numbers(&self) -> (u16, u16) {
        (self.device.vendor_id(), self.device.product_id())
    }

    /// Serial number, where it has one.
    pub fn serial(&self) -> Option<&str> {
        self.device.serial_number()
    }

    /// What people call it, as it says.
    pub fn product(&self) -> Option<&str> {
        self.device.product_string()
    }

    /// Where the system describes the device.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn place(&self) -> &std::path::Path {
        self.device.sysfs_path()
    }
}

pub(crate) fn unusable(error: &nusb::Error) -> Unusable {
    match error.kind() {
        ErrorKind::Disconnected | ErrorKind::NotFound => Unusable::Missing,
        ErrorKind::PermissionDenied => Unusable::Forbidden,
        ErrorKind::Busy => Unusable::Busy,
        _ => Unusable::Other(error.to_string()),
    }
}

/// An open vendor interface.
pub(crate) struct UsbLink {
    to_board: ToBoard,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl fmt::Debug for UsbLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsbLink").finish_non_exhaustive()
    }
}

impl UsbLink {
    /// Claims the board's interface, which one program can have.
    ///
    /// # Errors
    /// It is not there, not allowed or busy.
    pub(crate) fn open(board: &UsbBoard, inputs: Inputs) -> Result<Self, Unusable> {
        let device = board.device.open().wait().map_err(|error| unusable(&error))?;
        let interface = device.claim_interface(board.interface).wait();
        let interface = interface.map_err(|error| unusable(&error))?;
        let (from_board, to_board) = endpoints(&interface)?;
        let closing = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&closing);
        let reader = std::thread::spawn(move || read(from_board, &ends, &inputs));
        Ok(UsbLink {
            to_board,
            closing,
            reader: Some(reader),
        })
    }

    /// Sends what goes at once, in order; `false` if the board is gone.
    pub(crate) fn write(&mut self, outgoing: &mut VecDeque<u8>) -> bool {
        while self.to_board.pending() > 0 {
            let is_full = self.to_board.pending() >= WRITES;
            let patience = if is_full { WRITE_TIMEOUT } else { Duration::ZERO };
            match self.to_board.wait_next_complete(patience) {
                Some(completion) => {
                    if let Err(error) = completion.status
                        && !goes_on(&mut self.to_board, error)
                    {
                        return false;
                    }
                }
                None if is_full => return true,
                None => break,
            }
        }
        let (front, _) = outgoing.as_slices();
        let piece = front.get(..WRITE_BYTES).unwrap_or(front);
        let len = piece.len();
        self.to_board.submit(Buffer::from(piece));
        outgoing.drain(..len);
        true
    }
}

impl Drop for UsbLink {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.to_board.cancel_all();
        if let Some(reader) = self.reader.take() {
            // So that the interface can be claimed again at once.
            let _ = reader.join();
        }
    }
}

type FromBoard = Endpoint<Bulk, In>;
type ToBoard = Endpoint<Bulk, Out>;

/// The two endpoints of the interface.
pub(crate) fn endpoints(interface: &Interface) -> Result<(FromBoard, ToBoard), Unusable> {
    let (mut from_board, mut to_board) = (None, None);
    for endpoint in interface.descriptor().iter().flat_map(|it| it.endpoints()) {
        let address = endpoint.address();
        match endpoint.direction() {
            nusb::transfer::Direction::In => from_board = interface.endpoint::<Bulk, In>(address).ok(),
            nusb::transfer::Direction::Out => to_board = interface.endpoint::<Bulk, Out>(address).ok(),
        }
    }
    let both = from_board.zip(to_board);
    both.ok_or_else(|| Unusable::Other("its interface lacks a bulk endpoint".into()))
}

/// Reads until the board is gone or the link is closed.
fn read(mut from_board: FromBoard, ends: &AtomicBool, inputs: &Inputs) {
    while !ends.load(Ordering::Relaxed) {
        while from_board.pending() < READS {
            from_board.submit(Buffer::new(READ_BYTES));
        }
        let Some(completion) = from_board.wait_next_complete(READ_TIMEOUT) else {
            continue;
        };
        // What came before an error came.
        if !completion.buffer.is_empty() && !inputs.bytes(&completion.buffer) {
            break;
        }
        if let Err(error) = completion.status
            && !goes_on(&mut from_board, error)
        {
            inputs.gone();
            break;
        }
    }
    drain(&mut from_board);
}

/// Takes every transfer of an endpoint back.
pub(crate) fn drain<D: nusb::transfer::EndpointDirection>(endpoint: &mut Endpoint<Bulk, D>) {
    endpoint.cancel_all();
    while endpoint.pending() > 0 && endpoint.wait_next_complete(CLOSING).is_some() {}
}

/// Whether an endpoint works on after an error: one that the board has stalled is set going again, and the session asks
/// again for what was lost.
fn goes_on<D: nusb::transfer::EndpointDirection>(
    endpoint: &mut Endpoint<Bulk, D>,
    error: TransferError,
) -> bool {
    match error {
        TransferError::Cancelled => true,
        TransferError::Stall => {
            drain(endpoint);
            endpoint.clear_halt().wait().is_ok()
        }
        _ => false,
    }
}
