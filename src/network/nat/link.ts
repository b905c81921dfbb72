/** The NAT's side of the wire: Ethernet and IP headers of what it sends, and who is where. */
import { Frame, type Offload, type OffloadAbilities } from '../../machine/frame.js';
import type { Cable } from '../../machine/cable.js';
import { finish, pseudoHeader, sumParts } from '../../machine/checksum.js';
import { partialChecksum } from '../complete.js';
import { ETHERNET_BYTES, isGroup, put16, TYPE_IPV4, TYPE_IPV6 } from '../ethernet.js';
import {
  CHECKSUM_AT,
  IPV4_BYTES,
  IPV6_BYTES,
  MORE_FRAGMENTS,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  putIpv4,
  putIpv6,
  FRAGMENT,
} from '../ip.js';
import { ipText, sameBytes, type IpAddress } from '../ip-address.js';

export const MTU = 1500;
const MOST_NEIGHBOURS = 1024;
/** Packets that wait for an address, and addresses that are asked for. */
const MOST_UNSENT = 16;
const FRAGMENT_HEADER = 8;

/** Everything is taken with work left on it. */
export const ALL_OFFLOADS: OffloadAbilities = { checksum: true, tcp4: true, tcp6: true, udp: false };

export interface SendOptions {
  /** Of TCP: most payload in a segment, bytes. */
  readonly segmentBytes?: number;
  readonly hopLimit?: number;
}

export class Link {
  /** Ethernet addresses of IP addresses, as last heard. */
  private readonly neighbours = new Map<string, Uint8Array>();
  private readonly unsent = new Map<string, (() => void)[]>();
  private nextId = 1;
  private flushWanted = false;
  /** Asks on the link for an address that is not known. */
  ask: (address: IpAddress) => void = () => {};

  constructor(
    private readonly cable: Cable,
    readonly mac: Uint8Array,
  ) {}

  /** Sends a frame; what goes out of one cause is flushed together, when that is done. */
  private put(frame: Frame): void {
    this.cable.send(frame);
    if (this.flushWanted) return;
    this.flushWanted = true;
    queueMicrotask(() => {
      this.flushWanted = false;
      this.cable.flush();
    });
  }

  learn(address: IpAddress, mac: Uint8Array): void {
    if (isGroup(mac)) return;
    const key = ipText(address);
    const known = this.neighbours.get(key);
    if (known && sameBytes(known, mac)) return;
    if (!this.neighbours.has(key) && this.neighbours.size >= MOST_NEIGHBOURS)
      this.neighbours.delete(this.neighbours.keys().next().value!);
    this.neighbours.set(key, mac.slice());
    const waiting = this.unsent.get(key) ?? [];
    this.unsent.delete(key);
    for (const send of waiting) send();
  }

  /** Asks who has an address, and sends what waits for it when it is known. */
  private sendLater(destination: IpAddress, send: () => void): void {
    const key = ipText(destination);
    const waiting = this.unsent.get(key);
    if (waiting) {
      // The newest packets are of more use than old ones.
      if (waiting.length >= MOST_UNSENT) waiting.shift();
      waiting.push(send);
    } else {
      if (this.unsent.size >= MOST_UNSENT) this.unsent.delete(this.unsent.keys().next().value!);
      this.unsent.set(key, [send]);
    }
    this.ask(destination);
  }

  macOf(address: IpAddress): Uint8Array | null {
    if (address.length === 4 && address[0]! >= 224) {
      if (address[0] === 255) return Uint8Array.of(255, 255, 255, 255, 255, 255);
      return Uint8Array.of(0x01, 0x00, 0x5e, address[1]! & 0x7f, address[2]!, address[3]!);
    }
    if (address.length === 16 && address[0] === 0xff)
      return Uint8Array.of(0x33, 0x33, ...address.subarray(12));
    return this.neighbours.get(ipText(address)) ?? null;
  }

  sendFrame(frame: Frame): void {
    this.put(frame);
  }

  /** Sends an Ethernet frame of this type. */
  sendPayload(to: Uint8Array, type: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(ETHERNET_BYTES + payload.length);
    this.putEthernet(bytes, to, type);
    bytes.set(payload, ETHERNET_BYTES);
    this.put(Frame.of(bytes));
  }

  private putEthernet(bytes: Uint8Array, to: Uint8Array, type: number): void {
    bytes.set(to, 0);
    bytes.set(this.mac, 6);
    put16(bytes, 12, type);
  }

