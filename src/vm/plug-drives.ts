import type { PcBoard } from '../devices/pc-board.js';
import { VirtioBlk } from '../devices/virtio/virtio-blk.js';
import { Ahci, AHCI_PORTS } from '../devices/storage/ahci.js';
import { Nvme } from '../devices/storage/nvme.js';
import { ScsiCdrom } from '../devices/storage/scsi-cdrom.js';
import { ScsiDisk } from '../devices/storage/scsi-disk.js';
import { VirtioScsi } from '../devices/virtio/virtio-scsi.js';
import { VirtioPci } from '../devices/virtio/virtio-pci.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import { UserError } from '../machine/user-error.js';
import type { ImageDrive } from './image-drive.js';

const IDE_PLACES = 4;
/** CD drives are looked for on the second channel. */
const FIRST_CD_PLACE = 2;

/** Where the drives on IDE are: primary master and slave, secondary master and slave. */
export function idePlaces(drives: readonly ImageDrive[]): (ImageDrive | undefined)[] {
  const places: (ImageDrive | undefined)[] = new Array<undefined>(IDE_PLACES).fill(undefined);
  const order = [0, 1, 2, 3];
  for (const drive of drives.filter(({ bus, kind }) => bus === 'ide' && kind !== 'floppy')) {
    const preferred =
      drive.kind === 'cdrom' ? [...order.slice(FIRST_CD_PLACE), ...order.slice(0, FIRST_CD_PLACE)] : order;
    const place = preferred.find((n) => places[n] === undefined);
    if (place === undefined)
      throw new UserError(
        `${drive.name}: an IDE controller has places for ${IDE_PLACES} drives; give it another bus`,
      );
    places[place] = drive;
  }
  return places;
}

const FLOPPY_PLACES = 2;

/** The floppy drives A and B. */
export function floppyPlaces(drives: readonly ImageDrive[]): ImageDrive[] {
  const floppies = drives.filter(({ kind }) => kind === 'floppy');
  if (floppies.length > FLOPPY_PLACES)
    throw new UserError(
      `--floppy: a machine has ${FLOPPY_PLACES} floppy drives at most, and ${floppies.length} were given`,
    );
  return floppies;
}

const MOST_QUEUES = 16;
/** UEFI's driver makes two pairs, whatever the number of CPUs. */
const NVME_QUEUES = 4;

/** Plugs in the controllers of the drives that are not on IDE. Gives the slots that drives are in. */
export function plugDrives(
  board: PcBoard,
  drives: readonly ImageDrive[],
  cpus: number,
): Map<ImageDrive, number> {
  const { pci, ram } = board;
  const slots = new Map<ImageDrive, number>();
  const plug = (on: readonly ImageDrive[], device: PciFunction): void => {
    const slot = pci.freeSlot;
    if (slot < 0)
      throw new UserError(
        `${on[0]!.name}: all PCI slots are taken; put several disks on bus=ahci or bus=scsi`,
      );
    pci.plug(slot, 0, device);
    for (const drive of on) slots.set(drive, slot);
  };
  const queues = Math.min(cpus, MOST_QUEUES);
  for (const drive of drives)
    if (drive.bus === 'virtio') plug([drive], new VirtioPci(new VirtioBlk(ram, drive, queues), ram));
  const ahci = drives.filter(({ bus }) => bus === 'ahci');
  for (let first = 0; first < ahci.length; first += AHCI_PORTS) {
    const on = ahci.slice(first, first + AHCI_PORTS);
    plug(on, new Ahci(on, ram));
  }
  for (const drive of drives)
    if (drive.bus === 'nvme') plug([drive], new Nvme(drive, ram, Math.max(queues, NVME_QUEUES)));
  const scsi = drives.filter(({ bus }) => bus === 'scsi');
  if (scsi.length > 0) {
    const targets = scsi.map((drive) =>
      drive.kind === 'cdrom' ? new ScsiCdrom(drive) : new ScsiDisk(drive),
    );
    plug(scsi, new VirtioPci(new VirtioScsi(ram, targets, queues), ram));
  }
  return slots;
}
