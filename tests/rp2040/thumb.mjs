// The instructions of an ARMv6-M processor (ARM DDI 0419, "ARMv6-M Architecture Reference Manual", A5 and A6.7) as JavaScript,
// for `processor.mjs` to run. Cycles are those of rp2040js.
//
// An instruction is made into text. The text of a block is that of its instructions, one after the other, between what takes
// the processor's state into variables and what puts it back: see `Block.finish`. The text's names:
//   r0 to r14      registers, signed words as are all the others
//   n z c v        the flags: n and v are set when negative, z when zero, c is 0 or 1
//   a i y          the address of an access, its index in RAM, what was loaded
//   p k j          where the text leaves (`break x`): the address that comes next, cycles and instructions since the loop's begin
//   t m            cycles and instructions of earlier turns, where the block is a loop
//   S W H B L ...  the names of `processor.mjs`

/** Bytes of RAM, and where it begins. */
export const RAM = { begin: 0x20000000, length: 264 * 1024 };
/** Places of the processor's state, an array of signed words: registers, flags, and what a block tells who runs it. */
export const PLACE = {
  pc: 15, n: 16, z: 17, c: 18, v: 19,
  /** Since the clock was last made right, and since `Processor.run` began. */
  cycles: 20, instructions: 21,
  /** No block may begin that could come to so many cycles; below 0: nothing may. */
  limit: 22,
  /** One of `STOP`, and where a branch was to lead. */
  stop: 23, target: 24,
  /** Whether flash can be read. */
  isOpen: 25,
};
/** Why a block ended early: a device was read or written, the access or the instruction is none, a branch that is not to Thumb code. */
export const STOP = { device: 1, fault: 2, branch: 3 };
/** Bits of an address within a line of RAM. Lines that a block was made of are marked in L: what is stored there takes the slow way. */
export const LINE = 6;
const MOST_INSTRUCTIONS = 48;

// What becomes of the flags: text for an expression of a result `x` from `a` and `b`.
const RESULT = 'n = z = x;';
const SUM = 'const x = a + b | 0; c = x >>> 0 < a >>> 0 ? 1 : 0; v = (a ^ x) & (b ^ x); n = z = x;';
const DIFFERENCE = 'const x = a - b | 0; c = a >>> 0 >= b >>> 0 ? 1 : 0; v = (a ^ b) & (a ^ x); n = z = x;';
/** The same with the carry, where it comes into the sum. */
const SUM_WITH_CARRY = 'const x = a + b + c | 0; c = (a & b | (a | b) & ~x) >>> 31; v = (a ^ x) & (b ^ x); n = z = x;';

/** Does `what` with `a` and `b`, and puts `x` into a register unless that is undefined. */
const compute = (x, a, b, what, into) => `{ const a = ${a}, b = ${b}; ${what} ${into === undefined ? '' : x.set(into, 'x')} }`;
const logic = (expression) => ({ m, d }, x) => compute(x, x.r(d), x.r(m), `const x = ${expression}; ${RESULT}`, d);
/** By the lowest 8 bits of a register: `few` for 1 to 31, `many` for more. A shift by 0 changes no carry. */
const shiftBy = (few, many) => ({ m, d }, x) =>
  compute(x, x.r(d), `${x.r(m)} & 255`, `let x = a; if (b !== 0) { if (b < 32) { ${few} } else { ${many} } } ${RESULT}`, d);
const unary = (expression) => ({ m, d }, x) => `{ const a = ${x.r(m)}; ${x.set(d, expression)} }`;

const CONDITIONS = ['z === 0', 'c !== 0', 'n < 0', 'v < 0', 'c !== 0 && z !== 0', '(n ^ v) >= 0', 'z !== 0 && (n ^ v) >= 0'];
const condition = (number) => (number & 1 ? `!(${CONDITIONS[number >> 1]})` : CONDITIONS[number >> 1]);

const signed = (value, bits) => value << (32 - bits) >> (32 - bits);
const registers = (list) => [0, 1, 2, 3, 4, 5, 6, 7].filter((number) => list & (1 << number));

