/** A DHCP server (RFC 2131, options RFC 2132) for the guests of a NAT. */
import { addressAt, u32 } from '../ethernet.js';
import { inPrefix, ipText, sameBytes, type IpAddress, type Prefix } from '../ip-address.js';

export const FIXED_BYTES = 236;
export const COOKIE = 0x63825363;
export const OPTIONS = FIXED_BYTES + 4;
/** Clients take at least so much (RFC 2131, 2). */
const LEAST_BYTES = 300;

export const BOOT_REQUEST = 1;
export const BOOT_REPLY = 2;

export const OPTION_SUBNET_MASK = 1;
export const OPTION_ROUTER = 3;
const OPTION_DNS = 6;
const OPTION_HOST_NAME = 12;
const OPTION_DOMAIN = 15;
const OPTION_BROADCAST = 28;
export const OPTION_REQUESTED = 50;
const OPTION_LEASE_TIME = 51;
const OPTION_OVERLOAD = 52;
export const OPTION_TYPE = 53;
export const OPTION_SERVER = 54;
const OPTION_MESSAGE = 56;
const OPTION_RENEWAL = 58;
const OPTION_REBINDING = 59;
export const OPTION_TFTP_SERVER = 66;
export const OPTION_BOOT_FILE = 67;
const OPTION_SEARCH = 119;
export const OPTION_END = 255;

export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
const DECLINE = 4;
export const ACK = 5;
export const NAK = 6;
const RELEASE = 7;
const INFORM = 8;

const LEASE_S = 86400;

export interface DhcpSettings {
  readonly subnet: Prefix;
  readonly router: IpAddress | null;
  readonly server: IpAddress;
  readonly dns: IpAddress | null;
  /** The lowest and highest last numbers that are given out. */
  readonly first: number;
  readonly last: number;
  readonly domain: string;
  /** Domains in which the host looks names up, now. */
  readonly search: () => readonly string[];
  /** What to start from the network; empty: nothing. */
  readonly bootFile: string;
}

interface Lease {
  readonly address: IpAddress;
  name: string;
}

export class DhcpServer {
  /** By Ethernet address. */
  private readonly leases = new Map<number, Lease>();
  private readonly declined = new Set<string>();

  constructor(private readonly settings: DhcpSettings) {}

  /** The address of a card; of the first guest while that has none. */
  addressFor(mac: Uint8Array): IpAddress {
    return (
      this.leases.get(addressAt(mac, 0))?.address ??
      this.leases.values().next().value?.address ??
      this.numbered(this.settings.first)
    );
  }
  /** The guest that calls itself so. */
  addressOf(name: string): IpAddress | null {
    for (const lease of this.leases.values()) if (lease.name === name) return lease.address;
    return null;
  }
  nameOf(address: IpAddress): string | null {
    for (const lease of this.leases.values())
      if (lease.name !== '' && sameBytes(lease.address, address)) return lease.name;
    return null;
  }

  private numbered(number: number): IpAddress {
    const address = this.settings.subnet.address.slice();
    address[3] = number;
    return address;
  }

  /** The answer to a message of a client; null: there is none. `broadcast`: it goes to all, as the client has no address. */
  answer(request: Uint8Array): { bytes: Uint8Array; to: IpAddress; broadcast: boolean } | null {
    if (request.length < OPTIONS || request[0] !== BOOT_REQUEST || request[1] !== 1 || request[2] !== 6)
      return null;
    const options =
      u32(request, FIXED_BYTES) === COOKIE ? readOptions(request) : new Map<number, Uint8Array>();
    const hardware = addressAt(request, 28);
    const type = options.get(OPTION_TYPE)?.[0] ?? 0;
    const current = request.slice(12, 16);
    const requested = options.get(OPTION_REQUESTED)?.slice(0, 4) ?? null;
    const server = options.get(OPTION_SERVER);
    if (server && !sameBytes(server, this.settings.server)) {
      // Another server was chosen.
      if (type === REQUEST) this.leases.delete(hardware);
      return null;
    }
    switch (type) {
      case 0: // BOOTP
      case DISCOVER: {
        const lease = this.lease(hardware, requested, options);
        return lease && this.reply(request, type === 0 ? 0 : OFFER, lease.address);
      }
      case REQUEST: {
        const wanted = requested?.length === 4 ? requested : current;
        const lease = this.lease(hardware, wanted, options);
        if (!lease || !sameBytes(lease.address, wanted)) return this.reply(request, NAK, null);
        return this.reply(request, ACK, lease.address);
      }
      case DECLINE:
        if (requested?.length === 4 && this.declined.size < 64) this.declined.add(ipText(requested));
        this.leases.delete(hardware);
        return null;
      case RELEASE:
        // The address stays this client's, as long as nobody else needs it.
        return null;
      case INFORM:
        return this.reply(request, ACK, null);
      default:
        return null;
    }
  }

  private lease(hardware: number, wanted: IpAddress | null, options: Map<number, Uint8Array>): Lease | null {
    let lease = this.leases.get(hardware);
    if (lease && this.declined.has(ipText(lease.address))) lease = undefined;
    if (!lease) {
      const address = this.choose(wanted);
      if (!address) return null;
      lease = { address, name: '' };
      this.leases.set(hardware, lease);
    }
    const name = options.get(OPTION_HOST_NAME);
    if (name) lease.name = hostName(name);
    return lease;
  }

