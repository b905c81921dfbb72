/** Receive-side scaling of the 82574: which of its queues a frame goes to (data sheet, 7.1.11). */
import * as R from './e1000-registers.js';
import { isTagged } from './e1000-receive.js';

/** What the descriptor says of it: over what the hash was made (RSS type), the hash, and the queue. */
export interface Scaled {
  readonly type: number;
  readonly hash: number;
  readonly queue: number;
}

export const UNSCALED: Scaled = { type: 0, hash: 0, queue: 0 };

/** RSS types. */
const TCP_IPV4 = 1;
const IPV4 = 2;
const TCP_IPV6 = 3;
const IPV6_EXTENDED = 4;
const IPV6 = 5;

/** No header that matters lies further behind than this. */
export const MOST_HEADERS = 256;
const KEY_WORDS = 10;
const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
const TCP = 6;
const PORTS_BYTES = 4;

/** A frame's hash and queue by its first `MOST_HEADERS` bytes. `get`: reads a register. */
export function scale(head: Uint8Array, get: (register: number) => number): Scaled {
  const functions = get(R.MRQC);
  if ((functions & R.MRQC_QUEUES) !== R.MRQC_RSS || !(get(R.RXCSUM) & R.RXCSUM_PCSD)) return UNSCALED;
  const at = ETHERNET_BYTES + (head.length >= ETHERNET_BYTES + TAG_BYTES && isTagged(head) ? TAG_BYTES : 0);
  const packet = head.subarray(at);
  const type = (head[at - 2]! << 8) | head[at - 1]!;
  const flow =
    type === 0x0800
      ? flow4(packet, functions)
      : type === 0x86dd
        ? flow6(packet, functions, get(R.RFCTL))
        : null;
  if (!flow) return UNSCALED;
  const key = Array.from({ length: KEY_WORDS }, (_, n) => get(R.RSSRK + 4 * n));
  const hash = toeplitz(key, flow.input);
  const entry = get(R.RETA + (hash & 0x7c)) >>> (8 * (hash & 3));
  return { type: flow.type, hash, queue: (entry >>> 7) & 1 };
}

interface Flow {
  readonly type: number;
  /** What is hashed. */
  readonly input: readonly Uint8Array[];
}

function flow4(packet: Uint8Array, functions: number): Flow | null {
  const header = (packet[0]! & 15) * 4;
  if (packet.length < 20 || header < 20) return null;
  const addresses = packet.subarray(12, 20);
  // More fragments, or not the first one.
  const fragment = (((packet[6]! << 8) | packet[7]!) & 0x3fff) !== 0;
  const ports = packet.subarray(header, header + PORTS_BYTES);
  if (packet[9] === TCP && !fragment && ports.length === PORTS_BYTES && functions & R.MRQC_TCP_IPV4)
    return { type: TCP_IPV4, input: [addresses, ports] };
  return functions & R.MRQC_IPV4 ? { type: IPV4, input: [addresses] } : null;
}

/** `control`: RFCTL, which may forbid two of the functions for packets with extension headers, or with those of mobile hosts. */
function flow6(packet: Uint8Array, functions: number, control: number): Flow | null {
  if (packet.length < 40) return null;
  const { source, destination, ports, extended, mobile } = behindExtensions(packet);
  const forbidden =
    (extended && control & R.RFCTL_IPV6_EX_DIS) || (mobile && control & R.RFCTL_NEW_IPV6_EXT_DIS);
  if (!forbidden) {
    if (ports && functions & R.MRQC_TCP_IPV6_EX)
      return { type: TCP_IPV6, input: [source, destination, ports] };
    if (functions & R.MRQC_IPV6_EX) return { type: IPV6_EXTENDED, input: [source, destination] };
  }
  return functions & R.MRQC_IPV6 ? { type: IPV6, input: [packet.subarray(8, 40)] } : null;
}

interface Ends {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** TCP's; null: it is no TCP, or a fragment. */
  readonly ports: Uint8Array | null;
  /** There are extension headers; and some of a mobile host's. */
  readonly extended: boolean;
  readonly mobile: boolean;
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
const MOBILE_ROUTE = 2;

/**
 * Whom a packet is from and to: a home address option and a routing header of type 2 have other addresses than the first
 * header (RFC 6275, 6.3 and 6.4).
 */
function behindExtensions(packet: Uint8Array): Ends {
  const [first, second] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  let [source, destination] = [first, second];
  let next = packet[6]!;
  let at = 40;
  while (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS) {
    const end = at + 8 * ((packet[at + 1] ?? 0) + 1);
    if (end > packet.length) break;
    const header = packet.subarray(at, end);
    if (next === ROUTING && header[2] === MOBILE_ROUTE && header.length >= 24)
      destination = header.subarray(8, 24);
    if (next === DESTINATION_OPTIONS) source = homeAddress(header.subarray(2)) ?? source;
    next = header[0]!;
    at = end;
  }
  const ports = packet.subarray(at, at + PORTS_BYTES);
  return {
    source,
    destination,
    ports: next === TCP && ports.length === PORTS_BYTES ? ports : null,
    extended: at > 40 || next === FRAGMENT,
    mobile: source !== first || destination !== second,
  };
}

function homeAddress(options: Uint8Array): Uint8Array | null {
  for (let at = 0; at < options.length;) {
    const [type = 0, length = 0] = options.subarray(at, at + 2);
    if (type === 0xc9 && length === 16 && at + 18 <= options.length) return options.subarray(at + 2, at + 18);
    // One byte of padding has no length.
    at += type === 0 ? 1 : 2 + length;
  }
  return null;
}

/** Toeplitz hash: for each bit of the input that is set, the 32 bits of the key from there on. `key`: 40 bytes, each four as the register has them. */
function toeplitz(key: readonly number[], input: readonly Uint8Array[]): number {
  const bytes = (n: number): number => (key[n >> 2]! >>> (8 * (n & 3))) & 0xff;
  let window = (bytes(0) << 24) | (bytes(1) << 16) | (bytes(2) << 8) | bytes(3);
  let hash = 0;
  let n = 4;
  for (const part of input)
    for (const byte of part) {
      const following = bytes(n++);
      for (let bit = 7; bit >= 0; bit--) {
        if (byte & (1 << bit)) hash ^= window;
        window = (window << 1) | ((following >>> bit) & 1);
      }
    }
  return hash >>> 0;
}