const loads = (size, isSigned, address) => (fields, x) => x.load(size, isSigned, fields.t, address(fields, x));
const stores = (size, address) => (fields, x) => x.store(size, fields.t, address(fields, x));
const byRegister = ({ m, n }, x) => `${x.r(n)} + ${x.r(m)} | 0`;
const byNumber = (size) => ({ n, i }, x) => `${x.r(n)} + ${i * size} | 0`;
const onStack = ({ i }, x) => `${x.r(13)} + ${i * 4} | 0`;
const high = (number, bit) => number | bit << 3;

/**
 * Bits of an instruction, and its text; letters are fields. Instead of the text: the processor's method that does it, outside of any
 * block.
 */
const INSTRUCTIONS = [
  ['00000 iiiii mmm ddd', ({ i, m, d }, x) => compute(x, x.r(m), i, `const x = a << b; ${i ? 'c = a >>> 32 - b & 1;' : ''} ${RESULT}`, d)],
  ['00001 iiiii mmm ddd', ({ i, m, d }, x) => compute(x, x.r(m), i || 32, `const x = ${i ? 'a >>> b | 0' : 0}; c = a >>> b - 1 & 1; ${RESULT}`, d)],
  ['00010 iiiii mmm ddd', ({ i, m, d }, x) => compute(x, x.r(m), i || 32, `const x = a >> ${i || 31}; c = a >>> b - 1 & 1; ${RESULT}`, d)],
  ['0001100 mmm nnn ddd', ({ m, n, d }, x) => compute(x, x.r(n), x.r(m), SUM, d)],
  ['0001101 mmm nnn ddd', ({ m, n, d }, x) => compute(x, x.r(n), x.r(m), DIFFERENCE, d)],
  ['0001110 iii nnn ddd', ({ i, n, d }, x) => compute(x, x.r(n), i, SUM, d)],
  ['0001111 iii nnn ddd', ({ i, n, d }, x) => compute(x, x.r(n), i, DIFFERENCE, d)],
  ['00100 ddd iiiiiiii', ({ d, i }, x) => `{ const x = ${i}; ${RESULT} ${x.set(d, 'x')} }`],
  ['00101 nnn iiiiiiii', ({ n, i }, x) => compute(x, x.r(n), i, DIFFERENCE)],
  ['00110 ddd iiiiiiii', ({ d, i }, x) => compute(x, x.r(d), i, SUM, d)],
  ['00111 ddd iiiiiiii', ({ d, i }, x) => compute(x, x.r(d), i, DIFFERENCE, d)],

  ['0100000000 mmm ddd', logic('a & b')],
  ['0100000001 mmm ddd', logic('a ^ b')],
  ['0100000010 mmm ddd', shiftBy('c = a >>> 32 - b & 1; x = a << b;', 'c = b === 32 ? a & 1 : 0; x = 0;')],
  ['0100000011 mmm ddd', shiftBy('c = a >>> b - 1 & 1; x = a >>> b | 0;', 'c = b === 32 ? a >>> 31 : 0; x = 0;')],
  ['0100000100 mmm ddd', shiftBy('c = a >>> b - 1 & 1; x = a >> b;', 'x = a >> 31; c = x & 1;')],
  ['0100000101 mmm ddd', ({ m, d }, x) => compute(x, x.r(d), x.r(m), SUM_WITH_CARRY, d)],
  ['0100000110 mmm ddd', ({ m, d }, x) => compute(x, x.r(d), `~${x.r(m)}`, SUM_WITH_CARRY, d)],
  ['0100000111 mmm ddd', ({ m, d }, x) => compute(x, x.r(d), `${x.r(m)} & 255`, `const x = a >>> b | a << 32 - b; if (b !== 0) c = x >>> 31; ${RESULT}`, d)],
  ['0100001000 mmm nnn', ({ m, n }, x) => compute(x, x.r(n), x.r(m), `const x = a & b; ${RESULT}`)],
  ['0100001001 nnn ddd', ({ n, d }, x) => compute(x, 0, x.r(n), DIFFERENCE, d)],
  ['0100001010 mmm nnn', ({ m, n }, x) => compute(x, x.r(n), x.r(m), DIFFERENCE)],
  ['0100001011 mmm nnn', ({ m, n }, x) => compute(x, x.r(n), x.r(m), SUM)],
  ['0100001100 mmm ddd', logic('a | b')],
  ['0100001101 mmm ddd', logic('Math.imul(a, b)')],
  ['0100001110 mmm ddd', logic('a & ~b')],
  ['0100001111 mmm ddd', logic('~b')],

  ['01000100 e mmmm ddd', ({ e, m, d }, x) => x.set(high(d, e), `${x.r(high(d, e))} + ${x.r(m)} | 0`)],
  ['01000101 e mmmm nnn', ({ e, m, n }, x) => compute(x, x.r(high(n, e)), x.r(m), DIFFERENCE)],
  ['01000110 e mmmm ddd', ({ e, m, d }, x) => x.set(high(d, e), x.r(m))],
  ['010001110 mmmm 000', ({ m }, x) => x.branchTo(x.r(m), 2)],
  ['010001111 mmmm 000', ({ m }, x) => `y = ${x.r(m)}; ${x.set(14, `${x.after(2)} | 1`)} ${x.branchTo('y', 2)}`],

  ['01001 ttt iiiiiiii', ({ t, i }, x) => x.literal(t, i * 4)],
  ['0101000 mmm nnn ttt', stores(4, byRegister)],
  ['0101001 mmm nnn ttt', stores(2, byRegister)],
  ['0101010 mmm nnn ttt', stores(1, byRegister)],
  ['0101011 mmm nnn ttt', loads(1, true, byRegister)],
  ['0101100 mmm nnn ttt', loads(4, false, byRegister)],
  ['0101101 mmm nnn ttt', loads(2, false, byRegister)],
  ['0101110 mmm nnn ttt', loads(1, false, byRegister)],
  ['0101111 mmm nnn ttt', loads(2, true, byRegister)],
  ['01100 iiiii nnn ttt', stores(4, byNumber(4))],
  ['01101 iiiii nnn ttt', loads(4, false, byNumber(4))],
  ['01110 iiiii nnn ttt', stores(1, byNumber(1))],
  ['01111 iiiii nnn ttt', loads(1, false, byNumber(1))],
  ['10000 iiiii nnn ttt', stores(2, byNumber(2))],
  ['10001 iiiii nnn ttt', loads(2, false, byNumber(2))],
  ['10010 ttt iiiiiiii', stores(4, onStack)],
  ['10011 ttt iiiiiiii', loads(4, false, onStack)],

  ['10100 ddd iiiiiiii', ({ d, i }, x) => x.set(d, `(${x.after(4)} & -4) + ${i * 4} | 0`)],
  ['10101 ddd iiiiiiii', ({ d, i }, x) => x.set(d, `${x.r(13)} + ${i * 4} | 0`)],
  ['101100000 iiiiiii', ({ i }, x) => x.set(13, `${x.r(13)} + ${i * 4} | 0`)],
  ['101100001 iiiiiii', ({ i }, x) => x.set(13, `${x.r(13)} - ${i * 4} | 0`)],
  ['1011001000 mmm ddd', unary('a << 16 >> 16')],
  ['1011001001 mmm ddd', unary('a << 24 >> 24')],
  ['1011001010 mmm ddd', unary('a & 65535')],
  ['1011001011 mmm ddd', unary('a & 255')],
  ['1011010 e rrrrrrrr', ({ e, r }, x) => x.storeAll([...registers(r), ...(e ? [14] : [])], `${x.r(13)} - ${4 * (registers(r).length + e)} | 0`, 13, 0, registers(r).length)],
  ['10110110011 i 0010', 'changeInterrupts'],
  ['1011101000 mmm ddd', unary('a << 24 | a << 8 & 0xff0000 | a >>> 8 & 0xff00 | a >>> 24')],
  ['1011101001 mmm ddd', unary('a << 8 & 0xff00ff00 | a >>> 8 & 0xff00ff')],
  ['1011101011 mmm ddd', unary('(a << 8 | a >>> 8 & 255) << 16 >> 16')],
  ['1011110 e rrrrrrrr', ({ e, r }, x) => x.loadAll(registers(r), x.r(13), 13, e)],
  ['10111110 iiiiiiii', 'undefined'],
  ['1011111100100000', 'waitForEvent'],
  ['1011111100110000', 'waitForInterrupt'],
  // What has no meaning among the hints does nothing; SEV and YIELD have none on a chip whose other processor sleeps.
  ['10111111 iiii 0000', () => ''],

  ['11000 nnn rrrrrrrr', ({ n, r }, x) => x.storeAll(registers(r), x.r(n), n, 4 * registers(r).length, registers(r).length)],
  ['11001 nnn rrrrrrrr', ({ n, r }, x) => x.loadAll(registers(r), x.r(n), r & (1 << n) ? undefined : n, 0)],
  ['11011110 iiiiiiii', 'undefined'],
  ['11011111 iiiiiiii', 'call'],
  ['1101 cccc iiiiiiii', ({ c, i }, x) => x.branch(signed(i, 8) * 2 + 4, 2, condition(c))],
  ['11100 iiiiiiiiiii', ({ i }, x) => x.branch(signed(i, 11) * 2 + 4, 2)],

  ['11110 s hhhhhhhhhh 11 e 1 f lllllllllll', ({ s, h, e, f, l }, x) => {
    const offset = signed(s << 24 | (1 ^ s ^ e) << 23 | (1 ^ s ^ f) << 22 | h << 12 | l << 1, 25);
    return `${x.set(14, `${x.after(4)} | 1`)} ${x.branch(offset + 4, 3)}`;
  }],
  ['111100111000 nnnn 10001000 ssssssss', 'writeSpecial'],
  ['1111001111101111 1000 dddd ssssssss', 'readSpecial'],
  ['1111001110111111 10001111 01 ii iiii', ({ i }, x) => { x.cost = 3; return i >> 4 === 3 ? x.fault() : ''; }],
];

