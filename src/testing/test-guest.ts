/** A guest of a NAT, as far as a test needs one: it sends what the test says, and keeps what comes. */
import type { Cable, Station } from '../machine/cable.js';
import { Frame, NO_OFFLOAD } from '../machine/frame.js';
import { finish, pseudoHeader, sum } from '../machine/checksum.js';
import { put16, TYPE_ARP, TYPE_IPV4, TYPE_IPV6, u16 } from '../network/ethernet.js';
import { ipLayout, putIpv4, putIpv6 } from '../network/ip.js';
import { forReceiver } from '../network/complete.js';
import { parseIp, type IpAddress } from '../network/ip-address.js';

export const GUEST_MAC = Uint8Array.of(0x52, 0x56, 0, 1, 2, 3);

export interface Packet {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** The cable of the NAT, with a guest at its other end. */
export class TestGuest implements Cable {
  readonly connected = true;
  readonly busy = false;
  readonly frames: Uint8Array[] = [];
  private station: Station | null = null;

  plug(station: Station): void {
    this.station = station;
  }
  send(frame: Frame): void {
    for (const piece of forReceiver(frame, NO_OFFLOAD)) this.frames.push(piece.bytes.slice());
  }
  flush(): void {}
  room(): void {}

  /** Gives a frame to the NAT. */
  put(bytes: Uint8Array): void {
    this.station!.receive(Frame.of(bytes));
    // A guest uses its buffers again: who needs more of them has a copy.
    bytes.fill(0xee);
    this.station!.flushed?.();
  }

  /** IP packets that came since the last time. */
  take(): Packet[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const layout = ipLayout(bytes);
      if (!layout) return [];
      const [at, size] = layout.version === 4 ? [layout.start + 12, 4] : [layout.start + 8, 16];
      return [
        {
          source: bytes.slice(at, at + size),
          destination: bytes.slice(at + size, at + 2 * size),
          protocol: layout.protocol,
          payload: bytes.slice(layout.payload, layout.end),
        },
      ];
    });
  }

  /** `transport`: with its checksum field 0 at `checksum`. */
  ip(
    source: string,
    destination: string,
    protocol: number,
    transport: Uint8Array,
    checksum: number,
    hopLimit = 64,
  ): void {
    const [from, to] = [parseIp(source)!, parseIp(destination)!];
    const v4 = from.length === 4;
    const at = 14 + (v4 ? 20 : 40);
    const bytes = new Uint8Array(at + transport.length);
    bytes.set([0x52, 0x55, 10, 0, 2, 2]);
    bytes.set(GUEST_MAC, 6);
    put16(bytes, 12, v4 ? TYPE_IPV4 : TYPE_IPV6);
    if (v4) putIpv4(bytes, 14, from, to, protocol, transport.length, { ttl: hopLimit });
    else putIpv6(bytes, 14, from, to, protocol, transport.length, hopLimit);
    bytes.set(transport, at);
    const before = protocol === 1 ? 0 : pseudoHeader(from, to, protocol, transport.length);
    put16(bytes, at + checksum, finish(sum(transport, 0, transport.length, before)));
    this.put(bytes);
  }

  udp(source: string, sourcePort: number, destination: string, port: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(8 + payload.length);
    put16(bytes, 0, sourcePort);
    put16(bytes, 2, port);
    put16(bytes, 4, bytes.length);
    bytes.set(payload, 8);
    this.ip(source, destination, 17, bytes, 6);
  }

  /** Says who has an address. */
  arp(address: string): void {
    const bytes = new Uint8Array(42);
    bytes.fill(255, 0, 6);
    bytes.set(GUEST_MAC, 6);
    put16(bytes, 12, TYPE_ARP);
    bytes.set([0, 1, 8, 0, 6, 4, 0, 1], 14);
    bytes.set(GUEST_MAC, 22);
    bytes.set(parseIp(address)!, 28);
    bytes.set([10, 0, 2, 2], 38);
    this.put(bytes);
  }

  static port(packet: Packet): number {
    return u16(packet.payload, 0);
  }
}
