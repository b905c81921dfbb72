/** IPv4 (RFC 791) and IPv6 (RFC 8200) headers. */
import { finish, pseudoHeader, sum } from '../machine/checksum.js';
import {
  ETHERNET_BYTES,
  put16,
  TAG_BYTES,
  TYPE_IPV4,
  TYPE_IPV6,
  TYPE_OFFSET,
  TYPE_VLAN,
  u16,
} from './ethernet.js';

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ICMPV6 = 58;

/** Where the checksum is in the header of a protocol. */
export const CHECKSUM_AT: Readonly<Record<number, number>> = {
  [PROTOCOL_ICMP]: 2,
  [PROTOCOL_ICMPV6]: 2,
  [PROTOCOL_TCP]: 16,
  [PROTOCOL_UDP]: 6,
};

export const IPV4_BYTES = 20;
export const IPV6_BYTES = 40;
const HOP_BY_HOP = 0;
const ROUTING = 43;
export const FRAGMENT = 44;
const DESTINATION = 60;
const MOST_EXTENSIONS = 8;

export const MORE_FRAGMENTS = 0x2000;
export const DONT_FRAGMENT = 0x4000;

/** Where the headers of an IP packet in a frame are. */
export interface IpLayout {
  readonly version: 4 | 6;
  /** Offsets in the frame, bytes. */
  readonly start: number;
  readonly payload: number;
  readonly end: number;
  /** Of what `payload` begins. */
  readonly protocol: number;
  /** A piece of a packet: where its payload belongs, in bytes. null: it is whole. */
  readonly fragment: { id: number; offset: number; more: boolean } | null;
}

/** Where the payload of an Ethernet frame begins, and its type; behind one tag at most. */
export function etherType(bytes: Uint8Array): { type: number; at: number } {
  const type = u16(bytes, TYPE_OFFSET);
  if (type !== TYPE_VLAN || bytes.length < ETHERNET_BYTES + TAG_BYTES) return { type, at: ETHERNET_BYTES };
  return { type: u16(bytes, TYPE_OFFSET + TAG_BYTES), at: ETHERNET_BYTES + TAG_BYTES };
}

/**
 * The IP packet in a frame; null: there is none, or it is malformed. `length`: of the frame, where `bytes` is only its beginning.
 */
export function ipLayout(bytes: Uint8Array, length = bytes.length): IpLayout | null {
  if (bytes.length < ETHERNET_BYTES) return null;
  const { type, at } = etherType(bytes);
  if (type === TYPE_IPV4) return ipv4Layout(bytes, at, length);
  return type === TYPE_IPV6 ? ipv6Layout(bytes, at, length) : null;
}

function ipv4Layout(bytes: Uint8Array, start: number, length: number): IpLayout | null {
  if (bytes.length < start + IPV4_BYTES || bytes[start]! >> 4 !== 4) return null;
  const headerBytes = (bytes[start]! & 15) * 4;
  const total = u16(bytes, start + 2);
  if (headerBytes < IPV4_BYTES || total < headerBytes || start + total > length) return null;
  if (bytes.length < start + headerBytes) return null;
  const flags = u16(bytes, start + 6);
  const more = (flags & MORE_FRAGMENTS) !== 0;
  const offset = (flags & 0x1fff) * 8;
  return {
    version: 4,
    start,
    payload: start + headerBytes,
    end: start + total,
    protocol: bytes[start + 9]!,
    fragment: more || offset > 0 ? { id: u16(bytes, start + 4), offset, more } : null,
  };
}

function ipv6Layout(bytes: Uint8Array, start: number, length: number): IpLayout | null {
  if (bytes.length < start + IPV6_BYTES || bytes[start]! >> 4 !== 6) return null;
  const end = start + IPV6_BYTES + u16(bytes, start + 4);
  if (end > length) return null;
  let protocol = bytes[start + 6]!;
  let payload = start + IPV6_BYTES;
  for (let count = 0; count < MOST_EXTENSIONS; count++) {
    if (protocol === FRAGMENT) {
      if (payload + 8 > Math.min(end, bytes.length)) return null;
      const field = u16(bytes, payload + 2);
      const id = ((bytes[payload + 4]! << 24) | (bytes[payload + 5]! << 16) | u16(bytes, payload + 6)) >>> 0;
      protocol = bytes[payload]!;
      const fragment = { id, offset: field & 0xfff8, more: (field & 1) === 1 };
      return { version: 6, start, payload: payload + 8, end, protocol, fragment };
    }
    if (protocol !== HOP_BY_HOP && protocol !== ROUTING && protocol !== DESTINATION)
      return { version: 6, start, payload, end, protocol, fragment: null };
    if (payload + 8 > Math.min(end, bytes.length)) return null;
    protocol = bytes[payload]!;
    payload += 8 * (bytes[payload + 1]! + 1);
    if (payload > end) return null;
  }
  return null;
}

/** Writes an IPv4 header of 20 bytes at `at`, with its checksum. */
export function putIpv4(
  bytes: Uint8Array,
  at: number,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payloadBytes: number,
  { id = 0, flags = DONT_FRAGMENT, ttl = 64 } = {},
): void {
  bytes[at] = 0x45;
  bytes[at + 1] = 0;
  put16(bytes, at + 2, IPV4_BYTES + payloadBytes);
  put16(bytes, at + 4, id);
  put16(bytes, at + 6, flags);
  bytes[at + 8] = ttl;
  bytes[at + 9] = protocol;
  put16(bytes, at + 10, 0);
  bytes.set(source, at + 12);
  bytes.set(destination, at + 16);
  put16(bytes, at + 10, finish(sum(bytes, at, at + IPV4_BYTES)));
}

/** Writes an IPv6 header at `at`. */
export function putIpv6(
  bytes: Uint8Array,
  at: number,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payloadBytes: number,
  hopLimit = 64,
): void {
  bytes.fill(0, at, at + 4);
  bytes[at] = 0x60;
  put16(bytes, at + 4, payloadBytes);
  bytes[at + 6] = protocol;
  bytes[at + 7] = hopLimit;
  bytes.set(source, at + 8);
  bytes.set(destination, at + 24);
}

/** Whether the checksum of a transport packet is right, or there is none. */
export function checksumValid(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  bytes: Uint8Array,
): boolean {
  const at = CHECKSUM_AT[protocol];
  if (at === undefined || bytes.length < at + 2) return at === undefined;
  if (protocol === PROTOCOL_UDP && source.length === 4 && u16(bytes, at) === 0) return true;
  const before = protocol === PROTOCOL_ICMP ? 0 : pseudoHeader(source, destination, protocol, bytes.length);
  return finish(sum(bytes, 0, bytes.length, before)) === 0;
}
