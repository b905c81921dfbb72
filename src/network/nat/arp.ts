/** Address Resolution Protocol (RFC 826) for the NAT's own addresses. */
import { BROADCAST, put16, TYPE_ARP, TYPE_IPV4, u16 } from '../ethernet.js';
import type { IpAddress } from '../ip-address.js';
import type { Link } from './link.js';

export const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** Whether this is ARP for IPv4 on Ethernet. */
export function isArp(bytes: Uint8Array): boolean {
  if (bytes.length < ARP_BYTES || u16(bytes, 0) !== HARDWARE_ETHERNET || u16(bytes, 2) !== TYPE_IPV4)
    return false;
  return bytes[4] === 6 && bytes[5] === 4;
}

/** `isOwn`: whether the NAT answers for an address; `isNear`: whether it lies in the NAT's network. */
export function receiveArp(
  link: Link,
  bytes: Uint8Array,
  isOwn: (address: IpAddress) => boolean,
  isNear: (address: IpAddress) => boolean,
): void {
  if (!isArp(bytes)) return;
  const senderMac = bytes.subarray(8, 14);
  const sender = bytes.subarray(14, 18);
  const target = bytes.subarray(24, 28);
  if (isOwn(sender)) return;
  if (isNear(sender)) link.learn(sender, senderMac);
  if (u16(bytes, 6) === ARP_REQUEST && isOwn(target))
    link.sendPayload(senderMac, TYPE_ARP, arpPacket(ARP_REPLY, link.mac, target, senderMac, sender));
}

export function askArp(link: Link, own: IpAddress, wanted: IpAddress): void {
  link.sendPayload(BROADCAST, TYPE_ARP, arpPacket(ARP_REQUEST, link.mac, own, new Uint8Array(6), wanted));
}

export function arpPacket(
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
