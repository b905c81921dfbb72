import type {
  Endpoint,
  HostNetwork,
  HostTcp,
  HostUdp,
  Listener,
  TcpEvents,
  UdpEvents,
} from '../network/host-network.js';

/** A host without a network: what would have been done is written down, and answered by the test. */
export class TestHost implements HostNetwork {
  readonly connections: {
    to: Endpoint | { path: string };
    events: TcpEvents;
    sent: Uint8Array[];
    ended: boolean;
    reset: boolean;
  }[] = [];
  readonly sockets: { events: UdpEvents; sent: { bytes: Uint8Array; to: Endpoint }[]; closed: boolean }[] =
    [];
  servers: Endpoint[] = [];
  search: string[] = [];
  hosts: Record<string, string[]> = {};
  own: string[] = ['192.0.2.1'];
  /** What waits in sockets, as the test has it. */
  waiting = 0;

  connect(to: Endpoint | { path: string }, events: TcpEvents): HostTcp {
    const connection = { to, events, sent: [] as Uint8Array[], ended: false, reset: false };
    this.connections.push(connection);
    const host = this as TestHost;
    return {
      get waiting() {
        return host.waiting;
      },
      write: (bytes) => {
        connection.sent.push(bytes.slice());
        return false;
      },
      end: () => void (connection.ended = true),
      reset: () => void (connection.reset = true),
      pause: () => {},
      resume: () => {},
    };
  }
  listen(): Promise<Listener> {
    return Promise.resolve({ port: 0, close: () => {} });
  }
  udp(_family: 4 | 6, events: UdpEvents): HostUdp {
    const socket = { events, sent: [] as { bytes: Uint8Array; to: Endpoint }[], closed: false };
    this.sockets.push(socket);
    return {
      send: (bytes, to) => void socket.sent.push({ bytes: bytes.slice(), to }),
      close: () => void (socket.closed = true),
    };
  }
  bindUdp(_at: Endpoint, events: UdpEvents): Promise<HostUdp> {
    return Promise.resolve(this.udp(4, events));
  }
  echo(): Promise<number | null> {
    return Promise.resolve(null);
  }
  resolver(): { servers: Endpoint[]; search: string[] } {
    return { servers: this.servers, search: this.search };
  }
  hostsOf(name: string): readonly string[] {
    return this.hosts[name] ?? [];
  }
  namesOf(): readonly string[] {
    return [];
  }
  ownAddresses(): readonly string[] {
    return this.own;
  }
}
