// Holds `processor.mjs` against rp2040js's own processor.
//   node processor_test.mjs opcodes SEED       every opcode with registers drawn by chance
//   node processor_test.mjs firmware FLASH     both run a board's flash, compared after each block, until a host has configured it
// Ends with a line of JSON that says how much was compared, or with what differs.
// Where rp2040js is known to do otherwise than the processor's manual (ARM DDI 0419), the manual's own words stand here.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { Board, Chip } from './board.mjs';
import { bootrom } from './bootrom.mjs';
import { Flash } from './flash.mjs';
import { Program } from './processor.mjs';
import { PLACE, RAM } from './thumb.mjs';

const require = createRequire(`${process.env.BOOTLACE_RP2040JS}/`);
const { CortexM0Core } = require('./rp2040js/dist/cjs/cortex-m0-core.js');
const { SimulationClock } = require('./rp2040js/dist/cjs/clock/simulation-clock.js');

const rom = bootrom(process.env.BOOTLACE_RP2040_BOOTROM);
const BITS = 2n ** 32n;
const unsigned = (value) => BigInt(value >>> 0);
const toSigned = (value) => BigInt.asIntN(32, value);

/** AddWithCarry (A2.2.1). */
function addWithCarry(one, other, carry) {
  const sum = unsigned(one) + unsigned(other) + carry, result = sum % BITS;
  return { result, C: sum !== result, V: toSigned(unsigned(one)) + toSigned(unsigned(other)) + carry !== toSigned(result) };
}

/** Shift_C (A2.2.1) for amounts of up to 255. */
function shiftWithCarry(type, value, amount, carry) {
  const x = unsigned(value), n = BigInt(amount);
  if (n === 0n) return { result: x, C: carry };
  switch (type) {
    case 'LSL': { const wide = x << n; return { result: wide % BITS, C: (wide >> 32n & 1n) === 1n }; }
    case 'LSR': return { result: x >> n, C: (x >> (n - 1n) & 1n) === 1n };
    case 'ASR': { const s = toSigned(x); return { result: BigInt.asUintN(32, s >> n), C: (s >> (n - 1n) & 1n) === 1n }; }
    case 'ROR': { const m = n % 32n, result = (x >> m | x << (32n - m)) % BITS; return { result, C: (result >> 31n & 1n) === 1n }; }
  }
  return null;
}

/** What the manual says of the few instructions of which rp2040js gets a flag wrong: the result and the flags C and V. */
function manual(opcode, registers, flags) {
  const a = registers[opcode & 7], b = registers[opcode >> 3 & 7];
  const shift = (type) => ({ V: flags.V, ...shiftWithCarry(type, a, b & 255, flags.C) });
  switch (opcode >> 6) {
    case 0b0100000010: return shift('LSL');
    case 0b0100000011: return shift('LSR');
    case 0b0100000100: return shift('ASR');
    case 0b0100000111: return shift('ROR');
    case 0b0100000101: return addWithCarry(a, b, flags.C ? 1n : 0n);
    case 0b0100000110: return addWithCarry(a, ~b, flags.C ? 1n : 0n);
  }
  return null;
}

/** rp2040js's processor, put right where the manual has it otherwise. */
class Reference extends CortexM0Core {
  constructor(chip) {
    super(chip);
    /** How often something was put right. */
    this.mended = 0;
  }

  run() {
    const { clock } = this.rp2040;
    clock.nanosCounter += this.executeInstruction() * 8;
    return 1;
  }

  executeInstruction() {
    // As it begins itself: afterwards the instruction is the one that it runs.
    if (this.interruptsUpdated && this.checkForInterrupts()) this.waiting = false;
    const opcode = this.look(), { C, V } = this, before = this.registers.slice();
    const right = manual(opcode, before, { C, V });
    const cycles = super.executeInstruction();
    if (right) {
      const was = this.APSR, result = Number(right.result);
      Object.assign(this, { C: right.C, V: right.V, N: (result & 0x80000000) !== 0, Z: result === 0 });
      if (was !== this.APSR) this.mended++;
      if (this.registers[opcode & 7] !== result) throw new Error(`rp2040js gives another result for ${opcode.toString(16)}`);
    }
    // STMIA always writes back (A6.7.58).
    const n = opcode >> 8 & 7;
    if (opcode >> 11 === 0b11000 && opcode & (1 << n)) {
      this.registers[n] = before[n] + 4 * [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => opcode & (1 << bit)).length;
      this.mended++;
    }
    // A call of the address in LR goes there, and not to where it returns (A6.7.15).
    if (opcode === 0x47f0) {
      this.PC = before[14] & ~1;
      this.mended++;
    }
    return cycles;
  }