const isWide = (opcode) => opcode >>> 11 > 0b11100;

const PATTERNS = INSTRUCTIONS.map(([pattern, meaning]) => {
  const bits = pattern.replaceAll(' ', ''), { length } = bits;
  const [mask, value] = [/[01]/, /1/].map((wanted) => [...bits].reduce((sum, bit) => (sum << 1 | wanted.test(bit)) >>> 0, 0));
  const letters = [...new Set(bits.replace(/[01]/g, ''))];
  const fields = letters.map((letter) => [letter, [...bits].flatMap((bit, at) => (bit === letter ? [length - 1 - at] : []))]);
  return { length, mask, value, fields, meaning };
});

/** What is no instruction. */
export const NONE = { size: 2, fields: {}, meaning: 'undefined' };

/** What an instruction is, of which `second` is the other half where there is one: its bytes, fields and meaning. */
export function decode(opcode, second) {
  const size = isWide(opcode) ? 4 : 2;
  const word = size === 4 ? (opcode << 16 | second) >>> 0 : opcode;
  const found = PATTERNS.find(({ length, mask, value }) => length === size * 8 && (word & mask) >>> 0 === value);
  if (!found) return { ...NONE, size };
  const field = (places) => places.reduce((sum, place) => sum << 1 | (word >>> place & 1), 0);
  return { size, fields: Object.fromEntries(found.fields.map(([letter, places]) => [letter, field(places)])), meaning: found.meaning };
}

