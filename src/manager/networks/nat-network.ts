import { join, normalize } from 'node:path';
import { nodeNetwork } from '../../host/node/network.js';
import { UserError } from '../../machine/user-error.js';
import { parsePrefix } from '../../network/ip-address.js';
import { Nat } from '../../network/nat/nat.js';
import { Switch } from '../../network/switch/switch.js';
import type { Rate } from '../../network/switch/token-bucket.js';
import type { NatChoice } from '../net-options.js';
import { readNamedFile } from '../read-file.js';

/** Unique local (RFC 4193); the last number is the IPv4 network's. */
const PREFIX6 = 'fd56:6976:6172:';

/** Puts a router on a switch. `uplink`: what may pass it, each way; who sends through it shares that. */
export function addNat(
  wire: Switch,
  { subnet, policy, outside, tftp, bootFile }: NatChoice,
  uplink: Rate | null,
): Nat {
  const { address } = subnet;
  const number = ((address[1]! << 8) | address[2]!).toString(16);
  const port = wire.addPort({
    name: 'router',
    uplink: true,
    ...(uplink ? { rateIn: uplink, rateOut: uplink } : {}),
  });
  return new Nat(port, nodeNetwork(), wire.timers, {
    subnet,
    prefix6: parsePrefix(`${PREFIX6}${number}::/64`)!,
    policy,
    outside,
    tftp: tftp === null ? null : { read: (name) => readBelow(tftp, name) },
    bootFile,
  });
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
