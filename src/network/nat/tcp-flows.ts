/** TCP between guests and the world: each connection ends here, and goes on as one of the host's. */
import type {
  HostNetwork,
  HostTcp,
  ListenPlace,
  Endpoint,
  Listener,
  TcpEvents,
  TcpFailure,
} from '../host-network.js';
import { PROTOCOL_TCP } from '../ip.js';
import { ipText, type IpAddress } from '../ip-address.js';
import { TcpConnection, type ConnectionEvents } from '../tcp/connection.js';
import { ACK, parseSegment, resetFor, SYN, tcpHeader, type Segment } from '../tcp/segment.js';
import type { Timers } from '../timers.js';
import { MTU, type Link } from './link.js';

const MOST_CONNECTIONS = 4096;
/** What may wait for the host to send it, bytes. */
const MOST_TO_HOST = 2 ** 20;
/** What is read from the host beyond what the guest takes at once. */
const AHEAD_BYTES = 2 ** 18;
const FIRST_PORT = 49152;
const LAST_PORT = 65535;

/** What becomes of a connection that the guest asks for. */
export type Route = Endpoint | { path: string } | 'refuse' | ((socket: GuestSocket) => void);

/** A connection that is served here: DNS over TCP. */
export interface GuestSocket {
  onData: (bytes: Uint8Array) => void;
  onEnd: () => void;
  write(bytes: Uint8Array): void;
  end(): void;
  abort(): void;
}

interface Flow {
  readonly connection: TcpConnection;
  host: HostTcp | null;
}

export class TcpFlows {
  private readonly flows = new Map<string, Flow>();
  /** Those with something to acknowledge when all has come. */
  private readonly active = new Set<TcpConnection>();
  private readonly listeners = new Set<Listener>();
  private nextPort = FIRST_PORT;

  constructor(
    private readonly link: Link,
    private readonly host: HostNetwork,
    private readonly timers: Timers,
    /** Where a connection to this address and port leads. */
    private readonly route: (source: IpAddress, destination: IpAddress, port: number) => Route,
    /** The host cannot be reached. */
    private readonly onUnreachable: (source: IpAddress, destination: IpAddress, segment: Segment) => void,
  ) {}

  /** A segment from `source` to `destination`; its header and options lie in `head` from `at` on. */
  receive(
    source: IpAddress,
    destination: IpAddress,
    head: Uint8Array,
    at: number,
    length: number,
    payloadOf: (from: number) => Uint8Array[],
  ): void {
    const segment = parseSegment(head, at, length, payloadOf);
    if (!segment) return;
    const key = flowKey(source, segment.sourcePort, destination, segment.destinationPort);
    let flow = this.flows.get(key);
    const opens = (segment.flags & (SYN | ACK)) === SYN;
    if (flow && opens && flow.connection.canReuse(segment)) {
      flow.connection.drop();
      this.flows.delete(key);
      flow = undefined;
    }
    if (flow) {
      this.active.add(flow.connection);
      flow.connection.receive(segment);
    } else if (opens) this.open(key, source.slice(), destination.slice(), segment);
    else this.refuse(source, destination, segment);
  }

  /** All that came together was received. */
  flush(): void {
    if (this.active.size === 0) return;
    for (const connection of this.active) connection.flush();
    this.active.clear();
  }

  private refuse(source: IpAddress, destination: IpAddress, segment: Segment): void {
    const fields = resetFor(segment);
    if (fields) this.link.send(destination, source, PROTOCOL_TCP, tcpHeader(fields), []);
  }

  private open(key: string, source: IpAddress, destination: IpAddress, syn: Segment): void {
    const route =
      this.flows.size >= MOST_CONNECTIONS ? 'refuse' : this.route(source, destination, syn.destinationPort);
    if (route === 'refuse') return this.refuse(source, destination, syn);
    const ports = { own: syn.destinationPort, guest: syn.sourcePort };
    const flow = this.add(key, destination, source, ports, syn);
    if (typeof route === 'function') {
      this.serve(flow, route);
      flow.connection.accept();
      return;
    }
    let connected = false;
    flow.host = this.host.connect(route, {
      ...this.fromHost(flow),
      connected: () => {
        connected = true;
        flow.connection.accept();
      },
      closed: (failure) => {
        const { connection } = flow;
        flow.host = null;
        if (connected) this.hostClosed(connection, failure);
        else if (failure === 'unreachable' || failure === 'timeout') {
          connection.drop();
          this.flows.delete(key);
          this.onUnreachable(source, destination, syn);
        } else connection.abort();
      },
    });
  }

