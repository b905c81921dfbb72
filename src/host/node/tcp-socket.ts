import { connect as netConnect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import type {
  Endpoint,
  HostTcp,
  ListenPlace,
  Listener,
  TcpEvents,
  TcpFailure,
} from '../../network/host-network.js';
import { plainBytes } from './plain-bytes.js';

const CONNECT_TIMEOUT_MS = 75_000;
const BACKLOG = 128;

const UNREACHABLE = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EINVAL',
  'EACCES',
  'EPERM',
  'ENETDOWN',
  'EHOSTDOWN',
]);

function failureOf(error: NodeJS.ErrnoException): TcpFailure {
  const code = error.code ?? '';
  if (code === 'ETIMEDOUT') return 'timeout';
  if (UNREACHABLE.has(code)) return 'unreachable';
  return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'refused' : 'reset';
}

/** A socket of Node's, as the network uses it. */
class NodeTcp implements HostTcp {
  private events: TcpEvents | null = null;
  private failure: TcpFailure | null = null;

  constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('error', (error) => (this.failure ??= failureOf(error)));
  }

  listenTo(events: TcpEvents): void {
    this.events = events;
    const { socket } = this;
    socket.on('data', (bytes: Buffer) => events.data(plainBytes(bytes)));
    socket.on('end', () => events.ended());
    socket.on('drain', () => events.drained());
    socket.on('close', () => {
      this.events = null;
      events.closed(this.failure);
    });
  }

  get waiting(): number {
    return this.socket.writableLength;
  }
  write(bytes: Uint8Array): boolean {
    const { socket } = this;
    if (socket.writable) socket.write(bytes);
    // What the host took at once is in its own buffers.
    return socket.writableLength > 0;
  }
  end(): void {
    this.socket.end();
  }
  reset(): void {
    const { events } = this;
    this.events = null;
    // What is closed by this side is not told to it.
    if (events) {
      this.socket
        .removeAllListeners('data')
        .removeAllListeners('end')
        .removeAllListeners('drain')
        .removeAllListeners('close');
    }
    if (this.socket.connecting) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }
}

export function connect(to: Endpoint | { path: string }, events: TcpEvents): HostTcp {
  const place: NetConnectOpts = 'path' in to ? { path: to.path } : { host: to.address, port: to.port };
  const socket = netConnect({ ...place, allowHalfOpen: true, autoSelectFamily: false } as NetConnectOpts);
  const tcp = new NodeTcp(socket);
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })),
    CONNECT_TIMEOUT_MS,
  );
  socket.on('close', () => clearTimeout(timer));
  socket.on('connect', () => {
    clearTimeout(timer);
    events.connected();
  });
  tcp.listenTo(events);
  return tcp;
}

export function listen(at: ListenPlace, accept: (socket: HostTcp) => TcpEvents): Promise<Listener> {
  const name = 'path' in at ? at.path : `${at.address}:${at.port}`;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const tcp = new NodeTcp(socket);
    tcp.listenTo(accept(tcp));
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new Error(listenTrouble(name, error))));
    const listening = (): void => {
      server.on('error', () => {});
      const place = server.address();
      const port = place !== null && typeof place === 'object' ? place.port : 0;
      resolve({ port, close: () => void server.close() });
    };
    if ('path' in at) server.listen({ path: at.path, backlog: BACKLOG }, listening);
    else server.listen({ host: at.address, port: at.port, backlog: BACKLOG }, listening);
  });
}

export function listenTrouble(name: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return `${name} is in use by another program`;
  if (code === 'EACCES')
    return `${name}: you may not listen there (ports below 1024 want a right); choose a higher port`;
  if (code === 'EADDRNOTAVAIL') return `${name}: the host has no such address`;
  return `${name}: ${message}`;
}
