import { UserError } from '../machine/user-error.js';
import type { Endpoint, ListenPlace } from '../network/host-network.js';
import { parseIp, parsePrefix, type IpAddress, type Prefix } from '../network/ip-address.js';
import { isGroup, parseMac } from '../network/ethernet.js';
import type { Forward } from '../network/nat/nat.js';
import type { PolicyOptions, Rule } from '../network/nat/policy.js';
import type { Rate } from '../network/switch/token-bucket.js';
import type { VlanRule } from '../network/switch/switch.js';
import { CARD_MODELS, type CardModel } from '../vm/plug-cards.js';
import { choose, listParts, refuseOthers } from './settings.js';

/** The router of a network, for all who are in it. */
export interface NatChoice {
  readonly subnet: Prefix;
  readonly policy: PolicyOptions;
  readonly outside: boolean;
  /** A folder whose files guests get by TFTP; null: none. */
  readonly tftp: string | null;
  readonly bootFile: string;
}

export interface NetChoice {
  /** As the user wrote it. */
  readonly text: string;
  readonly kind: NetKind;
  readonly card: CardModel;
  /** null: one is made up. */
  readonly mac: Uint8Array | null;
  /** The cable is plugged in. */
  readonly connected: boolean;
  /** Of what the guest sends, and of what it gets; null: no limit. */
  readonly rateIn: Rate | null;
  readonly rateOut: Rate | null;
  readonly weight: number;
  readonly vlan: VlanRule;
  readonly promiscuous: boolean;
  /** Whether frames with another source than the card's address are dropped. */
  readonly guard: boolean;
  /** File for what passes; null: none. */
  readonly capture: string | null;
  /** Of kinds nat, natnetwork and hostonly. */
  readonly nat: NatChoice | null;
  /** Limit of what all send to the outside, and get from there. */
  readonly uplink: Rate | null;
  readonly forwards: readonly Forward[];
  /** The same as they were written. */
  readonly forwardTexts: readonly string[];
  /** Of kinds that machines share: the network's name, and its settings in an order of their own. */
  readonly name: string;
  readonly settings: string;
  /** Of kind socket: where another program is, or comes to. */
  readonly connect: ListenPlace | null;
  readonly listen: ListenPlace | null;
  /** Of kind udp. */
  readonly local: Endpoint | null;
  readonly remote: Endpoint | null;
  /** Of kind bridged: an interface of the host's. */
  readonly device: string;
}

export const NET_KINDS = [
  'nat',
  'natnetwork',
  'internal',
  'hostonly',
  'bridged',
  'socket',
  'udp',
  'none',
] as const;
export type NetKind = (typeof NET_KINDS)[number];

const COMMON = [
  'card',
  'mac',
  'cable',
  'rate-in',
  'rate-out',
  'weight',
  'vlan',
  'promiscuous',
  'guard',
  'capture',
];
const OF_ROUTER = ['subnet', 'host', 'allow', 'deny', 'tftp', 'bootfile', 'uplink'];
/** Settings of each kind, beside those of the card. The first list is the network's, the second the machine's. */
const OF_KIND: Record<NetKind, readonly [network: readonly string[], own: readonly string[]]> = {
  nat: [OF_ROUTER, ['forward']],
  natnetwork: [OF_ROUTER, ['forward', 'name']],
  internal: [[], ['name']],
  hostonly: [
    ['subnet', 'tftp', 'bootfile'],
    ['forward', 'name'],
  ],
  bridged: [[], ['device']],
  socket: [[], ['connect', 'listen']],
  udp: [[], ['local', 'remote']],
  none: [[], []],
};

const SUBNETS: Partial<Record<NetKind, string>> = {
  nat: '10.0.2.0/24',
  natnetwork: '10.0.3.0/24',
  hostonly: '10.0.4.0/24',
};

export function parseNet(text: string): NetChoice {
  const { first, lists } = listParts('--net', text);
  const kind = NET_KINDS.find((known) => known === first);
  if (!kind)
    throw new UserError(`--net ${first}: not a kind of network; choose from ${NET_KINDS.join(', ')}`);
  const [ofNetwork, own] = OF_KIND[kind];
  refuseOthers(`--net ${kind}`, lists, [...COMMON, ...ofNetwork, ...own]);
  const settings = new Settings(text, lists);
  const { one } = settings;
  return {
    text,
    kind,
    card: choose('--net', 'card', one('card'), CARD_MODELS, 'virtio'),
    mac: parseCardMac(one('mac')),
    connected: choose('--net', 'cable', one('cable'), ['in', 'out'] as const, 'in') === 'in',
    rateIn: settings.rate('rate-in'),
    rateOut: settings.rate('rate-out'),
    weight: parseWeight(one('weight')),
    vlan: parseVlan(one('vlan')),
    promiscuous: settings.isOn('promiscuous'),
    guard: settings.isOn('guard'),
    capture: one('capture') ?? null,
    nat: kind === 'nat' || kind === 'natnetwork' || kind === 'hostonly' ? natChoice(kind, settings) : null,
    uplink: settings.rate('uplink'),
    forwards: settings.all('forward').map(parseForward),
    forwardTexts: settings.all('forward'),
    name: parseName(kind, one('name')),
    settings: ofNetwork
      .flatMap((name) => settings.all(name).map((value) => `,${name}=${value.replaceAll(',', ',,')}`))
      .join(''),
    ...socketPlaces(kind, settings),
    ...tunnelPlaces(kind, settings),
    device: bridgeDevice(kind, one('device')),
  };
}

