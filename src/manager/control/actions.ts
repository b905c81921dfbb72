/** What can be done with a machine while it runs, each as a word with arguments. */
import { randomFillSync } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { picture } from '../../devices/display/picture.js';
import { keySequence } from '../../devices/input/scan-codes.js';
import { typedKeys } from '../../devices/input/typed-keys.js';
import { UserError } from '../../machine/user-error.js';
import { macText } from '../../network/ethernet.js';
import type { ImageDrive } from '../../vm/image-drive.js';
import type { VirtualMachine } from '../../vm/virtual-machine.js';
import { writePicture } from '../displays/screenshot.js';
import type { Typist } from '../displays/typist.js';
import { parseCdrom, parseDisk, parseFloppy } from '../drive-options.js';
import { parseNet, type NetChoice } from '../net-options.js';
import { cardOptions, NetworkedCard } from '../networks/open-networks.js';
import { openDrive, openMedium } from '../open-drive.js';

export interface Controlled {
  readonly machine: VirtualMachine;
  /** In a few words, what runs. */
  readonly title: string;
  readonly drives: readonly ImageDrive[];
  readonly cards: NetworkedCard[];
  readonly typist: Typist;
}

export interface Wish {
  readonly arguments: readonly string[];
  /** The user's, from which file names are meant. */
  readonly folder: string;
  /** Also where the guest does not expect it. */
  readonly force: boolean;
}

/** Gives what is to be printed. */
type Act = (controlled: Controlled, wish: Wish) => string | void | Promise<string | void>;

interface Action {
  /** Its arguments, as help shows them. */
  readonly takes: readonly string[];
  readonly does: string;
  readonly forcible?: boolean;
  readonly act: Act;
}

export const ACTIONS: Record<string, Action> = {
  status: { takes: [], does: 'what the machine has, and how it is', act: status },
  pause: { takes: [], does: 'let it stand still', act: ({ machine }) => machine.pause() },
  resume: { takes: [], does: 'let it go on', act: resume },
  reset: { takes: [], does: 'press its reset button', act: ({ machine }) => machine.reset() },
  powerbutton: {
    takes: [],
    does: 'press its power button: the guest shuts down if it knows ACPI',
    act: ({ machine }) => machine.pressPowerButton(),
  },
  poweroff: {
    takes: [],
    does: 'pull its plug: the guest is not asked',
    act: ({ machine }) => machine.end({ kind: 'quit' }),
  },
  insert: {
    takes: ['drive', 'file'],
    does: 'put a CD (an image or a folder) or a floppy into a drive: cdrom, cdrom2, floppy, ...',
    forcible: true,
    act: insert,
  },
  eject: { takes: ['drive'], does: 'take out what is in a drive', forcible: true, act: eject },
  attach: {
    takes: ['disk'],
    does: 'plug a disk in, named as --disk does (bus=virtio where none is named)',
    act: attach,
  },
  detach: {
    takes: ['disk'],
    does: 'take a disk out, once the guest has given it up: disk2, ...',
    forcible: true,
    act: detach,
  },
  cable: {
    takes: ['card', 'in|out'],
    does: 'plug a network cable in, or pull it; cards count from 1',
    act: cable,
  },
  network: {
    takes: ['card', 'kind'],
    does: 'plug a card into another network, named as --net does',
    act: network,
  },
  'add-card': {
    takes: ['kind'],
    does: 'plug a network card in, on a network, both named as --net does',
    act: addCard,
  },
  'remove-card': {
    takes: ['card'],
    does: 'take a network card out, once the guest has given it up',
    forcible: true,
    act: removeCard,
  },
  capture: {
    takes: ['card', 'file|off'],
    does: 'write what passes a card to a file for Wireshark and tcpdump',
    act: captureCard,
  },
  screenshot: { takes: ['file'], does: 'write the screen to a PNG file', act: screenshot },
  type: { takes: ['text'], does: 'type on its keyboard; \\n is the Enter key', act: type },
  keys: {
    takes: ['keys'],
    does: 'press keys at once, by their KeyboardEvent codes: ControlLeft+AltLeft+Delete',
    act: keys,
  },
};

function status({ machine, title, drives, cards }: Controlled): string {
  const lines = [`${title}, ${machine.paused ? 'paused' : 'running'}`];
  for (const drive of drives) lines.push(`${drive.place}: ${drive.name}`);
  for (const { number, model, mac, network } of cards) {
    const { choice, port } = network;
    const { framesIn, framesOut } = port.counts;
    const plugged = port.connected ? '' : ', cable out';
    lines.push(
      `card ${number}: ${model} ${macText(mac)}, ${choice.text}${plugged}, sent ${framesIn} frames, got ${framesOut}`,
    );
  }
  return lines.join('\n');
}

function resume({ machine }: Controlled): void {
  machine.resume();
  if (machine.paused) throw new UserError('what it waits for is still not possible: mend it first');
}

function findDrive(drives: readonly ImageDrive[], name: string, force: boolean): ImageDrive {
  const removable = drives.filter(({ kind }) => kind !== 'disk');
  const drive = removable.find(({ place }) => place === name);
  if (!drive) {
    const known = removable.map(({ place }) => place).join(', ');
    throw new UserError(
      `there is no drive "${name}" for CDs or floppies; ${known ? `it has ${known}` : 'give it one when it starts: --cdrom empty'}`,
    );
  }
  if (drive.troubled) throw new UserError(`${drive.name} waits for the host: mend that and resume first`);
  if (drive.locked && !force)
    throw new UserError(`the guest has locked ${drive.name}: let it eject the disc, or add --force`);
  return drive;
}

