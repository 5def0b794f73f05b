// One emulated board as a process. Its flash is the file FLASH, read once; its USB functions are Unix sockets in FOLDER:
// each connection to `serial` or `vendor` carries bytes to and from that function while the board is there, and one to `usb`
// raw transfers (usb_socket.mjs).
//   node emulator.mjs FOLDER FLASH UNIQUE_ID
// UNIQUE_ID is the flash chip's own number, 16 digits.
// Commands are lines of JSON on the standard input, each answered by a line {"answer": ...} or {"error": ...}; events are
// lines {"event": ...} between them. It ends with its standard input.
import fs from 'node:fs';
import net from 'node:net';
import readline from 'node:readline';
import { Board } from './board.mjs';
import { bootrom } from './bootrom.mjs';
import { Flash } from './flash.mjs';
import { RAM } from './thumb.mjs';
import { serveTransfers } from './usb_socket.mjs';

const [folder, file, uniqueId] = process.argv.slice(2);
const flash = new Flash(fs.readFileSync(file), Buffer.from(uniqueId, 'hex'));
const board = new Board(bootrom(process.env.BOOTLACE_RP2040_BOOTROM), flash);
const { usb } = board;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
usb.on('attached', (info) => say({ event: 'attached', info }));
usb.on('detached', () => { hangUp(); say({ event: 'detached' }); });
usb.on('failed', (error) => say({ event: 'failed', why: error.message }));
board.on('power-cut', () => say({ event: 'power-cut' }));

/** Bulk endpoints of the functions, the same number both ways. */
const FUNCTIONS = { serial: 2, vendor: 3 };
const OUT_ENDPOINTS = { serial: 1, vendor: 2 };
/** Who is connected to each: whoever comes later takes the place of who was there. */
const connections = new Map();
/**
 * By function: since when it owes an answer, and how long it owed one at most, in emulated nanoseconds. Taken here, where bytes
 * enter and leave the bus: a test's own process may be kept waiting on a busy machine.
 */
const owesSince = new Map(), slowest = new Map();

/** Ends all connections, after what the board said last: that is still on its way through this program. */
function hangUp() {
  const ended = [...connections.values()];
  connections.clear();
  setImmediate(() => ended.forEach((connection) => connection.end()));
}

function noteAnswer(name) {
  if (!owesSince.has(name)) return;
  slowest.set(name, Math.max(slowest.get(name) ?? 0, board.now - owesSince.get(name)));
  owesSince.delete(name);
}

/** Bytes between a connection and a function, each way as fast as the slower side takes them. */
function carry(connection, name) {
  connections.get(name)?.stopReading();
  connections.get(name)?.end();
  connections.set(name, connection);
  connection.on('error', () => {});
  let reading = null;
  connection.stopReading = () => { if (reading) usb.cancel(reading.transfer); };
  const pump = () => {
    reading = usb.in(FUNCTIONS[name], 64);
    reading.then((data) => {
      if (data.length) { noteAnswer(name); connection.write(data); }
      pump();
    }, () => connection.end());
  };
  connection.on('data', (data) => {
    connection.pause();
    if (!owesSince.has(name)) owesSince.set(name, board.now);
    usb.out(OUT_ENDPOINTS[name], data).then(() => connection.resume(), () => connection.destroy());
  });
  connection.on('close', () => {
    connection.stopReading();
    if (connections.get(name) === connection) connections.delete(name);
  });
  pump();
}

for (const name of Object.keys(FUNCTIONS)) {
  net.createServer((connection) => (usb.info ? carry(connection, name) : connection.destroy())).listen(`${folder}/${name}`);
}

serveTransfers(usb, `${folder}/usb`);

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (text) => Buffer.from(text, 'hex');

/**
 * A transfer's end as data: what came, or why it failed. As on any system a program has no device before that is
 * configured; `isEarly`: this one is told to the bus all the same.
 */
