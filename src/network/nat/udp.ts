/** UDP datagrams (RFC 768). */
import { put16, u16 } from '../ethernet.js';
import { PROTOCOL_UDP } from '../ip.js';
import type { IpAddress } from '../ip-address.js';
import type { Link } from './link.js';

export const UDP_BYTES = 8;

export interface Datagram {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** `bytes`: the UDP header and what follows; null: malformed. */
export function parseUdp(source: IpAddress, destination: IpAddress, bytes: Uint8Array): Datagram | null {
  if (bytes.length < UDP_BYTES) return null;
  const length = u16(bytes, 4);
  if (length < UDP_BYTES || length > bytes.length) return null;
  const payload = bytes.subarray(UDP_BYTES, length);
  return { source, destination, sourcePort: u16(bytes, 0), destinationPort: u16(bytes, 2), payload };
}

/** The header, with checksum 0. */
function udpHeader({ sourcePort, destinationPort, payload }: UdpPayload): Uint8Array {
  const header = new Uint8Array(UDP_BYTES);
  put16(header, 0, sourcePort);
  put16(header, 2, destinationPort);
  put16(header, 4, UDP_BYTES + payload.length);
  return header;
}

type UdpPayload = Pick<Datagram, 'sourcePort' | 'destinationPort' | 'payload'>;

/** Header and payload in one piece. */
export function udpBytes(datagram: UdpPayload): Uint8Array {
  const bytes = new Uint8Array(UDP_BYTES + datagram.payload.length);
  bytes.set(udpHeader(datagram));
  bytes.set(datagram.payload, UDP_BYTES);
  return bytes;
}

export function sendUdp(link: Link, datagram: Datagram): void {
  const { source, destination, payload } = datagram;
  link.send(source, destination, PROTOCOL_UDP, udpHeader(datagram), [payload]);
}

/** The answer to a datagram. */
export function reply(link: Link, to: Datagram, payload: Uint8Array): void {
  const { source, destination, sourcePort, destinationPort } = to;
  sendUdp(link, {
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
    payload,
  });
}
