// The board's flash chip (2 MB, sectors of 4 KB, pages of 256 bytes, as a Winbond W25Q16) and the chip's SPI controller in
// front of it. The rules of NOR flash: programming only clears bits, erasing sets a whole sector, each needs the
// write-enable latch and takes its time.
import { Registers } from './registers.mjs';

const SIZE = 2 << 20;
const SECTOR = 4096;
const PAGE = 256;
// Typical times of the W25Q16JV's datasheet, in nanoseconds.
const NANOS_PER_PAGE = 400e3;
const NANOS_PER_SECTOR = 45e6;
const BLOCK = 65536;
const NANOS_PER_BLOCK = 150e6;
/**
 * Who asks for the status again within so many nanoseconds does nothing else meanwhile: the emulated clock goes on to the next
 * event at once.
 */
const NANOS_OF_IDLE_LOOP = 5e3;

const COMMAND = {
  writeStatus: 0x01, program: 0x02, read: 0x03, writeDisable: 0x04, readStatus: 0x05, writeEnable: 0x06, fastRead: 0x0b,
  eraseSector: 0x20, writeStatus2: 0x31, readStatus2: 0x35, uniqueId: 0x4b, jedecId: 0x9f, eraseBlock: 0xd8,
};
const CHANGING = [COMMAND.program, COMMAND.eraseSector, COMMAND.eraseBlock, COMMAND.writeStatus, COMMAND.writeStatus2];

/** The supply was cut in the middle of an operation. */
export class PowerCut extends Error {}

export class Flash {
  constructor(image, uniqueId) {
    this.bytes = new Uint8Array(SIZE).fill(0xff);
    this.bytes.set(image);
    this.uniqueId = uniqueId;
    /** Erases and programs since the start. */
    this.operations = 0;
    /** The operations since `trace` was last asked for: where, and which bytes were programmed, or that it was an erase. */
    this.trace = [];
    /** When the first operation since `span` was last asked for began, and when the last one ended, in emulated nanoseconds. */
    this.span = null;
    /** Pages of which something was read since the flash was filled by `put`. */
    this.pagesRead = new Uint8Array(SIZE / PAGE);
    /** Told of bytes that may have changed, and that nothing is known any more of what was read of them. */
    this.changed = (_at, _length) => {};
    /** What a real chip would not have done, or not have liked. */
    this.violations = [];
    /** Cuts the supply at this operation, counted from now: before it, within it or after it. 0: never. */
    this.cutAt = 0;
    this.cutWhen = 'before';
    this.powerOn();
  }

  powerOn(clock) {
    Object.assign(this, { clock, isWritable: false, busyUntil: 0, isSelected: false, status2: 2, asked: 0, isAwaited: false, isContinuous: false, isQuad: null });
    this.begin();
  }

  begin() { Object.assign(this, { command: -1, taken: 0, address: 0, data: [] }); }

  /** Other bytes, as a chip has them that nothing was read from yet. */
  fill(bytes) {
    this.bytes.set(bytes);
    this.pagesRead.fill(0);
    this.trace = [];
    this.changed(0, SIZE);
  }

  get isBusy() { return this.clock.nanos < this.busyUntil; }

  get isOpen() { return this.isQuad === this.isContinuous && !this.isSelected && !this.isBusy; }

  /**
   * Whether the processor can read from the chip now, through a controller that is set up for reads: with commands, or (`isQuad`)
   * without, which wants a chip in that mode. Where the processor tries and can't, that is noted, once for each operation.
   */
  isReadable(address) {
    if (this.isOpen) return true;
    const why = this.isBusy ? 'busy' : 'given commands';
    if (this.noted !== this.operations) this.violations.push(`read at ${address.toString(16)} while flash was ${why}`);
    this.noted = this.operations;
    return false;
  }

  /** The mode bits of a quad read: whether the next one comes without its command. */
  quadMode(bits) { this.isContinuous = (bits & 0x30) === 0x20; }

  select(selected) {
    if (selected === this.isSelected) return;
    this.isSelected = selected;
    if (selected) return this.begin();
    // The end of a command starts what it asks for.
    if (this.command === COMMAND.writeEnable) this.isWritable = true;
    else if (this.command === COMMAND.writeDisable) this.isWritable = false;
    else if (CHANGING.includes(this.command)) this.change();
  }

  change() {
    if (!this.isWritable || this.isBusy) {
      this.violations.push(`command ${this.command} while ${this.isBusy ? 'busy' : 'locked'}`);
    } else if (this.command === COMMAND.program) this.program();
    else if (this.command === COMMAND.eraseSector) this.erase(SECTOR, NANOS_PER_SECTOR);
    else if (this.command === COMMAND.eraseBlock) this.erase(BLOCK, NANOS_PER_BLOCK);
    else this.status2 = this.data.at(-1) ?? this.status2;
    this.isWritable = false;
  }

  erase(length, nanos) {
    const at = this.address & ~(length - 1);
    this.trace.push({ at, length });
    this.operate(at, length, nanos, (count) => this.bytes.fill(0xff, at, at + count));
  }