  private choose(wanted: IpAddress | null): IpAddress | null {
    const { subnet, first, last } = this.settings;
    const taken = new Set([...this.leases.values()].map(({ address }) => ipText(address)));
    const free = (address: IpAddress): boolean =>
      !taken.has(ipText(address)) && !this.declined.has(ipText(address));
    if (
      wanted?.length === 4 &&
      inPrefix(wanted, subnet) &&
      wanted[3]! >= first &&
      wanted[3]! <= last &&
      free(wanted)
    )
      return wanted;
    for (let number = first; number <= last; number++)
      if (free(this.numbered(number))) return this.numbered(number);
    // The one that was given out longest ago makes room.
    const oldest = this.leases.keys().next();
    if (oldest.done) return null;
    const { address } = this.leases.get(oldest.value)!;
    this.leases.delete(oldest.value);
    return address;
  }

  private reply(
    request: Uint8Array,
    type: number,
    address: IpAddress | null,
  ): { bytes: Uint8Array; to: IpAddress; broadcast: boolean } {
    const { settings } = this;
    const bytes: number[] = Array.from(request.subarray(0, FIXED_BYTES));
    bytes[0] = BOOT_REPLY;
    bytes[3] = 0;
    const put = (at: number, values: ArrayLike<number>): void => {
      for (let n = 0; n < values.length; n++) bytes[at + n] = values[n]!;
    };
    if (type === NAK) put(12, [0, 0, 0, 0]);
    put(16, address ?? [0, 0, 0, 0]);
    put(20, type === NAK ? [0, 0, 0, 0] : settings.server);
    put(44, new Uint8Array(192));
    const boot = type !== NAK && settings.bootFile !== '';
    if (boot) put(108, [...new TextEncoder().encode(settings.bootFile)].slice(0, 127));
    bytes.push(COOKIE >>> 24, (COOKIE >> 16) & 255, (COOKIE >> 8) & 255, COOKIE & 255);
    const option = (code: number, value: ArrayLike<number>): void => {
      if (value.length > 0 && value.length <= 255) bytes.push(code, value.length, ...Array.from(value));
    };
    if (type !== 0) option(OPTION_TYPE, [type]);
    option(OPTION_SERVER, settings.server);
    if (type === NAK) option(OPTION_MESSAGE, new TextEncoder().encode('that address is not for you'));
    else {
      const mask = (0xffffffff << (32 - settings.subnet.bits)) >>> 0;
      const base = u32(settings.subnet.address, 0);
      option(OPTION_SUBNET_MASK, number32(mask));
      if (settings.router) option(OPTION_ROUTER, settings.router);
      if (settings.dns) option(OPTION_DNS, settings.dns);
      option(OPTION_BROADCAST, number32((base | ~mask) >>> 0));
      if (address) {
        option(OPTION_LEASE_TIME, number32(LEASE_S));
        option(OPTION_RENEWAL, number32(LEASE_S / 2));
        option(OPTION_REBINDING, number32((LEASE_S / 8) * 7));
      }
      const search = settings.search();
      option(OPTION_DOMAIN, new TextEncoder().encode(settings.domain));
      option(OPTION_SEARCH, [settings.domain, ...search].flatMap(nameLabels).slice(0, 255));
      if (boot) {
        option(OPTION_TFTP_SERVER, new TextEncoder().encode(ipText(settings.server)));
        option(OPTION_BOOT_FILE, new TextEncoder().encode(settings.bootFile));
      }
    }
    bytes.push(OPTION_END);
    while (bytes.length < LEAST_BYTES) bytes.push(0);
    const current = request.slice(12, 16);
    const hasAddress = type !== NAK && current.some((byte) => byte !== 0);
    return {
      bytes: Uint8Array.from(bytes),
      to: hasAddress ? current : Uint8Array.of(255, 255, 255, 255),
      broadcast: !hasAddress,
    };
  }
}

function number32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** A domain name as labels (RFC 1035, 3.1). */
export function nameLabels(name: string): number[] {
  const labels = name.split('.').filter(Boolean);
  return [
    ...labels.flatMap((label) => [
      Math.min(label.length, 63),
      ...new TextEncoder().encode(label.slice(0, 63)),
    ]),
    0,
  ];
}

/** What can be a host's name, in small letters; empty if nothing can. */
export function hostName(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).toLowerCase().split('.')[0]!.replace(/\0+$/, '');
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text) ? text : '';
}

export function readOptions(message: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  const area = (start: number, end: number): void => {
    for (let at = start; at < end;) {
      const code = message[at]!;
      if (code === OPTION_END) return;
      if (code === 0) {
        at++;
        continue;
      }
      const length = at + 1 < end ? message[at + 1]! : 0;
      const value = message.subarray(at + 2, Math.min(end, at + 2 + length));
      const before = options.get(code);
      // Options that come twice are one long one (RFC 3396).
      options.set(code, before ? Uint8Array.of(...before, ...value) : value);
      at += 2 + length;
    }
  };
  area(OPTIONS, message.length);
  const overload = options.get(OPTION_OVERLOAD)?.[0] ?? 0;
  if (overload & 1) area(108, 236);
  if (overload & 2) area(44, 108);
  return options;
}
