import { setTimeout as sleep } from 'node:timers/promises';
import { Macvtap } from '../../host/node/macvtap.js';
import { parseMac } from '../../network/ethernet.js';
import { UserError } from '../../machine/user-error.js';
import type { Cable } from '../../machine/cable.js';
import type { CardModel, CardOptions } from '../../vm/plug-cards.js';
import type { NetChoice } from '../net-options.js';
import { CardNetwork } from './card-network.js';

const MAC_PREFIX = [0x52, 0x56, 0x00];
/** For so long a guest sees no link when its card moves: Linux looks once a second (net/core/link_watch.c). */
const UNPLUGGED_MS = 1200;

/** A card of the machine, and the network that it is on now. */
export class NetworkedCard {
  /** From 1; 0: not plugged in yet. */
  number = 0;
  readonly model: CardModel;
  private paused = false;
  /** It was taken out of the machine. */
  private gone = false;

  private constructor(
    readonly mac: Uint8Array,
    public network: CardNetwork,
  ) {
    this.model = network.choice.card;
  }

  static async open(choice: NetChoice, random: (target: Uint8Array) => void): Promise<NetworkedCard> {
    const mac = choice.mac ?? usualMac(choice, random);
    return new NetworkedCard(mac, await CardNetwork.open(choice, mac));
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.network.setPaused(paused);
  }

  /**
   * Leaves its network for another one; `plug` puts the new cable into the card. When that cannot be had it goes back, and a
   * UserError says why.
   */
  async move(choice: NetChoice, plug: (cable: Cable) => void): Promise<void> {
    const before = this.network.choice;
    // Both may want the same port of the host's.
    this.network.close();
    try {
      this.network = await CardNetwork.open(choice, this.mac);
    } catch (error) {
      this.network = await CardNetwork.open(before, this.mac);
      throw error;
    } finally {
      this.network.setPaused(this.paused);
      if (!this.gone) await sleep(UNPLUGGED_MS);
      if (this.gone) this.network.close();
      else plug(this.network.port);
    }
    if (this.gone) throw new UserError('the card was taken out meanwhile');
  }

  /** It is in no machine any more. */
  close(): void {
    this.gone = true;
    this.network.close();
  }
}

/** `random`: fills an array, for addresses of cards. A UserError says what is wrong. */
export async function openNetworks(
  choices: readonly NetChoice[],
  random: (target: Uint8Array) => void,
): Promise<NetworkedCard[]> {
  const cards: NetworkedCard[] = [];
  try {
    for (const choice of choices) {
      const card = await NetworkedCard.open(choice, random);
      card.number = cards.push(card);
    }
  } catch (error) {
    for (const card of cards) card.close();
    throw error;
  }
  return cards;
}

export const cardOptions = ({ model, mac, network }: NetworkedCard): CardOptions => ({
  model,
  mac,
  cable: network.port,
});

function usualMac(choice: NetChoice, random: (target: Uint8Array) => void): Uint8Array {
  // Behind a macvtap interface, only its own address gets frames.
  if (choice.kind === 'bridged')
    return parseMac(Macvtap.addressOf(`--net bridged,device=${choice.device}`, choice.device))!;
  const mac = new Uint8Array(6);
  random(mac);
  mac.set(MAC_PREFIX);
  return mac;
}
