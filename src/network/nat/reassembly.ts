/** IP packets from their fragments (RFC 791, 3.2; RFC 8200, 4.5). */
import type { IpLayout } from '../ip.js';

const MOST_PACKETS = 64;
const MOST_BYTES = 65535;
const TIMEOUT_MS = 30_000;

interface Partial {
  readonly started: number;
  readonly bytes: Uint8Array;
  /** Ranges that are there, in order, not touching. */
  ranges: [from: number, to: number][];
  /** Length of the payload; -1: the last fragment has not come. */
  length: number;
  protocol: number;
}

export class Reassembly {
  private readonly packets = new Map<string, Partial>();

  /** Adds a fragment; gives the payload of its packet when that is complete. `key`: source and destination. */
  add(
    key: string,
    bytes: Uint8Array,
    layout: IpLayout,
    now: number,
  ): { protocol: number; payload: Uint8Array } | null {
    const { id, offset, more } = layout.fragment!;
    const piece = bytes.subarray(layout.payload, layout.end);
    const name = `${key} ${id} ${layout.version === 4 ? layout.protocol : ''}`;
    const end = offset + piece.length;
    if (end > MOST_BYTES || (more && piece.length % 8 !== 0) || piece.length === 0) return null;
    const packet = this.find(name, layout.protocol, now);
    if (isCopy(packet, piece, offset)) return null;
    // Other overlaps are attacks or errors (RFC 5722): the packet is dropped.
    const touches = packet.ranges.some(([from, to]) => offset < to && end > from);
    const contradicts =
      (!more && packet.length >= 0 && packet.length !== end) || (packet.length >= 0 && end > packet.length);
    if (touches || contradicts) {
      this.packets.delete(name);
      return null;
    }
    if (!more) packet.length = end;
    if (offset === 0) packet.protocol = layout.protocol;
    packet.bytes.set(piece, offset);
    packet.ranges = joined([...packet.ranges, [offset, end]]);
    const [first] = packet.ranges;
    if (packet.length < 0 || packet.ranges.length > 1 || first![0] !== 0 || first![1] !== packet.length)
      return null;
    this.packets.delete(name);
    return { protocol: packet.protocol, payload: packet.bytes.subarray(0, packet.length) };
  }

  private find(name: string, protocol: number, now: number): Partial {
    let packet = this.packets.get(name);
    if (packet && now - packet.started > TIMEOUT_MS) {
      this.packets.delete(name);
      packet = undefined;
    }
    if (!packet) {
      // The oldest makes room.
      if (this.packets.size >= MOST_PACKETS) this.packets.delete(this.packets.keys().next().value!);
      packet = { started: now, bytes: new Uint8Array(MOST_BYTES), ranges: [], length: -1, protocol };
      this.packets.set(name, packet);
    }
    return packet;
  }
}

/** The network may bring a fragment twice. */
function isCopy({ bytes, ranges }: Partial, piece: Uint8Array, offset: number): boolean {
  const there = ranges.some(([from, to]) => from <= offset && offset + piece.length <= to);
  return there && piece.every((byte, n) => bytes[offset + n] === byte);
}

function joined(ranges: [number, number][]): [number, number][] {
  ranges.sort(([a], [b]) => a - b);
  const result: [number, number][] = [];
  for (const [from, to] of ranges) {
    const last = result.at(-1);
    if (last && last[1] === from) last[1] = to;
    else result.push([from, to]);
  }
  return result;
}