  BXWritePC(address) {
    this.branchedTo = address;
    super.BXWritePC(address);
  }

  /** The opcode at the program counter, which nobody notices. */
  look() {
    const at = (this.PC & ~1) >>> 0, { flash16, rom16, sramView } = this.rp2040;
    if (at < 0x4000) return rom16[at >> 1];
    if (at >>> 28 === 1) return flash16[at - 0x10000000 >> 1];
    return (at - RAM.begin) >>> 0 < RAM.length ? sramView.getUint16(at - RAM.begin, true) : 0xffff;
  }
}

class Difference extends Error {}

/** What a program can see of its processor besides its registers. */
const SEEN = ['APSR', 'IPSR', 'PM', 'SPSEL', 'nPRIV', 'bankedSP', 'waiting', 'eventRegistered', 'pendingSVCall', 'pendingPendSV', 'pendingSystick', 'pendingInterrupts', 'enabledInterrupts', 'currentMode', 'VTOR'];
const hex = (registers) => [...registers].map((it) => it.toString(16)).join(' ');

/** That two machines, `{ core, clock }`, are in the same state. */
function compare(ours, theirs, what) {
  const differs = (name, one, other) => { throw new Difference(`${what()}: ${name} is ${one}, rp2040js has ${other}`); };
  const [one, other] = [ours, theirs].map(({ core }) => core.registers);
  for (let number = 0; number < 16; number++) {
    // The lowest bit of an address in the program counter says nothing.
    const mask = number === PLACE.pc ? ~1 : ~0;
    if ((one[number] & mask) !== (other[number] & mask)) differs('a register', hex(one), hex(other));
  }
  for (const name of SEEN) if (ours.core[name] !== theirs.core[name] && ours.core[name] >>> 0 !== theirs.core[name] >>> 0) differs(name, ours.core[name], theirs.core[name]);
  if (ours.clock.nanosCounter !== theirs.clock.nanosCounter) differs('the time', ours.clock.nanosCounter, theirs.clock.nanosCounter);
}

/** Numbers drawn by chance, the same for a seed (mulberry32). */
function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return (t ^ t >>> 14) >>> 0;
  };
}

// Every opcode.

/** Where the instruction lies, and how much of RAM is compared. */
const CODE = 0x20003000, WINDOW = 0x4000;
const PERMANENTLY_UNDEFINED = 0xde00;

/** A chip that notes what its own bus would refuse: what is not aligned, and where nobody is. */
class StrictChip extends Chip {
  note(at, size, isWrite) { if (at & (size - 1) || !this.isThere(at >>> 0, isWrite)) this.said?.push('refused'); }

  readUint8(at) { this.note(at, 1, false); return super.readUint8(at); }

  readUint16(at) { this.note(at, 2, false); return super.readUint16(at); }

  readUint32(at) { this.note(at, 4, false); return super.readUint32(at); }

  writeUint8(at, value) { this.note(at, 1, true); super.writeUint8(at, value); }

  writeUint16(at, value) { this.note(at, 2, true); super.writeUint16(at, value); }

  writeUint32(at, value) { this.note(at, 4, true); super.writeUint32(at, value); }
}

function machine(Class, Core) {
  const flash = new Flash(new Uint8Array(0), new Uint8Array(8)), program = new Program(rom, flash), clock = new SimulationClock();
  flash.powerOn(clock);
  flash.isQuad = false;
  const chip = new Class(clock, flash, rom, program, Core);
  chip.said = [];
  const say = (_name, text) => chip.said.push(/not implemented yet/.test(text) ? 'undefined' : text);
  chip.logger = { debug() {}, info() {}, warn: say, error: say };
  chip.onBreak = () => chip.said.push('undefined');
  const alarm = clock.createAlarm(() => {});
  return { chip, program, clock, core: chip.core, alarm };
}

/** Gives a machine its registers and RAM, in which the instruction lies. */
function prepare({ chip, core, program, clock, alarm }, { registers, flags, halves, words }) {
  chip.said = [];
  chip.sram.set(new Uint8Array(words.buffer));
  halves.forEach((half, at) => chip.sramView.setUint16(CODE - RAM.begin + 2 * at, half, true));
  program.inRam.changed(0, WINDOW);
  const fresh = { PM: false, waiting: false, eventRegistered: false, pendingSVCall: false, IPSR: 0, interruptsUpdated: false, currentMode: 0, SPSEL: 0, nPRIV: false, bankedSP: 0x20000ff0, branchedTo: 1, mended: 0 };
  Object.assign(core, fresh);
  core.registers.set(registers);
  core.APSR = flags << 28;
  clock.nanosCounter = 0;
  alarm.schedule(8000);
}

