import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioBus } from '../../machine/mmio-bus.js';
import type { PortBus } from '../../machine/port-bus.js';
import type { Clock } from '../../machine/clock.js';
import type { Progress } from '../../machine/progress.js';

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

/** What of TFTP is usual: the server's port, and the longest block that needs no fragments. */
export const TFTP_PORT = 69;
export const TFTP_BLOCK = 1428;

export interface UdpMessage {
  /** Of the other one. */
  readonly address: Uint8Array;
  /** By which it goes where that is not near; zeros: the one that DHCP told of. */
  readonly router: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** What DHCP answered. */
export interface BiosLease {
  readonly address: Uint8Array;
  /** Has the file; empty: there is nothing to start. */
  readonly server: Uint8Array;
  readonly file: string;
  readonly discover: Uint8Array;
  readonly acknowledged: Uint8Array;
}

export interface BiosDownload {
  /** Bytes in each block but the last, and in all where that is known. */
  readonly block: number;
  readonly size: number | null;
  /** The next block; null: that was all; a text: what went wrong. */
  next(): Progress<Uint8Array | null | string>;
  close(): void;
}

/** A network card as the BIOS uses it. A text as a result says what went wrong. */
export interface BiosNetwork {
  readonly kind: 'network';
  readonly name: string;
  readonly mac: Uint8Array;
  /** Bus, device and function as PCI BIOS numbers them; null: it is not on PCI. */
  readonly place: number | null;
  readonly connected: boolean;
  /** Frames are for `take` rather than for the protocols here. */
  raw: boolean;
  reset(): void;
  /** What arrives is not wanted any more. */
  close(): void;
  lease(): Progress<BiosLease | string>;
  download(source: {
    server: Uint8Array;
    port: number;
    file: string;
    block: number;
  }): Progress<BiosDownload | string>;
  sendUdp(message: UdpMessage): void;
  /** A datagram for this port (0: any); null: none has come. */
  takeUdp(port: number): (UdpMessage & { readonly destination: Uint8Array }) | null;
  /** Whole frames. */
  send(frame: Uint8Array): void;
  take(): Uint8Array | null;
}

/** The drive could not do it. */
export class DriveError extends Error {}

export type BootDevice = 'disk' | 'cdrom' | 'floppy' | 'network';
/** Disks first: a system that was installed from a CD or floppy starts then, while an empty disk gives way to them. */
export const BOOT_ORDER: readonly BootDevice[] = ['disk', 'cdrom', 'floppy', 'network'];

/** What the BIOS has to do with. */
export interface BiosMachine {
  readonly ram: GuestRam;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly clock: Clock;
  /** In the order in which they are numbered. */
  readonly drives: readonly BiosDrive[];
  readonly networks: readonly BiosNetwork[];
  /** Lets the host do other work soon: what is asked for again and again may come from there. */
  rest(): void;
  readonly bootOrder: readonly BootDevice[];
  /** Ask what to start from before anything else. */
  readonly bootMenu: boolean;
  /** The video memory; null: the machine has none. */
  readonly videoMemory: Uint8Array | null;
}
