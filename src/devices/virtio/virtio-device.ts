import type { Virtqueue } from './virtqueue.js';

/** A virtio device, whatever bus it is on. The transport owns its queues. */
export interface VirtioDevice {
  /** Device type (virtio 1.2, chapter 5) and PCI class code. */
  readonly type: number;
  readonly classCode: number;
  /** Device-specific feature bits that are offered. */
  readonly features: readonly number[];
  /** Greatest size of each queue, powers of two. */
  readonly queueSizes: readonly number[];
  /** Device-specific configuration as it reads now. */
  readonly config: Uint8Array;
  /**
   * The driver put buffers into queue `index`, which is enabled. Buffers are given back with `queue.giveBack`; the
   * transport interrupts afterwards. A RingError that `queue.next` throws goes on to the transport.
   */
  queueNotified(index: number, queue: Virtqueue): void;
  configWritten?(offset: number, value: number, size: number): void;
  /** Set by the transport; to be called when buffers of a queue were given back later than in `queueNotified`. */
  wake?: (index: number) => void;
  /** Set by the transport: whether the driver took a feature that was offered. */
  negotiated?: (bit: number) => boolean;
  /** Set by the transport; to be called when `config` reads differently without the driver's doing. */
  configChanged?: () => void;
  reset(): void;
  save(): object;
  load(state: object): void;
}
