/** What a machine says to the switch that it shares with others, before its frames: one record of JSON. */
import { macText, parseMac } from '../ethernet.js';
import type { PortOptions, VlanRule } from '../switch/switch.js';
import type { Rate } from '../switch/token-bucket.js';

const VERSION = 1;

/** A port as a machine wants it. */
export interface PortWish {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly weight: number;
  readonly guard: boolean;
  readonly promiscuous: boolean;
  readonly vlan: VlanRule;
  readonly rateIn: Rate | null;
  readonly rateOut: Rate | null;
  /** Ports of the host's that lead to this machine, as `--net` takes them. */
  readonly forwards: readonly string[];
  /** What only this user's programs know. */
  readonly token: string;
  /** What the machine believes the network's settings to be. */
  readonly settings: string;
}

export interface Hello {
  /** It only asks who is there; or wants to see all frames. */
  readonly status: boolean;
  readonly watch: boolean;
  readonly token: string;
  readonly settings: string;
  readonly port: PortOptions;
  readonly mac: Uint8Array;
  readonly forwards: readonly string[];
}

/** JSON knows neither infinity nor sets nor bytes. */
function plain(key: string, value: unknown): unknown {
  if (value === Infinity) return 'infinity';
  return key === 'ids' && value instanceof Set ? [...value] : value;
}
function revived(key: string, value: unknown): unknown {
  if (value === 'infinity') return Infinity;
  return key === 'ids' && Array.isArray(value) ? new Set(value) : value;
}

export function writeHello(wish: PortWish): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({ ...wish, version: VERSION, mac: macText(wish.mac) }, plain),
  );
}

export function writeStatusRequest(token: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: VERSION, status: true, token }));
}

export function writeWatchRequest(token: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: VERSION, watch: true, token }));
}

/** null: that is no hello of this version. */
export function readHello(record: Uint8Array): Hello | null {
  let told: Partial<Omit<PortWish, 'mac'>> & {
    version?: number;
    status?: boolean;
    watch?: boolean;
    mac?: string;
  };
  try {
    told = JSON.parse(new TextDecoder().decode(record), revived) as typeof told;
  } catch {
    return null;
  }
  if (told?.version !== VERSION) return null;
  const {
    status = false,
    watch = false,
    token = '',
    name = '',
    settings = '',
    forwards = [],
    rateIn,
    rateOut,
  } = told;
  const mac = parseMac(told.mac ?? '') ?? new Uint8Array(6);
  const port: PortOptions = {
    name,
    weight: told.weight ?? 1,
    promiscuous: told.promiscuous ?? false,
    vlan: told.vlan ?? { kind: 'open' },
    ...(told.guard ? { guard: { mac, addresses: null } } : {}),
    ...(rateIn ? { rateIn } : {}),
    ...(rateOut ? { rateOut } : {}),
  };
  return { status, watch, token, settings, port, mac, forwards };
}