async function outcome(begin, millis, isEarly) {
  if (!usb.info && !isEarly) return { failed: 'gone', data: '' };
  const transfer = begin();
  const limit = setTimeout(() => usb.cancel(transfer.transfer), millis ?? 2000);
  try { return { data: hex(await transfer) }; } catch (error) { return { failed: error.why ?? error.message, data: hex(error.data ?? []) }; } finally { clearTimeout(limit); }
}

/** Has emulated time pass at once where the board only waits, or at most as fast as real time. */
function hurry(on) {
  board.lead = on ? Infinity : 5e6;
  board.base = performance.now() * 1e6 - board.now;
  board.kick();
}

const COMMANDS = {
  power: ({ on }) => board.power(on),
  reset: () => { board.wantsReset = 'pin'; board.kick(); },
  hold: ({ button, held }) => {
    if (held) board.held.add(button); else board.held.delete(button);
    const pin = button === 'bootsel' ? board.chip?.qspi[1] : board.chip?.gpio[22];
    pin?.setInputValue(!held);
  },
  cut: ({ at, when }) => { board.flash.cutAt = at; board.flash.cutWhen = when; },
  // The flash is busy, whatever the board does.
  busy: ({ millis }) => { board.flash.busyUntil = board.clock.nanos + millis * 1e6; },
  flash: () => { fs.writeFileSync(`${folder}/flash`, board.flash.bytes); },
  put: () => board.flash.fill(fs.readFileSync(`${folder}/flash`)),
  trace: () => board.flash.trace.splice(0),
  // Milliseconds from the first operation of the flash since the last call to the end of the last one; the board had no reset.
  span: () => {
    const { span } = board.flash;
    board.flash.span = null;
    return span && (span[1] - span[0]) / 1e6;
  },
  pagesRead: () => hex(board.flash.pagesRead),
  ramUsed: () => {
    board.noteRam();
    const used = board.ramUsed;
    board.ramUsed = 0;
    return used;
  },
  poke: ({ at, data }) => { bytes(data).forEach((byte, offset) => board.chip.writeUint8(RAM.begin + at + offset, byte)); },
  peek: ({ at, length }) => hex(board.chip.sram.subarray(at, at + length)),
  // Milliseconds since the last call, or null where nothing was answered; what is owed to an earlier connection is forgotten.
  slowest: ({ name }) => {
    const longest = slowest.get(name);
    slowest.delete(name);
    owesSince.delete(name);
    return longest === undefined ? null : longest / 1e6;
  },
  // `untilHere`: until a host has configured the board.
  hurry: ({ on, untilHere }) => { hurry(on); if (untilHere) usb.once('attached', () => hurry(false)); },
  state: () => ({
    info: usb.info ?? null, millis: board.now / 1e6, instructions: board.instructions, resets: board.resets,
    operations: board.flash.operations, violations: board.flash.violations, repeated: usb.repeated + (board.chip?.usbCtrl.repeated ?? 0),
    isOn: board.isOn, isStuck: board.isStuck ?? false,
  }),
  control: ({ kind, request, value, index, length, data, stopAfter, millis, isEarly, comesWithReset }) =>
    outcome(() => {
      const rest = data === undefined ? length : bytes(data);
      const transfer = usb.control(kind, request, value, index, rest, stopAfter);
      return Object.assign(transfer, { transfer: Object.assign(transfer.transfer, { comesWithReset }) });
    }, millis, isEarly),
  out: ({ endpoint, data, millis }) => outcome(() => usb.out(endpoint, bytes(data)), millis),
  in: ({ endpoint, length, millis }) => outcome(() => usb.in(endpoint, length), millis),
  clearHalt: ({ endpoint }) => usb.clearHalt(endpoint),
  plug: ({ plugged }) => usb.plug(plugged),
  suspend: ({ suspended }) => { board.chip.usbCtrl.suspend(suspended); board.kick(); },
  enumerate: () => usb.attached(),
  restarted: ({ endpoints }) => endpoints.forEach((endpoint) => usb.isOdd.set(endpoint, false)),
};

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const command = JSON.parse(line);
  try { say({ answer: (await COMMANDS[command.do](command)) ?? null }); } catch (error) { say({ error: error.stack }); }
});
lines.on('close', () => process.exit(0));
