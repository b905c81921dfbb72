import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import type { HostNetwork } from '../../network/host-network.js';
import type { Timers } from '../../network/timers.js';
import { HostResolver } from './resolver.js';
import { connect, listen } from './tcp-socket.js';
import { bindUdp, udp } from './udp-socket.js';

const ECHO_TIMEOUT_S = 5;
/** The host's addresses are asked for at most so often, ms. */
const ADDRESSES_MS = 1000;

export function nodeTimers(): Timers {
  return {
    now: () => performance.now(),
    after(milliseconds, act) {
      const timer = setTimeout(act, milliseconds);
      // Nothing on the network keeps a machine's process from ending.
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** Sockets want no right for echo requests, but Node has none for them: the host's ping does. */
function echo(address: string, bytes: number): Promise<number | null> {
  return new Promise((resolve) => {
    const count = ['-c', '1', '-n', '-q', '-W', String(ECHO_TIMEOUT_S), '-s', String(bytes), address];
    const started = performance.now();
    execFile('ping', count, { timeout: (ECHO_TIMEOUT_S + 1) * 1000 }, (error) =>
      resolve(error ? null : performance.now() - started),
    );
  });
}

export function nodeNetwork(resolver = new HostResolver()): HostNetwork {
  let own: { at: number; addresses: string[] } | null = null;
  return {
    connect,
    listen,
    udp,
    bindUdp,
    echo,
    resolver: () => resolver.settings,
    hostsOf: (name) => resolver.hostsOf(name),
    namesOf: (address) => resolver.namesOf(address),
    ownAddresses() {
      const now = performance.now();
      if (own === null || now - own.at > ADDRESSES_MS) {
        const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
        own = { at: now, addresses: all.map(({ address }) => address.split('%')[0]!) };
      }
      return own.addresses;
    },
  };
}
