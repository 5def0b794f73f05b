//! The chip's USB controller as a device, for `usb-device` (datasheet, 4.1). It is polled: while flash is busy the controller itself
//! keeps the host waiting, but for packets of an upload ([`received`]).
//!
//! Packets lie in the controller's own memory, one buffer of 64 bytes for each endpoint and direction.

use core::cell::Cell;

use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

use crate::buffers::{AVAILABLE, BUFFER_STATUS, FULL, LENGTH, ODD, PACKET, STALL, next_packet};
use crate::received;
use crate::registers::{block, clear, read, restart, set, write};

/// The controller's memory: the request of the host, the endpoints' configuration, what is in their buffers, the buffers.
const MEMORY: usize = 0x5010_0000;
const REQUEST: usize = MEMORY;
/// Endpoint 1; endpoint 0 needs none. Of each endpoint the direction to the host comes first.
const ENDPOINT_CONTROL: usize = MEMORY + 0x8;
const BUFFER_CONTROL: usize = MEMORY + 0x80;
/// Both directions of endpoint 0 have the same.
const BUFFER_0: usize = MEMORY + 0x100;
const BUFFERS: usize = MEMORY + 0x180;

/// Registers.
const ADDRESS: usize = 0x5011_0000;
const MAIN_CONTROL: usize = 0x5011_0040;
const SIE_CONTROL: usize = 0x5011_004C;
const SIE_STATUS: usize = 0x5011_0050;
const STALL_ARMED: usize = 0x5011_0068;
const MUXING: usize = 0x5011_0074;
const POWER: usize = 0x5011_0078;
const INTERRUPTS_ON: usize = 0x5011_0090;

/// Bits of [`SIE_STATUS`].
const SUSPENDED: u32 = 1 << 4;
const RESUMED: u32 = 1 << 11;
const HAS_REQUEST: u32 = 1 << 17;
const BUS_RESET: u32 = 1 << 19;

/// Endpoint 0 in [`BUFFER_STATUS`].
const TO_HOST_0: u32 = 1;
const FROM_HOST_0: u32 = 2;

/// Endpoints that can be used; the controller has 16.
const ENDPOINTS: usize = 8;

/// The controller.
#[derive(Debug)]
pub struct Usb {
    /// Configuration of the endpoints from 1 on, to the host and from it; 0 where there is none.
    endpoints: [[u32; 2]; ENDPOINTS],
    /// Offset of the next free buffer.
    free: usize,
    /// Bytes from the host that the request at endpoint 0 still announces, or one empty packet.
    expected: Cell<usize>,
}

// SAFETY: this chip's second core does not run, and no interrupt handler uses the controller.
#[allow(unsafe_code, reason = "the trait asks for it")]
unsafe impl Sync for Usb {}

impl Default for Usb {
    fn default() -> Self {
        Usb {
            endpoints: [[0; 2]; ENDPOINTS],
            free: BUFFERS - MEMORY,
            expected: Cell::new(0),
        }
    }
}

/// Where an endpoint's buffer control lies.
fn control_of(endpoint: EndpointAddress) -> usize {
    BUFFER_CONTROL + 8 * endpoint.index() + 4 * usize::from(endpoint.is_out())
}

/// An endpoint's bit in [`BUFFER_STATUS`].
fn bit_of(endpoint: EndpointAddress) -> u32 {
    1 << (2 * endpoint.index() + usize::from(endpoint.is_out()))
}

/// Gives a buffer to the controller. The controller's clock is slower than the processor's: what the bit makes it read has
/// to be there before (datasheet, 4.1.2.5.1).
fn hand_over(control: usize, value: u32) {
    write(control, value);
    const CYCLES: u32 = 12;
    cortex_m::asm::delay(CYCLES);
    write(control, value | AVAILABLE);
}

/// The host has asked something at endpoint 0.
fn has_request() -> bool {
    read(SIE_STATUS) & HAS_REQUEST != 0
}

