/** Virtio network device (virtio 1.2, 5.1). */
import type { Cable, Station } from '../../machine/cable.js';
import {
  Frame,
  MOST_FRAME_BYTES,
  PartReader,
  type Offload,
  type OffloadAbilities,
} from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import { checkVersion } from '../../machine/state.js';
import { TYPE_NETWORK, VIRTIO_F_VERSION_1 } from './constants.js';
import { NetControl } from './net-control.js';
import type { VirtioDevice } from './virtio-device.js';
import { RingError, type Chain, type Segment, type Virtqueue } from './virtqueue.js';

// Feature bits (5.1.3)
const F_CSUM = 0;
const F_GUEST_CSUM = 1;
const F_MAC = 5;
const F_GUEST_TSO4 = 7;
const F_GUEST_TSO6 = 8;
const F_GUEST_UFO = 10;
const F_HOST_TSO4 = 11;
const F_HOST_TSO6 = 12;
const F_HOST_ECN = 13;
const F_HOST_UFO = 14;
const F_MRG_RXBUF = 15;
const F_STATUS = 16;
const F_CTRL_VQ = 17;
const F_CTRL_RX = 18;
const F_CTRL_VLAN = 19;
const F_CTRL_RX_EXTRA = 20;
const F_GUEST_ANNOUNCE = 21;
const F_MQ = 22;
const F_CTRL_MAC_ADDR = 23;
const F_CTRL_GUEST_OFFLOADS = 2;

// Configuration (5.1.4)
const CONFIG_STATUS = 6;
const CONFIG_MAX_PAIRS = 8;
const CONFIG_BYTES = 10;
const STATUS_LINK_UP = 1;
const STATUS_ANNOUNCE = 2;

// Header of frames (5.1.6)
const HEADER_FLAGS = 0;
const HEADER_GSO_TYPE = 1;
const HEADER_LENGTH = 2;
const HEADER_GSO_SIZE = 4;
const HEADER_CSUM_START = 6;
const HEADER_CSUM_OFFSET = 8;
const HEADER_NUM_BUFFERS = 10;
const LEGACY_HEADER_BYTES = 10;
const HEADER_BYTES = 12;
const NEEDS_CSUM = 1;
const GSO_NONE = 0;
const GSO_TCPV4 = 1;
const GSO_UDP = 3;
const GSO_TCPV6 = 4;
const GSO_ECN = 0x80;

const QUEUE_SIZE = 256;
const CONTROL_QUEUE_SIZE = 64;
const LEAST_FRAME = 14;
/** Chains for one frame: the smallest buffers that drivers give have 1.5 KiB. */
const MOST_CHAINS = 256;

const EMPTY: Uint8Array = new Uint8Array(0);

const GSO_TYPES = { none: GSO_NONE, tcp4: GSO_TCPV4, tcp6: GSO_TCPV6, udp: GSO_UDP };

export class VirtioNet implements VirtioDevice, Station {
  readonly type = TYPE_NETWORK;
  /** Ethernet controller. */
  readonly classCode = 0x020000;
  readonly features: readonly number[];
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(CONFIG_BYTES);
  wake?: (index: number) => void;
  negotiated: (bit: number) => boolean = () => false;
  configChanged?: () => void;
  private readonly control: NetControl;
  /** Queues of frames that arrive, by number; undefined until the driver gave buffers. */
  private arriving: Frame | null = null;
  private taken = false;
  /** A frame found no buffers in this queue: the sender is told when there are some. */
  private full = false;

  /** `pairs`: queues for frames that come and go. */
  constructor(
    private readonly ram: GuestRam,
    private readonly mac: Uint8Array,
    private readonly cable: Cable,
    private readonly pairs: number,
  ) {
    this.features = [
      F_CSUM,
      F_GUEST_CSUM,
      F_CTRL_GUEST_OFFLOADS,
      F_MAC,
      F_GUEST_TSO4,
      F_GUEST_TSO6,
      F_GUEST_UFO,
      F_HOST_TSO4,
      F_HOST_TSO6,
      F_HOST_ECN,
      F_HOST_UFO,
      F_MRG_RXBUF,
      F_STATUS,
      F_CTRL_VQ,
      F_CTRL_RX,
      F_CTRL_VLAN,
      F_CTRL_RX_EXTRA,
      F_GUEST_ANNOUNCE,
      F_CTRL_MAC_ADDR,
      ...(pairs > 1 ? [F_MQ] : []),
    ];
    const sizes: number[] = [];
    for (let pair = 0; pair < pairs; pair++) sizes.push(QUEUE_SIZE, QUEUE_SIZE);
    this.queueSizes = [...sizes, CONTROL_QUEUE_SIZE];
    this.control = new NetControl(ram, mac, pairs, {
      macChanged: (address) => this.config.set(address),
      announced: () => (this.config[CONFIG_STATUS]! &= ~STATUS_ANNOUNCE),
    });
    this.config[CONFIG_MAX_PAIRS] = pairs;
    this.reset();
    cable.plug(this);
  }

