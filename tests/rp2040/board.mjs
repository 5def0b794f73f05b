// A board: an RP2040 (most blocks are rp2040js's, and so is half of the processor) with its real boot ROM, its flash chip and a USB host.
// What rp2040js lacks or has otherwise than the chip is put right in `Chip` and `Board.build`.
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { PowerCut, QspiPins, SpiController } from './flash.mjs';
import { Processor, Program } from './processor.mjs';
import { RAM } from './thumb.mjs';
import { Registers } from './registers.mjs';
import { UsbController } from './usb_controller.mjs';
import { UsbHost } from './usb_host.mjs';

const { RP2040, Simulator } = createRequire(`${process.env.BOOTLACE_RP2040JS}/`)('rp2040js');
/** The emulated time's own class, which is not exported. */
const Clock = new Simulator().clock.constructor;

const FLASH = 0x10000000;
const USB_MEMORY = 0x50100000;
/** Where rp2040js keeps its blocks: by address, without the lowest 14 bits. */
const block = (address) => (address >>> 14) << 2;
const BUTTON_PINS = { bootloader: 22 };
/** Where the bootloader's own vectors lie: the set-up of the flash chip names them to the processor. */
const BOOTLOADER = 0x10000100;
/**
 * The bootloader's RAM, from the first byte behind the words that survive a reset, and what its own start-up code paints it with
 * behind its static data (cortex-m-rt, `paint-stack`).
 */
const BOOTLOADERS_RAM = { begin: 0x10, end: 0x6000 }, PAINT = 0xcc;

export class Chip extends RP2040 {
  constructor(clock, flash, bootrom, program, Core = Processor) {
    super(clock);
    this.logger = { debug() {}, info() {}, warn() {}, error() {} };
    const { buffer } = flash.bytes;
    Object.assign(this, { flashChip: flash, pagesRead: flash.pagesRead, flash: flash.bytes, flash16: new Uint16Array(buffer), flashView: new DataView(buffer) });
    Object.assign(this, { bootrom, program, rom16: new Uint16Array(bootrom.buffer), sram: program.sram, sramView: new DataView(program.sram.buffer) });
    this.core = new Core(this, program);
  }

  /** Whether anything answers at an address. Of flash only the first of its four addresses may be written (2.6.3.1). */
  isThere(address, isWrite) {
    if (address >>> 26 === FLASH >>> 26) return !isWrite || address >>> 24 === FLASH >>> 24;
    if (address < 0x4000 || address >>> 28 === 0xd || address >>> 12 === 0xe000e) return true;
    if ((address - RAM.begin) >>> 0 < RAM.length) return true;
    return this.findPeripheral(address) !== undefined || (address - USB_MEMORY) >>> 0 < this.usbDPRAM.length;
  }

  /** ROM and flash stay as they are, whatever is written to them. */
  writeUint32(address, value) {
    if (address < 0x4000 || address >>> 26 === FLASH >>> 26) return;
    this.noteRam(address);
    super.writeUint32(address, value);
  }

  /** RAM may hold a program. */
  noteRam(address) { if ((address - RAM.begin) >>> 0 < RAM.length) this.program.inRam.changed(address - RAM.begin, 4); }

  /** Instructions are fetched from flash and ROM: these first. */
  readUint16(address) {
    const inFlash = address - FLASH;
    if (inFlash >= 0 && inFlash < this.flash.length) {
      this.pagesRead[inFlash >> 8] = 1;
      return this.flashChip.isReadable(address) ? this.flash16[inFlash >> 1] : 0xffff;
    }
    if (address < 0x4000) return this.rom16[address >> 1];
    return super.readUint16(address);
  }

  readUint8(address) { return this.canRead(address) ? super.readUint8(address) : 0xff; }

  readUint32(address) { return this.canRead(address) ? super.readUint32(address) : 0xffffffff; }

  /** Notes that a page of flash is read, by whichever of its four addresses, and says whether it can be. */
  canRead(address) {
    if (address >>> 26 !== FLASH >>> 26) return true;
    this.pagesRead[(address & 0xffffff) >> 8] = 1;
    return this.flashChip.isReadable(address);
  }

  // A part of a word of USB memory tells the controller as a word does.
  writeUint8(address, value) { this.noteRam(address); this.writeUsbPart(address, 1, value) || super.writeUint8(address, value); }

  writeUint16(address, value) { this.noteRam(address); this.writeUsbPart(address, 2, value) || super.writeUint16(address, value); }

  writeUsbPart(address, length, value) {
    const offset = address - USB_MEMORY;
    if (offset < 0 || offset >= 4096) return false;
    if (length === 1) this.usbDPRAMView.setUint8(offset, value); else this.usbDPRAMView.setUint16(offset, value, true);
    this.usbCtrl.DPRAMUpdated(offset & ~3, this.usbDPRAMView.getUint32(offset & ~3, true));
    return true;
  }