function insert({ drives }: Controlled, { arguments: [name, text], folder, force }: Wish): void {
  const drive = findDrive(drives, name!, force);
  const choice = drive.kind === 'cdrom' ? parseCdrom(text!) : parseFloppy(text!);
  if (choice.path === '') return drive.eject();
  const path = resolve(folder, choice.path);
  drive.insert(openMedium({ ...choice, path }), `${drive.place} (${basename(path)})`);
}

function eject({ drives }: Controlled, { arguments: [name], force }: Wish): void {
  findDrive(drives, name!, force).eject();
}

function attach({ machine, drives }: Controlled, { arguments: [text], folder }: Wish): string {
  const choice = parseDisk(text!, 'virtio');
  if (choice.bus === 'ide')
    throw new UserError('bus=ide: its disks are there from the start; choose virtio, nvme, ahci or scsi');
  const taken = new Set(drives.map(({ place }) => place));
  let index = 0;
  while (taken.has(index === 0 ? 'disk' : `disk${index + 1}`)) index++;
  const drive = openDrive({ ...choice, path: resolve(folder, choice.path) }, index);
  try {
    machine.attachDrive(drive);
  } catch (error) {
    drive.close();
    throw error;
  }
  return `it is ${drive.place}`;
}

function detach({ machine, drives }: Controlled, { arguments: [name], force }: Wish): void {
  const disks = drives.filter(({ kind }) => kind === 'disk');
  const drive = disks.find(({ place }) => place === name);
  if (!drive)
    throw new UserError(
      `there is no disk "${name}"; ${disks.length > 0 ? `it has ${disks.map(({ place }) => place).join(', ')}` : 'it has none'}`,
    );
  if (drive.troubled && !force)
    throw new UserError(`${drive.name} waits for the host: mend that and resume first, or add --force`);
  machine.detachDrive(drive, force);
}

function findCard(cards: readonly NetworkedCard[], text: string): NetworkedCard {
  const card = cards.find(({ number }) => String(number) === text);
  if (card) return card;
  const known = cards.map(({ number }) => number).join(', ');
  throw new UserError(`there is no card "${text}"; the machine has ${known || 'none'}`);
}

function cable({ cards }: Controlled, { arguments: [card, state] }: Wish): void {
  const { network } = findCard(cards, card!);
  if (state !== 'in' && state !== 'out') throw new UserError(`cable ${state}: choose in or out`);
  if (network.choice.kind === 'none')
    throw new UserError('the card is on no network: plug it into one by "network" first');
  network.port.setConnected(state === 'in');
}

async function network(
  { machine, cards }: Controlled,
  { arguments: [card, text], folder }: Wish,
): Promise<void> {
  const moving = findCard(cards, card!);
  await moving.move(meantFrom(folder, text!), (to) => machine.replug(moving.number, to));
}

/** A network that was named by a user in this folder. */
function meantFrom(folder: string, text: string): NetChoice {
  const choice = parseNet(text);
  const { capture, nat } = choice;
  return {
    ...choice,
    capture: capture && resolve(folder, capture),
    nat: nat && { ...nat, tftp: nat.tftp && resolve(folder, nat.tftp) },
  };
}

async function addCard({ machine, cards }: Controlled, { arguments: [text], folder }: Wish): Promise<string> {
  const choice = meantFrom(folder, text!);
  if (choice.card === 'ne2k-isa')
    throw new UserError('card=ne2k-isa: cards on ISA are there from the start; choose another');
  const card = await NetworkedCard.open(choice, randomFillSync);
  if (machine.over) {
    // Those that it had are closed by now.
    card.close();
    throw new UserError('the machine has ended meanwhile');
  }
  let number = 1;
  while (cards.some((other) => other.number === number)) number++;
  try {
    machine.attachCard(number, cardOptions(card));
  } catch (error) {
    card.close();
    throw error;
  }
  card.number = number;
  card.setPaused(machine.paused);
  cards.push(card);
  cards.sort((one, other) => one.number - other.number);
  return `it is card ${number}`;
}

function removeCard({ machine, cards }: Controlled, { arguments: [card], force }: Wish): void {
  machine.detachCard(findCard(cards, card!).number, force);
}

function captureCard({ cards }: Controlled, { arguments: [card, file], folder }: Wish): void {
  findCard(cards, card!).network.capture(file === 'off' ? null : resolve(folder, file!));
}

function screenshot({ machine: { board } }: Controlled, { arguments: [file], folder }: Wish): void {
  writePicture('screenshot', picture(board.vga!, board.events.clock.now()), resolve(folder, file!));
}

function type({ typist }: Controlled, { arguments: [text] }: Wish): void {
  typist.type(typedKeys(text!.replaceAll('\\n', '\n')));
}

function keys({ typist }: Controlled, { arguments: [text] }: Wish): void {
  const codes = text!.split('+');
  const unknown = codes.find((code) => keySequence(code, true) === undefined);
  if (unknown !== undefined)
    throw new UserError(
      `there is no key "${unknown}"; keys have names as KeyA, Digit1, Enter, F12, ControlLeft`,
    );
  typist.type([{ code: codes.at(-1)!, hold: codes.slice(0, -1) }]);
}