  reset(): void {
    this.control.reset();
    this.config.set(this.mac);
    this.config[CONFIG_STATUS] = this.cable.connected ? STATUS_LINK_UP : 0;
    this.full = false;
  }

  /** Old drivers set the address by writing it where they read it. */
  configWritten(offset: number, value: number, size: number): void {
    if (this.negotiated(VIRTIO_F_VERSION_1)) return;
    for (let n = 0; n < size && offset + n < this.mac.length; n++)
      this.config[offset + n] = value >>> (8 * n);
    this.control.setMac(this.config.subarray(0, this.mac.length));
  }

  connectionChanged(): void {
    const { connected } = this.cable;
    this.config[CONFIG_STATUS] = connected ? STATUS_LINK_UP : 0;
    // Who is at the other end now learns from the guest where it is (5.1.6.5.4).
    if (connected && this.negotiated(F_GUEST_ANNOUNCE)) this.config[CONFIG_STATUS]! |= STATUS_ANNOUNCE;
    if (this.negotiated(F_STATUS)) this.configChanged?.();
  }

  private get headerBytes(): number {
    return this.negotiated(VIRTIO_F_VERSION_1) || this.negotiated(F_MRG_RXBUF)
      ? HEADER_BYTES
      : LEGACY_HEADER_BYTES;
  }

  /** Without multiqueue, the control queue comes right behind the first pair (5.1.2). */
  private get controlQueue(): number {
    return this.negotiated(F_MQ) ? 2 * this.pairs : 2;
  }

  queueNotified(index: number, queue: Virtqueue): void {
    if (index === this.controlQueue) this.control.serve(queue);
    else if (index % 2 === 1) this.transmit(queue);
    else this.receiveInto(queue);
  }

  // ---- from the guest

  private transmit(queue: Virtqueue): void {
    const { headerBytes } = this;
    // What finds the cable busy waits in the driver's queue.
    while (!this.cable.busy) {
      const chain = queue.next();
      if (!chain) break;
      const frame = this.frameOf(chain, headerBytes);
      if (frame) this.cable.send(frame);
      queue.giveBack(chain, 0);
    }
    this.cable.flush();
  }

  ready(): void {
    for (let pair = 0; pair < this.pairs; pair++) this.wake?.(2 * pair + 1);
  }

  /** null: it is none, and is dropped. */
  private frameOf({ readable }: Chain, headerBytes: number): Frame | null {
    const parts: Uint8Array[] = [];
    let header = EMPTY;
    let length = 0;
    for (const { address, length: bytes } of readable) {
      let view = this.ram.view(address, bytes);
      if (header.length < headerBytes) {
        const more = view.subarray(0, headerBytes - header.length);
        header = header.length === 0 ? more : Uint8Array.of(...header, ...more);
        view = view.subarray(more.length);
      }
      if (view.length === 0) continue;
      parts.push(view);
      length += view.length;
    }
    if (header.length < headerBytes || length < LEAST_FRAME || length > MOST_FRAME_BYTES) return null;
    return new Frame(parts, offloadOf(header));
  }

  // ---- to the guest

  get abilities(): OffloadAbilities {
    const offloads = this.control.guestOffloads;
    const has = (bit: number): boolean =>
      this.negotiated(bit) && (offloads === null || (offloads & (1 << bit)) !== 0);
    return {
      checksum: has(F_GUEST_CSUM),
      tcp4: has(F_GUEST_TSO4),
      tcp6: has(F_GUEST_TSO6),
      udp: has(F_GUEST_UFO),
    };
  }

  receive(frame: Frame): boolean {
    if (!this.cable.connected || !this.control.wants(frame.head(LEAST_FRAME + 4))) return true;
    this.arriving = frame;
    this.taken = true;
    this.wake?.(this.queueFor(frame));
    const { taken } = this;
    this.arriving = null;
    this.full = !taken;
    return taken;
  }

