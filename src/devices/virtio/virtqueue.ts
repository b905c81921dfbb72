/** Split virtqueue, the device's side (virtio 1.2, 2.7). Nothing that the guest puts there is trusted. */
import type { GuestRam } from '../../machine/guest-ram.js';
import { checkVersion } from '../../machine/state.js';
import {
  AVAIL_ENTRY_BYTES,
  AVAIL_F_NO_INTERRUPT,
  DESC_BYTES,
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  RING_OFFSET,
  USED_ENTRY_BYTES,
} from './constants.js';

/** The most buffers that one chain may have; drivers use a few hundred at most. */
const MAX_SEGMENTS = 1024;
const EVENT_BYTES = 2;
export const LEGACY_ALIGNMENT = 4096;

/** A buffer in guest RAM: physical address and length in bytes. */
export interface Segment {
  address: number;
  length: number;
}

/** A chain of descriptors: what the device reads, then what it writes. */
export interface Chain {
  head: number;
  readable: Segment[];
  writable: Segment[];
}

/** The guest broke the rules of the ring: the device must be reset. */
export class RingError extends Error {}

export interface SavedVirtqueue {
  version: 1;
  size: number;
  enabled: boolean;
  /** Descriptor table, available ring, used ring. */
  addresses: number[];
  indirect: boolean;
  eventIndex: boolean;
  nextAvailable: number;
  nextUsed: number;
  signalledUsed: number;
}

export class Virtqueue {
  size: number;
  enabled = false;
  /** Guest physical addresses of descriptor table, available ring and used ring, as the driver wrote them. */
  descriptors = 0;
  available = 0;
  used = 0;
  /** Negotiated VIRTIO_F_INDIRECT_DESC and VIRTIO_F_EVENT_IDX. */
  indirect = false;
  eventIndex = false;
  private nextAvailable = 0;
  private nextUsed = 0;
  /** `nextUsed` when the driver was last interrupted. */
  private signalledUsed = 0;

  constructor(
    private readonly ram: GuestRam,
    readonly maxSize: number,
  ) {
    this.size = maxSize;
  }

  reset(): void {
    this.size = this.maxSize;
    this.enabled = this.indirect = this.eventIndex = false;
    this.descriptors = this.available = this.used = 0;
    this.nextAvailable = this.nextUsed = this.signalledUsed = 0;
  }

  /** Places the ring as old drivers have it: one part behind the other from here on, the last on a page of its own (2.7.2). */
  placeWhole(address: number): void {
    this.descriptors = address;
    this.available = address + this.size * DESC_BYTES;
    const end = this.available + RING_OFFSET + this.size * AVAIL_ENTRY_BYTES + EVENT_BYTES;
    this.used = Math.ceil(end / LEGACY_ALIGNMENT) * LEGACY_ALIGNMENT;
  }

  /** Starts using the ring where the driver placed it. Throws RingError if that cannot be. */
  enable(): void {
    const { size, ram } = this;
    const sizeFits = size > 0 && size <= this.maxSize && (size & (size - 1)) === 0;
    const aligned = this.descriptors % 16 === 0 && this.available % 2 === 0 && this.used % 4 === 0;
    const availableBytes = RING_OFFSET + size * AVAIL_ENTRY_BYTES + EVENT_BYTES;
    const usedBytes = RING_OFFSET + size * USED_ENTRY_BYTES + EVENT_BYTES;
    const inRam =
      ram.contains(this.descriptors, size * DESC_BYTES) &&
      ram.contains(this.available, availableBytes) &&
      ram.contains(this.used, usedBytes);
    if (!sizeFits || !aligned || !inRam) throw new RingError('a ring is not where it can be');
    this.enabled = true;
  }

  private get offered(): number {
    const count = (this.ram.readU16(this.available + 2) - this.nextAvailable) & 0xffff;
    if (count > this.size) throw new RingError(`${count} chains available in a ring of ${this.size}`);
    return count;
  }

  /** The next chain that the driver offers; undefined if there is none. Throws RingError. */
  next(): Chain | undefined {
    let count = this.offered;
    if (count === 0) {
      this.askForNotification();
      // Another CPU may have put a chain there before it could see that.
      this.ram.fence();
      count = this.offered;
      if (count === 0) return undefined;
    }
    const slot = this.nextAvailable & (this.size - 1);
    const head = this.ram.readU16(this.available + RING_OFFSET + slot * AVAIL_ENTRY_BYTES);
    this.nextAvailable = (this.nextAvailable + 1) & 0xffff;
    return this.readChain(head);
  }

