import { appendFileSync, writeFileSync } from 'node:fs';
import { readNamedFile } from './read-file.js';
import { nodeNetwork, nodeTimers } from '../host/node/network.js';
import { UserError } from '../machine/user-error.js';
import { forReceiver } from '../network/complete.js';
import { NO_OFFLOAD } from '../machine/frame.js';
import { parsePrefix } from '../network/ip-address.js';
import { Nat } from '../network/nat/nat.js';
import { pcapHeader, pcapRecord } from '../network/pcap.js';
import { Switch, type SwitchPort } from '../network/switch/switch.js';
import type { CardOptions } from '../vm/plug-cards.js';
import type { NatChoice, NetChoice } from './net-options.js';
import { join, normalize } from 'node:path';

const MAC_PREFIX = [0x52, 0x56, 0x00];
/** Unique local (RFC 4193); the third number is the IPv4 network's. */
const PREFIX6 = 'fd56:6976:6172:';

export interface OpenNetworks {
  readonly cards: readonly CardOptions[];
  close(): void;
}

/** `random`: fills an array, for addresses of cards. */
export async function openNetworks(
  choices: readonly NetChoice[],
  random: (target: Uint8Array) => void,
): Promise<OpenNetworks> {
  const host = nodeNetwork();
  const timers = nodeTimers();
  const closers: (() => void)[] = [];
  const close = (): void => closers.forEach((act) => act());
  const cards: CardOptions[] = [];
  try {
    for (const choice of choices) {
      const mac = choice.mac ?? madeUpMac(random);
      const wire = new Switch(timers);
      const port = wire.addPort({
        name: 'guest',
        vlan: choice.vlan,
        promiscuous: choice.promiscuous,
        weight: choice.weight,
        ...(choice.guard ? { guard: { mac, addresses: null } } : {}),
        ...(choice.rateIn ? { rateIn: choice.rateIn } : {}),
        ...(choice.rateOut ? { rateOut: choice.rateOut } : {}),
      });
      port.setConnected(choice.connected && choice.kind !== 'none');
      if (choice.capture !== null) capture(port, choice.capture);
      if (choice.nat) {
        const nat = new Nat(
          wire.addPort({ name: 'nat', vlan: choice.vlan }),
          host,
          timers,
          natOptions(choice.nat),
        );
        closers.push(() => nat.close());
        await nat.open().catch((error: Error) => {
          throw new UserError(`--net nat: a port cannot be forwarded: ${error.message}`);
        });
      }
      cards.push({ model: choice.card, mac, cable: port });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { cards, close };
}

function madeUpMac(random: (target: Uint8Array) => void): Uint8Array {
  const mac = new Uint8Array(6);
  random(mac);
  mac.set(MAC_PREFIX);
  return mac;
}

function natOptions({
  subnet,
  policy,
  forwards,
  tftp,
  bootFile,
}: NatChoice): ConstructorParameters<typeof Nat>[3] {
  const { address } = subnet;
  const number = ((address[1]! << 8) | address[2]!).toString(16);
  return {
    subnet,
    prefix6: parsePrefix(`${PREFIX6}${number}::/64`)!,
    policy,
    forwards,
    tftp: tftp === null ? null : { read: (name) => readBelow(tftp, name) },
    bootFile,
  };
}

/** A file below a folder; null: there is none. */
function readBelow(folder: string, name: string): Uint8Array | null {
  const inside = normalize(join('/', name));
  try {
    return readNamedFile('--net tftp', join(folder, inside));
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** Writes all that passes a port to a file that Wireshark and tcpdump read. */
function capture(port: SwitchPort, path: string): void {
  const trouble = (error: unknown): never => {
    throw new UserError(`--net capture=${path} cannot be written: ${(error as Error).message}`);
  };
  try {
    writeFileSync(path, pcapHeader());
  } catch (error) {
    trouble(error);
  }
  port.tap = (frame) => {
    for (const piece of forReceiver(frame, NO_OFFLOAD))
      appendFileSync(path, pcapRecord(piece.bytes, Date.now()));
  };
}