impl Usb {
    /// Where an endpoint's buffer lies; `None` where there is no such endpoint.
    fn buffer(&self, endpoint: EndpointAddress) -> Option<usize> {
        const OFFSET: u32 = 0xFFFF;
        match endpoint.index() {
            0 => Some(BUFFER_0),
            index => {
                let configured = self.endpoints.get(index)?;
                let [to_host, from_host] = *configured;
                let value = if endpoint.is_out() { from_host } else { to_host };
                (value != 0).then_some(MEMORY + (value & OFFSET) as usize)
            }
        }
    }

    /// Every endpoint but 0, with its configuration.
    fn others(&self) -> impl Iterator<Item = (EndpointAddress, u32)> {
        let all = self.endpoints.iter().enumerate().skip(1);
        all.flat_map(|(index, [to_host, from_host])| {
            let address = |direction| EndpointAddress::from_parts(index, direction);
            [
                (address(UsbDirection::In), *to_host),
                (address(UsbDirection::Out), *from_host),
            ]
        })
        .filter(|(_, configuration)| *configuration != 0)
    }

    /// Takes the host's request, which ends whatever went on at endpoint 0.
    fn take_request(&self, bytes: &mut [u8]) -> Result<usize> {
        const LEN: usize = 8;
        let request = bytes.get_mut(..LEN).ok_or(UsbError::BufferOverflow)?;
        // Before it is read: one that takes its place meanwhile is announced again.
        write(SIE_STATUS, HAS_REQUEST);
        copy_out(REQUEST, request);
        let [to_host, from_host] = [0x80, 0x00].map(|address| control_of(EndpointAddress::from(address)));
        // Something comes from the host: its data, or its word that it has received ours.
        let is_to_host = request.first().is_some_and(|kind| kind & 0x80 != 0);
        let announced = match request.last_chunk() {
            Some(length) => usize::from(u16::from_le_bytes(*length)),
            None => 0,
        };
        self.expected.set(if is_to_host { 0 } else { announced });
        // The packets of both directions go on with DATA1.
        write(to_host, 0);
        write(BUFFER_STATUS, TO_HOST_0);
        // This request's data may be there already, in a buffer that the host has left unused: a packet as long as announced.
        let has_data = !is_to_host && read(BUFFER_STATUS) & FROM_HOST_0 != 0;
        if has_data && announced > 0 && (read(from_host) & LENGTH) as usize == announced.min(PACKET) {
            return Ok(LEN);
        }
        write(from_host, 0);
        write(BUFFER_STATUS, FROM_HOST_0);
        if announced > 0 {
            hand_over(from_host, next_packet(0) | PACKET as u32);
        }
        Ok(LEN)
    }
}

/// Copies from the controller's memory.
fn copy_out(from: usize, bytes: &mut [u8]) {
    let mut at = from;
    let (words, rest) = bytes.as_chunks_mut();
    for word in words {
        *word = read(at).to_le_bytes();
        at += 4;
    }
    if !rest.is_empty() {
        let last = read(at).to_le_bytes();
        rest.iter_mut().zip(last).for_each(|(place, byte)| *place = byte);
    }
}

/// Copies into the controller's memory.
fn copy_in(to: usize, bytes: &[u8]) {
    for (index, chunk) in bytes.chunks(4).enumerate() {
        let mut word = [0; 4];
        word.iter_mut()
            .zip(chunk)
            .for_each(|(place, byte)| *place = *byte);
        write(to + 4 * index, u32::from_le_bytes(word));
    }
}

