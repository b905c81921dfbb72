/** Neighbour discovery (RFC 4861) for the NAT: it answers for its own addresses, and is the guests' router (RFC 8106 for DNS). */
import { ETHERNET_BYTES, isGroup, put16, put32, TYPE_IPV6 } from '../ethernet.js';
import { finish, pseudoHeader, sum } from '../../machine/checksum.js';
import { IPV6_BYTES, PROTOCOL_ICMPV6, putIpv6 } from '../ip.js';
import { Frame } from '../../machine/frame.js';
import type { IpAddress, Prefix } from '../ip-address.js';
import { nameLabels } from './dhcp.js';
import type { Link } from './link.js';

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;

const OPTION_SOURCE_MAC = 1;
const OPTION_TARGET_MAC = 2;
const OPTION_PREFIX = 3;
const OPTION_MTU = 5;
const OPTION_DNS = 25;
const OPTION_SEARCH = 31;

const HOP_LIMIT = 255;
const ON_LINK_AUTONOMOUS = 0xc0;
const OTHER_CONFIGURATION = 0x40;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const ALL_NODES = Uint8Array.of(0xff, 0x02, ...new Uint8Array(13), 1);
const LIFETIME_S = 86400;
const ROUTER_LIFETIME_S = 1800;
const MTU = 1500;

export interface RouterSettings {
  readonly prefix: Prefix;
  readonly linkLocal: IpAddress;
  readonly dns: IpAddress | null;
  readonly search: () => readonly string[];
  /** Whether the host reaches other networks by IPv6 now. */
  readonly routes: () => boolean;
}

export class NeighbourDiscovery {
  constructor(
    private readonly link: Link,
    private readonly settings: RouterSettings,
    private readonly isOwn: (address: IpAddress) => boolean,
    private readonly isNear: (address: IpAddress) => boolean,
  ) {}

  /** An ICMPv6 message of types 133 to 136, which came with this hop limit. */
  receive(source: IpAddress, message: Uint8Array, hopLimit: number): void {
    // From beyond a router, it has less (7.1).
    if (hopLimit !== HOP_LIMIT || message.length < 8) return;
    if (message[0] === ROUTER_SOLICITATION) {
      this.learnFrom(source, message, 8, OPTION_SOURCE_MAC);
      this.advertise();
      return;
    }
    if (message.length < 24) return;
    const target = message.slice(8, 24);
    if (message[0] === NEIGHBOUR_SOLICITATION) {
      if (source.some((byte) => byte !== 0)) this.learnFrom(source, message, 24, OPTION_SOURCE_MAC);
      if (this.isOwn(target)) this.answer(source, target);
    } else if (message[0] === NEIGHBOUR_ADVERTISEMENT) this.learnFrom(target, message, 24, OPTION_TARGET_MAC);
  }

  private learnFrom(address: IpAddress, message: Uint8Array, options: number, wanted: number): void {
    if (this.isOwn(address) || !this.isNear(address)) return;
    for (let at = options; at + 8 <= message.length && message[at + 1]! > 0; at += message[at + 1]! * 8)
      if (message[at] === wanted && !isGroup(message, at + 2))
        this.link.learn(address, message.subarray(at + 2, at + 8));
  }

  private answer(to: IpAddress, target: IpAddress): void {
    const unspecified = to.every((byte) => byte === 0);
    const message = new Uint8Array(32);
    message[0] = NEIGHBOUR_ADVERTISEMENT;
    message[4] = ROUTER | OVERRIDE | (unspecified ? 0 : SOLICITED);
    message.set(target, 8);
    message.set([OPTION_TARGET_MAC, 1, ...this.link.mac], 24);
    this.send(target, unspecified ? ALL_NODES : to, message);
  }

  /** Asks who has an address. */
  ask(target: IpAddress): void {
    const message = new Uint8Array(32);
    message[0] = NEIGHBOUR_SOLICITATION;
    message.set(target, 8);
    message.set([OPTION_SOURCE_MAC, 1, ...this.link.mac], 24);
    // The solicited-node group (RFC 4291, 2.7.1).
    const group = Uint8Array.of(0xff, 0x02, ...new Uint8Array(9), 1, 0xff, ...target.subarray(13));
    this.send(this.settings.linkLocal, group, message);
  }

  /** Tells all guests of the router, the prefix and the resolver. */
  advertise(): void {
    const { prefix, dns, linkLocal, search, routes } = this.settings;
    const bytes: number[] = [
      ROUTER_ADVERTISEMENT,
      0,
      0,
      0,
      64,
      OTHER_CONFIGURATION,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    const lifetime = routes() ? ROUTER_LIFETIME_S : 0;
    bytes[6] = lifetime >> 8;
    bytes[7] = lifetime & 0xff;
    bytes.push(OPTION_SOURCE_MAC, 1, ...this.link.mac);
    bytes.push(OPTION_MTU, 1, 0, 0, 0, 0, MTU >> 8, MTU & 0xff);
    const option = new Uint8Array(32);
    option.set([OPTION_PREFIX, 4, prefix.bits, ON_LINK_AUTONOMOUS]);
    put32(option, 4, LIFETIME_S);
    put32(option, 8, LIFETIME_S);
    option.set(prefix.address, 16);
    bytes.push(...option);
    const seconds = [0, 0, ROUTER_LIFETIME_S >> 8, ROUTER_LIFETIME_S & 0xff];
    if (dns) bytes.push(OPTION_DNS, 3, 0, 0, ...seconds, ...dns);
    const labels = search().flatMap(nameLabels);
    if (labels.length > 0 && labels.length < 512) {
      while (labels.length % 8 !== 0) labels.push(0);
      bytes.push(OPTION_SEARCH, 1 + labels.length / 8, 0, 0, ...seconds, ...labels);
    }
    this.send(linkLocal, ALL_NODES, Uint8Array.from(bytes));
  }

  private send(source: IpAddress, to: IpAddress, message: Uint8Array): void {
    const mac = this.link.macOf(to);
    if (!mac) return;
    put16(message, 2, 0);
    put16(
      message,
      2,
      finish(sum(message, 0, message.length, pseudoHeader(source, to, PROTOCOL_ICMPV6, message.length))),
    );
    const bytes = new Uint8Array(ETHERNET_BYTES + IPV6_BYTES + message.length);
    bytes.set(mac, 0);
    bytes.set(this.link.mac, 6);
    put16(bytes, 12, TYPE_IPV6);
    putIpv6(bytes, ETHERNET_BYTES, source, to, PROTOCOL_ICMPV6, message.length, HOP_LIMIT);
    bytes.set(message, ETHERNET_BYTES + IPV6_BYTES);
    this.link.sendFrame(Frame.of(bytes));
  }
}
