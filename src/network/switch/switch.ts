/** A learning switch (IEEE 802.1Q) for cards of machines, the NAT, and links to other processes. */
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import type { Cable, Station } from '../../machine/cable.js';
import { forReceiver } from '../complete.js';
import { addressAt, ETHERNET_BYTES, isGroup, TAG_BYTES, TYPE_OFFSET, TYPE_VLAN, u16 } from '../ethernet.js';
import type { Timers } from '../timers.js';
import { AddressTable } from './address-table.js';
import { Egress } from './egress.js';
import { allowed, GUARDED_BYTES, type GuardRules } from './guard.js';
import { MulticastGroups } from './multicast.js';
import type { Rate } from './token-bucket.js';

/**
 * What VLANs a port is in. `open`: frames pass as they are, tags and all, in one broadcast domain. `access`: untagged frames,
 * of this VLAN. `trunk`: tagged frames of these VLANs.
 */
export type VlanRule =
  { kind: 'open' } | { kind: 'access'; id: number } | { kind: 'trunk'; ids: ReadonlySet<number> | null };

export interface PortOptions {
  readonly name: string;
  readonly vlan?: VlanRule;
  /** Whether the station may see frames for others. */
  readonly promiscuous?: boolean;
  readonly guard?: GuardRules;
  /** Limit of what goes to the station, and of what comes from it. */
  readonly rateOut?: Rate;
  readonly rateIn?: Rate;
  /**
   * It is the way out, with many stations behind it: what its limit holds back is served in turns by where it goes; and when it
   * has no room, those who send wait.
   */
  readonly uplink?: boolean;
  /** Its share of a port that several send to. */
  readonly weight?: number;
}

export interface PortCounts {
  framesIn: number;
  bytesIn: number;
  framesOut: number;
  bytesOut: number;
  /** Against the guard's or a VLAN's rules, or malformed. */
  refused: number;
}

export type Tap = (frame: Frame, direction: 'in' | 'out', port: SwitchPort) => void;

const OPEN: VlanRule = { kind: 'open' };
const PRIORITY_BITS = 0xf000;

export class Switch {
  private readonly table = new AddressTable<SwitchPort>();
  private readonly groups = new MulticastGroups<SwitchPort>();
  private readonly ports: SwitchPort[] = [];
  /** Sees each frame once, as it comes in. */
  tap: Tap | null = null;

  constructor(readonly timers: Timers) {}

  addPort(options: PortOptions): SwitchPort {
    const port = new SwitchPort(this, options);
    this.ports.push(port);
    return port;
  }

  removePort(port: SwitchPort): void {
    this.ports.splice(this.ports.indexOf(port), 1);
    this.forget(port);
    for (const other of this.ports) other.forgetSender(port);
  }

  /** What was learned of a port does not hold any more. */
  forget(port: SwitchPort): void {
    this.table.forgetPort(port);
    this.groups.forgetPort(port);
  }

  /** From a port, in a VLAN, without its tag where ports care for VLANs. */
  forward(from: SwitchPort, vlan: number, frame: Frame): void {
    const head = frame.head(ETHERNET_BYTES);
    const now = this.timers.now();
    if (!isGroup(head, 6)) this.table.learn(vlan, addressAt(head, 6), from, now);
    const group = isGroup(head);
    if (group) this.groups.snoop(vlan, frame.bytes, from, now);
    const known = group ? undefined : this.table.find(vlan, addressAt(head, 0), now);
    for (const port of this.ports) {
      if (port === from) continue;
      const meant = known
        ? port === known || port.promiscuous
        : !group || this.groups.wants(vlan, head, port, now);
      if (meant) port.deliver(vlan, frame, from);
    }
  }

  flush(from: SwitchPort): void {
    for (const port of this.ports) if (port !== from) port.flushed();
  }
}

export class SwitchPort implements Cable {
  readonly name: string;
  readonly promiscuous: boolean;
  readonly weight: number;
  readonly counts: PortCounts = { framesIn: 0, bytesIn: 0, framesOut: 0, bytesOut: 0, refused: 0 };
  /** Sees all that passes. */
  tap: Tap | null = null;
  guard: GuardRules | null;
  private readonly vlan: VlanRule;
  private station: Station | null = null;
  private plugged = true;
  private readonly out: Egress<SwitchPort>;
  /** Holds back what the station sends; null: there is no limit. */
  private readonly in: Egress<number> | null;
  private readonly uplink: boolean;
  /** Queues in which too much of this port's waits. */
  private holding = 0;

