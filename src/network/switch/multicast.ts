/** Which ports want which multicast groups, learned from what hosts and routers say (RFC 4541). */
import { addressAt, isGroup, u16 } from '../ethernet.js';
import { ipLayout, PROTOCOL_ICMPV6, type IpLayout } from '../ip.js';

const PROTOCOL_IGMP = 2;
const IGMP_QUERY = 0x11;
const IGMPV1_REPORT = 0x12;
const IGMPV2_REPORT = 0x16;
const IGMP_LEAVE = 0x17;
const IGMPV3_REPORT = 0x22;
const MLD_QUERY = 130;
const MLDV1_REPORT = 131;
const MLD_DONE = 132;
const MLDV2_REPORT = 143;
/** Record types that leave a group when they name no sources (RFC 3376, 4.2.12). */
const TO_INCLUDE = 3;
const IS_INCLUDE = 1;

/** Group membership interval of RFC 2236, 8.4. */
const MEMBER_MS = 260_000;
const QUERIER_MS = 255_000;
const MOST_GROUPS = 1024;
const MOST_RECORDS = 256;

export class MulticastGroups<Port> {
  /** By VLAN and Ethernet group address. */
  private readonly groups = new Map<string, Map<Port, number>>();
  private readonly routers = new Map<Port, number>();

  /** Looks at a frame to a group address. */
  snoop(vlan: number, bytes: Uint8Array, port: Port, now: number): void {
    const layout = ipLayout(bytes);
    if (!layout || layout.fragment || layout.payload + 8 > layout.end || layout.end > bytes.length) return;
    if (layout.version === 4 && layout.protocol === PROTOCOL_IGMP) this.igmp(vlan, bytes, layout, port, now);
    else if (layout.version === 6 && layout.protocol === PROTOCOL_ICMPV6)
      this.mld(vlan, bytes, layout, port, now);
  }

  private igmp(vlan: number, bytes: Uint8Array, { payload, end }: IpLayout, port: Port, now: number): void {
    const group = bytes.subarray(payload + 4, payload + 8);
    switch (bytes[payload]) {
      case IGMP_QUERY:
        this.routers.set(port, now);
        return;
      case IGMPV1_REPORT:
      case IGMPV2_REPORT:
        return this.join(vlan, group, port, now);
      case IGMP_LEAVE:
        return this.leave(vlan, group, port);
      case IGMPV3_REPORT:
        return this.records(vlan, bytes, payload + 8, end, 4, u16(bytes, payload + 6), port, now);
    }
  }

  private mld(vlan: number, bytes: Uint8Array, { payload, end }: IpLayout, port: Port, now: number): void {
    const type = bytes[payload]!;
    if (type === MLDV2_REPORT)
      return this.records(vlan, bytes, payload + 8, end, 16, u16(bytes, payload + 6), port, now);
    if (payload + 24 > end) return;
    const group = bytes.subarray(payload + 8, payload + 24);
    if (type === MLD_QUERY) this.routers.set(port, now);
    else if (type === MLDV1_REPORT) this.join(vlan, group, port, now);
    else if (type === MLD_DONE) this.leave(vlan, group, port);
  }

  /** Group records of IGMPv3 and MLDv2. */
  private records(
    vlan: number,
    bytes: Uint8Array,
    first: number,
    end: number,
    addressBytes: number,
    count: number,
    port: Port,
    now: number,
  ): void {
    let at = first;
    for (let n = 0; n < Math.min(count, MOST_RECORDS) && at + 4 + addressBytes <= end; n++) {
      const type = bytes[at]!;
      const sources = u16(bytes, at + 2);
      const group = bytes.subarray(at + 4, at + 4 + addressBytes);
      if ((type === TO_INCLUDE || type === IS_INCLUDE) && sources === 0) this.leave(vlan, group, port);
      else this.join(vlan, group, port, now);
      at += 4 + addressBytes + sources * addressBytes + bytes[at + 1]! * 4;
    }
  }

  private join(vlan: number, group: Uint8Array, port: Port, now: number): void {
    const key = `${vlan} ${ethernetGroup(group)}`;
    let members = this.groups.get(key);
    if (!members) {
      if (this.groups.size >= MOST_GROUPS) return;
      this.groups.set(key, (members = new Map()));
    }
    members.set(port, now);
  }

  private leave(vlan: number, group: Uint8Array, port: Port): void {
    const key = `${vlan} ${ethernetGroup(group)}`;
    const members = this.groups.get(key);
    members?.delete(port);
    if (members?.size === 0) this.groups.delete(key);
  }

  /**
   * Whether a frame to a group goes to `port`. Without a router that asks who is in what groups, nobody says it again, and all
   * get all; so do those of groups that nobody has joined, and of the link's own (224.0.0.x, ff02::1).
   */
  wants(vlan: number, destination: Uint8Array, port: Port, now: number): boolean {
    if (!this.asked(now) || isForAll(destination)) return true;
    if (now - (this.routers.get(port) ?? -Infinity) <= QUERIER_MS) return true;
    const members = this.groups.get(`${vlan} ${addressAt(destination, 0)}`);
    return !members || now - (members.get(port) ?? -Infinity) <= MEMBER_MS;
  }

  private asked(now: number): boolean {
    for (const seen of this.routers.values()) if (now - seen <= QUERIER_MS) return true;
    return false;
  }

  forgetPort(port: Port): void {
    this.routers.delete(port);
    for (const members of this.groups.values()) members.delete(port);
  }
}

/** RFC 1112, 6.4; RFC 2464, 7. */
function ethernetGroup(group: Uint8Array): number {
  const address =
    group.length === 4
      ? Uint8Array.of(0x01, 0x00, 0x5e, group[1]! & 0x7f, group[2]!, group[3]!)
      : Uint8Array.of(0x33, 0x33, ...group.subarray(12));
  return addressAt(address, 0);
}

function isForAll(destination: Uint8Array): boolean {
  if (!isGroup(destination)) return false;
  const ipv4 = destination[0] === 0x01 && destination[1] === 0x00 && destination[2] === 0x5e;
  if (ipv4) return destination[3] === 0 && destination[4] === 0;
  const ipv6 = destination[0] === 0x33 && destination[1] === 0x33;
  // Others are no IP groups; ff02::1 is all nodes.
  return !ipv6 || addressAt(destination, 0) === 0x333300000001;
}
