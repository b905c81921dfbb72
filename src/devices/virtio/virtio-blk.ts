/** Virtio block device (virtio 1.2, 5.2). */
import type { Drive } from '../../machine/drive.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import { Scatter } from '../../machine/scatter.js';
import { inTurn } from '../storage/in-turn.js';
import { TYPE_BLOCK } from './constants.js';
import type { VirtioDevice } from './virtio-device.js';
import type { Chain, Virtqueue } from './virtqueue.js';

const SECTOR = 512;
const QUEUE_SIZE = 256;
/** Segments of a request: header and status take two descriptors. */
const MOST_SEGMENTS = QUEUE_SIZE - 2;
const CONFIG_BYTES = 60;
const HEADER_BYTES = 16;
const ID_BYTES = 20;

// Features
const SEG_MAX = 2;
const RO = 5;
const BLK_SIZE = 6;
const FLUSH = 9;
const TOPOLOGY = 10;
const MQ = 12;
const DISCARD = 13;
const WRITE_ZEROES = 14;

// Requests
const T_IN = 0;
const T_OUT = 1;
const T_FLUSH = 4;
const T_GET_ID = 8;
const T_DISCARD = 11;
const T_WRITE_ZEROES = 13;
const RANGE_BYTES = 16;
const UNMAP = 1;
const MOST_RANGE = 0x3fffff;
const MOST_RANGES = 16;
/** Buffers may name the same memory again and again; no driver asks for so much at once. */
const MOST_BYTES = 2 ** 26;

const S_OK = 0;
const S_IOERR = 1;
const S_UNSUPP = 2;

export class VirtioBlk implements VirtioDevice {
  readonly type = TYPE_BLOCK;
  /** SCSI-like storage controller, as other machines call it. */
  readonly classCode = 0x010000;
  readonly features: readonly number[];
  readonly queueSizes: readonly number[];
  wake: (queue: number) => void = () => {};
  /** Requests from before a reset are forgotten. */
  private generation = 0;

  /** `queues`: one for each CPU is best. */
  constructor(
    private readonly ram: GuestRam,
    private readonly drive: Drive,
    queues: number,
  ) {
    this.queueSizes = new Array<number>(queues).fill(QUEUE_SIZE);
    this.features = [SEG_MAX, BLK_SIZE, FLUSH, TOPOLOGY, MQ];
    if (drive.readOnly) this.features = [...this.features, RO];
    else if (drive.discards) this.features = [...this.features, DISCARD, WRITE_ZEROES];
  }

  get config(): Uint8Array {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    config.setBigUint64(0, BigInt(this.drive.sectors), true);
    config.setUint32(12, MOST_SEGMENTS, true);
    config.setUint32(20, SECTOR, true);
    // Eight sectors are a physical block, and the least that is done well.
    config.setUint8(24, 3);
    config.setUint16(26, 8, true);
    config.setUint16(34, this.queueSizes.length, true);
    config.setUint32(36, MOST_RANGE, true);
    config.setUint32(40, MOST_RANGES, true);
    config.setUint32(44, 8, true);
    config.setUint32(48, MOST_RANGE, true);
    config.setUint32(52, MOST_RANGES, true);
    config.setUint8(56, 1);
    return new Uint8Array(config.buffer);
  }

  queueNotified(index: number, queue: Virtqueue): void {
    for (let chain = queue.next(); chain; chain = queue.next()) this.request(index, queue, chain);
  }

  private request(index: number, queue: Virtqueue, chain: Chain): void {
    const readable = new Scatter(this.ram, chain.readable);
    const writable = new Scatter(this.ram, chain.writable);
    const { generation } = this;
    let atOnce = true;
    const end = (status: number, written = 0): void => {
      if (generation !== this.generation) return;
      if (writable.length > 0) writable.write(Uint8Array.of(status), writable.length - 1);
      queue.giveBack(chain, written + 1);
      if (!atOnce) this.wake(index);
    };
    if (readable.length < HEADER_BYTES || writable.length < 1) end(S_IOERR);
    else this.serve(readable, writable, end);
    atOnce = false;
  }

  private serve(readable: Scatter, writable: Scatter, end: (status: number, written?: number) => void): void {
    const { drive } = this;
    const header = readable.read(0, HEADER_BYTES);
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true);
    const position = Number(view.getBigUint64(8, true)) * SECTOR;
    const inLength = writable.length - 1;
    const outLength = readable.length - HEADER_BYTES;
    const fits = (length: number): boolean =>
      length <= MOST_BYTES && length % SECTOR === 0 && position + length <= drive.sectors * SECTOR;
    switch (type) {
      case T_IN:
        if (!fits(inLength)) return end(S_IOERR);
        return drive.read(position, writable.parts(0, inLength), (ok) => {
          if (ok) writable.written(0, inLength);
          end(ok ? S_OK : S_IOERR, ok ? inLength : 0);
        });
      case T_OUT:
        if (drive.readOnly || !fits(outLength)) return end(S_IOERR);
        return drive.write(position, readable.parts(HEADER_BYTES), (ok) => end(ok ? S_OK : S_IOERR));
      case T_FLUSH:
        return drive.flush((ok) => end(ok ? S_OK : S_IOERR));
      case T_GET_ID: {
        const id = new Uint8Array(ID_BYTES);
        [...drive.serial.slice(0, ID_BYTES)].forEach((letter, i) => (id[i] = letter.charCodeAt(0)));
        return end(S_OK, writable.write(id.subarray(0, inLength)));
      }
      case T_DISCARD:
      case T_WRITE_ZEROES:
        if (drive.readOnly || outLength > MOST_RANGES * RANGE_BYTES) return end(S_IOERR);
        return this.clear(readable.read(HEADER_BYTES), type === T_DISCARD, end);
      default:
        return end(S_UNSUPP);
    }
  }

  /** Ranges of 16 bytes: sector, count, flags. */
  private clear(ranges: Uint8Array, discard: boolean, end: (status: number) => void): void {
    const { drive } = this;
    const view = new DataView(ranges.buffer, ranges.byteOffset, ranges.length);
    if (ranges.length === 0 || ranges.length % RANGE_BYTES !== 0) return end(S_IOERR);
    const list: { position: number; length: number; give: boolean }[] = [];
    for (let at = 0; at < ranges.length; at += RANGE_BYTES) {
      const first = Number(view.getBigUint64(at, true));
      const count = view.getUint32(at + 8, true);
      if (first + count > drive.sectors) return end(S_IOERR);
      const give = discard || (view.getUint32(at + 12, true) & UNMAP) !== 0;
      list.push({ position: first * SECTOR, length: count * SECTOR, give });
    }
    inTurn(
      list,
      ({ position, length, give }, next) => drive[give ? 'discard' : 'zero'](position, length, next),
      (ok) => end(ok ? S_OK : S_IOERR),
    );
  }

  reset(): void {
    this.generation++;
  }
  save(): object {
    return {};
  }
  load(): void {}
}