/** Our own processor with one instruction: by itself, or as a block. Gives how often it ran. */
const WAYS = {
  alone: ({ core }) => core.run(1),
  block: ({ core, program }) => {
    const { inRam } = program, index = CODE - RAM.begin >> 1, block = program.make(inRam, index, 1);
    if (block !== null) program.isStill(block, inRam);
    inRam.blocks[index] = block;
    const ran = core.run(1);
    inRam.blocks[index] = null;
    return ran;
  },
};

/** A register's value: an address within the window, any word, a small number, or one at the border of a sign. */
function draw(random) {
  const kind = random() % 8, value = random();
  if (kind < 4) return RAM.begin + 0x800 + value % 0x1000 & -4;
  if (kind === 4) return RAM.begin + 0x800 + value % 0x1000;
  if (kind === 5) return value % 300;
  if (kind === 6) return [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x80000001][value % 6];
  return value;
}

/** UNPREDICTABLE: the program counter compared, or called; it or the stack pointer from or to a special register. */
const isUnpredictable = (opcode, second) => [0xf38d, 0xf38f].includes(opcode) || (opcode === 0xf3ef && [0x8d, 0x8f].includes(second >> 8)) || (opcode >> 8 === 0x45 && ((opcode & 0x78) === 0x78 || (opcode & 0x87) === 0x87)) || (opcode & 0xfff8) === 0x47f8;
/** Hints without a meaning do nothing; rp2040js does not know them. */
const isHint = (opcode) => (opcode & 0xff0f) === 0xbf00;
/** A branch by register to what is not Thumb code. */
const isNotThumb = (opcode, registers) => opcode >> 8 === 0x47 && (opcode & 7) === 0 && (registers[opcode >> 3 & 15] & 1) === 0;

/** Other halves of wide instructions, and their bits drawn by chance: a call, accesses to special registers, barriers, an undefined one, any. */
const OTHER_HALVES = [[0xd000, 0x2fff], [0x8800, 0x1f], [0x8000, 0xf1f], [0x8f40, 0x3f], [0xa000, 0xfff], [0, 0xffff]];

function opcodes(seed) {
  const random = chance(seed), ours = machine(Chip), theirs = machine(StrictChip, Reference);
  const tally = { cases: 0, faults: 0, mended: 0 };
  const words = Uint32Array.from({ length: WINDOW / 4 }, random);
  const test = (opcode, second) => {
    if (isUnpredictable(opcode, second)) return;
    const registers = Uint32Array.from({ length: 16 }, () => draw(random)), flags = random() % 16;
    registers[13] &= ~3;
    registers[15] = CODE;
    const given = { registers, flags, halves: [opcode, second, PERMANENTLY_UNDEFINED], words };
    for (const [way, run] of Object.entries(WAYS)) {
      const what = () => `${opcode.toString(16)} ${second.toString(16)} ${way}, ${hex(registers)}, flags ${flags}`;
      prepare(ours, given);
      prepare(theirs, given);
      const ran = run(ours);
      for (let turn = 0; turn < ran; turn++) theirs.core.run();
      tally.cases++;
      tally.mended += theirs.core.mended;
      const isUndone = (theirs.chip.said.includes('undefined') && !isHint(opcode)) || theirs.chip.said.includes('refused');
      const isFault = isUndone || isNotThumb(opcode, registers) || (theirs.core.branchedTo & 1) === 0;
      if (ours.chip.said.includes('undefined') !== isFault) throw new Difference(`${what()}: is it a fault? ${isFault}`);
      if (isFault) {
        tally.faults++;
        const same = ours.core.registers.every((value, number) => value === registers[number]) && ours.core.APSR >>> 28 === flags;
        if (isUndone && !same) throw new Difference(`${what()}: a fault changed ${hex(ours.core.registers)}`);
        continue;
      }
      compare(ours, theirs, what);
      if (Buffer.compare(ours.chip.sram.subarray(0, WINDOW), theirs.chip.sram.subarray(0, WINDOW))) throw new Difference(`${what()}: RAM differs`);
    }
  };
  for (let opcode = 0; opcode < 0x10000; opcode++) {
    const isWide = opcode >> 11 > 0b11100;
    const seconds = isWide ? OTHER_HALVES.map(([bits, mask]) => bits | random() & mask) : [PERMANENTLY_UNDEFINED, PERMANENTLY_UNDEFINED];
    for (const second of seconds) test(opcode, second);
  }
  return tally;
}

// A board's own programs.

