import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Endpoint, HostUdp, UdpEvents } from '../../network/host-network.js';
import { plainBytes } from './plain-bytes.js';
import { listenTrouble } from './tcp-socket.js';

/** What may wait to be sent, bytes. */
const MOST_WAITING = 2 ** 20;
const MOST_BEFORE_BOUND = 16;

type Lookup = (
  name: string,
  options: unknown,
  done: (error: null, address: string, family: number) => void,
) => void;
/** Addresses are numbers already: nothing is to be asked. */
const lookup: Lookup = (name, _options, done) => done(null, name, isIPv6(name) ? 6 : 4);

function errorKind(code: string | undefined): Parameters<UdpEvents['failed']>[0] | null {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'EMSGSIZE') return 'too big';
  return code === 'EHOSTUNREACH' || code === 'ENETUNREACH' ? 'unreachable' : null;
}

/**
 * A socket for one sender of the guest's. While it has one peer, it is connected to it, so that the host tells of errors; a second
 * one undoes that, and the port stays the same.
 */
class NodeUdp implements HostUdp {
  private state: 'new' | 'connecting' | 'connected' | 'free' | 'closed' = 'new';
  private peer: Endpoint | null = null;
  private waiting: { bytes: Uint8Array; to: Endpoint }[] = [];

  constructor(
    private readonly socket: Socket,
    private readonly events: UdpEvents,
    bound: boolean,
  ) {
    if (bound) this.state = 'free';
    socket.on('message', (bytes, { address, port }) =>
      events.message(plainBytes(bytes), { address: address.split('%')[0]!, port }),
    );
    socket.on('error', (error: NodeJS.ErrnoException) => this.failed(error));
  }

  private failed(error: NodeJS.ErrnoException): void {
    const kind = errorKind(error.code);
    if (kind) this.events.failed(kind);
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    const copy = bytes.slice();
    switch (this.state) {
      case 'closed':
        return;
      case 'new':
        return this.connect(copy, to);
      case 'connecting':
        if (this.waiting.length < MOST_BEFORE_BOUND) this.waiting.push({ bytes: copy, to });
        return;
      default:
        return this.sendNow(copy, to);
    }
  }

  private connect(bytes: Uint8Array, to: Endpoint): void {
    this.state = 'connecting';
    this.peer = to;
    this.waiting.push({ bytes, to });
    this.socket.connect(to.port, to.address, (error?: Error) => {
      if (this.state === 'closed') return;
      this.state = error ? 'free' : 'connected';
      const { waiting } = this;
      this.waiting = [];
      if (error) {
        this.failed(error);
        return;
      }
      for (const one of waiting) this.sendNow(one.bytes, one.to);
    });
  }

  private sendNow(bytes: Uint8Array, to: Endpoint): void {
    if (this.socket.getSendQueueSize() > MOST_WAITING) return;
    const sent = (error: NodeJS.ErrnoException | null): void => {
      if (error && this.state !== 'closed') this.failed(error);
    };
    if (this.state === 'connected') {
      if (to.address === this.peer!.address && to.port === this.peer!.port) {
        this.socket.send(bytes, sent);
        return;
      }
      this.socket.disconnect();
      this.state = 'free';
    }
    this.socket.send(bytes, to.port, to.address, sent);
  }

  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.socket.close();
  }
}

function open(family: 4 | 6): Socket {
  return createSocket({ type: family === 4 ? 'udp4' : 'udp6', lookup: lookup as never });
}

export function udp(family: 4 | 6, events: UdpEvents): HostUdp {
  return new NodeUdp(open(family), events, false);
}

export function bindUdp(at: Endpoint, events: UdpEvents): Promise<HostUdp> {
  const socket = open(isIPv6(at.address) ? 6 : 4);
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      socket.close();
      reject(new Error(listenTrouble(`${at.address}:${at.port}/udp`, error)));
    };
    socket.once('error', refuse);
    socket.bind(at.port, at.address, () => {
      socket.off('error', refuse);
      resolve(new NodeUdp(socket, events, true));
    });
  });
}
