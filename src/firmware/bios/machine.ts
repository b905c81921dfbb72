import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioBus } from '../../machine/mmio-bus.js';
import type { PortBus } from '../../machine/port-bus.js';
import type { Clock } from '../../machine/clock.js';

/** A drive as the BIOS uses it: in whole sectors, at once. */
export interface BiosDrive {
  readonly kind: 'disk' | 'cdrom' | 'floppy';
  /** For the boot menu. */
  readonly name: string;
  readonly sectorBytes: number;
  /** 0: there is no medium. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** The medium was changed since this was asked the last time. */
  takeChange(): boolean;
  /** Whole sectors from `sector` on; null: they are not there yet, it shall be asked again. Throws DriveError. */
  read(sector: number, count: number): Uint8Array | null;
  write(sector: number, bytes: Uint8Array): boolean;
  eject?(): void;
}

/** The drive could not do it. */
export class DriveError extends Error {}

export type BootDevice = 'disk' | 'cdrom' | 'floppy';
/** Disks first: a system that was installed from a CD or floppy starts then, while an empty disk gives way to them. */
export const BOOT_ORDER: readonly BootDevice[] = ['disk', 'cdrom', 'floppy'];

/** What the BIOS has to do with. */
export interface BiosMachine {
  readonly ram: GuestRam;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly clock: Clock;
  /** In the order in which they are numbered. */
  readonly drives: readonly BiosDrive[];
  readonly bootOrder: readonly BootDevice[];
  /** Ask what to start from before anything else. */
  readonly bootMenu: boolean;
  /** The video memory; null: the machine has none. */
  readonly videoMemory: Uint8Array | null;
}