/** Instructions in a row as the text of a function. */
export class Block {
  /**
   * `begin`: its address, or the name of a variable that says so, for a single instruction anywhere. `wordAt`: reads a word of the
   * memory that it lies in.
   */
  constructor(begin, wordAt, longest = MOST_INSTRUCTIONS) {
    Object.assign(this, { begin, here: begin, wordAt, longest, text: [], used: new Set(), instructions: 0, cycles: 0, hasLoop: false, next: null });
  }

  /** More cycles than a turn of it takes before its last instruction. */
  get most() { return this.cycles + 16; }

  /** Adds an instruction; gives whether another may follow, at `here`. */
  add(opcode, second) {
    const { size, fields, meaning } = decode(opcode, second);
    if (typeof meaning === 'string') return false;
    Object.assign(this, { size, cost: 1, next: this.after(size) });
    this.text.push(meaning(fields, this));
    this.cycles += this.cost;
    this.instructions++;
    this.here = this.next;
    return this.here !== null && this.instructions < this.longest;
  }

  /** The function's own text: arguments are the names that it uses. */
  finish() {
    if (this.here !== null) this.text.push(this.leave(this.after(0), 0, 0));
    const names = [...this.used].sort((a, b) => a - b);
    const { n, z, c, v, cycles, instructions, limit, pc } = PLACE;
    return `${names.map((number) => `let r${number} = S[${number}];`).join(' ')}
let n = S[${n}], z = S[${z}], c = S[${c}], v = S[${v}], p = 0, k = 0, j = 0, a = 0, i = 0, y = 0, t = 0, m = 0;
${this.hasLoop ? `const room = S[${limit}] - S[${cycles}] - ${this.most};` : ''}
x: for (;;) {
${this.text.join('\n')}
}
${names.map((number) => `S[${number}] = r${number};`).join(' ')}
S[${n}] = n; S[${z}] = z; S[${c}] = c; S[${v}] = v; S[${pc}] = p; S[${cycles}] += t + k; S[${instructions}] += m + j;`;
  }

