/** IP addresses: 4 or 16 bytes, most significant first. */
export type IpAddress = Uint8Array;

/** null: that is no address. */
export function parseIp(text: string): IpAddress | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): IpAddress | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return null;
  return Uint8Array.from(parts, Number);
}

/** RFC 4291, 2.2; a zone behind "%" is left out. */
function parseIpv6(text: string): IpAddress | null {
  let plain = text.split('%')[0]!.toLowerCase();
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  if (dotted) {
    const last = parseIpv4(dotted[2]!);
    if (!last) return null;
    const word = (at: number): string => ((last[at]! << 8) | last[at + 1]!).toString(16);
    plain = `${dotted[1]}${word(0)}:${word(2)}`;
  }
  const halves = plain.split('::');
  if (halves.length > 2) return null;
  const [front, back] = halves.map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]?];
  const words = back
    ? [...front, ...new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back]
    : front;
  if (words.length !== 8 || (back && front.length + back.length > 7)) return null;
  if (!words.every((word) => /^[0-9a-f]{1,4}$/.test(word))) return null;
  return Uint8Array.from(words.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 0xff]));
}

/** As RFC 5952 wants it. */
export function ipText(address: IpAddress): string {
  if (address.length === 4) return address.join('.');
  const words = Array.from({ length: 8 }, (_, n) => (address[2 * n]! << 8) | address[2 * n + 1]!);
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const text = (part: number[]): string => part.map((word) => word.toString(16)).join(':');
  if (best.at < 0) return text(words);
  return `${text(words.slice(0, best.at))}::${text(words.slice(best.at + best.length))}`;
}

export function sameBytes(first: Uint8Array, second: Uint8Array): boolean {
  if (first.length !== second.length) return false;
  for (let n = 0; n < first.length; n++) if (first[n] !== second[n]) return false;
  return true;
}

/** A range of addresses with the same first bits. */
export interface Prefix {
  readonly address: IpAddress;
  readonly bits: number;
}

/** `10.0.0.0/8`, or an address alone. */
export function parsePrefix(text: string): Prefix | null {
  const [written, length, ...more] = text.split('/');
  const address = parseIp(written!);
  if (!address || more.length > 0) return null;
  const bits = length === undefined ? address.length * 8 : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || bits > address.length * 8)) return null;
  return { address, bits };
}

export function inPrefix(address: IpAddress, { address: base, bits }: Prefix): boolean {
  if (address.length !== base.length) return false;
  const whole = bits >> 3;
  for (let n = 0; n < whole; n++) if (address[n] !== base[n]) return false;
  const rest = bits & 7;
  return rest === 0 || ((address[whole]! ^ base[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

/** An IPv4 address in an IPv6 one (::ffff:a.b.c.d) as itself. */
export function plainIp(address: IpAddress): IpAddress {
  const mapped =
    address.length === 16 &&
    address.subarray(0, 10).every((byte) => byte === 0) &&
    address[10] === 255 &&
    address[11] === 255;
  return mapped ? address.slice(12) : address;
}
