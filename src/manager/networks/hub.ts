/** A switch in a process of its own, which machines in other processes share, and with it a router. */
import { nodeTimers } from '../../host/node/network.js';
import { listen } from '../../host/node/tcp-socket.js';
import { NO_OFFLOAD } from '../../machine/frame.js';
import { UserError } from '../../machine/user-error.js';
import type { HostTcp, TcpEvents } from '../../network/host-network.js';
import { forReceiver } from '../../network/complete.js';
import { readHello } from '../../network/links/hub-protocol.js';
import { RecordReader } from '../../network/links/records.js';
import { StreamLink } from '../../network/links/stream-link.js';
import type { Nat } from '../../network/nat/nat.js';
import { Switch, type SwitchPort } from '../../network/switch/switch.js';
import { jsonRecord, sendRecord } from '../ask-place.js';
import { parseForward, parseNet } from '../net-options.js';
import { TakenPlace } from '../places.js';
import { addNat } from './nat-network.js';

/** Without machines it ends after so long. */
const LINGER_MS = 3000;
const MOST_RECORD = 2 ** 17;
/** Bytes that may wait for one who watches; what comes beyond is left out. */
const MOST_WAITING = 2 ** 24;

export interface HubStatus {
  readonly settings: string;
  readonly ports: readonly (SwitchPort['counts'] & { name: string; dropped: number })[];
}

/** `settings`: kind of network and its settings, as `--net` takes them. Resolves when the last machine has left. */
export async function serveHub(name: string, settings: string): Promise<void> {
  const place = TakenPlace.take('net', name);
  if (!place) throw new UserError(`the network ${name} runs already`);
  const hub = new Hub(settings, place.token);
  const listener = await listen({ address: '127.0.0.1', port: 0 }, (socket) => hub.accept(socket));
  await place.tell(listener.port);
  await hub.ended;
  place.leave();
  listener.close();
  hub.close();
}

interface Member {
  readonly port: SwitchPort;
  readonly link: StreamLink;
  /** null until it was told that it is in. */
  events: Omit<TcpEvents, 'connected'> | null;
  /** End the ports that are forwarded to it. */
  readonly closers: (() => void)[];
}

class Hub {
  readonly ended: Promise<void>;
  private end!: () => void;
  private readonly wire = new Switch(nodeTimers());
  private readonly nat: Nat | null;
  private readonly members = new Set<Member>();
  /** They see all frames. */
  private readonly watchers = new Set<HostTcp>();
  private timer: NodeJS.Timeout;

  constructor(
    private readonly settings: string,
    private readonly token: string,
  ) {
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.timer = setTimeout(this.end, LINGER_MS);
    const choice = parseNet(settings);
    this.nat = choice.nat && addNat(this.wire, choice.nat, choice.uplink);
  }

  accept(socket: HostTcp): TcpEvents {
    let member: Member | null = null;
    const reader = new RecordReader(MOST_RECORD, (record, marked) => {
      if (member) member.link.deliver(record, marked);
      else member = this.admit(socket, record);
    });
    socket.resume();
    const leave = (): void => {
      if (member) this.remove(member);
      member = null;
      this.watchers.delete(socket);
      if (this.watchers.size === 0) this.wire.tap = null;
    };
    return {
      connected() {},
      data: (bytes) => {
        if (!reader.push(bytes)) {
          socket.reset();
          leave();
        } else member?.port.flush();
      },
      ended: () => {
        socket.end();
        leave();
      },
      drained: () => member?.events?.drained(),
      closed: leave,
    };
  }

  /** Answers what a program says first; null: it gets no port. */
  private admit(socket: HostTcp, record: Uint8Array): Member | null {
    const hello = readHello(record);
    if (hello?.token !== this.token) {
      socket.reset();
      return null;
    }
    if (hello.watch) {
      this.watch(socket);
      return null;
    }
    if (hello.status || hello.settings !== this.settings) {
      const error = `it runs with other settings (${this.settings}); use the same, or end its machines first`;
      sendRecord(socket, jsonRecord(hello.status ? this.status : { error }));
      socket.end();
      return null;
    }
    const port = this.wire.addPort(hello.port);
    const member: Member = { port, link: new StreamLink(port, () => {}), events: null, closers: [] };
    this.members.add(member);
    clearTimeout(this.timer);
    void this.openForwards(hello.forwards, hello.mac, member.closers).then(
      () => {
        sendRecord(socket, jsonRecord({}));
        member.events = member.link.join(socket);
      },
      (error: Error) => {
        sendRecord(socket, jsonRecord({ error: error.message }));
        socket.end();
      },
    );
    return member;
  }

  private watch(socket: HostTcp): void {
    sendRecord(socket, jsonRecord({}));
    this.watchers.add(socket);
    this.wire.tap = (frame) => {
      for (const piece of forReceiver(frame, NO_OFFLOAD))
        for (const watcher of this.watchers)
          if (watcher.waiting < MOST_WAITING) sendRecord(watcher, piece.bytes.slice());
    };
  }

  private remove(member: Member): void {
    for (const close of member.closers) close();
    member.link.close();
    member.port.close();
    this.members.delete(member);
    if (this.members.size === 0) this.timer = setTimeout(this.end, LINGER_MS);
  }

  private async openForwards(
    forwards: readonly string[],
    mac: Uint8Array,
    closers: (() => void)[],
  ): Promise<void> {
    for (const forward of forwards) {
      if (!this.nat) throw new Error('a network without a router forwards no ports');
      closers.push(await this.nat.forward(parseForward(forward), mac));
    }
  }

  private get status(): HubStatus {
    const ports = [...this.members].map(({ port }) => ({
      ...port.counts,
      name: port.name,
      dropped: port.dropped,
    }));
    return { settings: this.settings, ports };
  }

  close(): void {
    this.nat?.close();
    for (const watcher of this.watchers) watcher.end();
  }
}
