// The chip's processor. Exceptions and interrupts are rp2040js's; instructions are run from what `thumb.mjs` makes of them: those
// that are run often in blocks, each one function, the others one by one. A program cannot tell that from a processor that goes
// instruction by instruction: a block ends where a device is touched, none begins that an event of the clock would interrupt,
// and none is run any more when memory no longer holds what it was made of. `processor_test.mjs` holds it against rp2040js's own.
//
// rp2040js goes on where the chip has a HardFault: after an undefined instruction, an access that is not aligned or to nowhere, a
// branch to what is not Thumb code. This one does not.
import { createRequire } from 'node:module';
import { Block, LINE, NONE, PLACE, RAM, STOP, decode } from './thumb.mjs';

const { CortexM0Core } = createRequire(`${process.env.BOOTLACE_RP2040JS}/`)('./rp2040js/dist/cjs/cortex-m0-core.js');

const NANOS_PER_CYCLE = 8;
const ROM = { begin: 0, length: 0x4000 }, FLASH = 0x10000000;
/** Bits of an address within a page of flash. */
const PAGE = 8;
/** From here on nothing is a program: devices, and the processor's own registers. */
const DEVICES = 0x40000000;
/** So often is an address come to before the instructions there become a block. */
const OFTEN = 20;
/** Cycles until the clock's next event, where there is none: as many as need be looked at. */
const LONG = 1 << 24;
/** What the texts of instructions call what they work on: see `environment`. */
const NAMES = ['S', 'W', 'H', 'B', 'L', 'load1', 'load2', 'load4', 'store1', 'store2', 'store4', 'extra'];

/** A memory that holds programs, and the blocks that were made of it. `line`: bits of an address within what is watched as one. */
class Code {
  constructor(begin, bytes, line) {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1), { length } = halves;
    Object.assign(this, { begin, halves, line, blocks: Array(length).fill(null), heat: new Uint8Array(length) });
    /** Lines that blocks were made of which were seen to be what they were; and a number that goes up when that may be over. */
    this.isWatched = new Uint8Array((bytes.byteLength >> line) + 1);
    this.stamp = 0;
  }

  /** Bytes have changed. */
  changed(offset, length) {
    let isOver = false;
    for (let line = offset >> this.line; line <= (offset + length - 1) >> this.line; line++) {
      if (this.isWatched[line] === 0) continue;
      this.isWatched[line] = 0;
      isOver = true;
    }
    if (isOver) this.stamp++;
  }
}

/** What stays while chips come and go on a board: RAM, the processor's state, and the blocks of its memories. */
export class Program {
  constructor(rom, flash) {
    const sram = new ArrayBuffer(RAM.length);
    Object.assign(this, { flash, state: new Int32Array(new ArrayBuffer(256)), sram: new Uint8Array(sram), processor: null });
    this.inRam = new Code(RAM.begin, this.sram, LINE);
    /** By the highest four bits of an address. */
    this.codes = [new Code(ROM.begin, new Uint8Array(rom.buffer), PAGE), new Code(FLASH, flash.bytes, PAGE), this.inRam];
    flash.changed = (at, length) => this.codes[1].changed(at, length);
    this.environment = [this.state, new Int32Array(sram), new Uint16Array(sram), this.sram, this.inRam.isWatched, ...this.accesses()];
    /** By an instruction's bits, both halves where it has two: what runs it at any address. */
    this.single = new Map();
  }

  /** RAM is what it is when the supply comes. */
  clear() {
    this.sram.fill(0);
    this.inRam.changed(0, this.sram.length);
  }

