/** TCP segments (RFC 9293, 3.1; options: RFC 7323, RFC 2018). */
import { put16, put32, u16, u32 } from '../ethernet.js';

export const TCP_BYTES = 20;
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

const OPTION_END = 0;
const OPTION_NONE = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;
const MOST_SHIFT = 14;
/** As many as fit beside nothing else. */
const MOST_BLOCKS = 4;

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  /** As it stands there, unscaled. */
  readonly window: number;
  readonly mss: number | null;
  readonly windowShift: number | null;
  readonly sackPermitted: boolean;
  /** What came out of order. */
  readonly sack: readonly (readonly [from: number, to: number])[];
  readonly payload: readonly Uint8Array[];
  readonly payloadBytes: number;
}

/** a - b, where sequence numbers wrap. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

const NO_BLOCKS: Segment['sack'] = [];

/** `head`: the whole header; `payloadOf` gives what begins at an offset from the segment's start. null: malformed. */
export function parseSegment(
  head: Uint8Array,
  at: number,
  length: number,
  payloadOf: (from: number) => Uint8Array[],
): Segment | null {
  if (length < TCP_BYTES || head.length < at + TCP_BYTES) return null;
  const headerBytes = (head[at + 12]! >> 4) * 4;
  if (headerBytes < TCP_BYTES || headerBytes > length || head.length < at + headerBytes) return null;
  const segment = {
    sourcePort: u16(head, at),
    destinationPort: u16(head, at + 2),
    sequence: u32(head, at + 4),
    acknowledged: u32(head, at + 8),
    flags: head[at + 13]!,
    window: u16(head, at + 14),
    mss: null as number | null,
    windowShift: null as number | null,
    sackPermitted: false,
    sack: NO_BLOCKS,
    payload: length > headerBytes ? payloadOf(headerBytes) : [],
    payloadBytes: length - headerBytes,
  };
  const end = at + headerBytes;
  for (let option = at + TCP_BYTES; option < end;) {
    const kind = head[option]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NONE) {
      option++;
      continue;
    }
    const bytes = option + 1 < end ? head[option + 1]! : 0;
    if (bytes < 2 || option + bytes > end) break;
    if (kind === OPTION_MSS && bytes === 4) segment.mss = u16(head, option + 2);
    else if (kind === OPTION_WINDOW_SCALE && bytes === 3)
      segment.windowShift = Math.min(head[option + 2]!, MOST_SHIFT);
    else if (kind === OPTION_SACK_PERMITTED && bytes === 2) segment.sackPermitted = true;
    else if (kind === OPTION_SACK) {
      const blocks: [number, number][] = [];
      for (let block = option + 2; block + 8 <= option + bytes; block += 8)
        blocks.push([u32(head, block), u32(head, block + 4)]);
      segment.sack = blocks;
    }
    option += bytes;
  }
  return segment;
}

export interface HeaderFields {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledged: number;
  flags: number;
  window: number;
  /** With SYN. */
  mss?: number;
  windowShift?: number | null;
  sackPermitted?: boolean;
  sack?: readonly (readonly [number, number])[];
}

/** A header whose checksum field is 0. */
export function tcpHeader(fields: HeaderFields): Uint8Array {
  const options: number[] = [];
  if (fields.mss !== undefined) options.push(OPTION_MSS, 4, fields.mss >> 8, fields.mss & 0xff);
  if (fields.windowShift !== undefined && fields.windowShift !== null)
    options.push(OPTION_NONE, OPTION_WINDOW_SCALE, 3, fields.windowShift);
  if (fields.sackPermitted) options.push(OPTION_NONE, OPTION_NONE, OPTION_SACK_PERMITTED, 2);
  const blocks = fields.sack?.slice(0, MOST_BLOCKS) ?? NO_BLOCKS;
  const sackAt = TCP_BYTES + options.length + 4;
  const bytes = new Uint8Array(TCP_BYTES + options.length + (blocks.length > 0 ? 4 + 8 * blocks.length : 0));
  put16(bytes, 0, fields.sourcePort);
  put16(bytes, 2, fields.destinationPort);
  put32(bytes, 4, fields.sequence);
  put32(bytes, 8, fields.acknowledged);
  bytes[12] = (bytes.length / 4) << 4;
  bytes[13] = fields.flags;
  put16(bytes, 14, fields.window);
  bytes.set(options, TCP_BYTES);
  if (blocks.length > 0) {
    bytes.set([OPTION_NONE, OPTION_NONE, OPTION_SACK, 2 + 8 * blocks.length], sackAt - 4);
    blocks.forEach(([from, to], n) => {
      put32(bytes, sackAt + 8 * n, from);
      put32(bytes, sackAt + 8 * n + 4, to);
    });
  }
  return bytes;
}

/** The reset that answers a segment of no connection (RFC 9293, 3.10.7.1); null: none is to be sent. */
export function resetFor(segment: Segment): HeaderFields | null {
  if (segment.flags & RST) return null;
  const ports = { sourcePort: segment.destinationPort, destinationPort: segment.sourcePort, window: 0 };
  if (segment.flags & ACK) return { ...ports, sequence: segment.acknowledged, acknowledged: 0, flags: RST };
  const length = segment.payloadBytes + (segment.flags & SYN ? 1 : 0) + (segment.flags & FIN ? 1 : 0);
  return { ...ports, sequence: 0, acknowledged: (segment.sequence + length) >>> 0, flags: RST | ACK };
}