  /**
   * Sends an IP packet: `header` is that of the transport protocol, with its checksum field 0, and `payload` what follows. What is
   * longer than the link takes is fragmented, but TCP, which is left to be cut into segments of `segmentBytes`.
   */
  send(
    source: IpAddress,
    destination: IpAddress,
    protocol: number,
    header: Uint8Array,
    payload: readonly Uint8Array[],
    { segmentBytes = 0, hopLimit = 64 }: SendOptions = {},
  ): void {
    const mac = this.macOf(destination);
    if (!mac) {
      const kept = payload.map((part) => part.slice());
      const [from, to] = [source.slice(), destination.slice()];
      const again = (): void => this.send(from, to, protocol, header, kept, { segmentBytes, hopLimit });
      return this.sendLater(destination, again);
    }
    let payloadBytes = 0;
    for (const part of payload) payloadBytes += part.length;
    const ipBytes = source.length === 4 ? IPV4_BYTES : IPV6_BYTES;
    const transportBytes = header.length + payloadBytes;
    if (protocol !== PROTOCOL_TCP && ipBytes + transportBytes > MTU)
      return this.sendFragments(source, destination, protocol, header, payload, mac, hopLimit);
    const bytes = new Uint8Array(ETHERNET_BYTES + ipBytes + header.length);
    this.putHeaders(bytes, mac, source, destination, protocol, transportBytes, hopLimit);
    const start = ETHERNET_BYTES + ipBytes;
    bytes.set(header, start);
    const checksumOffset = CHECKSUM_AT[protocol]!;
    let offload: Offload | null = null;
    if (protocol === PROTOCOL_TCP) {
      put16(bytes, start + checksumOffset, partialChecksum(source, destination, protocol, transportBytes));
      const cut = segmentBytes > 0 && payloadBytes > segmentBytes;
      const segmentation = cut ? (source.length === 4 ? 'tcp4' : 'tcp6') : 'none';
      offload = { checksumStart: start, checksumOffset, segmentation, segmentBytes };
    } else
      put16(
        bytes,
        start + checksumOffset,
        checksumOf(source, destination, protocol, header, payload, transportBytes),
      );
    this.put(new Frame([bytes, ...payload], offload));
  }

  private putHeaders(
    bytes: Uint8Array,
    to: Uint8Array,
    source: IpAddress,
    destination: IpAddress,
    protocol: number,
    payloadBytes: number,
    hopLimit: number,
  ): void {
    if (source.length === 4) {
      this.putEthernet(bytes, to, TYPE_IPV4);
      const id = this.nextId++ & 0xffff;
      putIpv4(bytes, ETHERNET_BYTES, source, destination, protocol, payloadBytes, { id, ttl: hopLimit });
    } else {
      this.putEthernet(bytes, to, TYPE_IPV6);
      putIpv6(bytes, ETHERNET_BYTES, source, destination, protocol, payloadBytes, hopLimit);
    }
  }

  private sendFragments(
    source: IpAddress,
    destination: IpAddress,
    protocol: number,
    header: Uint8Array,
    payload: readonly Uint8Array[],
    to: Uint8Array,
    hopLimit: number,
  ): void {
    const whole = new Frame([header, ...payload]).copy().bytes;
    put16(
      whole,
      CHECKSUM_AT[protocol]!,
      checksumOf(source, destination, protocol, header, payload, whole.length),
    );
    const id = this.nextId++ & 0xffff;
    const v4 = source.length === 4;
    const room = (MTU - (v4 ? IPV4_BYTES : IPV6_BYTES + FRAGMENT_HEADER)) & ~7;
    for (let at = 0; at < whole.length; at += room) {
      const piece = whole.subarray(at, at + room);
      const more = at + room < whole.length;
      if (v4) {
        const bytes = new Uint8Array(ETHERNET_BYTES + IPV4_BYTES);
        this.putEthernet(bytes, to, TYPE_IPV4);
        const flags = (more ? MORE_FRAGMENTS : 0) | (at / 8);
        putIpv4(bytes, ETHERNET_BYTES, source, destination, protocol, piece.length, {
          id,
          flags,
          ttl: hopLimit,
        });
        this.put(new Frame([bytes, piece]));
      } else {
        const bytes = new Uint8Array(ETHERNET_BYTES + IPV6_BYTES + FRAGMENT_HEADER);
        this.putHeaders(bytes, to, source, destination, FRAGMENT, FRAGMENT_HEADER + piece.length, hopLimit);
        const start = ETHERNET_BYTES + IPV6_BYTES;
        bytes[start] = protocol;
        put16(bytes, start + 2, at | (more ? 1 : 0));
        put16(bytes, start + 6, id);
        this.put(new Frame([bytes, piece]));
      }
    }
  }
}

/** Of a whole packet whose field holds 0. ICMP for IPv4 has no pseudo header. */
function checksumOf(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  header: Uint8Array,
  payload: readonly Uint8Array[],
  length: number,
): number {
  const before = protocol === PROTOCOL_ICMP ? 0 : pseudoHeader(source, destination, protocol, length);
  const value = finish(sumParts([header, ...payload], before));
  return value === 0 && protocol !== PROTOCOL_ICMP ? 0xffff : value;
}
