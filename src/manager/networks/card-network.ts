import { nodeTimers } from '../../host/node/network.js';
import { PausableTimers } from '../../network/pausable-timers.js';
import { Switch, type SwitchPort } from '../../network/switch/switch.js';
import type { NetChoice } from '../net-options.js';
import { attach } from './attach.js';
import { capture } from './capture.js';

/** Networks that several processes share have their switch elsewhere, where the rules for this port hold. */
const SHARED: readonly NetChoice['kind'][] = ['natnetwork', 'internal', 'hostonly'];

/** What a card is plugged into: a switch of its own, with a way to where the user wants it to lead. */
export class CardNetwork {
  private constructor(
    readonly choice: NetChoice,
    /** The card's end. */
    readonly port: SwitchPort,
    private readonly timers: PausableTimers,
    private readonly detach: () => void,
  ) {}

  /** A UserError says what is wrong. */
  static async open(choice: NetChoice, mac: Uint8Array): Promise<CardNetwork> {
    const timers = new PausableTimers(nodeTimers());
    const wire = new Switch(timers);
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
    const detach = await attach(choice, mac, wire, () =>
      wire.addPort({ name: choice.kind, vlan, uplink: true }),
    );
    const network = new CardNetwork(choice, port, timers, detach);
    try {
      network.capture(choice.capture);
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  private endCapture: (() => void) | null = null;

  /** What passes is written to this file from now on; null: nowhere. */
  capture(path: string | null): void {
    this.endCapture?.();
    this.endCapture = path === null ? null : capture(this.port, path);
  }

  /** While the machine stands still, so does what it is to answer in time. */
  setPaused(paused: boolean): void {
    if (paused) this.timers.pause();
    else this.timers.resume();
  }

  private closed = false;

  /** The cable is pulled for good. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.port.setConnected(false);
    this.endCapture?.();
    this.detach();
  }
}
