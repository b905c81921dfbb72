/** How this host looks up names, as it is now: read again when its files have changed. */
import { readFileSync, statSync } from 'node:fs';
import { Resolver } from 'node:dns';
import { isIP } from 'node:net';
import type { Endpoint, ResolverSettings } from '../../network/host-network.js';

const DNS_PORT = 53;

/** A file's text in a form of its own, made anew when the file is another than before. */
class WatchedFile<Form> {
  private key = '';
  private form: Form;

  constructor(
    readonly path: string,
    private readonly parse: (text: string) => Form,
  ) {
    this.form = parse('');
  }

  get value(): Form {
    let key;
    try {
      // A VPN puts another file in its place, or changes it.
      const { mtimeNs, ino, size } = statSync(this.path, { bigint: true });
      key = `${mtimeNs} ${ino} ${size}`;
    } catch {
      key = 'none';
    }
    if (key !== this.key) {
      this.key = key;
      let text = '';
      try {
        if (key !== 'none') text = readFileSync(this.path, 'utf8');
      } catch {
        // As if it were not there.
      }
      this.form = this.parse(text);
    }
    return this.form;
  }
}

export function parseResolver(text: string): ResolverSettings {
  const servers: Endpoint[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const [address] = values;
    if (keyword === 'nameserver' && address && isIP(address.split('%')[0]!))
      servers.push({ address, port: DNS_PORT });
    else if ((keyword === 'search' || keyword === 'domain') && values.length > 0)
      search = values.map((name) => name.replace(/\.$/, '').toLowerCase()).filter((name) => name !== '');
  }
  return { servers, search };
}

interface Hosts {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlyMap<string, readonly string[]>;
}

export function parseHosts(text: string): Hosts {
  const addresses = new Map<string, string[]>();
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address, ...list] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (!address || !isIP(address) || list.length === 0) continue;
    for (const name of list.map((written) => written.toLowerCase()))
      addresses.set(name, [...(addresses.get(name) ?? []), address]);
    names.set(address, [...(names.get(address) ?? []), ...list.slice(0, 1)]);
  }
  return { addresses, names };
}

export class HostResolver {
  private readonly resolv: WatchedFile<ResolverSettings>;
  private readonly hosts: WatchedFile<Hosts>;

  /** The paths are those of this host, but in tests. */
  constructor(
    resolv = '/etc/resolv.conf',
    hosts = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts',
  ) {
    this.resolv = new WatchedFile(resolv, parseResolver);
    this.hosts = new WatchedFile(hosts, parseHosts);
  }

  get settings(): ResolverSettings {
    if (process.platform !== 'win32') {
      const { servers, search } = this.resolv.value;
      // Without any, the C library asks this host.
      return { servers: servers.length > 0 ? servers : [{ address: '127.0.0.1', port: DNS_PORT }], search };
    }
    // A new one asks the system.
    const servers = new Resolver()
      .getServers()
      .map((text) => ({ address: text.replace(/^\[|\].*$/g, ''), port: DNS_PORT }));
    return { servers, search: [] };
  }

  /** What only means this host means nothing to a guest. */
  hostsOf(name: string): readonly string[] {
    return (this.hosts.value.addresses.get(name) ?? []).filter(
      (address) => !/^(127\.|::1$|0\.0\.0\.0$)/.test(address),
    );
  }
  namesOf(address: string): readonly string[] {
    return this.hosts.value.names.get(address) ?? [];
  }
}