  program() {
    const page = this.address & ~(PAGE - 1);
    // A message that leaves a byte as it is says 0xFF: what lies in between is what is programmed.
    const first = Math.max(0, this.data.findIndex((byte) => byte !== 0xff));
    const data = this.data.slice(first, this.data.findLastIndex((byte) => byte !== 0xff) + 1);
    const start = page | ((this.address + first) & (PAGE - 1));
    this.trace.push({ at: start, data: Buffer.from(data).toString('hex') });
    this.operate(start, data.length, NANOS_PER_PAGE, (count) => {
      for (let index = 0; index < count; index++) {
        const at = page | ((start + index) & (PAGE - 1));
        // Or what is there.
        if (data[index] & ~this.bytes[at]) {
          if (data[index] !== 0xff) this.violations.push(`a bit set by programming at ${at.toString(16)}`);
        }
        this.bytes[at] &= data[index];
      }
    });
  }

  /** Does `act` to all of `count` bytes in the pages from `at` on, unless the supply is cut. */
  operate(at, count, nanos, act) {
    this.operations++;
    this.changed(at, count);
    if (this.cutAt > 0 && --this.cutAt === 0) {
      if (this.cutWhen === 'within') act(count >> 1);
      if (this.cutWhen === 'after') act(count);
      throw new PowerCut(`at operation ${this.operations}`);
    }
    act(count);
    this.busyUntil = this.clock.nanos + nanos;
    this.span = [this.span?.[0] ?? this.clock.nanos, this.busyUntil];
  }

  /** One byte to the chip and one from it. */
  exchange(value) {
    const index = this.taken++;
    if (this.isContinuous) {
      // Taken for the address of the next read, of which ones are the end.
      this.isContinuous = value !== 0xff;
      this.command = -1;
      return 0;
    }
    if (index === 0) { this.command = value; return 0; }
    switch (this.command) {
      case COMMAND.readStatus:
        this.isAwaited = this.isBusy && this.clock.nanos - this.asked < NANOS_OF_IDLE_LOOP;
        this.asked = this.clock.nanos;
        return (this.isBusy ? 1 : 0) | (this.isWritable ? 2 : 0);
      case COMMAND.readStatus2: return this.status2;
      case COMMAND.jedecId: return [0xef, 0x40, 0x15][index - 1] ?? 0;
      case COMMAND.uniqueId: return index < 5 ? 0 : this.uniqueId[index - 5] ?? 0;
      case COMMAND.writeStatus: case COMMAND.writeStatus2: this.data.push(value); return 0;
      case COMMAND.read: case COMMAND.fastRead: case COMMAND.program: case COMMAND.eraseSector: case COMMAND.eraseBlock: break;
      default: return 0;
    }
    if (index < 4) { this.address = ((this.address << 8) | value) & (SIZE - 1); return 0; }
    if (this.command === COMMAND.program) { this.data.push(value); return 0; }
    const skipped = this.command === COMMAND.fastRead ? 5 : 4;
    if (index < skipped) return 0;
    const at = (this.address + index - skipped) & (SIZE - 1);
    this.pagesRead[at / PAGE | 0] = 1;
    return this.bytes[at];
  }
}

/** The mode of SSI in which it sends a command or an address and then only receives: that of the processor's own reads. */
const EEPROM_READ = 3;

/** SSI: frames of standard SPI reach the flash. What the processor reads through its cache is the emulator's own array. */
export class SpiController extends Registers {
  constructor(flash) {
    super();
    Object.assign(this, { flash, received: [], override: 0, hasSent: false });
  }

  /** IO_QSPI's override of the chip select: 2 is low, 3 is high, else it follows the transmit queue. */
  overrideSelect(override) {
    this.override = override;
    this.flash.select(override === 2);
  }

  get mode() { return (this.values[0x00] >> 8) & 3; }

  /** Frames are of one bit at a time. */
  get isStandard() { return ((this.values[0x00] >> 21) & 3) === 0; }

  /** The transmit queue has drained: it does so at once, whenever somebody looks. */
  drain() {
    if (this.hasSent && this.mode === EEPROM_READ) {
      for (let left = (this.values[0x04] ?? 0) & 0xffff; left >= 0; left--) this.received.push(this.flash.exchange(0));
    }
    this.hasSent = false;
    if (this.override === 0) this.flash.select(false);
  }

  readUint32(offset) {
    switch (offset) {
      case 0x20: return 0;
      case 0x24: return this.received.length;
      case 0x28: this.drain(); return 0x06 | (this.received.length ? 0x08 : 0);
      case 0x60: return this.received.shift() ?? 0;
    }
    return super.readUint32(offset);
  }

  writeUint32(offset, value) {
    if (offset === 0x08) { this.drain(); this.received = []; }
    if (offset < 0x60 || offset >= 0xf0) {
      super.writeUint32(offset, value);
      this.flash.isQuad = this.mode === EEPROM_READ ? !this.isStandard : null;
      return;
    }
    if (!this.isStandard) return this.flash.quadMode(value);
    if (this.override === 3) { this.received.push(0); return; }
    if (this.override === 0) this.flash.select(true);
    const answer = this.flash.exchange(value & 0xff);
    this.hasSent = true;
    if (this.mode === 0) this.received.push(answer);
  }
}

/** IO_QSPI: of its registers only the override of the chip select does anything. */
export class QspiPins extends Registers {
  constructor(controller) {
    super({ 0x04: 0x1f, 0x0c: 0x1f, 0x14: 0x1f, 0x1c: 0x1f, 0x24: 0x1f, 0x2c: 0x1f });
    this.controller = controller;
  }

  writeUint32(offset, value) {
    super.writeUint32(offset, value);
    if (offset === 0x0c) this.controller.overrideSelect((value >> 8) & 3);
  }
}
