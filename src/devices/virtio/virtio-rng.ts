/** Virtio entropy device (virtio 1.2, 5.4). */
import { TYPE_ENTROPY } from './constants.js';
import type { VirtioDevice } from './virtio-device.js';
import type { Virtqueue } from './virtqueue.js';
import type { GuestRam } from '../../machine/guest-ram.js';

/** Fills an array with random bytes. */
export type Entropy = (target: Uint8Array) => void;

const QUEUE_SIZE = 64;
/** A request gets at most so many bytes, so that it takes little time. */
const MAX_BYTES = 0x10000;

export class VirtioRng implements VirtioDevice {
  readonly type = TYPE_ENTROPY;
  /** Other device. */
  readonly classCode = 0xff0000;
  readonly features: readonly number[] = [];
  readonly queueSizes: readonly number[] = [QUEUE_SIZE];
  readonly config = new Uint8Array(0);

  constructor(
    private readonly ram: GuestRam,
    private readonly entropy: Entropy,
  ) {}

  queueNotified(_index: number, queue: Virtqueue): void {
    for (let chain = queue.next(); chain; chain = queue.next()) {
      let written = 0;
      for (const { address, length } of chain.writable) {
        const bytes = new Uint8Array(Math.min(length, MAX_BYTES - written));
        this.entropy(bytes);
        this.ram.write(address, bytes);
        written += bytes.length;
      }
      queue.giveBack(chain, written);
    }
  }

  reset(): void {}

  save(): object {
    return {};
  }

  load(): void {}
}
