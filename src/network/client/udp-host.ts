/** IPv4, ARP and UDP for firmware that starts from the network: little, and never waiting by itself. */
import { pseudoHeader, finish, sum } from '../../machine/checksum.js';
import { BROADCAST, put16, TYPE_ARP, TYPE_IPV4, u16, u32 } from '../ethernet.js';
import { checksumValid, IPV4_BYTES, ipLayout, PROTOCOL_UDP, putIpv4 } from '../ip.js';
import { ipText, sameBytes, type IpAddress } from '../ip-address.js';
import { ARP_BYTES, ARP_REPLY, ARP_REQUEST, arpPacket, isArp } from '../nat/arp.js';
import { Reassembly } from '../nat/reassembly.js';
import { parseUdp, UDP_BYTES, udpBytes, type Datagram } from '../nat/udp.js';

const ETHERNET_BYTES = 14;
const MTU = 1500;
const ASK_AGAIN_MS = 500;
const MOST_WAITING = 32;
const ALL: IpAddress = Uint8Array.of(255, 255, 255, 255);
const NOBODY: IpAddress = new Uint8Array(4);

export interface UdpHostLink {
  readonly mac: Uint8Array;
  /** Sends a whole frame. */
  send(frame: Uint8Array): void;
  /** Milliseconds. */
  now(): number;
}

export class UdpHost {
  address: IpAddress = NOBODY;
  mask: IpAddress = NOBODY;
  router: IpAddress = NOBODY;
  private readonly neighbours = new Map<string, Uint8Array>();
  /** Packets for those whose Ethernet address is not known yet. */
  private waiting: { hop: IpAddress; packet: Uint8Array; asked: number }[] = [];
  private readonly fragments = new Reassembly();
  private number = 0;

  /** `onDatagram`: for this host, or for all; its bytes are the receiver's to keep. */
  constructor(
    private readonly link: UdpHostLink,
    private readonly onDatagram: (datagram: Datagram) => void,
  ) {}

  reset(): void {
    this.address = this.mask = this.router = NOBODY;
    this.neighbours.clear();
    this.waiting = [];
  }

  /** Sends to `destination`; `router`: by this one, if the destination is not near. */
  send(
    datagram: Pick<Datagram, 'destination' | 'sourcePort' | 'destinationPort' | 'payload'>,
    router = this.router,
  ): void {
    const { destination, payload } = datagram;
    const length = UDP_BYTES + payload.length;
    if (length > MTU - IPV4_BYTES) return;
    const packet = new Uint8Array(IPV4_BYTES + length);
    putIpv4(packet, 0, this.address, destination, PROTOCOL_UDP, length, { id: ++this.number & 0xffff });
    packet.set(udpBytes(datagram), IPV4_BYTES);
    const pseudo = pseudoHeader(this.address, destination, PROTOCOL_UDP, length);
    put16(packet, IPV4_BYTES + 6, finish(sum(packet, IPV4_BYTES, packet.length, pseudo)) || 0xffff);
    if (sameBytes(destination, ALL)) return this.sendFrame(BROADCAST, TYPE_IPV4, packet);
    const near = this.isNear(destination) || sameBytes(router, NOBODY);
    this.route(near ? destination : router, packet);
  }

  private isNear(address: IpAddress): boolean {
    return ((u32(address, 0) ^ u32(this.address, 0)) & u32(this.mask, 0)) >>> 0 === 0;
  }

  private route(hop: IpAddress, packet: Uint8Array): void {
    const mac = this.neighbours.get(ipText(hop));
    if (mac) return this.sendFrame(mac, TYPE_IPV4, packet);
    if (this.waiting.length >= MOST_WAITING) this.waiting.shift();
    this.waiting.push({ hop: hop.slice(), packet, asked: this.link.now() });
    this.ask(hop);
  }

  private ask(hop: IpAddress): void {
    const packet = arpPacket(ARP_REQUEST, this.link.mac, this.address, new Uint8Array(6), hop);
    this.sendFrame(BROADCAST, TYPE_ARP, packet);
  }

  private sendFrame(to: Uint8Array, type: number, packet: Uint8Array): void {
    this.link.send(ethernetFrame(to, this.link.mac, type, packet));
  }

  /** Asks again for neighbours that did not answer. */
  tick(): void {
    const now = this.link.now();
    for (const waiting of this.waiting) {
      if (now - waiting.asked < ASK_AGAIN_MS) continue;
      waiting.asked = now;
      this.ask(waiting.hop);
    }
  }

  /** A frame from the network. */
  receive(frame: Uint8Array): void {
    if (frame.length < ETHERNET_BYTES) return;
    const type = u16(frame, 12);
    if (type === TYPE_ARP) this.receiveArp(frame.subarray(ETHERNET_BYTES));
    else if (type === TYPE_IPV4) this.receiveIp(frame);
  }

  private receiveArp(bytes: Uint8Array): void {
    if (!isArp(bytes)) return;
    const [mac, sender] = [bytes.slice(8, 14), bytes.slice(14, 18)];
    const forUs = sameBytes(bytes.subarray(24, ARP_BYTES), this.address);
    if (!forUs || sameBytes(this.address, NOBODY)) return;
    this.neighbours.set(ipText(sender), mac);
    if (u16(bytes, 6) === ARP_REQUEST)
      this.sendFrame(mac, TYPE_ARP, arpPacket(ARP_REPLY, this.link.mac, this.address, mac, sender));
    const known = this.waiting.filter(({ hop }) => sameBytes(hop, sender));
    this.waiting = this.waiting.filter(({ hop }) => !sameBytes(hop, sender));
    for (const { packet } of known) this.sendFrame(mac, TYPE_IPV4, packet);
  }

  private receiveIp(frame: Uint8Array): void {
    const layout = ipLayout(frame);
    if (!layout || layout.version !== 4) return;
    const source = frame.slice(layout.start + 12, layout.start + 16);
    const destination = frame.slice(layout.start + 16, layout.start + 20);
    const configured = !sameBytes(this.address, NOBODY);
    if (configured && !sameBytes(destination, this.address) && !this.isBroadcast(destination)) return;
    let { protocol } = layout;
    let bytes = frame.slice(layout.payload, layout.end);
    if (layout.fragment) {
      const whole = this.fragments.add(
        `${ipText(source)} ${ipText(destination)}`,
        frame,
        layout,
        this.link.now(),
      );
      if (!whole) return;
      protocol = whole.protocol;
      bytes = whole.payload.slice();
    }
    if (protocol !== PROTOCOL_UDP) return;
    const datagram = parseUdp(source, destination, bytes);
    if (!datagram) return;
    const whole = bytes.subarray(0, UDP_BYTES + datagram.payload.length);
    if (checksumValid(source, destination, PROTOCOL_UDP, whole)) this.onDatagram(datagram);
  }

  private isBroadcast(address: IpAddress): boolean {
    return (u32(address, 0) | u32(this.mask, 0)) >>> 0 === 0xffffffff;
  }
}

function ethernetFrame(to: Uint8Array, from: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + payload.length);
  frame.set(to);
  frame.set(from, 6);
  put16(frame, 12, type);
  frame.set(payload, ETHERNET_BYTES);
  return frame;
}