impl UsbBus for Usb {
    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        wanted: Option<EndpointAddress>,
        kind: EndpointType,
        max_packet_size: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        if let Some(address) = wanted.filter(|wanted| wanted.index() == 0) {
            return Ok(address);
        }
        if usize::from(max_packet_size) > PACKET || wanted.is_some() {
            return Err(UsbError::Unsupported);
        }
        const ENABLED: u32 = 1 << 31;
        const STATUS_EACH_PACKET: u32 = 1 << 29;
        const KIND: u32 = 26;
        let side = usize::from(direction == UsbDirection::Out);
        let mut all = self.endpoints.iter_mut().enumerate().skip(1);
        let free = all.find_map(|(index, sides)| {
            let place = sides.get_mut(side)?;
            (*place == 0).then_some((index, place))
        });
        let (index, place) = free.ok_or(UsbError::EndpointOverflow)?;
        let kind = u32::from(kind.to_bm_attributes() & 3);
        *place = ENABLED | STATUS_EACH_PACKET | kind << KIND | self.free as u32;
        self.free += PACKET;
        Ok(EndpointAddress::from_parts(index, direction))
    }

    fn enable(&mut self) {
        restart(block::USB);
        // What the controller's memory holds after a reset is not said.
        (MEMORY..MEMORY + 0x100)
            .step_by(4)
            .for_each(|word| write(word, 0));
        const TO_PHY: u32 = 1;
        const SOFT_CONNECT: u32 = 1 << 3;
        write(MUXING, TO_PHY | SOFT_CONNECT);
        // The board has no pin that tells whether the cable has power: a board without power from it has no host.
        const POWER_DETECTED: u32 = 1 << 2 | 1 << 3;
        write(POWER, POWER_DETECTED);
        const CONTROLLER_ENABLED: u32 = 1;
        write(MAIN_CONTROL, CONTROLLER_ENABLED);
        const ON_BUFFER: u32 = 1 << 4;
        const ON_BUS_RESET: u32 = 1 << 12;
        const ON_REQUEST: u32 = 1 << 16;
        write(INTERRUPTS_ON, ON_BUFFER | ON_BUS_RESET | ON_REQUEST);
        const STATUS_EACH_PACKET_0: u32 = 1 << 29;
        const PULL_UP: u32 = 1 << 16;
        write(SIE_CONTROL, STATUS_EACH_PACKET_0 | PULL_UP);
    }

    fn reset(&self) {
        write(ADDRESS, 0);
        write(control_of(EndpointAddress::from(0x80)), 0);
        write(control_of(EndpointAddress::from(0x00)), 0);
        for (address, configuration) in self.others() {
            let side = 4 * usize::from(address.is_out());
            write(ENDPOINT_CONTROL + 8 * (address.index() - 1) + side, configuration);
            write(control_of(address), 0);
            self.set_stalled(address, false);
        }
        write(BUFFER_STATUS, u32::MAX);
        received::forget();
        // A request may have come since: while flash was erased, a host has long gone on.
        write(SIE_STATUS, !HAS_REQUEST);
    }

    fn set_device_address(&self, address: u8) {
        write(ADDRESS, u32::from(address));
    }

    fn write(&self, endpoint: EndpointAddress, bytes: &[u8]) -> Result<usize> {
        let buffer = self.buffer(endpoint).ok_or(UsbError::InvalidEndpoint)?;
        let control = control_of(endpoint);
        let last = read(control);
        if bytes.len() > PACKET {
            return Err(UsbError::BufferOverflow);
        }
        // An answer to the last request is no answer to the next.
        let is_late = endpoint.index() == 0 && has_request();
        if last & (AVAILABLE | STALL) != 0 || is_late {
            return Err(UsbError::WouldBlock);
        }
        copy_in(buffer, bytes);
        hand_over(control, next_packet(last) | FULL | bytes.len() as u32);
        Ok(bytes.len())
    }

    fn read(&self, endpoint: EndpointAddress, bytes: &mut [u8]) -> Result<usize> {
        let is_first = endpoint.index() == 0;
        if is_first && has_request() {
            return self.take_request(bytes);
        }
        let buffer = self.buffer(endpoint).ok_or(UsbError::InvalidEndpoint)?;
        let (control, bit) = (control_of(endpoint), bit_of(endpoint));
        if received::pending() & bit != 0 {
            let words = bytes.as_chunks_mut().0;
            let len = received::take(|index, value: u32| {
                if let Some(place) = words.get_mut(index) {
                    *place = value.to_le_bytes();
                }
            });
            return Ok(len.min(bytes.len()));
        }
        if read(BUFFER_STATUS) & bit == 0 {
            return Err(UsbError::WouldBlock);
        }
        let last = read(control);
        let len = (last & LENGTH) as usize;
        let fitting = bytes.get_mut(..len);
        let is_fitting = fitting.is_some();
        copy_out(buffer, fitting.unwrap_or_default());
        write(BUFFER_STATUS, bit);
        let left = self.expected.get().saturating_sub(len);
        if is_first && !is_fitting {
            // More than the stack can take: it would leave the host without a word.
            for address in [0x80, 0x00] {
                self.set_stalled(EndpointAddress::from(address), true);
            }
            return Err(UsbError::BufferOverflow);
        }
        // At endpoint 0 a packet that nobody announced is not waited for: the next request would find its buffer in use.
        if !is_first || left > 0 {
            hand_over(control, next_packet(last) | PACKET as u32);
        }
        if is_first {
            self.expected.set(left);
        } else {
            received::listen(control, buffer, bit);
        }
        if is_fitting {
            Ok(len)
        } else {
            Err(UsbError::BufferOverflow)
        }
    }

    fn set_stalled(&self, endpoint: EndpointAddress, stalled: bool) {
        let control = control_of(endpoint);
        if endpoint.index() == 0 {
            // The controller forgets it when the next request comes, and so does its buffer's control.
            if stalled && !has_request() {
                set(STALL_ARMED, bit_of(endpoint));
                write(control, STALL);
            }
            return;
        }
        if self.buffer(endpoint).is_none() {
            return;
        }
        let is_unread = read(BUFFER_STATUS) & bit_of(endpoint) != 0;
        if stalled {
            write(control, STALL);
        } else if endpoint.is_out() && !is_unread {
            hand_over(control, PACKET as u32);
        } else {
            // What was not sent is given up, what was not read is kept; the next packet is DATA0.
            let kept = if is_unread { read(control) & LENGTH } else { 0 };
            write(control, ODD | kept);
        }
    }

    fn is_stalled(&self, endpoint: EndpointAddress) -> bool {
        read(control_of(endpoint)) & STALL != 0
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        let status = read(SIE_STATUS);
        if status & BUS_RESET != 0 {
            return PollResult::Reset;
        }
        let buffers = read(BUFFER_STATUS) | received::pending();
        let has_request = status & HAS_REQUEST != 0;
        if has_request || buffers != 0 {
            const TO_HOST: u32 = 0x5555_5555;
            write(BUFFER_STATUS, buffers & TO_HOST);
            let (mut received, mut fetched) = (0, 0);
            // What was under way at endpoint 0 has ended with the request, which the stack would mix up with it.
            const ENDPOINT_0: u32 = 0b11;
            let buffers = if has_request {
                buffers & !ENDPOINT_0
            } else {
                buffers
            };
            for index in 0..ENDPOINTS {
                let bits = buffers >> (2 * index);
                fetched |= ((bits & 1) as u16) << index;
                received |= ((bits >> 1 & 1) as u16) << index;
            }
            return PollResult::Data {
                ep_out: received,
                ep_in_complete: fetched,
                ep_setup: has_request.into(),
            };
        }
        for (bit, result) in [(SUSPENDED, PollResult::Suspend), (RESUMED, PollResult::Resume)] {
            if status & bit != 0 {
                write(SIE_STATUS, bit);
                return result;
            }
        }
        PollResult::None
    }
}

impl Usb {
    /// Leaves the bus.
    pub fn disconnect() {
        const PULL_UP: u32 = 1 << 16;
        clear(SIE_CONTROL, PULL_UP);
    }
}
