/**
 * A router between guests and the world that needs no right on the host: what guests send ends here, and goes on through sockets
 * of the host's. It is also their DHCP server, their resolver, and their router of IPv6.
 */
import type { Cable, Station } from '../../machine/cable.js';
import { Frame } from '../../machine/frame.js';
import { finish, sum } from '../../machine/checksum.js';
import { DnsForwarder } from '../dns/forwarder.js';
import { ETHERNET_BYTES, TYPE_ARP, u16 } from '../ethernet.js';
import type { Endpoint, HostNetwork, ListenPlace } from '../host-network.js';
import {
  checksumValid,
  etherType,
  ipLayout,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  type IpLayout,
} from '../ip.js';
import { inPrefix, ipText, sameBytes, type IpAddress, type Prefix } from '../ip-address.js';
import type { Timers } from '../timers.js';
import { askArp, receiveArp } from './arp.js';
import { DhcpServer } from './dhcp.js';
import { Dhcpv6Server } from './dhcpv6.js';
import { answerEcho, complain, ECHO_REQUEST, ECHO_REQUEST_V6, type Complaint } from './icmp.js';
import { ALL_OFFLOADS, Link } from './link.js';
import { NEIGHBOUR_ADVERTISEMENT, NeighbourDiscovery, ROUTER_SOLICITATION } from './ndp.js';
import { Policy, type PolicyOptions, type Rule } from './policy.js';
import { Reassembly } from './reassembly.js';
import { TcpFlows, type GuestSocket, type Route } from './tcp-flows.js';
import { TftpServer, type TftpFiles } from './tftp.js';
import { parseUdp, reply, udpBytes, type Datagram } from './udp.js';
import { ForwardedUdp, hostAddress, UdpFlows } from './udp-flows.js';

/** A port of the host's that leads to one of a guest's; null: the machine's that asks for it. */
export interface Forward {
  readonly protocol: 'tcp' | 'udp';
  readonly at: ListenPlace;
  readonly guest: IpAddress | null;
  readonly port: number;
}

/** Matches everything. */
const ANYTHING: Rule = { protocol: null, prefix: null, name: null, ports: null };

export interface NatOptions {
  /** 24 bits of an IPv4 network, 64 of an IPv6 one. */
  readonly subnet: Prefix;
  readonly prefix6: Prefix;
  readonly policy: PolicyOptions;
  /** Whether there is a way out at all: guests reach each other, and the host if that is allowed, in any case. */
  readonly outside: boolean;
  readonly tftp: TftpFiles | null;
  readonly bootFile: string;
}

const GATEWAY = 2;
const RESOLVER = 3;
const FIRST_LEASE = 15;
const LAST_LEASE = 254;
/** Names of guests are in this domain, and that of the host. */
const DOMAIN = 'vivarium.internal';
const HOST_NAME = `host.${DOMAIN}`;

const DHCP_PORT = 67;
const DHCP_CLIENT_PORT = 68;
const DHCPV6_PORT = 547;
const TFTP_PORT = 69;
const DNS_PORT = 53;
const ALL_SERVERS = Uint8Array.of(0xff, 0x02, ...new Uint8Array(11), 1, 0, 2);
const MOST_ECHOES = 32;
/** The longest headers that are looked at: Ethernet with a tag, IPv4 with options or IPv6 with some, TCP with options. */
const HEAD_BYTES = 256;

const MOST_TCP_HEADER = 60;

const ZERO = Uint8Array.of(0, 0, 0, 0);
const ALL_ONES = Uint8Array.of(255, 255, 255, 255);

function numbered(prefix: Prefix, number: number): IpAddress {
  const address = prefix.address.slice();
  address[address.length - 1] = number;
  return address;
}

