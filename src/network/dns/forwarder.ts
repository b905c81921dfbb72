/** The resolver that guests are given: it asks those that the host has at that moment. */
import type { Endpoint, HostNetwork, HostTcp, HostUdp } from '../host-network.js';
import { put16, u16 } from '../ethernet.js';
import { ipText, parseIp, type IpAddress } from '../ip-address.js';
import type { Timers } from '../timers.js';
import {
  CLASS_IN,
  HEADER_BYTES,
  isPlainQuery,
  isQuery,
  nameData,
  RCODE_NOTIMP,
  RCODE_NXDOMAIN,
  RCODE_REFUSED,
  RCODE_SERVFAIL,
  readAddresses,
  readQuestion,
  response,
  reverseAddress,
  TYPE_A,
  TYPE_AAAA,
  TYPE_PTR,
  type Answer,
  type Question,
} from './message.js';

/** After so long the next server is asked too; after all that the guest gets an answer, before its own patience ends (5 s). */
const NEXT_SERVER_MS = 1200;
const MOST_MS = 4000;
const MOST_QUERIES = 512;
const MOST_ANSWER = 65535;
/** Of what the host's own table says. */
const HOSTS_SECONDS = 1;

export interface NameRules {
  /** What this network itself knows. */
  addressesOf(name: string): readonly IpAddress[] | null;
  nameOf(address: IpAddress): string | null;
  allows(name: string): boolean;
  resolved(name: string, address: IpAddress, seconds: number): void;
}

export class DnsForwarder {
  private running = 0;

  constructor(
    private readonly host: HostNetwork,
    private readonly timers: Timers,
    private readonly rules: NameRules,
  ) {}

  /** Answers a query, some time later maybe; nothing if it is none. `stream`: it came by TCP, which takes answers of any length. */
  query(message: Uint8Array, stream: boolean, answer: (response: Uint8Array) => void): void {
    if (!isQuery(message)) return;
    const question = readQuestion(message);
    if (!question || !isPlainQuery(message)) return answer(response(message, HEADER_BYTES, RCODE_NOTIMP));
    const { name, end } = question;
    const known = this.known(question);
    if (known)
      return answer(
        response(message, end, known.length === 0 && question.type === TYPE_PTR ? RCODE_NXDOMAIN : 0, known),
      );
    if (!this.rules.allows(name)) return answer(response(message, end, RCODE_REFUSED));
    const { servers } = this.host.resolver();
    if (servers.length === 0 || this.running >= MOST_QUERIES)
      return answer(response(message, end, RCODE_SERVFAIL));
    this.running++;
    // The guest may use its buffer again before the answer is there.
    const kept = message.slice();
    new Lookup(this.host, this.timers, kept, servers, stream, (found) => {
      this.running--;
      if (found)
        for (const { seconds, data } of readAddresses(found)) this.rules.resolved(name, data, seconds);
      answer(found ?? response(kept, end, RCODE_SERVFAIL));
    }).start();
  }

  /** What this network or the host's own table says; null: nothing. */
  private known({ name, type, class: kind }: Question): Answer[] | null {
    if (kind !== CLASS_IN) return null;
    const reverse = type === TYPE_PTR ? reverseAddress(name) : null;
    if (reverse !== null) {
      const address = parseIp(reverse);
      const own = address && this.rules.nameOf(address);
      const names = own ? [own] : address ? this.host.namesOf(ipText(address)) : [];
      return names.length > 0
        ? names.map((text) => ({ type, seconds: HOSTS_SECONDS, data: nameData(text) }))
        : null;
    }
    const own = this.rules.addressesOf(name);
    if (!own && !this.rules.allows(name)) return null;
    const addresses = own ?? this.host.hostsOf(name).flatMap((text) => parseIp(text) ?? []);
    if (addresses.length === 0) return own ? [] : null;
    // Other types of a name that is known here are not asked elsewhere: nothing is there.
    const bytes = type === TYPE_A ? 4 : type === TYPE_AAAA ? 16 : 0;
    return addresses
      .filter(({ length }) => length === bytes)
      .map((data) => {
        this.rules.resolved(name, data, HOSTS_SECONDS);
        return { type, seconds: HOSTS_SECONDS, data };
      });
  }
}

