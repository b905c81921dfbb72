/** DNS messages (RFC 1035, 4): as much of them as a forwarder looks at. */
import { put16, put32, u16, u32 } from '../ethernet.js';
import { nameLabels } from '../nat/dhcp.js';

export const HEADER_BYTES = 12;
export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
export const CLASS_IN = 1;

export const RCODE_SERVFAIL = 2;
export const RCODE_NXDOMAIN = 3;
export const RCODE_NOTIMP = 4;
export const RCODE_REFUSED = 5;

const FLAG_RESPONSE = 0x8000;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const MOST_NAME_BYTES = 255;
const MOST_JUMPS = 32;

export interface Question {
  /** In small letters, without a dot at the end. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Behind the question. */
  readonly end: number;
}

/** The one question of a query; null: that is no query that can be answered. */
export function readQuestion(message: Uint8Array): Question | null {
  if (message.length < HEADER_BYTES || u16(message, 4) !== 1) return null;
  const name = readName(message, HEADER_BYTES);
  if (!name || name.end + 4 > message.length) return null;
  return {
    name: name.text,
    type: u16(message, name.end),
    class: u16(message, name.end + 2),
    end: name.end + 4,
  };
}

export function isQuery(message: Uint8Array): boolean {
  return message.length >= HEADER_BYTES && (u16(message, 2) & FLAG_RESPONSE) === 0;
}
export function isPlainQuery(message: Uint8Array): boolean {
  return isQuery(message) && (u16(message, 2) & OPCODE_MASK) === 0;
}

function readName(message: Uint8Array, start: number): { text: string; end: number } | null {
  const labels: string[] = [];
  let at = start;
  let end = -1;
  let bytes = 0;
  for (let jumps = 0; jumps < MOST_JUMPS;) {
    const length = message[at];
    if (length === undefined) return null;
    if (length === 0) return { text: labels.join('.').toLowerCase(), end: end < 0 ? at + 1 : end };
    if ((length & 0xc0) === 0xc0) {
      if (at + 2 > message.length) return null;
      if (end < 0) end = at + 2;
      at = u16(message, at) & 0x3fff;
      jumps++;
      continue;
    }
    bytes += length + 1;
    if (length > 63 || at + 1 + length > message.length || bytes > MOST_NAME_BYTES) return null;
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return null;
}

export interface Answer {
  readonly type: number;
  readonly seconds: number;
  readonly data: Uint8Array;
}

/** The addresses that a response gives. */
export function readAddresses(message: Uint8Array): Answer[] {
  const question = readQuestion(message);
  if (!question) return [];
  const answers: Answer[] = [];
  let at = question.end;
  for (let count = u16(message, 6); count > 0; count--) {
    const name = readName(message, at);
    if (!name || name.end + 10 > message.length) return answers;
    const type = u16(message, name.end);
    const length = u16(message, name.end + 8);
    const data = message.subarray(name.end + 10, name.end + 10 + length);
    if (data.length !== length) return answers;
    if ((type === TYPE_A && length === 4) || (type === TYPE_AAAA && length === 16))
      answers.push({ type, seconds: u32(message, name.end + 4), data });
    at = name.end + 10 + length;
  }
  return answers;
}

/** A response to `query`, whose question ends at `end`. */
export function response(
  query: Uint8Array,
  end: number,
  code: number,
  answers: readonly Answer[] = [],
): Uint8Array {
  const size = answers.reduce((sum, { data }) => sum + 12 + data.length, end);
  const bytes = new Uint8Array(size);
  bytes.set(query.subarray(0, end));
  const asked = u16(query, 2) & (OPCODE_MASK | FLAG_RECURSION_DESIRED);
  put16(bytes, 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | asked | code);
  put16(bytes, 4, end > HEADER_BYTES ? 1 : 0);
  put16(bytes, 6, answers.length);
  put32(bytes, 8, 0);
  let at = end;
  for (const { type, seconds, data } of answers) {
    // The name of the question.
    put16(bytes, at, 0xc000 | HEADER_BYTES);
    put16(bytes, at + 2, type);
    put16(bytes, at + 4, CLASS_IN);
    put32(bytes, at + 6, seconds);
    put16(bytes, at + 10, data.length);
    bytes.set(data, at + 12);
    at += 12 + data.length;
  }
  return bytes;
}

export function nameData(name: string): Uint8Array {
  return Uint8Array.from(nameLabels(name));
}

/** The address that a name under in-addr.arpa or ip6.arpa stands for, as text; null: none. */
export function reverseAddress(name: string): string | null {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4) return [v4[4], v4[3], v4[2], v4[1]].join('.');
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (!v6) return null;
  const digits = v6[1]!.replaceAll('.', '').split('').reverse().join('');
  return digits.match(/.{4}/g)!.join(':');
}
