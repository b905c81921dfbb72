/** Where guests may connect to. */
import { inPrefix, ipText, parsePrefix, plainIp, type IpAddress, type Prefix } from '../ip-address.js';

/** `tcp:10.0.0.0/8:80`, in parts; what is null may be anything. */
export interface Rule {
  readonly protocol: 'tcp' | 'udp' | null;
  readonly prefix: Prefix | null;
  /** A name, or `*.name` for all below it. */
  readonly name: string | null;
  readonly ports: readonly [from: number, to: number] | null;
}

export interface PolicyOptions {
  /** The host itself: its loopback through the gateway's address, and its own addresses. */
  readonly host: boolean;
  /** When there are any, nothing else may be reached. */
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
}

const prefixes = (...texts: string[]): Prefix[] => texts.map((text) => parsePrefix(text)!);

/** Of no meaning outside of a host, or for many hosts. */
const NEVER = prefixes(
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  'ff00::/8',
  '::/96',
  '64:ff9b::7f00:0/104',
);
/** The link of the host, and where clouds tell their machines their secrets: only by a rule. */
const BY_RULE = prefixes(
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::/32',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
);

/** Names are remembered so long after they were last given to the guest, at least. */
const LEAST_NAME_MS = 60_000;
const MOST_NAMES = 4096;

export class Policy {
  /** Names that the guest was given an address for. */
  private readonly names = new Map<string, Map<string, number>>();

  constructor(
    private readonly options: PolicyOptions,
    private readonly ownAddresses: () => readonly string[],
  ) {}

  get hostAllowed(): boolean {
    return this.options.host;
  }
  private get caresForNames(): boolean {
    return [...this.options.allow, ...this.options.deny].some(({ name }) => name !== null);
  }

  /** The guest was told that `name` is at `address`. */
  resolved(name: string, address: IpAddress, seconds: number, now: number): void {
    if (!this.caresForNames) return;
    const key = ipText(address);
    const until = now + Math.max(LEAST_NAME_MS, seconds * 1000);
    const known = this.names.get(key) ?? new Map<string, number>();
    if (known.size < 16) known.set(name, until);
    this.names.delete(key);
    this.names.set(key, known);
    if (this.names.size > MOST_NAMES) this.names.delete(this.names.keys().next().value!);
  }

  /** Whether the guest may send to an address outside of its own network. */
  allows(protocol: 'tcp' | 'udp' | 'icmp', written: IpAddress, port: number, now: number): boolean {
    const address = plainIp(written);
    if (NEVER.some((prefix) => inPrefix(address, prefix))) return false;
    if (!this.options.host && this.ownAddresses().includes(ipText(address))) return false;
    const names = this.namesOf(address, now);
    const matches = (rule: Rule): boolean =>
      (rule.protocol === null || rule.protocol === protocol) &&
      (rule.prefix === null || inPrefix(address, rule.prefix)) &&
      (rule.name === null || names.some((name) => nameMatches(rule.name!, name))) &&
      (rule.ports === null || (protocol !== 'icmp' && port >= rule.ports[0] && port <= rule.ports[1]));
    if (this.options.deny.some(matches)) return false;
    const special = BY_RULE.find((prefix) => inPrefix(address, prefix));
    // That everything is allowed does not mean these.
    if (special)
      return this.options.allow.some(
        (rule) => rule.prefix !== null && rule.prefix.bits >= special.bits && matches(rule),
      );
    return this.options.allow.length === 0 || this.options.allow.some(matches);
  }

  /** Whether the guest may look up a name: not one that is denied, nor, by names alone, one that nothing allows. */
  allowsName(name: string): boolean {
    const { allow, deny } = this.options;
    if (
      deny.some(
        (rule) =>
          rule.name !== null && rule.ports === null && rule.protocol === null && nameMatches(rule.name, name),
      )
    )
      return false;
    const names = allow.filter((rule) => rule.name !== null);
    const onlyNames = allow.length > 0 && names.length === allow.length;
    return !onlyNames || names.some((rule) => nameMatches(rule.name!, name));
  }

  private namesOf(address: IpAddress, now: number): string[] {
    const known = this.names.get(ipText(address));
    return known ? [...known].filter(([, until]) => until > now).map(([name]) => name) : [];
  }
}

function nameMatches(rule: string, name: string): boolean {
  return rule.startsWith('*.') ? name.endsWith(rule.slice(1)) : name === rule;
}