/** The settings of one `--net`. */
class Settings {
  constructor(
    private readonly text: string,
    private readonly lists: ReadonlyMap<string, string[]>,
  ) {}

  readonly one = (name: string): string | undefined => {
    const values = this.all(name);
    if (values.length > 1) throw new UserError(`--net ${this.text}: ${name} is given twice`);
    return values[0];
  };
  all(name: string): readonly string[] {
    return this.lists.get(name) ?? [];
  }
  isOn(name: string): boolean {
    return choose('--net', name, this.one(name), ['on', 'off'] as const, 'off') === 'on';
  }
  rate(name: string): Rate | null {
    const value = this.one(name);
    return value === undefined ? null : parseRate(name, value);
  }
}

function natChoice(kind: NetKind, settings: Settings): NatChoice {
  const outside = kind !== 'hostonly';
  return {
    subnet: parseSubnet(settings.one('subnet') ?? SUBNETS[kind]!),
    outside,
    policy: {
      host: !outside || settings.isOn('host'),
      allow: settings.all('allow').map((rule) => parseRule('allow', rule)),
      deny: settings.all('deny').map((rule) => parseRule('deny', rule)),
    },
    tftp: settings.one('tftp') ?? null,
    bootFile: settings.one('bootfile') ?? '',
  };
}

function parseName(kind: NetKind, text: string | undefined): string {
  const usual: Partial<Record<NetKind, string>> = { natnetwork: 'nat', internal: 'intnet', hostonly: 'host' };
  const name = text ?? usual[kind] ?? '';
  if (text !== undefined && !/^[\w-]{1,40}$/.test(text))
    throw new UserError(`--net name=${text}: use 1 to 40 letters, digits, _ and -`);
  return name;
}

function socketPlaces(kind: NetKind, { one }: Settings): Pick<NetChoice, 'connect' | 'listen'> {
  if (kind !== 'socket') return { connect: null, listen: null };
  const [connect, listen] = [one('connect'), one('listen')];
  if ((connect === undefined) === (listen === undefined))
    throw new UserError(
      '--net socket: say connect=HOST:PORT or listen=HOST:PORT, one of them; unix:/path will do as well',
    );
  return {
    connect: connect === undefined ? null : parseSocketPlace('connect', connect),
    listen: listen === undefined ? null : parseSocketPlace('listen', listen),
  };
}

function parseSocketPlace(setting: string, text: string): ListenPlace {
  if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
  return parseEndpoint(setting, text);
}

function parseEndpoint(setting: string, text: string): Endpoint {
  const place = splitPlace(text);
  const address = place?.address === '' ? '127.0.0.1' : place?.address;
  if (!place || !parseIp(address!))
    throw new UserError(`--net ${setting}=${text}: write an address and a port, as 127.0.0.1:4000`);
  return { address: address!, port: parsePort(`${setting}=${text}`, place.port) };
}

function tunnelPlaces(kind: NetKind, { one }: Settings): Pick<NetChoice, 'local' | 'remote'> {
  if (kind !== 'udp') return { local: null, remote: null };
  const [local, remote] = [one('local'), one('remote')];
  if (local === undefined || remote === undefined)
    throw new UserError(
      '--net udp: say where frames come in and where they go, as local=127.0.0.1:4001,remote=127.0.0.1:4002',
    );
  return { local: parseEndpoint('local', local), remote: parseEndpoint('remote', remote) };
}

function bridgeDevice(kind: NetKind, text: string | undefined): string {
  if (kind === 'bridged' && !text)
    throw new UserError(
      '--net bridged: say which macvtap interface of the host, as device=viv0 (docs/network.md)',
    );
  return text ?? '';
}

function parseCardMac(text: string | undefined): Uint8Array | null {
  if (text === undefined) return null;
  const mac = parseMac(text);
  if (!mac || isGroup(mac) || mac.every((byte) => byte === 0))
    throw new UserError(`--net mac=${text}: not the address of a card; write it as 52:56:00:12:34:56`);
  return mac;
}

function parseWeight(text: string | undefined): number {
  const weight = Number(text ?? 1);
  if (!(weight >= 0.1 && weight <= 1000))
    throw new UserError(`--net weight=${text}: not a number from 0.1 to 1000`);
  return weight;
}

const RATE_UNITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };
/** A burst is what passes in so many seconds, and a full frame with what is cut of it at least. */
const BURST_S = 0.005;
const LEAST_BURST = 3036;