/** One query on its way, to one server after the other. */
class Lookup {
  private readonly open: { close(): void }[] = [];
  private cancel: (() => void) | null = null;
  private asked = 0;
  private failed = 0;
  private over = false;
  private readonly id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  private readonly deadline: number;
  /** A server's answer that says that it cannot: better than none. */
  private poor: Uint8Array | null = null;

  constructor(
    private readonly host: HostNetwork,
    private readonly timers: Timers,
    private readonly message: Uint8Array,
    private readonly servers: readonly Endpoint[],
    private readonly stream: boolean,
    private readonly done: (response: Uint8Array | null) => void,
  ) {
    this.deadline = timers.now() + MOST_MS;
  }

  start(): void {
    this.next();
  }

  private next(): void {
    this.cancel?.();
    if (this.over) return;
    const left = this.deadline - this.timers.now();
    if (left <= 0) return this.finish(this.poor);
    // All are asked once, and then once more.
    const server = this.servers[this.asked % this.servers.length]!;
    if (this.asked < 2 * this.servers.length) {
      this.asked++;
      this.ask(server);
    }
    if (!this.over) this.cancel = this.timers.after(Math.min(left, NEXT_SERVER_MS), () => this.next());
  }

  private ask(server: Endpoint): void {
    const query = this.message.slice();
    put16(query, 0, this.id);
    if (this.stream) this.askByTcp(server, query);
    else this.askByUdp(server, query);
  }

  private askByUdp(server: Endpoint, query: Uint8Array): void {
    const socket: HostUdp = this.host.udp(server.address.includes(':') ? 6 : 4, {
      message: (bytes, from) => {
        if (from.port === server.port && from.address === server.address) this.receive(bytes);
      },
      failed: () => this.serverFailed(),
    });
    this.open.push(socket);
    socket.send(query, server);
  }

  private askByTcp(server: Endpoint, query: Uint8Array): void {
    let received = new Uint8Array(0);
    const socket: HostTcp = this.host.connect(server, {
      connected: () => {
        const framed = new Uint8Array(2 + query.length);
        put16(framed, 0, query.length);
        framed.set(query, 2);
        socket.write(framed);
      },
      data: (bytes) => {
        const all = new Uint8Array(received.length + bytes.length);
        all.set(received);
        all.set(bytes, received.length);
        received = all;
        if (received.length < 2) return;
        const length = u16(received, 0);
        if (received.length >= 2 + length) this.receive(received.subarray(2, 2 + length));
        else if (received.length > MOST_ANSWER + 2) socket.reset();
      },
      ended: () => this.serverFailed(),
      drained: () => {},
      closed: (failure) => {
        if (failure !== null) this.serverFailed();
      },
    });
    this.open.push({ close: () => socket.reset() });
  }

  private receive(bytes: Uint8Array): void {
    if (this.over || bytes.length < HEADER_BYTES || isQuery(bytes) || u16(bytes, 0) !== this.id) return;
    // It must be about what was asked.
    const asked = readQuestion(this.message)!;
    const told = readQuestion(bytes);
    if (told && (told.name !== asked.name || told.type !== asked.type)) return;
    const answer = bytes.slice();
    put16(answer, 0, u16(this.message, 0));
    const code = answer[3]! & 15;
    if (code === RCODE_SERVFAIL || code === RCODE_REFUSED) {
      this.poor = answer;
      return this.serverFailed();
    }
    this.finish(answer);
  }

  private serverFailed(): void {
    if (this.over) return;
    this.failed++;
    if (this.failed >= 2 * this.servers.length) this.finish(this.poor);
    else if (this.failed >= this.asked) this.next();
  }

  private finish(response: Uint8Array | null): void {
    if (this.over) return;
    this.over = true;
    this.cancel?.();
    for (const socket of this.open) socket.close();
    this.done(response);
  }
}
