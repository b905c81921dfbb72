/** The Internet checksum (RFC 1071): sums of 16-bit big-endian words, which `finish` folds and inverts. */

import { littleEndianSum, MOST_VECTOR_BYTES } from './vector-sum.js';

/** From so many bytes on vectors are quicker. */
const LEAST_FOR_VECTORS = 64;

/** The sum of `bytes` so far and what follows; an odd last byte counts as a high one. */
export function sum(bytes: Uint8Array, start = 0, end = bytes.length, before = 0): number {
  let total = before;
  let at = start;
  while (end - at >= LEAST_FOR_VECTORS) {
    const part = bytes.subarray(at, Math.min(end, at + MOST_VECTOR_BYTES));
    // The order of bytes in words is that of the sum's (RFC 1071, 2.B).
    const folded = fold(littleEndianSum(part));
    total += ((folded & 0xff) << 8) | (folded >>> 8);
    at += part.length;
  }
  const even = at + ((end - at) & ~1);
  for (; at < even; at += 2) total += (bytes[at]! << 8) | bytes[at + 1]!;
  if (even < end) total += bytes[even]! << 8;
  return total;
}

export function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

export function finish(total: number): number {
  return ~fold(total) & 0xffff;
}

/** The sum of several parts that follow each other. */
export function sumParts(parts: readonly Uint8Array[], before = 0): number {
  let total = before;
  let odd = false;
  for (const part of parts) {
    if (part.length === 0) continue;
    // Behind an odd number of bytes, the first is the low half of a word.
    const start = odd ? 1 : 0;
    if (odd) total += part[0]!;
    total = sum(part, start, part.length, total);
    odd = odd !== ((part.length & 1) === 1);
  }
  return total;
}

/** The sum of the pseudo header of TCP, UDP and ICMPv6 (RFC 9293, 3.1; RFC 8200, 8.1). */
export function pseudoHeader(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  return sum(source) + sum(destination) + protocol + (length >>> 16) + (length & 0xffff);
}