  constructor(
    private readonly owner: Switch,
    {
      name,
      vlan = OPEN,
      promiscuous = false,
      guard,
      rateOut,
      rateIn,
      uplink = false,
      weight = 1,
    }: PortOptions,
  ) {
    this.name = name;
    this.vlan = vlan;
    this.promiscuous = promiscuous;
    this.guard = guard ?? null;
    this.weight = weight;
    this.uplink = uplink;
    this.out = new Egress<SwitchPort>(
      {
        deliver: (frame) => this.pass(frame),
        flush: () => this.flushed(),
        weightOf: (sender) => sender.weight,
        hold: (sender, held) => sender.hold(held),
      },
      owner.timers,
      rateOut ?? null,
      // A guest that takes nothing must not stop those who send to it.
      rateOut ? 'late' : uplink ? 'early' : 'never',
    );
    this.in = rateIn
      ? new Egress<number>(
          {
            deliver: (frame) => this.enter(frame),
            flush: () => this.flush(),
            weightOf: () => 1,
            hold: (_, held) => this.hold(held),
          },
          owner.timers,
          rateIn,
          uplink ? 'never' : 'early',
        )
      : null;
  }

  get connected(): boolean {
    return this.plugged;
  }
  /** Plugs the cable in, or pulls it. */
  setConnected(connected: boolean): void {
    if (connected === this.plugged) return;
    this.plugged = connected;
    if (!connected) {
      this.out.clear();
      this.in?.clear();
      this.owner.forget(this);
    }
    this.station?.connectionChanged?.();
    if (!this.busy) this.station?.ready?.();
  }

  /** A pulled cable takes anything. */
  get busy(): boolean {
    return this.holding > 0 && this.plugged;
  }
  private hold(held: boolean): void {
    this.holding += held ? 1 : -1;
    if (this.holding === 0) this.station?.ready?.();
  }

  /** Frames that found no room. */
  get dropped(): number {
    return this.out.dropped + (this.in?.dropped ?? 0);
  }

  plug(station: Station): void {
    this.station = station;
  }

  // ---- from the station

  send(frame: Frame): void {
    if (!this.plugged || frame.length < ETHERNET_BYTES) return;
    if (this.in) {
      // What is held back is counted and queued as it would be on a wire.
      for (const piece of forReceiver(frame, NO_OFFLOAD))
        this.in.send(piece, this.uplink ? addressAt(piece.head(ETHERNET_BYTES), 0) : 0);
    } else this.enter(frame);
  }

  private enter(frame: Frame): boolean {
    const { counts } = this;
    if (this.guard && !allowed(this.guard, frame.head(GUARDED_BYTES))) {
      counts.refused++;
      return true;
    }
    counts.framesIn++;
    counts.bytesIn += frame.length;
    this.tap?.(frame, 'in', this);
    this.owner.tap?.(frame, 'in', this);
    const tag = this.vlan.kind === 'open' ? null : tagOf(frame);
    switch (this.vlan.kind) {
      case 'open':
        this.owner.forward(this, 0, frame);
        return true;
      case 'access':
        // Tagged with VLAN 0 means a priority only (802.1Q, 9.6).
        if (tag !== null && tag !== 0) break;
        this.owner.forward(this, this.vlan.id, tag === null ? frame : frame.untagged());
        return true;
      case 'trunk':
        if (tag === null || tag === 0 || (this.vlan.ids && !this.vlan.ids.has(tag))) break;
        this.owner.forward(this, tag, frame.untagged());
        return true;
    }
    counts.refused++;
    return true;
  }

  flush(): void {
    this.owner.flush(this);
  }

  room(): void {
    this.out.room();
  }

  // ---- to the station

  /** What others sent before is all for now. */
  flushed(): void {
    this.station?.flushed?.();
  }

  deliver(vlan: number, frame: Frame, from: SwitchPort): void {
    if (!this.plugged || !this.station) return;
    if (!this.isIn(vlan)) return;
    const shown = this.vlan.kind === 'trunk' ? frame.tagged(vlan) : frame;
    const abilities = this.out.shaped ? NO_OFFLOAD : this.station.abilities;
    for (const piece of forReceiver(shown, abilities)) this.out.send(piece, from);
  }

  /** Number 0 stands for no VLAN. */
  private isIn(vlan: number): boolean {
    const own = this.vlan;
    if (own.kind === 'open') return vlan === 0;
    if (own.kind === 'access') return vlan === own.id;
    return vlan !== 0 && (own.ids === null || own.ids.has(vlan));
  }

  private pass(frame: Frame): boolean {
    if (!this.station!.receive(frame)) return false;
    this.counts.framesOut++;
    this.counts.bytesOut += frame.length;
    this.tap?.(frame, 'out', this);
    return true;
  }

  forgetSender(port: SwitchPort): void {
    this.out.forget(port);
  }

  close(): void {
    this.setConnected(false);
    this.owner.removePort(this);
  }
}

/** The VLAN that a frame is tagged with; null: it has no tag. */
function tagOf(frame: Frame): number | null {
  const head = frame.head(ETHERNET_BYTES + TAG_BYTES);
  if (head.length < ETHERNET_BYTES + TAG_BYTES || u16(head, TYPE_OFFSET) !== TYPE_VLAN) return null;
  return u16(head, TYPE_OFFSET + 2) & ~PRIORITY_BITS;
}
