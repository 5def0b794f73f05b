// A USB host for one device: transfers come in, transactions go out, in the board's emulated time. A device that refuses
// for now is asked again when it touches its buffers.
import { EventEmitter } from 'node:events';

const PACKET = 64;
// Full speed: a transaction's own 2 us, and 64 bytes in 52 us.
const NANOS_PER_TRANSACTION = 2000;
const NANOS_PER_BYTE = 780;
const NANOS_OF_RESET = 10e6;
const NANOS_TO_SETTLE = 20e6;
const NANOS_AFTER_ADDRESS = 2e6;

/** A transfer that did not come to its end: 'stall', 'silence', 'gone', 'overflow' or 'cancelled'. */
export class TransferError extends Error {
  constructor(why, data) {
    super(why);
    Object.assign(this, { why, data });
  }
}

export class UsbHost extends EventEmitter {
  constructor() {
    super();
    Object.assign(this, { queues: new Map(), isOdd: new Map(), address: 0, given: 0, plugged: 0, device: null, isPlugged: true });
    /** Packets that came with the number of the one before. */
    this.repeated = 0;
  }

  bind(device, clock) {
    Object.assign(this, { device, inFlight: null, then: null });
    this.transaction = clock.createAlarm(() => this.fly());
    this.timer = clock.createAlarm(() => { const then = this.then; this.then = null; then?.(); this.emit('told'); });
  }

  after(nanos) {
    return new Promise((done) => {
      this.then = done;
      this.timer.schedule(nanos);
      this.emit('work');
    });
  }

  attached() {
    if (!this.isPlugged) return;
    const plugged = ++this.plugged;
    this.after(NANOS_TO_SETTLE).then(() => this.enumerate(plugged)).catch((error) => {
      if (plugged === this.plugged) this.emit('failed', error);
    });
  }

  detached() {
    this.plugged++;
    this.then = null;
    this.endAll();
    if (this.info) { this.info = null; this.emit('detached'); }
  }

  /** The cable of a board that has its power from elsewhere is pulled, or plugged in: what the board sees is silence. */
  plug(isPlugged) {
    if (isPlugged === this.isPlugged) return;
    this.isPlugged = isPlugged;
    if (isPlugged) { if (this.device?.isAttached) this.attached(); return; }
    this.detached();
    this.device?.suspend(true);
    this.emit('work');
  }

  /** Ends what is under way: the device has left, or forgets it. */
  endAll() {
    this.inFlight = null;
    for (const queue of this.queues.values()) for (const transfer of queue.splice(0)) this.end(transfer, 'gone');
  }

  async busReset() {
    this.endAll();
    this.device.busReset();
    this.address = 0;
    this.isOdd.clear();
    await this.after(NANOS_OF_RESET);
  }

  /** What a host does with a new device: asks who it is twice, gives it an address and a configuration. */
  async enumerate(plugged) {
    const isHere = () => { if (plugged !== this.plugged) throw new TransferError('gone'); };
    await this.busReset(); isHere();
    await this.control(0x80, 6, 0x100, 0, PACKET); isHere();
    await this.busReset(); isHere();
    await this.giveAddress(); isHere();
    const device = await this.control(0x80, 6, 0x100, 0, 18);
    const head = await this.control(0x80, 6, 0x200, 0, 9);
    const configuration = await this.control(0x80, 6, 0x200, 0, head.readUInt16LE(2));
    const [product, serial] = [await this.text(device[15]), await this.text(device[16])];
    await this.control(0, 9, configuration[5], 0, 0); isHere();
    this.isOdd.clear();
    this.info = { vendor: device.readUInt16LE(8), product: device.readUInt16LE(10), name: product, serial };
    this.emit('attached', this.info);
  }

  async giveAddress() {
    const address = (this.given++ % 126) + 1;
    await this.control(0, 5, address, 0, 0);
    this.address = address;
    await this.after(NANOS_AFTER_ADDRESS);
  }

  async text(index) {
    if (!index) return '';
    const bytes = await this.control(0x80, 6, 0x300 | index, 0x409, 255);
    return bytes.subarray(2, bytes[0]).toString('utf16le');
  }

  /** A control transfer: `rest` is how many bytes are wanted, or the bytes that are sent. `stopAfter`: give up there. */
  control(kind, request, value, index, rest, stopAfter) {
    const data = typeof rest === 'number' ? new Uint8Array(0) : rest;
    const length = typeof rest === 'number' ? rest : rest.length;
    const packet = Buffer.alloc(8);
    packet.writeUInt8(kind, 0); packet.writeUInt8(request, 1);
    packet.writeUInt16LE(value, 2); packet.writeUInt16LE(index, 4); packet.writeUInt16LE(length, 6);
    return this.submit({ endpoint: 0, stage: 'request', packet, isToHost: (kind & 0x80) !== 0, data, length, got: [], at: 0, stopAfter });
  }

  out(endpoint, data) { return this.submit({ endpoint, isToHost: false, data, length: data.length, at: 0 }); }

  in(endpoint, length) { return this.submit({ endpoint: endpoint | 0x80, isToHost: true, got: [], length, at: 0 }); }

  submit(transfer) {
    const promise = new Promise((resolve, reject) => Object.assign(transfer, { resolve, reject }));
    promise.transfer = transfer;
    if (!this.device?.isAttached || !this.isPlugged) { this.end(transfer, 'gone'); return promise; }
    if (!this.queues.has(transfer.endpoint)) this.queues.set(transfer.endpoint, []);
    this.queues.get(transfer.endpoint).push(transfer);
    this.wake();
    this.emit('work');
    return promise;
  }

