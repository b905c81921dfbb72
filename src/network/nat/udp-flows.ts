/** UDP between guests and the world: a socket of the host's for each port that a guest sends from. */
import type { Endpoint, HostNetwork, HostUdp } from '../host-network.js';
import { ipText, plainIp, type IpAddress } from '../ip-address.js';
import type { Timers } from '../timers.js';
import type { Link } from './link.js';
import { sendUdp, type Datagram } from './udp.js';

/** RFC 4787, REQ-5. */
const IDLE_MS = 120_000;
const SWEEP_MS = 10_000;
const MOST_FLOWS = 1024;
const MOST_PEERS = 256;

interface Flow {
  readonly socket: HostUdp;
  readonly guest: IpAddress;
  readonly port: number;
  /** Who may answer: the host's name of each peer, and the address that the guest knows it by. */
  readonly peers: Map<string, IpAddress>;
  used: number;
}

const peerKey = ({ address, port }: Endpoint): string => `${address} ${port}`;

export class UdpFlows {
  private readonly flows = new Map<string, Flow>();
  private cancelSweep: (() => void) | null = null;

  constructor(
    private readonly link: Link,
    private readonly host: HostNetwork,
    private readonly timers: Timers,
    /** The peer refused the last datagram from this port, or cannot be reached. */
    private readonly onFailure: (
      guest: IpAddress,
      port: number,
      peer: IpAddress,
      peerPort: number,
      failure: 'refused' | 'unreachable',
    ) => void,
  ) {}

  /** Sends what the guest sent to `destination` on to `to`. */
  send(datagram: Datagram, to: Endpoint): void {
    const { source, sourcePort, destination } = datagram;
    const key = `${ipText(source)} ${sourcePort} ${to.address.includes(':') ? 6 : 4}`;
    const flow = this.flows.get(key) ?? this.open(key, source.slice(), sourcePort, to);
    flow.used = this.timers.now();
    const peer = peerKey(to);
    if (!flow.peers.has(peer)) {
      if (flow.peers.size >= MOST_PEERS) flow.peers.delete(flow.peers.keys().next().value!);
      flow.peers.set(peer, destination.slice());
    }
    flow.socket.send(datagram.payload, to);
  }

  private open(key: string, guest: IpAddress, port: number, first: Endpoint): Flow {
    if (this.flows.size >= MOST_FLOWS) this.close(this.flows.keys().next().value!);
    let last = first;
    const socket = this.host.udp(first.address.includes(':') ? 6 : 4, {
      message: (payload, from) => {
        const source = flow.peers.get(peerKey(from));
        // Nobody whom the guest has not written to.
        if (!source) return;
        flow.used = this.timers.now();
        last = from;
        sendUdp(this.link, {
          source,
          destination: guest,
          sourcePort: from.port,
          destinationPort: port,
          payload,
        });
      },
      failed: (failure) => {
        const peer = flow.peers.get(peerKey(last));
        if (peer && failure !== 'too big') this.onFailure(guest, port, peer, last.port, failure);
      },
    });
    const flow: Flow = { socket, guest, port, peers: new Map(), used: this.timers.now() };
    this.flows.set(key, flow);
    this.cancelSweep ??= this.timers.after(SWEEP_MS, () => this.sweep());
    return flow;
  }

  private sweep(): void {
    const now = this.timers.now();
    for (const [key, flow] of this.flows) if (now - flow.used > IDLE_MS) this.close(key);
    this.cancelSweep = this.flows.size > 0 ? this.timers.after(SWEEP_MS, () => this.sweep()) : null;
  }

  private close(key: string): void {
    this.flows.get(key)?.socket.close();
    this.flows.delete(key);
  }

  closeAll(): void {
    this.cancelSweep?.();
    for (const key of [...this.flows.keys()]) this.close(key);
  }
}

/** Datagrams from outside to a port of a guest: each sender gets a port of the gateway's. */
export class ForwardedUdp {
  private readonly senders = new Map<string, { port: number; from: Endpoint; used: number }>();
  private nextPort = 49152;
  private socket: HostUdp | null = null;

  constructor(
    private readonly link: Link,
    private readonly timers: Timers,
    private readonly gateway: IpAddress,
    private readonly guest: () => IpAddress,
    private readonly guestPort: number,
  ) {}

  async listen(host: HostNetwork, at: Endpoint): Promise<void> {
    this.socket = await host.bindUdp(at, {
      message: (bytes, from) => this.receive(bytes, from),
      failed: () => {},
    });
  }

  private receive(payload: Uint8Array, from: Endpoint): void {
    const key = peerKey(from);
    let sender = this.senders.get(key);
    if (!sender) {
      if (this.senders.size >= MOST_FLOWS) this.senders.delete(this.senders.keys().next().value!);
      sender = { port: this.nextPort, from, used: 0 };
      this.nextPort = this.nextPort === 65535 ? 49152 : this.nextPort + 1;
      this.senders.set(key, sender);
    }
    sender.used = this.timers.now();
    sendUdp(this.link, {
      source: this.gateway,
      destination: this.guest(),
      sourcePort: sender.port,
      destinationPort: this.guestPort,
      payload,
    });
  }

  /** Takes a datagram of the guest's if it is an answer to one of these senders. */
  take({ source, sourcePort, destinationPort, payload }: Datagram): boolean {
    if (sourcePort !== this.guestPort || ipText(source) !== ipText(this.guest())) return false;
    for (const { port, from } of this.senders.values())
      if (port === destinationPort) {
        this.socket?.send(payload, from);
        return true;
      }
    return false;
  }

  close(): void {
    this.socket?.close();
  }
}

/** The address that the host is asked for. */
export function hostAddress(address: IpAddress): string {
  return ipText(plainIp(address));
}
