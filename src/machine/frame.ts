/** What a frame may be cut into: TCP segments, or fragments of a UDP datagram. */
export type Segmentation = 'none' | 'tcp4' | 'tcp6' | 'udp';

/** Work on a frame that its sender left to whoever can do it (virtio 1.2, 5.1.6.2; e1000's context descriptors say the same). */
export interface Offload {
  /** Where the bytes begin that a checksum is wanted of; they hold the pseudo header's sum at `checksumOffset` from there. */
  readonly checksumStart: number;
  readonly checksumOffset: number;
  readonly segmentation: Segmentation;
  /** Most bytes of payload in each piece. */
  readonly segmentBytes: number;
}

/** Work that a receiver takes over. */
export interface OffloadAbilities {
  readonly checksum: boolean;
  readonly tcp4: boolean;
  readonly tcp6: boolean;
  readonly udp: boolean;
}

export const NO_OFFLOAD: OffloadAbilities = { checksum: false, tcp4: false, tcp6: false, udp: false };

/** The longest frame that may be cut: an IP packet and an Ethernet header with a VLAN tag. */
export const MOST_FRAME_BYTES = 65535 + 18;

const TYPE_VLAN = 0x8100;
const TAG_BYTES = 4;
/** Behind the addresses. */
const TAG_AT = 12;

/**
 * An Ethernet frame without its check sequence, in one or several parts, which are often the guest's own memory: who keeps a
 * frame longer than the call in which it came keeps a `copy`.
 */
export class Frame {
  readonly length: number;
  private whole: Uint8Array | null = null;

  constructor(
    readonly parts: readonly Uint8Array[],
    readonly offload: Offload | null = null,
    /** Its checksums were made on the way, so nobody needs to look whether they are right. */
    readonly checked = false,
  ) {
    let length = 0;
    for (const part of parts) length += part.length;
    this.length = length;
    if (parts.length === 1) this.whole = parts[0]!;
  }

  static of(bytes: Uint8Array, offload: Offload | null = null): Frame {
    return new Frame([bytes], offload);
  }

  /** At least the first `count` bytes in one piece, or all that there are. */
  head(count: number): Uint8Array {
    const first = this.parts[0];
    if (this.whole || !first) return this.bytes;
    const wanted = Math.min(count, this.length);
    if (first.length >= wanted) return first;
    // No more than that is copied of a long frame.
    const head = new Uint8Array(wanted);
    new PartReader(this.parts).read(head);
    return head;
  }

  /** All in one piece. */
  get bytes(): Uint8Array {
    if (this.whole) return this.whole;
    const whole = new Uint8Array(this.length);
    this.copyTo(whole);
    return (this.whole = whole);
  }

  /** The bytes from `start` to `end`, in parts. */
  range(start: number, end = this.length): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const part of this.parts) {
      const from = Math.max(start - at, 0);
      const to = Math.min(end - at, part.length);
      if (from < to) parts.push(from === 0 && to === part.length ? part : part.subarray(from, to));
      at += part.length;
    }
    return parts;
  }

  /** Puts all of it into `target`, from `at` on. */
  copyTo(target: Uint8Array, at = 0): void {
    let filled = at;
    for (const part of this.parts) {
      target.set(part, filled);
      filled += part.length;
    }
  }

  /** With a tag of 802.1Q, and without the one that it has. */
  tagged(tag: number): Frame {
    const bytes = Uint8Array.of(TYPE_VLAN >> 8, TYPE_VLAN & 0xff, tag >> 8, tag & 0xff);
    return this.spliced([bytes, ...this.range(TAG_AT)], TAG_BYTES);
  }
  untagged(): Frame {
    return this.spliced(this.range(TAG_AT + TAG_BYTES), -TAG_BYTES);
  }
  /** With something else behind the addresses, so many bytes longer. */
  private spliced(rest: readonly Uint8Array[], longer: number): Frame {
    const { offload } = this;
    const parts = [this.head(TAG_AT).subarray(0, TAG_AT), ...rest];
    const moved = offload && { ...offload, checksumStart: offload.checksumStart + longer };
    return new Frame(parts, moved, this.checked);
  }

  /** The same in memory of its own. */
  copy(): Frame {
    const bytes = new Uint8Array(this.length);
    this.copyTo(bytes);
    return new Frame([bytes], this.offload, this.checked);
  }
}

/** Reads through several parts, one after the other. */
export class PartReader {
  private part = 0;
  private at = 0;

  constructor(private readonly parts: readonly Uint8Array[]) {}

  /** Fills `target` as far as there is something; gives how many bytes that were. */
  read(target: Uint8Array): number {
    let filled = 0;
    while (filled < target.length && this.part < this.parts.length) {
      const part = this.parts[this.part]!;
      const count = Math.min(target.length - filled, part.length - this.at);
      target.set(count === part.length ? part : part.subarray(this.at, this.at + count), filled);
      filled += count;
      this.at += count;
      if (this.at === part.length) {
        this.part++;
        this.at = 0;
      }
    }
    return filled;
  }
}