  private hostClosed(connection: TcpConnection, failure: TcpFailure | null): void {
    if (failure !== null) connection.abort();
    else connection.spaceChanged();
  }

  private add(
    key: string,
    own: IpAddress,
    guest: IpAddress,
    ports: { own: number; guest: number },
    syn: Segment | null,
  ): Flow {
    const headers = (own.length === 4 ? 20 : 40) + 20;
    const events: ConnectionEvents = {
      transmit: (header, payload, segmentBytes) =>
        this.link.send(own, guest, PROTOCOL_TCP, header, payload, { segmentBytes }),
      opened: () => flow.host?.resume(),
      data: (bytes) => void flow.host?.write(bytes.slice()),
      ended: () => flow.host?.end(),
      acknowledged: () => {
        if (flow.host && !this.isFull(flow)) flow.host.resume();
      },
      space: () => MOST_TO_HOST - (flow.host?.waiting ?? 0),
      closed: (reason) => {
        if (this.flows.get(key) === flow) this.flows.delete(key);
        if (reason !== 'done') flow.host?.reset();
        flow.host = null;
      },
    };
    const flow: Flow = {
      connection: new TcpConnection(ports, MTU - headers, this.timers, events, syn),
      host: null,
    };
    this.flows.set(key, flow);
    return flow;
  }

  /** Enough waits for the guest: the host's socket is not read on. */
  private isFull({ connection }: Flow): boolean {
    return connection.waiting > connection.guestWindow + AHEAD_BYTES;
  }

  private fromHost(flow: Flow): Pick<TcpEvents, 'data' | 'ended' | 'drained'> {
    const { connection } = flow;
    return {
      data: (bytes) => {
        connection.write(bytes);
        if (this.isFull(flow)) flow.host?.pause();
      },
      ended: () => connection.end(),
      drained: () => connection.spaceChanged(),
    };
  }

  private serve(flow: Flow, service: (socket: GuestSocket) => void): void {
    const { connection } = flow;
    const socket: GuestSocket = {
      onData: () => {},
      onEnd: () => {},
      write: (bytes) => connection.write(bytes),
      end: () => connection.end(),
      abort: () => connection.abort(),
    };
    // As if it were the host's.
    flow.host = {
      waiting: 0,
      write: (bytes) => {
        socket.onData(bytes);
        return true;
      },
      end: () => socket.onEnd(),
      reset: () => socket.onEnd(),
      pause: () => {},
      resume: () => {},
    };
    service(socket);
  }

  /** Connections to a port of the host's go to a port of the guest's, and seem to come from `gateway`. Gives what ends that. */
  async forward(
    at: ListenPlace,
    gateway: (guest: IpAddress) => IpAddress,
    guest: () => IpAddress,
    port: number,
  ): Promise<() => void> {
    const listener = await this.host.listen(at, (socket) => {
      const to = guest();
      const from = gateway(to);
      const own = this.freePort(to, port, from);
      if (own === null) {
        socket.reset();
        return { connected() {}, data() {}, ended() {}, drained() {}, closed() {} };
      }
      socket.pause();
      const flow = this.add(flowKey(to, port, from, own), from, to, { own, guest: port }, null);
      flow.host = socket;
      flow.connection.open();
      return {
        ...this.fromHost(flow),
        connected() {},
        closed: (failure) => {
          flow.host = null;
          if (!flow.connection.isOpen && failure === null) flow.connection.abort();
          else this.hostClosed(flow.connection, failure);
        },
      };
    });
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      listener.close();
    };
  }

  private freePort(guest: IpAddress, port: number, gateway: IpAddress): number | null {
    if (this.flows.size >= MOST_CONNECTIONS) return null;
    for (let tries = FIRST_PORT; tries <= LAST_PORT; tries++) {
      const own = this.nextPort;
      this.nextPort = own === LAST_PORT ? FIRST_PORT : own + 1;
      if (!this.flows.has(flowKey(guest, port, gateway, own))) return own;
    }
    return null;
  }

  closeAll(): void {
    for (const listener of this.listeners) listener.close();
    for (const { connection, host } of [...this.flows.values()]) {
      connection.drop();
      host?.reset();
    }
    this.flows.clear();
  }
}

function flowKey(guest: IpAddress, guestPort: number, other: IpAddress, otherPort: number): string {
  return `${ipText(guest)} ${guestPort} ${ipText(other)} ${otherPort}`;
}
