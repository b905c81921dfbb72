import type { PcBoard } from '../devices/pc-board.js';
import { E1000 } from '../devices/network/e1000.js';
import { E1000e } from '../devices/network/e1000e.js';
import { NE2000_ISA_PLACES, Ne2000Isa, Ne2000Pci } from '../devices/network/ne2000.js';
import { PcNet } from '../devices/network/pcnet.js';
import { Rtl8139 } from '../devices/network/rtl8139.js';
import { VirtioNet } from '../devices/virtio/virtio-net.js';
import { VirtioPci } from '../devices/virtio/virtio-pci.js';
import type { Cable } from '../machine/cable.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import { UserError } from '../machine/user-error.js';
import { BootNetwork } from './boot-network.js';
import { CardCable } from './card-cable.js';

export const CARD_MODELS = ['virtio', 'e1000', 'e1000e', 'pcnet', 'rtl8139', 'ne2k', 'ne2k-isa'] as const;
export type CardModel = (typeof CARD_MODELS)[number];

/** A network card, and the cable that it is plugged into. */
export interface CardOptions {
  readonly model: CardModel;
  readonly mac: Uint8Array;
  readonly cable: Cable;
}

export const MOST_CARDS = 36;
const MOST_PAIRS = 8;

/** Plugs in the network cards. `wake`: something came for the machine. Gives them as the BIOS uses them. */
export function plugCards(
  board: PcBoard,
  cards: readonly CardOptions[],
  cpus: number,
  wake: () => void,
): BootNetwork[] {
  if (cards.length > MOST_CARDS)
    throw new UserError(`--net: a machine has ${MOST_CARDS} cards at most, and ${cards.length} were given`);
  const isaPlaces = [...NE2000_ISA_PLACES];
  return cards.map((card, n) => {
    if (card.model !== 'ne2k-isa') return plugPciCard(board, card, n + 1, cpus, wake);
    const cable = new CardCable(card.cable, wake);
    plugIsa(board, { ...card, cable }, cardName(n + 1), isaPlaces.shift());
    return new BootNetwork(n + 1, card.mac, null, cable, board.events.clock);
  });
}

/** Of its timers, among the board's. */
const cardName = (number: number): string => `network card ${number}`;

/** Plugs in a card that is not on ISA, as card `number`, from 1. */
export function plugPciCard(
  board: PcBoard,
  card: CardOptions,
  number: number,
  cpus: number,
  wake: () => void,
): BootNetwork {
  if (card.model === 'ne2k-isa') throw new RangeError('an ISA card is no PCI card');
  const cable = new CardCable(card.cable, wake);
  const device = MODELS[card.model](board, { ...card, cable }, { name: cardName(number), cpus });
  return new BootNetwork(number, card.mac, plugPci(board, device), cable, board.events.clock);
}

/** Gives device and function, as in a configuration address. */
function plugPci({ pci }: PcBoard, device: PciFunction): number {
  const place = pci.freePlace;
  if (!place) throw new UserError('--net: all PCI slots are taken by drives and cards; give fewer');
  // With many cards, others go beside the first ones.
  if (place.function === 0) device.allowOthers();
  pci.plug(place.slot, place.function, device);
  return (place.slot << 3) | place.function;
}

function plugIsa(
  board: PcBoard,
  { mac, cable }: CardOptions,
  name: string,
  place: (typeof NE2000_ISA_PLACES)[number] | undefined,
): void {
  if (!place)
    throw new UserError(`--net card=ne2k-isa: there are places for ${NE2000_ISA_PLACES.length} such cards`);
  board.addCard(name, new Ne2000Isa(mac, cable, board.router.isaLine(place.irq), place.port));
}

interface Place {
  readonly name: string;
  readonly cpus: number;
}

const MODELS: Record<
  Exclude<CardModel, 'ne2k-isa'>,
  (board: PcBoard, card: CardOptions, place: Place) => PciFunction
> = {
  virtio: ({ ram }, { mac, cable }, { cpus }) =>
    new VirtioPci(new VirtioNet(ram, mac, cable, Math.min(cpus, MOST_PAIRS)), ram),
  pcnet: ({ ram }, { mac, cable }) => new PcNet(ram, mac, cable),
  rtl8139: ({ ram }, { mac, cable }) => new Rtl8139(ram, mac, cable),
  ne2k: (_board, { mac, cable }) => new Ne2000Pci(mac, cable),
  e1000e: ({ ram, events }, { mac, cable }, { name }) => new E1000e(ram, events, mac, cable, name),
  e1000: ({ ram, events }, { mac, cable }, { name }) => new E1000(ram, events, mac, cable, name),
};
