import { nodeNetwork, nodeTimers } from '../../host/node/network.js';
import { Macvtap } from '../../host/node/macvtap.js';
import { UserError } from '../../machine/user-error.js';
import { parseMac } from '../../network/ethernet.js';
import { DatagramLink } from '../../network/links/datagram-link.js';
import { Switch, type SwitchPort } from '../../network/switch/switch.js';
import type { CardOptions } from '../../vm/plug-cards.js';
import type { NetChoice } from '../net-options.js';
import { capture } from './capture.js';
import { HubMember } from './join-hub.js';
import { addNat } from './nat-network.js';
import { connectSocket, listenSocket } from './socket-network.js';

const MAC_PREFIX = [0x52, 0x56, 0x00];

export interface OpenNetworks {
  readonly cards: readonly CardOptions[];
  close(): void;
}

/** `random`: fills an array, for addresses of cards. A UserError says what is wrong. */
export async function openNetworks(
  choices: readonly NetChoice[],
  random: (target: Uint8Array) => void,
): Promise<OpenNetworks> {
  const closers: (() => void)[] = [];
  const close = (): void => closers.forEach((act) => act());
  const cards: CardOptions[] = [];
  try {
    for (const choice of choices) cards.push(await openNetwork(choice, random, closers));
  } catch (error) {
    close();
    throw error;
  }
  return { cards, close };
}

/** Networks that several processes share have their switch elsewhere, where the rules for this port hold. */
const SHARED: readonly NetChoice['kind'][] = ['natnetwork', 'internal', 'hostonly'];

async function openNetwork(
  choice: NetChoice,
  random: (target: Uint8Array) => void,
  closers: (() => void)[],
): Promise<CardOptions> {
  const mac = choice.mac ?? usualMac(choice, random);
  const wire = new Switch(nodeTimers());
  const { vlan, promiscuous, weight, guard, rateIn, rateOut } = choice;
  const rules = {
    vlan,
    promiscuous,
    weight,
    ...(guard ? { guard: { mac, addresses: null } } : {}),
    ...(rateIn ? { rateIn } : {}),
    ...(rateOut ? { rateOut } : {}),
  };
  const port = wire.addPort({ name: 'guest', ...(SHARED.includes(choice.kind) ? {} : rules) });
  if (!choice.connected || choice.kind === 'none') port.setConnected(false);
  if (choice.capture !== null) closers.push(capture(port, choice.capture));
  closers.push(await attach(choice, mac, wire, () => wire.addPort({ name: choice.kind, vlan })));
  return { model: choice.card, mac, cable: port };
}

/** Puts what the machine is to be connected to on its switch; gives what takes it away. */
async function attach(
  choice: NetChoice,
  mac: Uint8Array,
  wire: Switch,
  uplink: () => SwitchPort,
): Promise<() => void> {
  switch (choice.kind) {
    case 'none':
      return () => {};
    case 'nat': {
      const nat = addNat(wire, choice.nat!, choice.uplink);
      for (const forward of choice.forwards)
        await nat.forward(forward, mac).catch((error: Error) => {
          throw new UserError(`--net nat: a port cannot be forwarded: ${error.message}`);
        });
      return () => nat.close();
    }
    case 'natnetwork':
    case 'internal':
    case 'hostonly': {
      const settings = `${choice.kind}${choice.settings}`;
      const { name, forwardTexts: forwards, vlan, promiscuous, weight, guard, rateIn, rateOut } = choice;
      const who = `viv ${process.pid}`;
      const wish = { name: who, mac, vlan, promiscuous, weight, guard, rateIn, rateOut, forwards, settings };
      const member = await HubMember.join(name, wish, uplink());
      return () => member.leave();
    }
    case 'socket':
      return choice.connect ? connectSocket(choice.connect, uplink()) : listenSocket(choice.listen!, uplink);
    case 'udp': {
      const link = await DatagramLink.open(uplink(), nodeNetwork(), choice.local!, choice.remote!).catch(
        (error: Error) => {
          throw new UserError(`--net udp: ${error.message}`);
        },
      );
      return () => link.close();
    }
    case 'bridged': {
      const tap = Macvtap.open(`--net bridged,device=${choice.device}`, choice.device, uplink());
      return () => tap.close();
    }
  }
}

function usualMac(choice: NetChoice, random: (target: Uint8Array) => void): Uint8Array {
  // Behind a macvtap interface, only its own address gets frames.
  if (choice.kind === 'bridged')
    return parseMac(Macvtap.addressOf(`--net bridged,device=${choice.device}`, choice.device))!;
  const mac = new Uint8Array(6);
  random(mac);
  mac.set(MAC_PREFIX);
  return mac;
}
