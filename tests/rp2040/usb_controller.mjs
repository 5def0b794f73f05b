// The chip's USB controller in device mode, as its datasheet has it (4.1): a buffer is the controller's until a packet came
// or left, packets are numbered, endpoints refuse for now (NAK) and for good (STALL). The emulator's own model has none of
// this.
import { withAlias } from './registers.mjs';

const INTERRUPT = 5;
const REGISTER = {
  address: 0x00, main: 0x40, frame: 0x48, sieControl: 0x4c, sieStatus: 0x50, buffers: 0x58, handled: 0x5c, abort: 0x60, aborted: 0x64,
  stallArmed: 0x68, muxing: 0x74, power: 0x78, pending: 0x8c, enabled: 0x90, forced: 0x94, raised: 0x98,
};
/** Registers in which a written bit clears itself. */
const CLEARED_BY_WRITING = [REGISTER.sieStatus, REGISTER.buffers, REGISTER.aborted];
/** Bits of a buffer's control. */
const AVAILABLE = 1 << 10, STALL = 1 << 11, SELECT_FIRST = 1 << 12, ODD = 1 << 13, FULL = 1 << 15, LENGTH = 0x3ff;
/** Bits of the SIE's status. */
const STATUS = { suspended: 1 << 4, resumed: 1 << 11, request: 1 << 17, busReset: 1 << 19, overflow: 1 << 26, sequence: 1 << 31 };

export class UsbController {
  constructor(chip, host) {
    Object.assign(this, { chip, host, memory: chip.usbDPRAM, view: chip.usbDPRAMView, rawWriteValue: 0 });
    this.clear();
  }

  clear() {
    this.values = Object.fromEntries(Object.values(REGISTER).map((offset) => [offset, 0]));
    this.second = new Uint8Array(32);
    /** By endpoint and direction: the halves of buffers that finished and that the firmware has not been told are done, oldest first. */
    this.finished = Array.from({ length: 32 }, () => []);
    /** Packets that came with the number of the one before. */
    this.repeated = 0;
  }

  /** The block is held in reset: it leaves the bus. */
  reset() {
    const was = this.isAttached;
    this.clear();
    this.raise();
    if (was) this.host.detached();
  }

  get isAttached() { return (this.values[REGISTER.main] & 1) !== 0 && (this.values[REGISTER.sieControl] & (1 << 16)) !== 0; }

  get pending() {
    const status = this.values[REGISTER.sieStatus];
    const bit = (wanted, number) => (wanted ? 1 << number : 0);
    return bit(this.values[REGISTER.buffers], 4) | bit(status & STATUS.busReset, 12) | bit(status & STATUS.suspended, 14) |
      bit(status & STATUS.resumed, 15) | bit(status & STATUS.request, 16) | bit(status & STATUS.sequence, 5);
  }

  raise() {
    this.chip.setInterrupt(INTERRUPT, ((this.pending & this.values[REGISTER.enabled]) | this.values[REGISTER.forced]) !== 0);
  }

  readUint32(offset) {
    switch (offset) {
      case REGISTER.frame: return Math.floor(this.chip.clock.nanos / 1e6) & 0x7ff;
      case REGISTER.sieStatus: return this.values[offset] | (this.isAttached ? 1 << 16 : 0);
      case REGISTER.pending: return this.pending;
      case REGISTER.raised: return (this.pending & this.values[REGISTER.enabled]) | this.values[REGISTER.forced];
    }
    return this.values[offset] ?? 0;
  }

  writeUint32(offset, value) { this.writeUint32Atomic(offset, value, 0); }

  writeUint32Atomic(offset, value, alias) {
    const was = this.isAttached;
    if (CLEARED_BY_WRITING.includes(offset)) {
      if (alias === 0 || alias === 3) {
        this.values[offset] &= ~value;
        // An endpoint's other buffer, which has finished meanwhile, is next.
        if (offset === REGISTER.buffers) this.finished.forEach((halves, index) => { if (value & (1 << index)) { halves.shift(); this.showFinished(index); } });
      }
    } else this.values[offset] = withAlias(alias, () => this.readUint32(offset), value);
    if (offset === REGISTER.abort) this.values[REGISTER.aborted] |= this.values[offset];
    this.raise();
    if (was && !this.isAttached) this.host.detached();
    if (!was && this.isAttached) this.host.attached();
  }