  // What the instructions are made of.

  /** An address that many bytes from this instruction: a number, or text. */
  after(offset) { return typeof this.here === 'number' ? this.here + offset | 0 : `(${this.here} + ${offset} | 0)`; }

  r(number) {
    if (number === PLACE.pc) return this.after(4);
    this.used.add(number);
    return `r${number}`;
  }

  set(number, expression) {
    if (number === PLACE.pc) { this.cost = 2; this.next = null; return this.leave(`(${expression}) & -2`, 2); }
    this.used.add(number);
    return `r${number} = ${number === 13 ? `(${expression}) & -4` : expression};`;
  }

  /** Ends the block, after this instruction and its `cost`, unless it did `not` take place. */
  leave(address, cost, done = 1) { return `p = ${address}; k = ${this.cycles} + ${cost}; j = ${this.instructions + done}; break x;`; }

  /** Ends the block where an access to memory wants that: after the instruction, or before it. */
  stopped(cost) {
    return `if (S[${PLACE.stop}] === ${STOP.device}) { ${this.leave(this.after(this.size), cost)} } ${this.leave(this.after(0), 1)}`;
  }

  branch(offset, cost, condition) {
    const target = this.after(offset);
    const { cycles, instructions } = this;
    let go = this.leave(target, cost);
    if (target === this.begin) {
      // A loop: as long as no event of the clock can come within a turn.
      this.hasLoop = true;
      go = `t += ${cycles + cost}; m += ${instructions + 1}; if (t < room) continue x; p = ${target}; k = 0; j = 0; break x;`;
    }
    if (condition) return `if (${condition}) { ${go} }`;
    this.cost = cost;
    // The block goes on there.
    if (typeof target === 'number' && target !== this.begin) { this.next = target; return ''; }
    this.next = null;
    return go;
  }

  /** A branch to an address whose lowest bit says that it is Thumb code, or that is a return from an exception. */
  branchTo(expression, cost) {
    this.next = null;
    return `y = ${expression}; if (y >>> 28 === 15 || (y & 1) === 0) { S[${PLACE.stop}] = ${STOP.branch}; S[${PLACE.target}] = y; S[${PLACE.limit}] = -1; } ${this.leave('y & -2', cost)}`;
  }

  /** Instead of the instruction. */
  fault() { return `S[${PLACE.stop}] = ${STOP.fault}; S[${PLACE.limit}] = -1; ${this.leave(this.after(0), 1)}`; }

  literal(into, offset) {
    const address = typeof this.here === 'number' ? (this.here + 4 & -4) + offset : null;
    this.cost = 2;
    if (address === null) return this.load(4, false, into, `(${this.after(4)} & -4) + ${offset} | 0`);
    return this.set(into, this.wordAt(address) | 0);
  }

