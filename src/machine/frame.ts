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
    return this.whole ?? (first && first.length >= count ? first : this.bytes);
  }

  /** All in one piece. */
  get bytes(): Uint8Array {
    if (this.whole) return this.whole;
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
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

  /** The same in memory of its own. */
  copy(): Frame {
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new Frame([bytes], this.offload);
  }
}
