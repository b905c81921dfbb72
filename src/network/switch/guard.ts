/** Rules against frames that pretend to come from someone else. */
import { ETHERNET_BYTES, TYPE_ARP, TYPE_IPV4, TYPE_IPV6, addressAt } from '../ethernet.js';
import { etherType } from '../ip.js';
import { inPrefix, type Prefix } from '../ip-address.js';

export interface GuardRules {
  /** The only source address that may come in; null: any. */
  readonly mac: Uint8Array | null;
  /** Where IP and ARP sources must lie; null: anywhere. */
  readonly addresses: readonly Prefix[] | null;
}

/** As much of a frame as `allowed` looks at. */
export const GUARDED_BYTES = 64;

const ARP_SENDER_MAC = 8;
const ARP_SENDER_IP = 14;
const LINK_LOCAL: Prefix = { address: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(14)), bits: 10 };

/** `head`: the first bytes of a frame. */
export function allowed({ mac, addresses }: GuardRules, head: Uint8Array): boolean {
  const own = mac && addressAt(mac, 0);
  if (own !== null && addressAt(head, 6) !== own) return false;
  const { type, at } = etherType(head);
  if (type === TYPE_ARP) {
    if (head.length < at + ARP_SENDER_IP + 4) return false;
    if (own !== null && addressAt(head, at + ARP_SENDER_MAC) !== own) return false;
    return within(addresses, head.subarray(at + ARP_SENDER_IP, at + ARP_SENDER_IP + 4));
  }
  if (type === TYPE_IPV4) return head.length >= at + 20 && within(addresses, head.subarray(at + 12, at + 16));
  if (type === TYPE_IPV6) return head.length >= at + 40 && within(addresses, head.subarray(at + 8, at + 24));
  return head.length >= ETHERNET_BYTES;
}

/** Hosts without an address yet send from the unspecified one, and talk to their link from a link-local one. */
function within(addresses: readonly Prefix[] | null, source: Uint8Array): boolean {
  if (addresses === null || source.every((byte) => byte === 0) || inPrefix(source, LINK_LOCAL)) return true;
  return addresses.some((prefix) => inPrefix(source, prefix));
}
