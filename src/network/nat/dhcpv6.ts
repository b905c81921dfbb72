/** DHCPv6 (RFC 8415) for the guests of a NAT: the resolver for all, an address for those that ask. */
import { put16, put32, u16 } from '../ethernet.js';
import type { IpAddress, Prefix } from '../ip-address.js';
import { nameLabels } from './dhcp.js';

const SOLICIT = 1;
const ADVERTISE = 2;
const REQUEST = 3;
const CONFIRM = 4;
const RENEW = 5;
const REBIND = 6;
const REPLY = 7;
const RELEASE = 8;
const DECLINE = 9;
const INFORMATION_REQUEST = 11;

const OPTION_CLIENT_ID = 1;
const OPTION_SERVER_ID = 2;
const OPTION_IA_NA = 3;
const OPTION_IA_ADDRESS = 5;
const OPTION_STATUS = 13;
const OPTION_RAPID_COMMIT = 14;
const OPTION_DNS = 23;
const OPTION_SEARCH = 24;

const MOST_ID_BYTES = 130;
const MOST_LEASES = 4096;
const LIFETIME_S = 86400;
const FIRST_HOST = 0x1000;

export interface Dhcpv6Settings {
  readonly prefix: Prefix;
  readonly serverMac: Uint8Array;
  readonly dns: IpAddress | null;
  readonly search: () => readonly string[];
}

export class Dhcpv6Server {
  /** Numbers of hosts, by what clients call themselves. */
  private readonly leases = new Map<string, number>();
  private next = FIRST_HOST;

  constructor(private readonly settings: Dhcpv6Settings) {}

  /** The answer to a client's message; null: there is none. */
  answer(message: Uint8Array): Uint8Array | null {
    if (message.length < 4) return null;
    const type = message[0]!;
    const options = readOptions(message);
    const client = options.get(OPTION_CLIENT_ID)?.[0];
    if (client && client.length > MOST_ID_BYTES) return null;
    const own = this.serverId();
    const server = options.get(OPTION_SERVER_ID)?.[0];
    if (server && (server.length !== own.length || server.some((byte, n) => byte !== own[n]))) return null;
    const rapid = type === SOLICIT && options.has(OPTION_RAPID_COMMIT);
    const answers: Record<number, number> = {
      [SOLICIT]: rapid ? REPLY : ADVERTISE,
      [REQUEST]: REPLY,
      [CONFIRM]: REPLY,
      [RENEW]: REPLY,
      [REBIND]: REPLY,
      [RELEASE]: REPLY,
      [DECLINE]: REPLY,
      [INFORMATION_REQUEST]: REPLY,
    };
    const answer = answers[type];
    if (answer === undefined || (!client && type !== INFORMATION_REQUEST)) return null;
    const parts: Uint8Array[] = [Uint8Array.of(answer, message[1]!, message[2]!, message[3]!)];
    const put = (code: number, value: Uint8Array): void => void parts.push(option(code, value));
    if (client) put(OPTION_CLIENT_ID, client);
    put(OPTION_SERVER_ID, own);
    if (rapid) put(OPTION_RAPID_COMMIT, new Uint8Array(0));
    if (type === CONFIRM || type === RELEASE || type === DECLINE) put(OPTION_STATUS, Uint8Array.of(0, 0));
    else if (client)
      for (const association of options.get(OPTION_IA_NA) ?? [])
        if (association.length >= 12) put(OPTION_IA_NA, this.association(client, association.subarray(0, 4)));
    const { dns, search } = this.settings;
    if (dns) put(OPTION_DNS, dns);
    const labels = search().flatMap(nameLabels);
    if (labels.length > 0) put(OPTION_SEARCH, Uint8Array.from(labels));
    return joined(parts);
  }

  /** An identity association with its address, in the option's own form. */
  private association(client: Uint8Array, id: Uint8Array): Uint8Array {
    const key = `${client.join('.')} ${id.join('.')}`;
    let number = this.leases.get(key);
    if (number === undefined) {
      number = this.next++;
      if (this.leases.size >= MOST_LEASES) this.leases.delete(this.leases.keys().next().value!);
      this.leases.set(key, number);
    }
    const address = new Uint8Array(24);
    address.set(this.settings.prefix.address);
    put32(address, 12, number);
    put32(address, 16, LIFETIME_S);
    put32(address, 20, LIFETIME_S);
    const times = new Uint8Array(8);
    put32(times, 0, LIFETIME_S / 2);
    put32(times, 4, (LIFETIME_S / 8) * 7);
    return joined([id, times, option(OPTION_IA_ADDRESS, address)]);
  }

  /** DUID-LL (11.4). */
  private serverId(): Uint8Array {
    return Uint8Array.of(0, 3, 0, 1, ...this.settings.serverMac);
  }
}

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + value.length);
  put16(bytes, 0, code);
  put16(bytes, 2, value.length);
  bytes.set(value, 4);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** All values of each option. */
function readOptions(message: Uint8Array): Map<number, Uint8Array[]> {
  const options = new Map<number, Uint8Array[]>();
  for (let at = 4; at + 4 <= message.length;) {
    const code = u16(message, at);
    const end = at + 4 + u16(message, at + 2);
    if (end > message.length) break;
    options.set(code, [...(options.get(code) ?? []), message.subarray(at + 4, end)]);
    at = end;
  }
  return options;
}