/** The program of a block is not run while flash is busy: that it was fetched is noted. */
function fetchWhileBusy(board) {
  const { flash, clock, program, chip: { core } } = board, code = program.codes[1];
  const pc = () => core.registers[15] & ~1;
  if (flash.violations.length) throw new Difference(`noted was ${flash.violations}`);
  for (let turn = 0; !code.blocks[pc() - 0x10000000 >> 1]; turn++) {
    if (turn > 1e6) throw new Difference('no block of flash is run');
    const asleep = board.run(1);
    if (asleep > 0) clock.tick(asleep);
  }
  const wanted = `read at ${pc().toString(16)} while flash was busy`;
  core.waiting = false;
  flash.busyUntil = clock.nanos + 1e6;
  board.run(1);
  if (flash.violations[0] !== wanted) throw new Difference(`noted was ${flash.violations}, and not: ${wanted}`);
  flash.violations = [];
}

/** Both run a board's flash, compared after each block, or each time that they sleep. */
async function firmware(file) {
  const image = fs.readFileSync(file), id = Buffer.from('0123456789abcdef', 'hex');
  const [ours, theirs] = [undefined, Reference].map((Core) => new Board(rom, new Flash(image, id), { lead: Infinity, Core }));
  // Nobody lets them run but this.
  for (const board of [ours, theirs]) Object.assign(board, { isRunning: true });
  for (const board of [ours, theirs]) board.power(true);
  const tally = { instructions: 0, blocks: 0, sleeps: 0, resets: 0, mended: 0, events: 0 };
  // Events of the clock fall where nothing of the board's own does: between any two instructions of a program.
  const random = chance(7), intervals = Array.from({ length: 4096 }, () => 1000 + random() % 200000);
  const strike = (board) => {
    let count = 0;
    board.struck = 0;
    const alarm = board.clock.createAlarm(() => {
      board.struck = Math.imul(board.struck, 31) + (board.chip.core.registers[15] & ~1) | 0;
      alarm.schedule(intervals[count++ % intervals.length]);
      tally.events++;
    });
    alarm.schedule(1000);
  };
  for (const board of [ours, theirs]) strike(board);
  const what = () => `after ${tally.instructions} instructions, ${tally.blocks} blocks`;
  const devices = ({ flash, wantsReset, isStuck, usb, struck }) => [struck, flash.operations, flash.violations.length, wantsReset, isStuck, Boolean(usb.info)];
  const memory = () => {
    for (const [name, of] of [['RAM', (it) => it.chip.sram], ['flash', (it) => it.flash.bytes], ['USB memory', (it) => it.chip.usbDPRAM]]) {
      if (Buffer.compare(of(ours), of(theirs))) throw new Difference(`${what()}: ${name} differs`);
    }
    const missing = theirs.flash.pagesRead.findIndex((isRead, page) => isRead && !ours.flash.pagesRead[page]);
    if (missing >= 0) throw new Difference(`${what()}: page ${missing} was read, and that is not noted`);
  };
  for (let turn = 0; !ours.isStuck && !ours.usb.info; turn++) {
    if (ours.wantsReset) {
      for (const board of [ours, theirs]) { board.reset(board.wantsReset); strike(board); }
      tally.resets++;
    }
    const before = ours.instructions;
    let asleep = ours.run(1);
    const ran = ours.instructions - before;
    for (let done = 0; done < ran; done++) theirs.run(1);
    if (ran === 0 && theirs.run(1) !== asleep) throw new Difference(`${what()}: asleep for ${asleep}`);
    if (asleep === Infinity) break;
    if (asleep > 0) { for (const board of [ours, theirs]) board.clock.tick(asleep); tally.sleeps++; }
    tally.instructions += ran;
    tally.blocks++;
    compare({ core: ours.chip.core, clock: ours.clock }, { core: theirs.chip.core, clock: theirs.clock }, what);
    const [one, other] = [devices(ours), devices(theirs)];
    if (one.some((value, at) => value !== other[at])) throw new Difference(`${what()}: ${one}, rp2040js has ${other}`);
    if (turn % 20000 === 0) memory();
    // The host has its turn.
    if (turn % 1000 === 0 || asleep > 0) await new Promise(setImmediate);
    tally.mended += theirs.chip.core.mended;
    theirs.chip.core.mended = 0;
  }
  memory();
  fetchWhileBusy(ours);
  return { ...tally, operations: ours.flash.operations, isStuck: ours.isStuck };
}

// Blocks of rp2040js say what they do not have.
console.warn = () => {};

const [what, ...rest] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await { opcodes, firmware }[what](...rest.map((it) => (/^\d+$/.test(it) ? Number(it) : it)))));
  process.exit(0);
} catch (error) {
  if (!(error instanceof Difference)) throw error;
  console.error(error.message);
  process.exit(1);
}