export class Nat implements Station {
  readonly abilities = ALL_OFFLOADS;
  private readonly link: Link;
  private readonly tcp: TcpFlows;
  private readonly udp: UdpFlows;
  private readonly dhcp: DhcpServer;
  private readonly dhcpv6: Dhcpv6Server;
  private readonly dns: DnsForwarder;
  private readonly neighbours: NeighbourDiscovery;
  private readonly policy: Policy;
  private readonly tftp: TftpServer | null;
  private readonly reassembly = new Reassembly();
  private readonly forwarded = new Set<ForwardedUdp>();
  private echoes = 0;
  private readonly gateway4: IpAddress;
  private readonly gateway6: IpAddress;
  private readonly resolver4: IpAddress;
  private readonly resolver6: IpAddress;
  private readonly linkLocal: IpAddress;

  constructor(
    cable: Cable,
    private readonly host: HostNetwork,
    private readonly timers: Timers,
    private readonly options: NatOptions,
  ) {
    const { subnet, prefix6 } = options;
    this.gateway4 = numbered(subnet, GATEWAY);
    this.resolver4 = numbered(subnet, RESOLVER);
    this.gateway6 = numbered(prefix6, GATEWAY);
    this.resolver6 = numbered(prefix6, RESOLVER);
    this.linkLocal = Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), GATEWAY);
    // Locally administered, and another one for each network.
    const mac = Uint8Array.of(0x52, 0x55, ...this.gateway4);
    this.link = new Link(cable, mac);
    const { policy } = options;
    const rules = options.outside ? policy : { ...policy, deny: [ANYTHING] };
    this.policy = new Policy(rules, () => host.ownAddresses());
    this.tcp = new TcpFlows(
      this.link,
      host,
      timers,
      (source, destination, port) => this.route(source, destination, port),
      (source, destination, { sourcePort, destinationPort, sequence }) =>
        this.complainOfPorts(
          source,
          destination,
          PROTOCOL_TCP,
          sourcePort,
          destinationPort,
          sequence,
          'host',
        ),
    );
    this.udp = new UdpFlows(this.link, host, timers, (guest, port, peer, peerPort, failure) =>
      this.complainOfPorts(
        guest,
        peer,
        PROTOCOL_UDP,
        port,
        peerPort,
        8 << 16,
        failure === 'refused' ? 'port' : 'host',
      ),
    );
    const search = (): readonly string[] => host.resolver().search;
    this.dhcp = new DhcpServer({
      subnet,
      router: options.outside ? this.gateway4 : null,
      server: this.gateway4,
      dns: this.resolver4,
      first: FIRST_LEASE,
      last: LAST_LEASE,
      domain: DOMAIN,
      search,
      bootFile: options.bootFile,
    });
    const router = {
      prefix: prefix6,
      linkLocal: this.linkLocal,
      dns: this.resolver6,
      search: () => [DOMAIN, ...search()],
      routes: () => options.outside && host.ownAddresses().some(isGlobalIpv6),
    };
    this.dhcpv6 = new Dhcpv6Server({ ...router, serverMac: mac });
    const own = (address: IpAddress): boolean => this.isOwn(address);
    const near = (address: IpAddress): boolean => this.isNear(address);
    this.neighbours = new NeighbourDiscovery(this.link, router, own, near);
    this.link.ask = (address) =>
      address.length === 4 ? askArp(this.link, this.gateway4, address) : this.neighbours.ask(address);
    this.dns = new DnsForwarder(host, timers, {
      addressesOf: (name) => this.ownNames(name),
      nameOf: (address) => this.nameOf(address),
      allows: (name) => options.outside && this.policy.allowsName(name),
      resolved: (name, address, seconds) => this.policy.resolved(name, address, seconds, timers.now()),
    });
    this.tftp = options.tftp && new TftpServer(options.tftp, timers);
    cable.plug(this);
  }

  /**
   * Opens a port of the host's for the guest whose card has this Ethernet address, and gives what closes it. Rejects with an
   * Error that says what is wrong.
   */
  async forward({ protocol, at, guest, port }: Forward, mac: Uint8Array): Promise<() => void> {
    const to = (): IpAddress => guest ?? this.dhcp.addressFor(mac);
    if (protocol === 'tcp')
      return this.tcp.forward(
        at,
        (address) => (address.length === 4 ? this.gateway4 : this.gateway6),
        to,
        port,
      );
    const gateway = guest?.length === 16 ? this.gateway6 : this.gateway4;
    const forward = new ForwardedUdp(this.link, this.timers, gateway, to, port);
    await forward.listen(this.host, at as Endpoint);
    this.forwarded.add(forward);
    return () => {
      this.forwarded.delete(forward);
      forward.close();
    };
  }

  close(): void {
    this.tcp.closeAll();
    this.udp.closeAll();
    this.tftp?.closeAll();
    for (const forward of this.forwarded) forward.close();
  }

  private isOwn(address: IpAddress): boolean {
    return [this.gateway4, this.resolver4, this.gateway6, this.resolver6, this.linkLocal].some((own) =>
      sameBytes(own, address),
    );
  }
  /** Whether an address is on the guests' own network. */
  private isNear(address: IpAddress): boolean {
    const { subnet, prefix6 } = this.options;
    return (
      inPrefix(address, subnet) ||
      inPrefix(address, prefix6) ||
      (address[0] === 0xfe && (address[1]! & 0xc0) === 0x80 && address.length === 16)
    );
  }
  private isGateway(address: IpAddress): boolean {
    return [this.gateway4, this.gateway6].some((own) => sameBytes(own, address));
  }

  private ownNames(name: string): readonly IpAddress[] | null {
    if (name === HOST_NAME) return this.options.policy.host ? [this.gateway4, this.gateway6] : [];
    const short = name.endsWith(`.${DOMAIN}`) ? name.slice(0, -DOMAIN.length - 1) : name;
    if (short.includes('.')) return null;
    const address = this.dhcp.addressOf(short);
    if (address) return [address];
    return short !== name ? [] : null;
  }
  private nameOf(address: IpAddress): string | null {
    if (this.isGateway(address)) return HOST_NAME;
    const name = this.dhcp.nameOf(address);
    return name && `${name}.${DOMAIN}`;
  }

  // ---- from the guests

  flushed(): void {
    this.tcp.flush();
  }

  receive(frame: Frame): boolean {
    const head = frame.head(HEAD_BYTES);
    if (head.length < ETHERNET_BYTES) return true;
    const { type, at } = etherType(head);
    if (type === TYPE_ARP)
      receiveArp(
        this.link,
        head.subarray(at),
        (address) => this.isOwn(address),
        (address) => this.isNear(address),
      );
    else {
      const layout = ipLayout(head, frame.length);
      if (layout) this.receiveIp(frame, head, layout);
    }
    return true;
  }

  private receiveIp(frame: Frame, head: Uint8Array, layout: IpLayout): void {
    const { version, start, payload, end, protocol } = layout;
    const v4 = version === 4;
    if (v4 && finish(sum(head, start, payload)) !== 0) return;
    const source = v4 ? head.subarray(start + 12, start + 16) : head.subarray(start + 8, start + 24);
    const destination = v4 ? head.subarray(start + 16, start + 20) : head.subarray(start + 24, start + 40);
    const asking = sameBytes(source, ZERO) || (!v4 && source.every((byte) => byte === 0));
    // Nobody of another network sends from here.
    if (!asking && (!this.isNear(source) || this.isOwn(source))) return;
    if (layout.fragment) {
      const whole = this.reassembly.add(
        `${ipText(source)} ${ipText(destination)}`,
        frame.bytes,
        layout,
        this.timers.now(),
      );
      if (!whole) return;
      if (!checksumValid(source, destination, whole.protocol, whole.payload)) return;
      return this.receiveTransport(
        source,
        destination,
        whole.protocol,
        head.subarray(start, payload),
        new Frame([whole.payload]),
        head[start + (v4 ? 8 : 7)]!,
      );
    }
    const packet = new Frame(frame.range(payload, end));
    if (!frame.offload && !checksumValid(source, destination, protocol, packet.bytes)) return;
    this.receiveTransport(
      source,
      destination,
      protocol,
      head.subarray(start, payload),
      packet,
      head[start + (v4 ? 8 : 7)]!,
    );
  }

  /** `header`: that of IP; `packet`: what follows it. */
  private receiveTransport(
    source: IpAddress,
    destination: IpAddress,
    protocol: number,
    header: Uint8Array,
    packet: Frame,
    hopLimit: number,
  ): void {
    // What a router would not pass on. Neighbour discovery and DHCP stay on the link.
    if (hopLimit <= 1 && !this.isNear(destination) && destination[0] !== 0xff && destination[0]! < 224) {
      const own = source.length === 4 ? this.gateway4 : this.gateway6;
      return complain(this.link, own, source.slice(), 'expired', new Frame([header, ...packet.parts]).bytes);
    }
    if (protocol === PROTOCOL_TCP) {
      const head = packet.head(MOST_TCP_HEADER);
      return this.tcp.receive(source, destination, head, 0, packet.length, (from) => packet.range(from));
    }
    const payload = packet.bytes;
    if (protocol === PROTOCOL_UDP) {
      const datagram = parseUdp(source.slice(), destination.slice(), payload);
      if (datagram) this.receiveUdp(datagram, header);
    } else if (protocol === PROTOCOL_ICMP && source.length === 4)
      this.receiveEcho(source, destination, ECHO_REQUEST, header, payload);
    else if (protocol === PROTOCOL_ICMPV6 && source.length === 16) {
      const type = payload[0]!;
      if (type >= ROUTER_SOLICITATION && type <= NEIGHBOUR_ADVERTISEMENT)
        this.neighbours.receive(source, payload, hopLimit);
      else this.receiveEcho(source, destination, ECHO_REQUEST_V6, header, payload);
    }
  }

  private receiveEcho(
    source: IpAddress,
    destination: IpAddress,
    type: number,
    header: Uint8Array,
    message: Uint8Array,
  ): void {
    if (message.length < 8 || message[0] !== type) return;
    if (this.isOwn(destination)) return answerEcho(this.link, destination.slice(), source.slice(), message);
    if (this.isNear(destination) || destination[0]! >= 224) return;
    if (!this.policy.allows('icmp', destination, 0, this.timers.now()))
      return this.complain(source, 'prohibited', header, message);
    if (this.echoes >= MOST_ECHOES) return;
    this.echoes++;
    const [from, to, request] = [destination.slice(), source.slice(), message.slice()];
    void this.host.echo(hostAddress(from), request.length - 8).then((milliseconds) => {
      this.echoes--;
      if (milliseconds !== null) answerEcho(this.link, from, to, request);
    });
  }

  private receiveUdp(datagram: Datagram, header: Uint8Array): void {
    const { source, destination, sourcePort, destinationPort, payload } = datagram;
    for (const forward of this.forwarded) if (forward.take(datagram)) return;
    const own = this.isOwn(destination);
    if (destinationPort === DHCP_PORT && (own || destination[0] === 255)) return this.answerDhcp(payload);
    if (sameBytes(destination, ALL_SERVERS) && destinationPort === DHCPV6_PORT) {
      const answer = this.dhcpv6.answer(payload);
      if (answer) reply(this.link, { ...datagram, destination: this.linkLocal }, answer);
      return;
    }
    if (own && destinationPort === DNS_PORT)
      return this.dns.query(payload, false, (answer) => reply(this.link, datagram, answer));
    if (own && destinationPort === TFTP_PORT && this.tftp)
      return this.tftp.receive(`${ipText(source)} ${sourcePort}`, payload, (bytes) =>
        reply(this.link, datagram, bytes),
      );
    if (this.isGateway(destination) && this.policy.hostAllowed)
      return this.udp.send(datagram, {
        address: destination.length === 4 ? '127.0.0.1' : '::1',
        port: destinationPort,
      });
    if (own) return this.complain(source, 'port', header, udpBytes(datagram));
    if (this.isNear(destination) || destination[0] === 255 || destination[0]! >= 224) return;
    if (!this.policy.allows('udp', destination, destinationPort, this.timers.now()))
      return this.complain(source, 'prohibited', header, udpBytes(datagram));
    this.udp.send(datagram, { address: hostAddress(destination), port: destinationPort });
  }

  private answerDhcp(request: Uint8Array): void {
    const answer = this.dhcp.answer(request);
    if (!answer) return;
    // Until it has its address, a client is found by its Ethernet address.
    const address = answer.bytes.slice(16, 20);
    if (address.some((byte) => byte !== 0)) this.link.learn(address, answer.bytes.slice(28, 34));
    const { gateway4: source } = this;
    const to = answer.broadcast ? ALL_ONES : answer.to;
    reply(
      this.link,
      {
        source: to,
        destination: source,
        sourcePort: DHCP_CLIENT_PORT,
        destinationPort: DHCP_PORT,
        payload: request,
      },
      answer.bytes,
    );
  }

  /** Where a connection leads that a guest opens. */
  private route(_source: IpAddress, destination: IpAddress, port: number): Route {
    if (this.isOwn(destination)) {
      if (port === DNS_PORT) return (socket) => this.serveDns(socket);
      if (!this.isGateway(destination) || !this.policy.hostAllowed) return 'refuse';
      return { address: destination.length === 4 ? '127.0.0.1' : '::1', port };
    }
    if (this.isNear(destination)) return 'refuse';
    if (!this.policy.allows('tcp', destination, port, this.timers.now())) return 'refuse';
    return { address: hostAddress(destination), port };
  }

  /** Queries by TCP, each behind its length (RFC 7766). */
  private serveDns(socket: GuestSocket): void {
    let received: Uint8Array = new Uint8Array(0);
    let ended = false;
    let running = 0;
    socket.onData = (bytes) => {
      received = new Frame([received, bytes]).copy().bytes;
      while (received.length >= 2 && received.length >= 2 + u16(received, 0)) {
        const length = u16(received, 0);
        running++;
        this.dns.query(received.slice(2, 2 + length), true, (answer) => {
          running--;
          socket.write(Uint8Array.of(answer.length >> 8, answer.length & 0xff, ...answer));
          if (ended && running === 0) socket.end();
        });
        received = received.slice(2 + length);
      }
    };
    socket.onEnd = () => {
      ended = true;
      if (running === 0) socket.end();
    };
  }

  private complain(to: IpAddress, complaint: Complaint, header: Uint8Array, payload: Uint8Array): void {
    const own = to.length === 4 ? this.gateway4 : this.gateway6;
    complain(this.link, own, to.slice(), complaint, new Frame([header, payload]).bytes);
  }

  /** About a packet of which only the ports are known any more; they are what the guest finds the socket by. */
  private complainOfPorts(
    guest: IpAddress,
    peer: IpAddress,
    protocol: number,
    port: number,
    peerPort: number,
    next: number,
    complaint: Complaint,
  ): void {
    const v4 = guest.length === 4;
    const packet = new Uint8Array((v4 ? 20 : 40) + 8);
    const view = new DataView(packet.buffer);
    const at = v4 ? 20 : 40;
    packet[0] = v4 ? 0x45 : 0x60;
    view.setUint16(v4 ? 2 : 4, v4 ? 28 : 8);
    packet.set(v4 ? [64, protocol] : [protocol, 64], v4 ? 8 : 6);
    packet.set(guest, v4 ? 12 : 8);
    packet.set(peer, v4 ? 16 : 24);
    if (v4) view.setUint16(10, finish(sum(packet, 0, 20)));
    view.setUint16(at, port);
    view.setUint16(at + 2, peerPort);
    view.setUint32(at + 4, next >>> 0);
    complain(this.link, v4 ? this.gateway4 : this.gateway6, guest, complaint, packet);
  }
}

function isGlobalIpv6(text: string): boolean {
  return /^[23]/.test(text) && text.includes(':');
}
