/** The control queue of a network device (virtio 1.2, 5.1.6.5): what it lets through, and how. */
import type { GuestRam } from '../../machine/guest-ram.js';
import { checkVersion } from '../../machine/state.js';
import { Scatter } from '../../machine/scatter.js';
import type { Virtqueue } from './virtqueue.js';

const CLASS_RX = 0;
const CLASS_MAC = 1;
const CLASS_VLAN = 2;
const CLASS_ANNOUNCE = 3;
const CLASS_MQ = 4;
const CLASS_GUEST_OFFLOADS = 5;
const MAC_TABLE = 0;
const MAC_ADDRESS = 1;
const VLAN_ADD = 0;
const VLAN_REMOVE = 1;

const OK = 0;
const ERROR = 1;

const MOST_COMMAND_BYTES = 65536;
/** What a table may hold before all of its kind is let through. */
const MOST_ADDRESSES = 256;
const TYPE_VLAN = 0x8100;

/** Bits of CLASS_RX, by command. */
export interface NetFilters {
  promiscuous: boolean;
  allMulticast: boolean;
  allUnicast: boolean;
  noMulticast: boolean;
  noUnicast: boolean;
  noBroadcast: boolean;
}
const RX_COMMANDS: readonly (keyof NetFilters)[] = [
  'promiscuous',
  'allMulticast',
  'allUnicast',
  'noMulticast',
  'noUnicast',
  'noBroadcast',
];

const key = (bytes: Uint8Array, at = 0): number =>
  ((bytes[at]! << 8) | bytes[at + 1]!) * 2 ** 32 +
  (((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0);

const BROADCAST = 2 ** 48 - 1;

export interface NetControlEvents {
  macChanged(mac: Uint8Array): void;
  /** The driver has told its neighbours where it is. */
  announced(): void;
}

interface Saved {
  version: 1;
  filters: NetFilters;
  mac: number;
  unicast: number[];
  multicast: number[];
  vlans: number[];
  activePairs: number;
  guestOffloads: number | null;
}

export class NetControl {
  filters!: NetFilters;
  /** Pairs of queues that the driver uses. */
  activePairs = 1;
  /** Feature bits of offloads that the driver left on; null: all that were negotiated. */
  guestOffloads: number | null = null;
  private mac = 0;
  private unicast = new Set<number>();
  private multicast = new Set<number>();
  private vlans = new Set<number>();

  constructor(
    private readonly ram: GuestRam,
    private readonly firstMac: Uint8Array,
    private readonly pairs: number,
    private readonly told: NetControlEvents,
  ) {
    this.reset();
  }

  reset(): void {
    // Drivers that say nothing see all that comes: filtering is a help, no duty.
    this.filters = {
      promiscuous: true,
      allMulticast: false,
      allUnicast: false,
      noMulticast: false,
      noUnicast: false,
      noBroadcast: false,
    };
    this.mac = key(this.firstMac);
    this.unicast.clear();
    this.multicast.clear();
    this.vlans.clear();
    this.activePairs = 1;
    this.guestOffloads = null;
  }

  /** Whether a frame that begins so is let through. */
  wants(head: Uint8Array): boolean {
    const { filters } = this;
    if (
      this.vlans.size > 0 &&
      ((head[12]! << 8) | head[13]!) === TYPE_VLAN &&
      !this.vlans.has(((head[14]! << 8) | head[15]!) & 0xfff)
    )
      return filters.promiscuous;
    if (filters.promiscuous) return true;
    const to = key(head);
    if (to === BROADCAST) return !filters.noBroadcast;
    if (head[0]! & 1) return !filters.noMulticast && (filters.allMulticast || this.multicast.has(to));
    return !filters.noUnicast && (filters.allUnicast || to === this.mac || this.unicast.has(to));
  }

  serve(queue: Virtqueue): void {
    for (let chain = queue.next(); chain; chain = queue.next()) {
      const command = new Scatter(this.ram, chain.readable).read(0, MOST_COMMAND_BYTES);
      const answer = Uint8Array.of(this.obey(command) ? OK : ERROR);
      queue.giveBack(chain, new Scatter(this.ram, chain.writable).write(answer));
    }
  }

  private obey(command: Uint8Array): boolean {
    const [group, number] = command;
    const data = command.subarray(2);
    switch (group) {
      case CLASS_RX: {
        const name = RX_COMMANDS[number!];
        if (name === undefined || data.length < 1) return false;
        this.filters[name] = data[0] !== 0;
        return true;
      }
      case CLASS_MAC:
        return number === MAC_TABLE ? this.setTables(data) : number === MAC_ADDRESS && this.setMac(data);
      case CLASS_VLAN: {
        if (data.length < 2) return false;
        const id = (data[0]! | (data[1]! << 8)) & 0xfff;
        if (number === VLAN_ADD) this.vlans.add(id);
        else if (number === VLAN_REMOVE) this.vlans.delete(id);
        return number === VLAN_ADD || number === VLAN_REMOVE;
      }
      case CLASS_ANNOUNCE:
        if (number !== 0) return false;
        this.told.announced();
        return true;
      case CLASS_MQ: {
        const pairs = data.length < 2 ? 0 : data[0]! | (data[1]! << 8);
        if (number !== 0 || pairs < 1 || pairs > this.pairs) return false;
        this.activePairs = pairs;
        return true;
      }
      case CLASS_GUEST_OFFLOADS:
        if (number !== 0 || data.length < 8) return false;
        this.guestOffloads = (data[0]! | (data[1]! << 8) | (data[2]! << 16)) >>> 0;
        return true;
      default:
        return false;
    }
  }

  setMac(data: Uint8Array): boolean {
    if (data.length < 6) return false;
    this.mac = key(data);
    this.told.macChanged(data.slice(0, 6));
    return true;
  }

  /** Two tables, each a count and addresses: of stations, then of groups. */
  private setTables(data: Uint8Array): boolean {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const tables: Set<number>[] = [];
    let at = 0;
    for (let table = 0; table < 2; table++) {
      if (at + 4 > data.length) return false;
      const count = view.getUint32(at, true);
      at += 4;
      if (count > (data.length - at) / 6) return false;
      const addresses = new Set<number>();
      for (let n = 0; n < count; n++) addresses.add(key(data, at + 6 * n));
      tables.push(addresses);
      at += 6 * count;
    }
    const [unicast, multicast] = tables as [Set<number>, Set<number>];
    this.filters.allUnicast = unicast.size > MOST_ADDRESSES;
    if (multicast.size > MOST_ADDRESSES) this.filters.allMulticast = true;
    this.unicast = unicast;
    this.multicast = multicast;
    return true;
  }

  save(): Saved {
    const { filters, mac, activePairs, guestOffloads } = this;
    return {
      version: 1,
      filters: { ...filters },
      mac,
      unicast: [...this.unicast],
      multicast: [...this.multicast],
      vlans: [...this.vlans],
      activePairs,
      guestOffloads,
    };
  }

  load(state: Saved): void {
    checkVersion('the control of a network device', state, 1);
    const { filters, mac, activePairs, guestOffloads } = state;
    Object.assign(this, { filters: { ...filters }, mac, activePairs, guestOffloads });
    this.unicast = new Set(state.unicast);
    this.multicast = new Set(state.multicast);
    this.vlans = new Set(state.vlans);
  }
}
