import type { PcBoard } from '../devices/pc-board.js';
import { E1000 } from '../devices/network/e1000.js';
import { VirtioNet } from '../devices/virtio/virtio-net.js';
import { VirtioPci } from '../devices/virtio/virtio-pci.js';
import type { Cable } from '../machine/cable.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import { UserError } from '../machine/user-error.js';

export const CARD_MODELS = ['virtio', 'e1000'] as const;
export type CardModel = (typeof CARD_MODELS)[number];

/** A network card, and the cable that it is plugged into. */
export interface CardOptions {
  readonly model: CardModel;
  readonly mac: Uint8Array;
  readonly cable: Cable;
}

const MOST_CARDS = 36;
const MOST_PAIRS = 8;

/** Plugs in the network cards. `wake`: something came for the machine. */
export function plugCards(
  board: PcBoard,
  cards: readonly CardOptions[],
  cpus: number,
  wake: () => void,
): void {
  if (cards.length > MOST_CARDS)
    throw new UserError(`--net: a machine has ${MOST_CARDS} cards at most, and ${cards.length} were given`);
  const { pci } = board;
  cards.forEach((card, n) => {
    const slot = pci.freeSlot;
    if (slot < 0) throw new UserError('--net: all PCI slots are taken by drives and cards; give fewer');
    const options = { ...card, cable: waking(card.cable, wake) };
    pci.plug(slot, 0, MODELS[card.model](board, options, { name: `network card ${n + 1}`, cpus }));
  });
}

interface Place {
  /** Of timers, among the board's. */
  readonly name: string;
  readonly cpus: number;
}

const MODELS: Record<CardModel, (board: PcBoard, card: CardOptions, place: Place) => PciFunction> = {
  virtio: ({ ram }, { mac, cable }, { cpus }) =>
    new VirtioPci(new VirtioNet(ram, mac, cable, Math.min(cpus, MOST_PAIRS)), ram),
  e1000: ({ ram, events }, { mac, cable }, { name }) => new E1000(ram, events, mac, cable, name),
};

/** The same cable, which wakes a sleeping machine when something arrives. */
function waking(cable: Cable, wake: () => void): Cable {
  return {
    get connected() {
      return cable.connected;
    },
    plug: (station) =>
      cable.plug({
        get abilities() {
          return station.abilities;
        },
        receive(frame) {
          const taken = station.receive(frame);
          wake();
          return taken;
        },
        flushed: () => station.flushed?.(),
        connectionChanged() {
          station.connectionChanged?.();
          wake();
        },
      }),
    send: (frame) => cable.send(frame),
    flush: () => cable.flush(),
    room: () => cable.room(),
  };
}
