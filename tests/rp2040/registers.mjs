// A block of plain registers with the chip's aliases that change single bits.
export class Registers {
  constructor(initial = {}) {
    this.values = { ...initial };
  }

  readUint32(offset) { return this.values[offset] ?? 0; }

  writeUint32(offset, value) { this.values[offset] = value >>> 0; }

  /** `alias`: 0 writes, 1 flips, 2 sets and 3 clears the bits of `value`. */
  writeUint32Atomic(offset, value, alias) { this.writeUint32(offset, withAlias(alias, () => this.readUint32(offset), value)); }
}

/** What a write through an alias makes of a register. */
export function withAlias(alias, read, value) {
  switch (alias) {
    case 1: return (read() ^ value) >>> 0;
    case 2: return (read() | value) >>> 0;
    case 3: return (read() & ~value) >>> 0;
  }
  return value >>> 0;
}
