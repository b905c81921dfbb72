/** Address Resolution Protocol (RFC 826) for the NAT's own addresses. */
import { BROADCAST, put16, TYPE_ARP, TYPE_IPV4, u16 } from '../ethernet.js';
import type { IpAddress } from '../ip-address.js';
import type { Link } from './link.js';

const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;
const REQUEST = 1;
const REPLY = 2;

/** `isOwn`: whether the NAT answers for an address; `isNear`: whether it lies in the NAT's network. */
export function receiveArp(
  link: Link,
  bytes: Uint8Array,
  isOwn: (address: IpAddress) => boolean,
  isNear: (address: IpAddress) => boolean,
): void {
  if (bytes.length < ARP_BYTES || u16(bytes, 0) !== HARDWARE_ETHERNET || u16(bytes, 2) !== TYPE_IPV4) return;
  if (bytes[4] !== 6 || bytes[5] !== 4) return;
  const senderMac = bytes.subarray(8, 14);
  const sender = bytes.subarray(14, 18);
  const target = bytes.subarray(24, 28);
  if (isOwn(sender)) return;
  if (isNear(sender)) link.learn(sender, senderMac);
  if (u16(bytes, 6) === REQUEST && isOwn(target))
    link.sendPayload(senderMac, TYPE_ARP, packet(REPLY, link.mac, target, senderMac, sender));
}

export function askArp(link: Link, own: IpAddress, wanted: IpAddress): void {
  link.sendPayload(BROADCAST, TYPE_ARP, packet(REQUEST, link.mac, own, new Uint8Array(6), wanted));
}

function packet(
  operation: number,
  senderMac: Uint8Array,
  sender: IpAddress,
  targetMac: Uint8Array,
  target: IpAddress,
): Uint8Array {
  const bytes = new Uint8Array(ARP_BYTES);
  put16(bytes, 0, HARDWARE_ETHERNET);
  put16(bytes, 2, TYPE_IPV4);
  bytes[4] = 6;
  bytes[5] = 4;
  put16(bytes, 6, operation);
  bytes.set(senderMac, 8);
  bytes.set(sender, 14);
  bytes.set(targetMac, 18);
  bytes.set(target, 24);
  return bytes;
}