  cancel(transfer) {
    const queue = this.queues.get(transfer.endpoint) ?? [];
    if (!queue.includes(transfer)) return;
    this.leave(transfer, 'cancelled');
    // The device need not do anything for the one behind it.
    this.wake();
    this.emit('work');
  }

  async clearHalt(endpoint) {
    await this.control(2, 1, 0, endpoint, 0);
    this.isOdd.set(endpoint, false);
  }

  end(transfer, why) {
    if (transfer.isDone) return;
    transfer.isDone = true;
    const data = transfer.isToHost ? Buffer.concat(transfer.got) : Buffer.alloc(0);
    if (why) transfer.reject(new TransferError(why, data)); else transfer.resolve(data);
  }

  /** Ends a transfer that is the first of its queue, or waits in it. */
  leave(transfer, why) {
    const queue = this.queues.get(transfer.endpoint);
    queue.splice(queue.indexOf(transfer), 1);
    this.end(transfer, why);
    this.emit('told');
  }

  // Transactions.

  /** Whether the device would answer this one now. */
  isReady(transfer) {
    if (transfer.endpoint !== 0) return this.device.next(transfer.endpoint & 15, !transfer.isToHost) !== 'nak';
    if (transfer.stage === 'request') return true;
    const isFromHost = transfer.stage === 'data' ? !transfer.isToHost : transfer.isToHost && transfer.length > 0;
    return this.device.next(0, isFromHost) !== 'nak';
  }

  /** Begins the next transaction: endpoints take turns. */
  wake() {
    if (this.inFlight) return;
    const endpoints = [...this.queues.keys()];
    for (let step = 1; step <= endpoints.length; step++) {
      const turn = ((this.turn ?? 0) + step) % endpoints.length;
      const transfer = this.queues.get(endpoints[turn])[0];
      if (!transfer || !this.isReady(transfer)) continue;
      Object.assign(this, { turn, inFlight: transfer });
      const bytes = transfer.isToHost ? PACKET : Math.min(PACKET, transfer.length - transfer.at);
      this.transaction.schedule(NANOS_PER_TRANSACTION + bytes * NANOS_PER_BYTE);
      return;
    }
  }

  fly() {
    const transfer = this.inFlight;
    this.inFlight = null;
    if (transfer && !transfer.isDone) {
      if (transfer.endpoint === 0) this.flyControl(transfer);
      else if (transfer.isToHost) this.flyIn(transfer);
      else this.flyOut(transfer);
    }
    this.wake();
  }

  /** What ends a transfer before its time. */
  isRefused(transfer, answer) {
    if (answer !== 'stall' && answer !== 'silence') return false;
    this.leave(transfer, answer);
    return true;
  }

  flyOut(transfer) {
    const packet = transfer.data.subarray(transfer.at, transfer.at + PACKET);
    const isOdd = this.isOdd.get(transfer.endpoint) ?? false;
    const answer = this.device.fromHost(this.address, transfer.endpoint, packet, isOdd);
    if (this.isRefused(transfer, answer) || answer === 'nak') return;
    this.isOdd.set(transfer.endpoint, !isOdd);
    transfer.at += packet.length;
    if (transfer.at >= transfer.length) this.leave(transfer);
  }

  flyIn(transfer) {
    const answer = this.device.toHost(this.address, transfer.endpoint & 15);
    if (this.isRefused(transfer, answer) || answer === 'nak') return;
    const isOdd = this.isOdd.get(transfer.endpoint) ?? false;
    if (answer.isOdd !== isOdd) { this.repeated++; return; }
    this.isOdd.set(transfer.endpoint, !isOdd);
    this.take(transfer, answer.data, () => this.leave(transfer));
  }

  /** Takes a packet; a short one ends what was asked for. */
  take(transfer, data, end) {
    transfer.got.push(Buffer.from(data));
    transfer.at += data.length;
    if (transfer.at > transfer.length) this.leave(transfer, 'overflow');
    else if (data.length < PACKET || transfer.at === transfer.length) end();
  }

  flyControl(transfer) {
    if (transfer.stage === 'request') {
      if (transfer.comesWithReset) { this.device.busReset(); this.address = 0; this.isOdd.clear(); }
      const answer = this.device.request(this.address, transfer.packet);
      transfer.isOdd = true;
      if (!this.isRefused(transfer, answer)) this.enter(transfer, transfer.length ? 'data' : 'status');
      return;
    }
    const isStatus = transfer.stage === 'status';
    const isFromHost = isStatus ? transfer.isToHost && transfer.length > 0 : !transfer.isToHost;
    const rest = isStatus ? new Uint8Array(0) : transfer.data.subarray(transfer.at, transfer.at + PACKET);
    const answer = isFromHost ? this.device.fromHost(this.address, 0, rest, transfer.isOdd) : this.device.toHost(this.address, 0);
    if (this.isRefused(transfer, answer) || answer === 'nak') return;
    if (!isFromHost && answer.isOdd !== transfer.isOdd) { this.repeated++; return; }
    if (isStatus) return this.leave(transfer);
    transfer.isOdd = !transfer.isOdd;
    if (!isFromHost) return this.take(transfer, answer.data, () => this.enter(transfer, 'status'));
    transfer.at += rest.length;
    if (transfer.at >= transfer.length) this.enter(transfer, 'status');
  }

  enter(transfer, stage) {
    if (transfer.stopAfter === transfer.stage) return this.leave(transfer, 'cancelled');
    transfer.stage = stage;
    if (stage === 'status') transfer.isOdd = true;
  }
}
