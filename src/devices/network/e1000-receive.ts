/** What Intel's gigabit controllers do with a frame that came: filters and descriptors (8254x manual, 3.2; 82574 data sheet, 7.1). */
import { PartReader } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import { DESCRIPTOR_BYTES } from './e1000-transmit.js';
import * as R from './e1000-registers.js';
import type { Scaled } from './receive-scaling.js';

// Status of receive descriptors (8254x, 3.2.3)
const STATUS_DD = 0x01;
const STATUS_EOP = 0x02;
const STATUS_IXSM = 0x04;
const STATUS_VP = 0x08;
const STATUS_TCPCS = 0x20;
const STATUS_IPCS = 0x40;

const TYPE_VLAN = 0x8100;

/** How descriptors look: with a buffer each; that in the form of the 82574; or with four buffers. */
export type DescriptorStyle = 'legacy' | 'extended' | 'split';
const SPLIT_BYTES = 32;

export interface ReceiveRing {
  /** First byte, and how many descriptors there are. */
  readonly base: number;
  readonly count: number;
  readonly style: DescriptorStyle;
  /** Bytes of the buffers of a descriptor. */
  readonly buffers: readonly number[];
  /** Bytes that a descriptor takes in all. */
  readonly frameBytes: number;
}

export function descriptorBytes(style: DescriptorStyle): number {
  return style === 'split' ? SPLIT_BYTES : DESCRIPTOR_BYTES;
}

export interface Received {
  readonly parts: readonly Uint8Array[];
  /** Bytes to be stored, with zeros behind what there is. */
  readonly total: number;
  /** Its checksums are right; else they are the driver's to check. */
  readonly checked: boolean;
  /** A VLAN tag that was taken out, or null. */
  readonly tag: number | null;
  readonly scaled: Scaled;
}

/** Puts a frame into the descriptors from `head` on, which has to be free; gives the next head. */
export function store(ram: GuestRam, ring: ReceiveRing, head: number, frame: Received): number {
  const { parts, total, checked, tag, scaled } = frame;
  const status =
    STATUS_DD | (checked ? STATUS_TCPCS | STATUS_IPCS : STATUS_IXSM) | (tag === null ? 0 : STATUS_VP);
  const source = new PartReader(parts);
  let next = head;
  for (let done = 0; done < total;) {
    const at = ring.base + next * descriptorBytes(ring.style);
    const lengths: number[] = [];
    ring.buffers.forEach((size, n) => {
      const count = Math.min(size, total - done);
      const address = ram.readAddress(at + 8 * n);
      if (count > 0 && ram.contains(address, count)) {
        const target = ram.view(address, count);
        const filled = source.read(target);
        if (filled < count) target.fill(0, filled);
        ram.written(address, count);
      }
      done += count;
      lengths.push(count);
    });
    complete(ram, at, ring.style, lengths, status | (done === total ? STATUS_EOP : 0), tag ?? 0, scaled);
    next = next + 1 === ring.count ? 0 : next + 1;
  }
  return next;
}

/** Writes a descriptor back; its status comes last. */
function complete(
  ram: GuestRam,
  at: number,
  style: DescriptorStyle,
  lengths: readonly number[],
  status: number,
  tag: number,
  scaled: Scaled,
): void {
  const [first = 0, second = 0, third = 0, fourth = 0] = lengths;
  if (style === 'legacy') {
    ram.writeU32(at + 8, first);
    ram.writeU32(at + 12, (status | (tag << 16)) >>> 0);
    return;
  }
  if (style === 'split') {
    ram.writeU32(at + 16, (second << 16) >>> 0);
    ram.writeU32(at + 20, (third | (fourth << 16)) >>> 0);
  }
  ram.writeU32(at, scaled.type | (scaled.queue << 8));
  ram.writeU32(at + 4, scaled.hash);
  ram.writeU32(at + 12, (first | (tag << 16)) >>> 0);
  ram.writeU32(at + 8, status);
}

/** Whether the filters let a frame through (8254x, 3.2.1). `get`: reads a register. */
export function wants(head: Uint8Array, get: (register: number) => number): boolean {
  const rctl = get(R.RCTL);
  if (rctl & R.RCTL_VFE && head.length >= 18 && isTagged(head)) {
    const vlan = ((head[14]! << 8) | head[15]!) & 0xfff;
    if (!(get(R.VFTA + 4 * (vlan >> 5)) & (1 << (vlan & 31)))) return false;
  }
  const group = (head[0]! & 1) === 1;
  if (group ? rctl & R.RCTL_MPE : rctl & R.RCTL_UPE) return true;
  if (group && rctl & R.RCTL_BAM && head.subarray(0, 6).every((byte) => byte === 255)) return true;
  const low = (head[0]! | (head[1]! << 8) | (head[2]! << 16) | (head[3]! << 24)) >>> 0;
  const high = head[4]! | (head[5]! << 8);
  for (let n = 0; n < 16; n++) {
    const valid = get(R.RAH0 + 8 * n);
    if (valid & R.RAH_VALID && get(R.RAL0 + 8 * n) === low && (valid & 0xffff) === high) return true;
  }
  if (!group) return false;
  const shift = [4, 3, 2, 0][(rctl >> 12) & 3]!;
  const hash = (high >> shift) & 0xfff;
  return (get(R.MTA + 4 * (hash >> 5)) & (1 << (hash & 31))) !== 0;
}

export function isTagged(head: Uint8Array): boolean {
  return ((head[12]! << 8) | head[13]!) === TYPE_VLAN;
}