  load(size, isSigned, into, address) {
    this.cost = 2;
    const { array, index, length, shift } = WIDTHS[size];
    const extend = isSigned ? ` << ${shift} >> ${shift}` : '';
    return `a = ${address}; i = ${index}; if (i < ${length}) y = ${array}[i]${extend}; else {
  y = load${size}(a, t + ${this.cycles})${extend}; if (S[${PLACE.stop}] !== 0) { if (S[${PLACE.stop}] === ${STOP.device}) { ${this.set(into, 'y')} } ${this.stopped('2 + extra(a, false)')} } } ${this.set(into, 'y')}`;
  }

  store(size, from, address) {
    this.cost = 2;
    const { array, index, length, line } = WIDTHS[size];
    return `a = ${address}; i = ${index}; if (i < ${length} && L[i >> ${line}] === 0) ${array}[i] = ${this.r(from)}; else {
  store${size}(a, ${this.r(from)}, t + ${this.cycles}); if (S[${PLACE.stop}] !== 0) { ${this.stopped('2 + extra(a, true)')} } }`;
  }

  /** Stores registers, one after the other; then `base` is where it was and `step` more. */
  storeAll(list, address, base, step, cost) {
    this.cost = 1 + cost;
    const { array, index, length, line } = WIDTHS[4];
    const write = base === 13 ? this.set(13, 'a') : this.set(base, `a + ${step} | 0`);
    const fast = list.map((number, at) => `${array}[i + ${at}] = ${this.r(number)};`).join(' ');
    const slow = list.map((number, at) => `store4(a + ${4 * at} | 0, ${this.r(number)}, t + ${this.cycles});`).join(' ');
    return `a = ${address}; i = ${index}; if (i < ${length - list.length} && L[i >> ${line}] === 0 && L[i + ${list.length} >> ${line}] === 0) { ${fast} } else {
  ${slow} if (S[${PLACE.stop}] !== 0) { if (S[${PLACE.stop}] === ${STOP.device}) { ${write} } ${this.stopped(1 + cost)} } } ${write}`;
  }

  /** Loads registers, one after the other, and with `isReturn` the address to go to; then `base`, if there is one, is behind them. */
  loadAll(list, address, base, isReturn) {
    this.cost = 1 + list.length + (isReturn ? 2 : 0);
    const { array, index, length } = WIDTHS[4];
    const count = list.length + isReturn, places = [...Array(count).keys()];
    const write = base === undefined ? '' : this.set(base, `a + ${4 * count} | 0`);
    const put = list.map((number, at) => this.set(number, `y${at}`)).join(' ');
    const end = isReturn ? this.branchTo(`y${list.length}`, this.cost) : '';
    const rest = isReturn ? end : this.leave(this.after(this.size), this.cost);
    return `{ a = ${address}; i = ${index}; let ${places.map((at) => `y${at} = 0`).join(', ') || 'y0 = 0'};
if (i < ${length - count}) { ${places.map((at) => `y${at} = ${array}[i + ${at}];`).join(' ')} } else {
  ${places.map((at) => `y${at} = load4(a + ${4 * at} | 0, t + ${this.cycles});`).join(' ')}
  if (S[${PLACE.stop}] === ${STOP.fault}) { ${this.leave(this.after(0), 1)} } if (S[${PLACE.stop}] !== 0) { ${put} ${write} ${rest} } }
${put} ${write} ${end} }`;
  }
}

/**
 * By bytes of an access: the array of RAM, the index of address `a` in it, which is too large when that is not aligned; what makes the
 * number of a line (`LINE`) of the index; bits beyond the access.
 */
const WIDTHS = {
  1: { array: 'B', index: `a - ${RAM.begin} >>> 0`, length: RAM.length, line: LINE, shift: 24 },
  2: { array: 'H', index: `(a - ${RAM.begin} >>> 1 | a << 31) >>> 0`, length: RAM.length / 2, line: LINE - 1, shift: 16 },
  4: { array: 'W', index: `(a - ${RAM.begin} >>> 2 | a << 30) >>> 0`, length: RAM.length / 4, line: LINE - 2, shift: 0 },
};