  /** The last `count` chains were not used: they come again. */
  putBack(count: number): void {
    this.nextAvailable = (this.nextAvailable - count) & 0xffff;
  }

  /** With event index: tells the driver to notify from the next chain on. */
  private askForNotification(): void {
    if (!this.eventIndex) return;
    this.ram.writeU16(this.used + RING_OFFSET + this.size * USED_ENTRY_BYTES, this.nextAvailable);
  }

  private readChain(head: number): Chain {
    const chain: Chain = { head, readable: [], writable: [] };
    this.follow(chain, head, this.descriptors, this.size, this.indirect);
    return chain;
  }

  private follow(chain: Chain, first: number, table: number, count: number, mayIndirect: boolean): void {
    let index = first;
    for (let steps = 0; steps < count; steps++) {
      if (index >= count) throw new RingError(`descriptor ${index} in a table of ${count}`);
      const at = table + index * DESC_BYTES;
      const address = this.ram.readAddress(at);
      const length = this.ram.readU32(at + 8);
      const flags = this.ram.readU16(at + 12);
      if (flags & DESC_F_INDIRECT) {
        if (!mayIndirect || flags & DESC_F_NEXT)
          throw new RingError('an indirect descriptor where none may be');
        return this.followIndirect(chain, address, length);
      }
      this.addSegment(chain, { address, length }, (flags & DESC_F_WRITE) !== 0);
      if (!(flags & DESC_F_NEXT)) return;
      index = this.ram.readU16(at + 14);
    }
    throw new RingError('a chain of descriptors has no end');
  }

  private followIndirect(chain: Chain, address: number, length: number): void {
    const count = length / DESC_BYTES;
    if (length === 0 || length % DESC_BYTES !== 0 || count > 0x10000 || !this.ram.contains(address, length)) {
      throw new RingError(`an indirect table of ${length} bytes at 0x${address.toString(16)}`);
    }
    this.follow(chain, 0, address, count, false);
  }

  private addSegment(chain: Chain, segment: Segment, writable: boolean): void {
    if (!writable && chain.writable.length > 0) throw new RingError('a buffer to read behind one to write');
    if (chain.readable.length + chain.writable.length >= MAX_SEGMENTS)
      throw new RingError('a chain is too long');
    if (segment.length === 0 || !this.ram.contains(segment.address, segment.length)) {
      throw new RingError(`a buffer of ${segment.length} bytes at 0x${segment.address.toString(16)}`);
    }
    (writable ? chain.writable : chain.readable).push(segment);
  }

  /** Gives a chain back to the driver; `written`: bytes that the device wrote to its writable buffers. */
  giveBack(chain: Chain, written: number): void {
    const entry = this.used + RING_OFFSET + (this.nextUsed & (this.size - 1)) * USED_ENTRY_BYTES;
    this.ram.writeU32(entry, chain.head);
    this.ram.writeU32(entry + 4, written);
    this.nextUsed = (this.nextUsed + 1) & 0xffff;
    this.ram.writeU16(this.used + 2, this.nextUsed);
  }

  /** Whether the driver wants an interrupt for what was given back since the last time this was asked. */
  takeInterrupt(): boolean {
    const before = this.signalledUsed;
    this.signalledUsed = this.nextUsed;
    if (before === this.nextUsed) return false;
    // The driver asks for interrupts and then looks at what was given back: one of the two sees the other's store.
    this.ram.fence();
    if (!this.eventIndex) return (this.ram.readU16(this.available) & AVAIL_F_NO_INTERRUPT) === 0;
    const event = this.ram.readU16(this.available + RING_OFFSET + this.size * AVAIL_ENTRY_BYTES);
    return ((this.nextUsed - event - 1) & 0xffff) < ((this.nextUsed - before) & 0xffff);
  }

  save(): SavedVirtqueue {
    const { size, enabled, indirect, eventIndex, nextAvailable, nextUsed, signalledUsed } = this;
    const addresses = [this.descriptors, this.available, this.used];
    return {
      version: 1,
      size,
      enabled,
      addresses,
      indirect,
      eventIndex,
      nextAvailable,
      nextUsed,
      signalledUsed,
    };
  }

  load(state: SavedVirtqueue): void {
    checkVersion('a virtqueue', state, 1);
    const { size, enabled, indirect, eventIndex, nextAvailable, nextUsed, signalledUsed } = state;
    Object.assign(this, { size, enabled, indirect, eventIndex, nextAvailable, nextUsed, signalledUsed });
    [this.descriptors, this.available, this.used] = state.addresses as [number, number, number];
  }
}