  /** The firmware wrote a buffer's control. */
  DPRAMUpdated(offset, value) {
    if (offset < 0x80 || offset >= 0x100) return;
    if (value & SELECT_FIRST) {
      this.second[(offset - 0x80) >> 2] = 0;
      this.view.setUint32(offset, value & ~SELECT_FIRST, true);
    }
    // Of either half, where an endpoint has two buffers.
    if ((value | value >>> 16) & (AVAILABLE | STALL)) this.host.wake();
  }

  // What the bus does to the device.

  busReset() {
    this.values[REGISTER.sieStatus] |= STATUS.busReset;
    this.values[REGISTER.address] = 0;
    this.second.fill(0);
    this.raise();
  }

  suspend(suspended) {
    this.values[REGISTER.sieStatus] |= suspended ? STATUS.suspended : STATUS.resumed;
    this.raise();
  }

  isAddressed(address) { return this.isAttached && this.values[REGISTER.address] === address; }

  request(address, packet) {
    if (!this.isAddressed(address)) return 'silence';
    this.memory.set(packet, 0);
    this.values[REGISTER.stallArmed] = 0;
    this.values[REGISTER.sieStatus] |= STATUS.request;
    this.second[0] = this.second[1] = 0;
    this.raise();
    return 'ack';
  }

  /** The buffer that is next for an endpoint, or 'nak', 'stall', 'silence'. */
  next(endpoint, isFromHost) {
    const side = isFromHost ? 4 : 0;
    const control = endpoint ? this.view.getUint32(8 * endpoint + side, true) : 0;
    if (endpoint && !(control & (1 << 31))) return 'silence';
    const index = 2 * endpoint + (isFromHost ? 1 : 0);
    const half = control & (1 << 30) ? this.second[index] : 0;
    const at = 0x80 + 8 * endpoint + side;
    const isArmed = endpoint > 0 || (this.values[REGISTER.stallArmed] & (1 << index)) !== 0;
    if (this.view.getUint16(at, true) & STALL && isArmed) return 'stall';
    const value = this.view.getUint16(at + 2 * half, true);
    if (!(value & AVAILABLE) || (!isFromHost && !(value & FULL))) return 'nak';
    const buffer = (endpoint ? control & 0xffc0 : 0x100) + 64 * half;
    return { at: at + 2 * half, value, index, isDouble: (control & (1 << 30)) !== 0, buffer };
  }

  done(place) {
    this.finished[place.index].push(place.isDouble ? this.second[place.index] : 0);
    if (place.isDouble) this.second[place.index] ^= 1;
    this.showFinished(place.index);
    this.raise();
  }

  /** What the firmware sees of an endpoint's finished buffers: that there is one, and which of two it has to look at. */
  showFinished(index) {
    const bit = 1 << index, [half] = this.finished[index];
    const put = (register, isSet) => { this.values[register] = isSet ? this.values[register] | bit : this.values[register] & ~bit; };
    put(REGISTER.buffers, half !== undefined);
    put(REGISTER.handled, half === 1);
  }

  toHost(address, endpoint) {
    if (!this.isAddressed(address)) return 'silence';
    const place = this.next(endpoint, false);
    if (typeof place === 'string') return place;
    const data = this.memory.slice(place.buffer, place.buffer + (place.value & LENGTH));
    this.view.setUint16(place.at, place.value & ~(AVAILABLE | FULL), true);
    this.done(place);
    return { data, isOdd: (place.value & ODD) !== 0 };
  }

  fromHost(address, endpoint, data, isOdd) {
    if (!this.isAddressed(address)) return 'silence';
    const place = this.next(endpoint, true);
    if (typeof place === 'string') return place;
    if (((place.value & ODD) !== 0) !== isOdd) {
      // Taken for a repetition: acknowledged and dropped.
      this.repeated++;
      this.values[REGISTER.sieStatus] |= STATUS.sequence;
      this.raise();
      return 'ack';
    }
    if (data.length > (place.value & LENGTH)) {
      this.values[REGISTER.sieStatus] |= STATUS.overflow;
      return 'silence';
    }
    this.memory.set(data, place.buffer);
    this.view.setUint16(place.at, (place.value & ~(AVAILABLE | LENGTH)) | FULL | data.length, true);
    this.done(place);
    return 'ack';
  }
}
