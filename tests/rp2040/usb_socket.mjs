// Raw transfers to the emulated device over a Unix socket, for whoever plays the host's driver. Each line is one JSON value:
//   {"id", "endpoint", "setup"?, "length" or "data"}   begins a transfer; endpoint 0 has a setup packet, 0x80 is "from the device"
//   {"id", "clearHalt": endpoint}                       sets an endpoint going again, on both sides
//   {"id", "interface", "alternate", "endpoints"}       chooses a setting of an interface, which starts its endpoints anew
//   {"cancel": id}                                     takes one back
// and each transfer is answered by {"id", "data", "why"}: what came, in hex, and what ended it early, or null (usb_host.mjs).
import net from 'node:net';
import readline from 'node:readline';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (text) => Buffer.from(text ?? '', 'hex');

function begin(usb, { endpoint, setup, length, data, clearHalt, alternate, endpoints, interface: number }) {
  if (clearHalt !== undefined) return usb.clearHalt(clearHalt);
  if (number !== undefined) {
    return usb.control(1, 11, alternate, number, 0).then(() => endpoints.forEach((it) => usb.isOdd.set(it, false)));
  }
  if (setup !== undefined) {
    const packet = bytes(setup);
    const rest = packet[0] & 0x80 ? packet.readUInt16LE(6) : bytes(data);
    return usb.control(packet[0], packet[1], packet.readUInt16LE(2), packet.readUInt16LE(4), rest);
  }
  return endpoint & 0x80 ? usb.in(endpoint & 15, length) : usb.out(endpoint, bytes(data));
}

/** Serves transfers to `usb`, a UsbHost, on the socket at `path`. A connection that ends takes its transfers back. */
export function serveTransfers(usb, path) {
  net.createServer((connection) => {
    const running = new Map();
    const say = (line) => connection.write(`${JSON.stringify(line)}\n`);
    const hear = (line) => {
      const message = JSON.parse(line);
      if (message.cancel !== undefined) {
        const transfer = running.get(message.cancel);
        if (transfer) usb.cancel(transfer);
        return;
      }
      const { id } = message;
      const promise = begin(usb, message);
      running.set(id, promise.transfer);
      promise.then((data) => say({ id, data: hex(data ?? []), why: null }), (error) => say({ id, data: hex(error.data ?? []), why: error.why ?? error.message }))
        .finally(() => running.delete(id));
    };
    // Whoever hangs up while an answer is on its way has no use for the answer.
    readline.createInterface({ input: connection }).on('line', hear).on('error', () => {});
    connection.on('error', () => {});
    connection.on('close', () => running.forEach((transfer) => usb.cancel(transfer)));
  }).listen(path);
}