  /** Loads and stores that are not RAM's, or not aligned, or to what a block was made of. `cycles`: of the block before this instruction. */
  accesses() {
    const S = this.state, { bytes, pagesRead } = this.flash;
    /** Whether the access can be made, for which the clock is made right. */
    const begins = (at, size, cycles, isStore) => {
      const { processor } = this;
      if (at & (size - 1) || !processor.rp2040.isThere(at, isStore)) {
        S[PLACE.stop] = STOP.fault;
        S[PLACE.limit] = -1;
        return false;
      }
      if (at >>> 26 !== FLASH >>> 26 && at >= ROM.length) processor.touch(cycles);
      return true;
    };
    const load = (size, fast, act) => (address, cycles) => {
      const at = address >>> 0, offset = at - FLASH;
      if (offset >= 0 && offset < bytes.length && S[PLACE.isOpen] !== 0 && (at & (size - 1)) === 0) {
        pagesRead[offset >> PAGE] = 1;
        return fast[offset / size | 0];
      }
      return begins(at, size, cycles, false) ? act(this.processor.rp2040, at) : 0;
    };
    const store = (size, act) => (address, value, cycles) => {
      const at = address >>> 0;
      if (S[PLACE.stop] !== STOP.fault && begins(at, size, cycles, true)) act(this.processor.rp2040, at, value);
    };
    return [
      load(1, bytes, (chip, at) => chip.readUint8(at) & 0xff),
      load(2, new Uint16Array(bytes.buffer), (chip, at) => chip.readUint16(at) & 0xffff),
      load(4, new Int32Array(bytes.buffer), (chip, at) => chip.readUint32(at) | 0),
      store(1, (chip, at, value) => chip.writeUint8(at, value & 0xff)),
      store(2, (chip, at, value) => chip.writeUint16(at, value & 0xffff)),
      store(4, (chip, at, value) => chip.writeUint32(at, value >>> 0)),
      // How many cycles an access takes besides the one of RAM.
      (address, isStore) => this.processor.cyclesIO(address, isStore) - 1,
    ];
  }

  /** Makes a function of a text of instructions. */
  build(block, argument) {
    return new Function(...NAMES, `return function (${argument}) { ${block.finish()} };`)(...this.environment);
  }

  /** What runs this instruction at any address: a function of that, or the name of the processor's method and the fields. */
  one(opcode, second) {
    const key = second * 65536 + opcode;
    let found = this.single.get(key);
    if (found === undefined) {
      const { size, fields, meaning } = decode(opcode, second);
      if (typeof meaning === 'string') found = { size, fields, meaning };
      else {
        const block = new Block('pc');
        block.add(opcode, second);
        found = this.build(block, 'pc');
      }
      this.single.set(key, found);
    }
    return found;
  }

  /** The block to run at half-word `index` of `code`, where there is one. */
  block(code, index) {
    let block = code.blocks[index];
    if (block !== null) {
      if (block.stamp === code.stamp || this.isStill(block, code)) return block;
      code.blocks[index] = null;
      code.heat[index] = 0;
    }
    if (code.heat[index] > OFTEN || ++code.heat[index] < OFTEN) return null;
    // Where there is none, it is not tried again.
    code.heat[index] = OFTEN + 1;
    block = this.make(code, index);
    if (block !== null) this.isStill(block, code);
    code.blocks[index] = block;
    return block;
  }

  /** Makes a block of up to `longest` instructions; `null`: there is nothing to make one of. */
  make(code, index, longest) {
    const { halves, begin } = code, places = new Set();
    const half = (at) => { places.add(at); return halves[at]; };
    const literal = (address) => { const at = address - begin >> 1; return half(at) | half(at + 1) << 16; };
    const block = new Block(begin + 2 * index, literal, longest);
    // A literal may lie as far behind an instruction.
    const end = halves.length - 1024;
    for (let at = index, more = true; more && at >= 0 && at < end; at = block.here - begin >> 1) more = block.add(half(at), half(at + 1));
    if (block.instructions === 0) return null;
    const source = [...places], lines = [...new Set(source.map((at) => 2 * at >> code.line))];
    return { run: this.build(block, ''), most: block.most, stamp: -1, source, halves: source.map((at) => halves[at]), lines };
  }

  /** Whether a block still is what memory holds, of which all lines are now taken for read, and watched. */
  isStill(block, code) {
    const { source, halves, lines } = block;
    for (let place = 0; place < source.length; place++) if (code.halves[source[place]] !== halves[place]) return false;
    for (const line of lines) {
      code.isWatched[line] = 1;
      if (code.begin === FLASH) this.flash.pagesRead[line] = 1;
    }
    block.stamp = code.stamp;
    return true;
  }
}

export class Processor extends CortexM0Core {
  constructor(chip, program) {
    super(chip);
    const { state } = program;
    state.fill(0);
    Object.assign(this, { program, state, registers: new Uint32Array(state.buffer, 0, 16) });
    this.registers[13] = 0xfffffffc;
    this.APSR = 0;
    program.processor = this;
  }

  get APSR() {
    const S = this.state;
    return (S[PLACE.n] & 0x80000000) | (S[PLACE.z] === 0 ? 0x40000000 : 0) | S[PLACE.c] << 29 | (S[PLACE.v] & 0x80000000) >>> 3;
  }

