/** Virtio SCSI host (virtio 1.2, 5.6): a target for each drive, each with unit 0. */
import type { GuestRam } from '../../machine/guest-ram.js';
import { Scatter } from '../../machine/scatter.js';
import { perform } from '../storage/perform.js';
import { senseData, type ScsiTarget } from '../storage/scsi.js';
import { TYPE_SCSI } from './constants.js';
import type { VirtioDevice } from './virtio-device.js';
import type { Chain, Virtqueue } from './virtqueue.js';

const CONTROL = 0;
const EVENT = 1;
const FIRST_REQUEST = 2;
const QUEUE_SIZE = 256;
const MOST_SEGMENTS = QUEUE_SIZE - 2;
const CONFIG_BYTES = 36;
const SENSE_BYTES = 96;
const CDB_BYTES = 32;
/** Unit, id, task attribute, priority, CRN; the command block follows. */
const REQUEST_HEADER = 19;
/** Sense length, residue, qualifier, status, response; the sense follows. */
const RESPONSE_HEADER = 12;

const CHANGE = 2;

const S_OK = 0;
const S_BAD_TARGET = 3;
const S_INCORRECT_LUN = 12;
const CHECK_CONDITION = 2;
const EVENT_BYTES = 16;
const T_PARAM_CHANGE = 3;

export class VirtioScsi implements VirtioDevice {
  readonly type = TYPE_SCSI;
  readonly classCode = 0x010000;
  readonly features: readonly number[] = [CHANGE];
  readonly queueSizes: readonly number[];
  wake: (queue: number) => void = () => {};
  private generation = 0;
  private senseBytes = SENSE_BYTES;
  private cdbBytes = CDB_BYTES;
  /** Targets whose medium changed, of which the driver does not know. */
  private readonly changed: number[] = [];

  constructor(
    private readonly ram: GuestRam,
    private readonly targets: readonly ScsiTarget[],
    queues: number,
  ) {
    this.queueSizes = new Array<number>(FIRST_REQUEST + queues).fill(QUEUE_SIZE);
    targets.forEach((target, id) => {
      const own = target.drive.onChange;
      target.drive.onChange = () => {
        own();
        this.changed.push(id);
        this.wake(EVENT);
      };
    });
  }

  get config(): Uint8Array {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    config.setUint32(0, this.queueSizes.length - FIRST_REQUEST, true);
    config.setUint32(4, MOST_SEGMENTS, true);
    config.setUint32(8, 0xffff, true);
    config.setUint32(12, 128, true);
    config.setUint32(16, EVENT_BYTES, true);
    config.setUint32(20, this.senseBytes, true);
    config.setUint32(24, this.cdbBytes, true);
    config.setUint16(30, Math.max(0, this.targets.length - 1), true);
    return new Uint8Array(config.buffer);
  }

  configWritten(offset: number, value: number, size: number): void {
    if (size !== 4) return;
    if (offset === 20 && value <= 252) this.senseBytes = value;
    else if (offset === 24 && value >= 16 && value <= 256) this.cdbBytes = value;
  }

  queueNotified(index: number, queue: Virtqueue): void {
    if (index === EVENT) return this.tellChanges(queue);
    for (let chain = queue.next(); chain; chain = queue.next())
      if (index === CONTROL) this.control(queue, chain);
      else this.request(index, queue, chain);
  }

  private tellChanges(queue: Virtqueue): void {
    while (this.changed.length > 0) {
      const chain = queue.next();
      if (!chain) return;
      const event = new DataView(new ArrayBuffer(EVENT_BYTES));
      event.setUint32(0, T_PARAM_CHANGE, true);
      event.setUint8(4, 1);
      event.setUint8(5, this.changed.shift()!);
      // Sense code 28h: the medium may have changed.
      event.setUint32(12, 0x28, true);
      queue.giveBack(chain, new Scatter(this.ram, chain.writable).write(new Uint8Array(event.buffer)));
    }
  }

  /** Task management and notification requests: nothing is under way that could be aborted. */
  private control(queue: Virtqueue, chain: Chain): void {
    const writable = new Scatter(this.ram, chain.writable);
    const answer = new Uint8Array(Math.min(writable.length, 5));
    // The last byte is the response: function complete.
    queue.giveBack(chain, writable.write(answer));
  }

  private request(index: number, queue: Virtqueue, chain: Chain): void {
    const readable = new Scatter(this.ram, chain.readable);
    const writable = new Scatter(this.ram, chain.writable);
    const headBytes = REQUEST_HEADER + this.cdbBytes;
    const responseBytes = RESPONSE_HEADER + this.senseBytes;
    const { generation } = this;
    let atOnce = true;
    const respond = (
      response: number,
      status: number,
      sense: Uint8Array,
      residue: number,
      moved: number,
    ): void => {
      if (generation !== this.generation) return;
      const head = new DataView(new ArrayBuffer(RESPONSE_HEADER));
      head.setUint32(0, sense.length, true);
      head.setUint32(4, residue, true);
      head.setUint8(10, status);
      head.setUint8(11, response);
      writable.write(new Uint8Array(head.buffer));
      writable.write(sense.subarray(0, this.senseBytes), RESPONSE_HEADER);
      queue.giveBack(chain, Math.min(responseBytes, writable.length) + moved);
      if (!atOnce) this.wake(index);
    };
    const none = new Uint8Array();
    if (readable.length < headBytes) respond(S_BAD_TARGET, 0, none, 0, 0);
    else {
      const head = readable.read(0, headBytes);
      const target = head[0] === 1 ? this.targets[head[1]!] : undefined;
      const unit = ((head[2]! << 8) | head[3]!) & 0x3fff;
      if (!target) respond(S_BAD_TARGET, 0, none, 0, 0);
      else if (unit !== 0) respond(S_INCORRECT_LUN, 0, none, 0, 0);
      else {
        const buffers = { toGuest: writable.from(responseBytes), fromGuest: readable.from(headBytes) };
        const wanted = buffers.toGuest.length || buffers.fromGuest.length;
        perform(target.drive, target.execute(head.subarray(REQUEST_HEADER)), buffers, (ending) => {
          if (ending.kind === 'done')
            return respond(S_OK, 0, none, Math.max(0, wanted - ending.moved), ending.moved);
          const sense = ending.work?.kind === 'check' ? ending.work.sense : target.failed();
          respond(S_OK, CHECK_CONDITION, senseData(sense), wanted, 0);
        });
      }
    }
    atOnce = false;
  }

  reset(): void {
    this.generation++;
    this.senseBytes = SENSE_BYTES;
    this.cdbBytes = CDB_BYTES;
    this.changed.length = 0;
    for (const target of this.targets) target.reset();
  }
  save(): object {
    return { senseBytes: this.senseBytes, cdbBytes: this.cdbBytes };
  }
  load(state: object): void {
    Object.assign(this, state);
  }
}