/** `100M`: bits a second; `100M/20000`: and frames. */
export function parseRate(name: string, text: string): Rate {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)(?:bit)?(?:\/(\d+))?$/i.exec(text);
  const bits = match ? Number(match[1]) * RATE_UNITS[match[2]!.toLowerCase()]! : 0;
  const frames = match?.[3] === undefined ? Infinity : Number(match[3]);
  if (bits < 8000 || bits > 1e12 || frames < 1)
    throw new UserError(
      `--net ${name}=${text}: not a rate; write bits a second as 100M, with frames a second as 100M/20000`,
    );
  return {
    bitsPerSecond: bits,
    burstBytes: Math.max(LEAST_BURST, (bits / 8) * BURST_S),
    framesPerSecond: frames,
  };
}

/** `10`: untagged frames in VLAN 10; `trunk` or `trunk:10+20`: tagged ones. */
function parseVlan(text: string | undefined): VlanRule {
  if (text === undefined) return { kind: 'open' };
  const refuse = (): never => {
    throw new UserError(`--net vlan=${text}: write a number from 1 to 4094, trunk, or trunk:10+20`);
  };
  const number = (part: string): number => {
    const id = Number(part);
    return /^\d+$/.test(part) && id >= 1 && id <= 4094 ? id : refuse();
  };
  if (text === 'trunk') return { kind: 'trunk', ids: null };
  if (text.startsWith('trunk:')) return { kind: 'trunk', ids: new Set(text.slice(6).split('+').map(number)) };
  return { kind: 'access', id: number(text) };
}

function parseSubnet(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!prefix || prefix.address.length !== 4 || prefix.bits !== 24 || prefix.address[3] !== 0)
    throw new UserError(`--net subnet=${text}: write an IPv4 network of 24 bits, as ${SUBNETS.nat}`);
  return prefix;
}

function parsePort(setting: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535)
    throw new UserError(`--net ${setting}: "${text}" is not a port from 1 to 65535`);
  return port;
}

/** The address and port of `10.0.2.15:22`, `[::1]:22` or `:22`. */
function splitPlace(text: string): { address: string; port: string } | null {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text);
  return match && { address: match[1] ?? match[2]!, port: match[3]! };
}

/** `tcp:127.0.0.1:2222-:22`, `udp::5353-10.0.2.15:53`, `unix:/path-:22`. */
export function parseForward(text: string): Forward {
  const setting = `forward=${text}`;
  const refuse = (why: string): never => {
    throw new UserError(
      `--net ${setting}: ${why}; write tcp:127.0.0.1:2222-:22, udp::5353-:53, or unix:/path-:22`,
    );
  };
  const match = /^(tcp|udp|unix):(.+)-([^-]*)$/.exec(text);
  if (!match) return refuse('not a forwarded port');
  const [, protocol, from, to] = match as unknown as [string, string, string, string];
  const target = splitPlace(to) ?? refuse(`"${to}" is no address and port of the guest`);
  const guest: IpAddress | null =
    target.address === '' ? null : (parseIp(target.address) ?? refuse(`"${target.address}" is no address`));
  let at: ListenPlace;
  if (protocol === 'unix') at = { path: from };
  else {
    const place = splitPlace(from) ?? refuse(`"${from}" is no address and port of the host`);
    // To be reached from elsewhere is asked for by an address.
    const address = place.address === '' ? '127.0.0.1' : place.address;
    if (!parseIp(address)) refuse(`"${address}" is no address`);
    at = { address, port: parsePort(setting, place.port) };
  }
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', at, guest, port: parsePort(setting, target.port) };
}

/** `10.0.0.0/8`, `tcp:*.debian.org:80`, `udp:any:53`, `[2001:db8::]/32:443`, `any:1-1023`. */
export function parseRule(setting: string, text: string): Rule {
  const refuse = (): never => {
    throw new UserError(
      `--net ${setting}=${text}: not a rule; write [tcp:|udp:]WHERE[:PORT], WHERE being any, an address, a network as 10.0.0.0/8 or [2001:db8::]/32, a name, or *.name`,
    );
  };
  const match = /^(?:(tcp|udp):)?(\[[^\]]+\](?:\/\d+)?|[^:[\]]+)(?::(\d+)(?:-(\d+))?)?$/.exec(text);
  if (!match) return refuse();
  const [, protocol, where, from, to] = match;
  const prefix = parsePrefix(where!.replace(/[[\]]/g, ''));
  const name = prefix || where === 'any' ? null : where!.toLowerCase();
  if (
    name !== null &&
    !/^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(name)
  )
    refuse();
  // An address that was mistyped is no name.
  if (name !== null && /^[\d./]+$/.test(name)) refuse();
  const ports =
    from === undefined ? null : ([parsePort(setting, from), parsePort(setting, to ?? from)] as const);
  return { protocol: (protocol as 'tcp' | 'udp' | undefined) ?? null, prefix, name, ports };
}