  set APSR(value) {
    const S = this.state;
    S[PLACE.n] = value & 0x80000000;
    S[PLACE.z] = value & 0x40000000 ? 0 : 1;
    S[PLACE.c] = value >>> 29 & 1;
    S[PLACE.v] = value << 3 & 0x80000000;
  }

  /** A device is read or written: its clock is now right, and the block ends with this instruction. */
  touch(cycles) {
    const S = this.state;
    this.rp2040.clock.nanosCounter += (S[PLACE.cycles] + cycles) * NANOS_PER_CYCLE;
    S[PLACE.cycles] = -cycles;
    S[PLACE.stop] = STOP.device;
    S[PLACE.limit] = -1;
  }

  /**
   * Runs at least one instruction, and about `count` if nothing happens before that: a device is touched, the clock has an event, the
   * processor sleeps. Gives how many it ran.
   */
  run(count) {
    if (this.interruptsUpdated && this.checkForInterrupts()) this.waiting = false;
    const { program, state: S, rp2040: { clock } } = this, { flash, codes } = program;
    const isOpen = flash.isOpen;
    // Whether flash can be read changes with time only when it has been busy.
    const event = Math.min(clock.nextAlarm ? clock.nextAlarm.nanos : Infinity, isOpen || !flash.isBusy ? Infinity : flash.busyUntil);
    S[PLACE.limit] = Math.min(LONG, Math.ceil((event - clock.nanosCounter) / NANOS_PER_CYCLE));
    S[PLACE.isOpen] = isOpen ? 1 : 0;
    S[PLACE.instructions] = S[PLACE.stop] = S[PLACE.cycles] = 0;
    do {
      const pc = S[PLACE.pc] & -2, area = pc >>> 28, index = (pc & 0x0fffffff) >>> 1;
      let block = null;
      if (area < codes.length && index < codes[area].blocks.length && (isOpen || area !== FLASH >>> 28)) block = program.block(codes[area], index);
      if (block !== null && S[PLACE.cycles] + block.most < S[PLACE.limit]) block.run();
      else this.step(pc);
    } while (S[PLACE.cycles] < S[PLACE.limit] && S[PLACE.instructions] < count);
    clock.nanosCounter += S[PLACE.cycles] * NANOS_PER_CYCLE;
    if (S[PLACE.stop] === STOP.fault) this.fault();
    else if (S[PLACE.stop] === STOP.branch) this.branchTo(S[PLACE.target]);
    return S[PLACE.instructions];
  }

  /** Runs the instruction at an address. */
  step(pc) {
    const S = this.state, address = pc >>> 0;
    if (address >= DEVICES) { this.besides(NONE, pc); return; }
    const opcode = this.rp2040.readUint16(address);
    const one = this.program.one(opcode, opcode >>> 11 > 0b11100 ? this.rp2040.readUint16(address + 2) : 0);
    if (typeof one === 'function') one(pc); else this.besides(one, pc);
  }

  /** Runs an instruction that is one of this processor's methods, after which interrupts are looked at. */
  besides({ size, fields, meaning }, pc) {
    const S = this.state;
    S[PLACE.pc] = meaning === NONE.meaning ? pc : pc + size;
    S[PLACE.limit] = -1;
    S[PLACE.instructions]++;
    S[PLACE.cycles] += this[meaning](fields) ?? 1;
  }

  // The instructions that `thumb.mjs` names; each gives its cycles where it takes more than one.

  undefined() { this.state[PLACE.stop] = STOP.fault; }

  changeInterrupts({ i }) {
    this.PM = i === 1;
    if (!this.PM) this.interruptsUpdated = true;
  }

  call() { this.pendingSVCall = this.interruptsUpdated = true; }

  waitForEvent() {
    if (this.eventRegistered) this.eventRegistered = false; else this.waiting = true;
    return 2;
  }

  waitForInterrupt() {
    this.waiting = true;
    return 2;
  }

  writeSpecial({ n, s }) {
    this.writeSpecialRegister(s, this.registers[n]);
    return 3;
  }

  readSpecial({ d, s }) {
    this.registers[d] = this.readSpecialRegister(s);
    return 3;
  }

  /** What cannot be done is a HardFault, to which the instruction that could not be done is where to return. */
  fault() { this.rp2040.onBreak(); }

  /** A branch to an address that is not Thumb code's: a return from an exception, or a fault where it leads. */
  branchTo(target) {
    const HANDLER = 1;
    if (target >>> 28 === 15 && this.currentMode === HANDLER) this.exceptionReturn(target & 0x0fffffff);
    else if ((target & 1) === 0) this.fault();
  }
}