  /** Frames of one conversation go to one queue, so that they stay in order. */
  private queueFor(frame: Frame): number {
    const { activePairs } = this.control;
    if (activePairs === 1) return 0;
    const head = frame.head(38);
    let hash = 0;
    for (let at = 26; at < Math.min(38, head.length); at++) hash = (Math.imul(hash, 31) + head[at]!) | 0;
    return 2 * ((hash >>> 0) % activePairs);
  }

  /** The driver gave buffers, or a frame arrives. */
  private receiveInto(queue: Virtqueue): void {
    const frame = this.arriving;
    if (frame) {
      this.arriving = null;
      this.taken = this.put(queue, frame);
    } else if (this.full) {
      this.full = false;
      this.cable.room();
    }
  }

  /** false: there are not enough buffers. */
  private put(queue: Virtqueue, frame: Frame): boolean {
    const { headerBytes } = this;
    const wanted = headerBytes + frame.length;
    const mergeable = this.negotiated(F_MRG_RXBUF);
    const chains: Chain[] = [];
    let room = 0;
    while (room < wanted && chains.length < (mergeable ? MOST_CHAINS : 1)) {
      const chain = queue.next();
      if (!chain) {
        queue.putBack(chains.length);
        return false;
      }
      chains.push(chain);
      for (const { length } of chain.writable) room += length;
      if (chain.readable.length > 0 || chain.writable.length === 0)
        throw new RingError('a buffer for a frame that cannot be written');
    }
    if (room < wanted) {
      // It fits nowhere, ever: dropped, as a real card does.
      queue.putBack(chains.length);
      return true;
    }
    const header = headerOf(frame, headerBytes, chains.length);
    const source = new PartReader([header, ...frame.parts]);
    for (const chain of chains) queue.giveBack(chain, this.fill(chain.writable, source));
    return true;
  }

  private fill(segments: readonly Segment[], source: PartReader): number {
    let written = 0;
    for (const { address, length } of segments) {
      const bytes = source.read(this.ram.view(address, length));
      this.ram.written(address, bytes);
      written += bytes;
      if (bytes < length) break;
    }
    return written;
  }

  save(): object {
    return { version: 1, full: this.full, control: this.control.save(), config: [...this.config] };
  }

  load(state: object): void {
    const saved = state as {
      version: 1;
      full: boolean;
      control: ReturnType<NetControl['save']>;
      config: number[];
    };
    checkVersion('a network device', saved, 1);
    this.full = saved.full;
    this.control.load(saved.control);
    this.config.set(saved.config);
  }
}

const u16le = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

function offloadOf(header: Uint8Array): Offload | null {
  const gso = header[HEADER_GSO_TYPE]! & ~GSO_ECN;
  if (!(header[HEADER_FLAGS]! & NEEDS_CSUM) && gso === GSO_NONE) return null;
  const segmentation =
    gso === GSO_TCPV4 ? 'tcp4' : gso === GSO_TCPV6 ? 'tcp6' : gso === GSO_UDP ? 'udp' : 'none';
  return {
    checksumStart: u16le(header, HEADER_CSUM_START),
    checksumOffset: u16le(header, HEADER_CSUM_OFFSET),
    segmentation,
    segmentBytes: u16le(header, HEADER_GSO_SIZE),
  };
}

function headerOf({ offload, parts }: Frame, bytes: number, buffers: number): Uint8Array {
  const header = new Uint8Array(bytes);
  const view = new DataView(header.buffer);
  if (offload) {
    header[HEADER_FLAGS] = NEEDS_CSUM;
    header[HEADER_GSO_TYPE] = GSO_TYPES[offload.segmentation];
    view.setUint16(
      HEADER_LENGTH,
      Math.min(parts[0]!.length, offload.checksumStart + offload.checksumOffset + 2 + 2),
      true,
    );
    view.setUint16(HEADER_GSO_SIZE, offload.segmentation === 'none' ? 0 : offload.segmentBytes, true);
    view.setUint16(HEADER_CSUM_START, offload.checksumStart, true);
    view.setUint16(HEADER_CSUM_OFFSET, offload.checksumOffset, true);
  }
  if (bytes > HEADER_NUM_BUFFERS) view.setUint16(HEADER_NUM_BUFFERS, buffers, true);
  return header;
}
