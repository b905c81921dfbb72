/** A switch in a process of its own, which machines in other processes share, and with it a router. */
import { chmodSync, existsSync, mkdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { lockFile } from '../../host/node/file-lock.js';
import { nodeTimers } from '../../host/node/network.js';
import { listen } from '../../host/node/tcp-socket.js';
import { UserError } from '../../machine/user-error.js';
import type { HostTcp, TcpEvents } from '../../network/host-network.js';
import { readHello } from '../../network/links/hub-protocol.js';
import { RecordReader, RecordWriter } from '../../network/links/records.js';
import { StreamLink } from '../../network/links/stream-link.js';
import type { Nat } from '../../network/nat/nat.js';
import { Switch, type SwitchPort } from '../../network/switch/switch.js';
import { parseForward, parseNet } from '../net-options.js';
import { addNat } from './nat-network.js';

/** Without machines it ends after so long. */
const LINGER_MS = 3000;
const MOST_RECORD = 2 ** 17;

/** Where the sockets of this user's networks are. */
export function hubDirectory(): string {
  const directory = join(process.env['XDG_RUNTIME_DIR'] || tmpdir(), `vivarium-${userInfo().uid}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(directory);
  if (uid !== userInfo().uid)
    throw new UserError(`${directory} belongs to another user: remove it, or set XDG_RUNTIME_DIR`);
  if (mode & 0o077) chmodSync(directory, 0o700);
  return directory;
}

export function hubSocket(name: string): string {
  return join(hubDirectory(), `${name}.net`);
}

export interface HubStatus {
  readonly settings: string;
  readonly ports: readonly (SwitchPort['counts'] & { name: string; dropped: number })[];
}

/** `settings`: kind of network and its settings, as `--net` takes them. Resolves when the last machine has left. */
export async function serveHub(name: string, settings: string): Promise<void> {
  const path = hubSocket(name);
  const lock = `${path}-lock`;
  if (!existsSync(lock)) writeFileSync(lock, '');
  const unlock = lockFile('the network', lock);
  // Of one that was killed.
  if (existsSync(path)) unlinkSync(path);
  const hub = new Hub(settings);
  const listener = await listen({ path }, (socket) => hub.accept(socket));
  await hub.ended;
  listener.close();
  hub.close();
  unlock();
}

class Hub {
  readonly ended: Promise<void>;
  private end!: () => void;
  private readonly wire = new Switch(nodeTimers());
  private readonly nat: Nat | null;
  private readonly ports = new Set<SwitchPort>();
  private timer: NodeJS.Timeout;

  constructor(private readonly settings: string) {
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.timer = setTimeout(this.end, LINGER_MS);
    const choice = parseNet(settings);
    this.nat = choice.nat && addNat(this.wire, choice.nat, choice.uplink);
  }

  accept(socket: HostTcp): TcpEvents {
    let member: {
      port: SwitchPort;
      link: StreamLink;
      events: Omit<TcpEvents, 'connected'>;
      leave: () => void;
    } | null = null;
    const reader = new RecordReader(MOST_RECORD, (record) => {
      if (member) member.link.deliver(record);
      else if (member === null) member = this.admit(socket, record);
    });
    socket.resume();
    const leave = (): void => {
      member?.leave();
      member = null;
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
      drained: () => member?.events.drained(),
      closed: leave,
    };
  }

  /** Answers what a program says first; null: it gets no port. */
  private admit(
    socket: HostTcp,
    record: Uint8Array,
  ): { port: SwitchPort; link: StreamLink; events: Omit<TcpEvents, 'connected'>; leave: () => void } | null {
    const hello = readHello(record);
    if (!hello) {
      this.answer(socket, { error: 'it speaks another version of the protocol' });
      return null;
    }
    if (hello.status) {
      this.answer(socket, this.status);
      return null;
    }
    if (hello.settings !== this.settings) {
      this.answer(socket, {
        error: `it runs with other settings (${this.settings}); use the same, or end its machines first`,
      });
      return null;
    }
    const { wire } = this;
    const port = wire.addPort(hello.port);
    const link = new StreamLink(port, true, () => {});
    const events = link.join(socket);
    this.ports.add(port);
    clearTimeout(this.timer);
    const closers: (() => void)[] = [];
    void this.openForwards(hello.forwards, hello.mac, closers).then(
      () => this.answer(socket, {}),
      (error: Error) => this.answer(socket, { error: error.message }),
    );
    const leave = (): void => {
      for (const close of closers) close();
      link.close();
      port.close();
      this.ports.delete(port);
      if (this.ports.size === 0) this.timer = setTimeout(this.end, LINGER_MS);
    };
    return { port, link, events, leave };
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
    const ports = [...this.ports].map((port) => ({ ...port.counts, name: port.name, dropped: port.dropped }));
    return { settings: this.settings, ports };
  }

  private answer(socket: HostTcp, answer: object): void {
    const writer = new RecordWriter();
    writer.add([new TextEncoder().encode(JSON.stringify(answer))]);
    socket.write(writer.take());
    if (!('error' in answer) && !('ports' in answer)) return;
    socket.end();
  }

  close(): void {
    this.nat?.close();
  }
}