  /** Without the erased flash that rp2040js's own brings. */
  reset() { this.core.reset(); this.pwm.reset(); }
}

/** XIP_CTRL: the cache is flushed at once, and nothing streams. */
class CacheControl extends Registers {
  readUint32(offset) { return offset === 0x08 ? 6 : offset === 0x00 ? this.values[0] ?? 3 : 0; }
}

/** The cache as memory, while it caches nothing: the boot ROM notes there which blocks of a UF2 file have come. */
class CacheMemory {
  words = new Uint32Array(4096);

  readUint32(offset) { return this.words[offset >> 2]; }

  // What rp2040js takes for the alias are bits of the address here.
  writeUint32Atomic(offset, value, alias) { this.words[(alias << 12 | offset) >> 2] = value; }

  writeUint32(offset, value) { this.words[offset >> 2] = value; }
}

/** ROSC: it is stable, and its random bit is not random: tests are to be the same each time. */
class RingOscillator extends Registers {
  readUint32(offset) { return offset === 0x18 ? 0x80001000 : offset === 0x1c ? (this.bit = 1 - (this.bit ?? 0)) : super.readUint32(offset); }
}

export class Board extends EventEmitter {
  /** `lead` and `lag`: by how many nanoseconds emulated time may run ahead of real time, and behind. `Core`: the processor's class. */
  constructor(bootrom, flash, { lead = 5e6, lag = 10e6, Core = Processor } = {}) {
    super();
    Object.assign(this, { bootrom, flash, lead, lag, Core, usb: new UsbHost(), isOn: false, before: 0, held: new Set(), program: new Program(bootrom, flash) });
    /** Instructions and resets since the start. */
    this.instructions = 0;
    this.resets = 0;
    this.usb.on('work', () => this.kick());
    this.usb.on('told', () => { this.hasTold = true; });
  }

  /** Emulated nanoseconds since the start. */
  get now() { return this.before + (this.clock?.nanos ?? 0); }

  build(kept) {
    this.clock = new Clock();
    const { program } = this, chip = this.chip = new Chip(this.clock, this.flash, this.bootrom, program, this.Core);
    if (!kept) program.clear();
    this.flash.powerOn(this.clock);
    const spi = new SpiController(this.flash);
    chip.usbCtrl = new UsbController(chip, this.usb);
    this.usb.bind(chip.usbCtrl, this.clock);
    const HAD_POWER_ON = 0x100;
    Object.assign(chip.peripherals, {
      [block(0x50110000)]: chip.usbCtrl,
      [block(0x18000000)]: spi,
      [block(0x40018000)]: new QspiPins(spi),
      [block(0x14000000)]: new CacheControl(),
      [block(0x15000000)]: new CacheMemory(),
      [block(0x40060000)]: new RingOscillator(),
      [block(0x40064000)]: new Registers({ 0x00: 0xb1, 0x04: 0x91, 0x08: HAD_POWER_ON }),
    });
    this.mendResets(chip);
    this.mendWatchdog(chip, kept);
    // The button of the chip's own start-up code, BOOTSEL, pulls the flash chip's select pin down; the bootloader's pins have pull-ups.
    chip.qspi[1].padValue |= 0x40;
    chip.qspi[1].setInputValue(!this.held.has('bootsel'));
    for (const [name, pin] of Object.entries(BUTTON_PINS)) chip.gpio[pin].setInputValue(!this.held.has(name));
    // An undefined instruction is a HardFault, and one within its handler locks the processor up.
    const HARD_FAULT = 3;
    chip.onBreak = () => {
      if (chip.core.IPSR === HARD_FAULT) this.isStuck = true;
      else chip.core.exceptionEntry(HARD_FAULT);
    };
    chip.core.reset();
    this.wantsReset = null;
    this.isStuck = false;
  }

  /** RESETS: what is held in reset is, and the rest is out of it at once. AIRCR: the processor asks for a reset. */
  mendResets(chip) {
    const USB = 1 << 24, ALL = 0x1ffffff, VTOR = 0xd08, AIRCR = 0xd0c;
    const resets = chip.peripherals[block(0x4000c000)], write = resets.writeUint32.bind(resets);
    resets.writeUint32 = (offset, value) => {
      if (offset === 0 && value & USB) chip.usbCtrl.reset();
      write(offset, value);
      resets.reset_done = ~resets.reset & ALL;
    };
    const { ppb } = chip, writePpb = ppb.writeUint32.bind(ppb);
    ppb.writeUint32 = (offset, value) => {
      if (offset === VTOR) this.beginProgram(value);
      if (offset !== AIRCR) writePpb(offset, value);
      else if (value >>> 16 === 0x5fa && value & 4) this.wantsReset = 'software';
    };
  }

  /** The processor gets other vectors: the bootloader begins, or an application, which may use all of the RAM. */
  beginProgram(vectors) {
    this.noteRam();
    this.isBootloader = vectors === BOOTLOADER;
  }

