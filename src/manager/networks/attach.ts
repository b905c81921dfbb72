import { nodeNetwork } from '../../host/node/network.js';
import { Macvtap } from '../../host/node/macvtap.js';
import { UserError } from '../../machine/user-error.js';
import { DatagramLink } from '../../network/links/datagram-link.js';
import type { Switch, SwitchPort } from '../../network/switch/switch.js';
import type { NetChoice } from '../net-options.js';
import { HubMember } from './join-hub.js';
import { addNat } from './nat-network.js';
import { connectSocket, listenSocket } from './socket-network.js';

/** Puts what the machine is to be connected to on its switch; gives what takes it away. */
export async function attach(
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
          nat.close();
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
