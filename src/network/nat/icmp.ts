/** ICMP (RFC 792, RFC 1812) and ICMPv6 (RFC 4443) messages about packets of the guest. */
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../ip.js';
import type { IpAddress } from '../ip-address.js';
import type { Link } from './link.js';

export type Complaint = 'network' | 'host' | 'port' | 'prohibited' | 'expired';

const TYPES: Record<Complaint, { v4: [type: number, code: number]; v6: [type: number, code: number] }> = {
  network: { v4: [3, 0], v6: [1, 0] },
  host: { v4: [3, 1], v6: [1, 3] },
  port: { v4: [3, 3], v6: [1, 4] },
  prohibited: { v4: [3, 13], v6: [1, 1] },
  expired: { v4: [11, 0], v6: [3, 0] },
};
/** What is given back of the packet, so that all fits the least packet that any link takes. */
const QUOTED_V4 = 548;
const QUOTED_V6 = 1232;

/** Tells the sender of `packet`, an IP packet from its header on, what became of it. */
export function complain(
  link: Link,
  from: IpAddress,
  to: IpAddress,
  complaint: Complaint,
  packet: Uint8Array,
): void {
  const v4 = to.length === 4;
  const [type, code] = v4 ? TYPES[complaint].v4 : TYPES[complaint].v6;
  const header = Uint8Array.of(type, code, 0, 0, 0, 0, 0, 0);
  const quoted = packet.slice(0, v4 ? QUOTED_V4 : QUOTED_V6);
  link.send(from, to, v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6, header, [quoted]);
}

export const ECHO_REPLY = 0;
export const ECHO_REQUEST = 8;
export const ECHO_REQUEST_V6 = 128;
export const ECHO_REPLY_V6 = 129;

/** Answers an echo request, whose bytes begin at its type. */
export function answerEcho(link: Link, from: IpAddress, to: IpAddress, request: Uint8Array): void {
  const header = request.slice(0, 8);
  header[0] = to.length === 4 ? ECHO_REPLY : ECHO_REPLY_V6;
  header[2] = header[3] = 0;
  link.send(from, to, to.length === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6, header, [request.slice(8)]);
}