  /** Notes how much of its RAM the bootloader has used: all but the paint between its static data and its deepest stack. */
  noteRam() {
    if (!this.isBootloader) return;
    // So many bytes in a row are paint, and not data that looks like paint.
    const SURELY = 64;
    const ram = this.chip.sram.subarray(BOOTLOADERS_RAM.begin, BOOTLOADERS_RAM.end);
    const isPaint = (at) => ram.subarray(at, at + SURELY).every((byte) => byte === PAINT);
    let begin = 0;
    while (begin + SURELY < ram.length && !isPaint(begin)) begin++;
    let end = begin;
    while (end < ram.length && ram[end] === PAINT) end++;
    this.ramUsed = Math.max(this.ramUsed ?? 0, ram.length - (end - begin));
  }

  /** The watchdog resets the chip but for its own scratch words and reason. */
  mendWatchdog(chip, kept) {
    const watchdog = chip.peripherals[block(0x40058000)];
    watchdog.onWatchdogTrigger = () => {
      this.wantsReset = 'watchdog';
      // One that runs at 0 would trigger for ever, within one look at the clock.
      watchdog.alarm.enable = watchdog.timer.enable = false;
    };
    if (kept) { watchdog.scratchData.set(kept.scratch); watchdog.reason = kept.reason; }
  }

  power(on) {
    if (on === this.isOn) return;
    this.isOn = on;
    if (on) {
      this.before = this.now;
      this.clock = null;
      this.build();
      this.base = performance.now() * 1e6 - this.before;
      this.kick();
    } else {
      clearTimeout(this.sleeping);
      this.usb.detached();
      this.before = this.now;
      this.clock = null;
    }
  }

  reset(why) {
    const watchdog = this.chip.peripherals[block(0x40058000)];
    const kept = { scratch: watchdog.scratchData, reason: why === 'watchdog' ? watchdog.reason : 0 };
    this.usb.detached();
    this.resets++;
    this.before = this.now;
    this.build(kept);
    this.emit('reset', why);
  }

  kick() {
    if (!this.isOn || this.isRunning || this.isKicked) return;
    clearTimeout(this.sleeping);
    this.isKicked = true;
    setImmediate(() => { this.isKicked = false; this.slice(); });
  }

  /** How far emulated time is ahead of real time, in nanoseconds. */
  get ahead() { return this.now - (performance.now() * 1e6 - this.base); }

  /** Runs for some milliseconds of real time, then lets the host have its turn. */
  slice() {
    if (!this.isOn) return;
    this.isRunning = true;
    let wait = 0;
    try {
      const end = performance.now() + 4;
      while (wait === 0 && this.isOn && performance.now() < end) wait = this.stretch();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.isRunning = false;
      this.power(false);
      this.emit('power-cut');
    }
    this.isRunning = false;
    if (!this.isOn) return;
    if (wait === 0) this.kick();
    else if (wait !== Infinity) this.sleeping = setTimeout(() => this.slice(), wait);
  }

  /** Runs some instructions, or passes the time that the processor sleeps; gives the milliseconds to wait before more. */
  stretch() {
    const INSTRUCTIONS = 20000;
    const millis = (nanos) => Math.ceil(nanos / 1e6);
    if (this.isStuck) return Infinity;
    const early = this.ahead - this.lead;
    if (early > 0) return millis(early);
    const asleep = this.run(INSTRUCTIONS);
    // On a slow machine emulated time falls behind for good: it does not catch up by running fast.
    const late = -this.ahead - this.lag;
    if (late > 0 && asleep === 0) this.base += late;
    if (this.wantsReset) { this.reset(this.wantsReset); return 0; }
    if (asleep === 0) return 0;
    // Before time passes, the host may have something to say.
    if (this.hasTold) { this.hasTold = false; return 1e-3; }
    if (asleep === Infinity) return Infinity;
    const beyond = this.ahead + asleep - this.lead;
    if (beyond > 0) return millis(beyond);
    this.clock.tick(asleep);
    return 0;
  }

  /** Runs up to `count` instructions. Gives 0, or for how many nanoseconds the processor sleeps, or asks for nothing but the flash. */
  run(count) {
    const { chip, clock, flash } = this, { core } = chip;
    const left = (nanos) => Math.max(1, nanos - clock.nanosCounter);
    for (let done = 0; done < count && !this.wantsReset && !this.isStuck;) {
      if (core.waiting || flash.isAwaited) {
        const until = flash.isAwaited ? flash.busyUntil : Infinity;
        flash.isAwaited = false;
        return left(Math.min(until, clock.nextAlarm ? clock.nextAlarm.nanos : Infinity));
      }
      const ran = core.run(count - done);
      done += ran;
      this.instructions += ran;
      if (clock.nextAlarm !== null && clock.nextAlarm.nanos <= clock.nanosCounter) clock.tick(0);
    }
    return 0;
  }
}
