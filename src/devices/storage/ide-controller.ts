/** IDE controller of the Intel 82371SB (PIIX3; order number 290550), function 1: two channels with bus-master DMA. */
import type { Drive } from '../../machine/drive.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { Line } from '../../machine/line.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import type { AccessSize, PortBus, PortDevice } from '../../machine/port-bus.js';
import { Scatter } from '../../machine/scatter.js';
import { IdeChannel, type BusMaster } from './ide-channel.js';

const CHANNELS = [
  { command: 0x1f0, control: 0x3f6 },
  { command: 0x170, control: 0x376 },
];
export const IDE_IRQS = [14, 15];
/** IDE timing: bit 15 lets the channel's ports be decoded. */
const IDETIM = 0x40;
const DECODED = 0x8000;

// Bus master registers, 8 bytes a channel (Intel, "Programming Interface for Bus Master IDE Controller")
const BUS_MASTER_BAR = 4;
const BUS_MASTER_BYTES = 16;
const BMIC_START = 0x01;
const BMIC_TO_MEMORY = 0x08;
const BMIS_ACTIVE = 0x01;
const BMIS_ERROR = 0x02;
const BMIS_INTERRUPT = 0x04;
const BMIS_CAPABLE = 0x60;
const MOST_DESCRIPTORS = 8192;
const LAST = 0x80000000;

/** The bus master of one channel. */
class Master implements BusMaster {
  command = 0;
  status = BMIS_CAPABLE;
  table = 0;

  constructor(
    private readonly ram: GuestRam,
    private readonly allowed: () => boolean,
  ) {}

  reset(): void {
    this.command = 0;
    this.status = BMIS_CAPABLE;
    this.table = 0;
  }

  buffer(): Scatter | null {
    return this.command & BMIC_START ? this.descriptors() : null;
  }

  /** What the table of physical region descriptors names, as far as it is RAM. */
  private descriptors(): Scatter {
    const segments: { address: number; length: number }[] = [];
    const { ram } = this;
    for (let n = 0; n < MOST_DESCRIPTORS && this.allowed(); n++) {
      const at = this.table + 8 * n;
      if (!ram.contains(at, 8)) break;
      const address = (ram.readU32(at) & ~1) >>> 0;
      const word = ram.readU32(at + 4);
      const length = word & 0xfffe || 0x10000;
      if (!ram.contains(address, length)) break;
      segments.push({ address, length });
      if (word & LAST) break;
    }
    return new Scatter(ram, segments);
  }

  done(error: boolean): void {
    this.status &= ~BMIS_ACTIVE;
    if (error) this.status |= BMIS_ERROR;
  }
  interrupted(): void {
    this.status |= BMIS_INTERRUPT;
  }
}

export class IdeController extends PciFunction {
  readonly channels: readonly IdeChannel[];
  private readonly masters: readonly Master[];

  /** `drives`: primary master and slave, secondary master and slave. */
  constructor(drives: readonly (Drive | undefined)[], ram: GuestRam, interrupts: readonly Line[]) {
    super({ vendor: 0x8086, device: 0x7010, revision: 0, classCode: 0x010180 });
    this.masters = CHANNELS.map(() => new Master(ram, () => this.isMaster));
    this.channels = CHANNELS.map(
      (_, n) => new IdeChannel(drives.slice(2 * n, 2 * n + 2), interrupts[n]!, this.masters[n]!),
    );
    for (const n of [0, 1]) {
      this.set16(IDETIM + 2 * n, DECODED);
      this.allow(IDETIM + 2 * n, 2, 0xffff);
    }
    this.addBar(BUS_MASTER_BAR, {
      kind: 'io',
      bytes: BUS_MASTER_BYTES,
      width: 4,
      device: {
        readOffset: (offset, size) => this.readMaster(offset, size),
        writeOffset: (offset, value, size) => this.writeMaster(offset, value, size),
      },
    });
  }

  attach(ports: PortBus): void {
    CHANNELS.forEach(({ command, control }, n) => {
      ports.map(command, 8, this.gate(n), 4);
      ports.map(control, 1, {
        readPort: () => (this.decoded(n) ? this.channels[n]!.alternateStatus() : 0xff),
        writePort: (_port, value) => {
          if (this.decoded(n)) this.channels[n]!.writeControl(value);
        },
      });
    });
  }

  private decoded(n: number): boolean {
    return (this.get16(IDETIM + 2 * n) & DECODED) !== 0;
  }

  private gate(n: number): PortDevice {
    const channel = this.channels[n]!;
    return {
      readPort: (port: number, size: AccessSize) =>
        this.decoded(n) ? channel.readPort(port, size) : 0xffffffff,
      writePort: (port: number, value: number, size: AccessSize) => {
        if (this.decoded(n)) channel.writePort(port, value, size);
      },
    };
  }

  private readMaster(offset: number, size: AccessSize): number {
    const master = this.masters[offset >> 3]!;
    switch (offset & 7) {
      case 0:
        return size === 1 ? master.command : master.command | (master.status << 16);
      case 2:
        return master.status;
      case 4:
        return master.table;
      default:
        return 0;
    }
  }

  private writeMaster(offset: number, value: number, size: AccessSize): void {
    const n = offset >> 3;
    const master = this.masters[n]!;
    switch (offset & 7) {
      case 0: {
        const started = (value & BMIC_START) !== 0 && !(master.command & BMIC_START);
        master.command = value & (BMIC_START | BMIC_TO_MEMORY);
        if (started) {
          master.status |= BMIS_ACTIVE;
          this.channels[n]!.dmaStarted(master.buffer()!);
        } else if (!(value & BMIC_START)) master.status &= ~BMIS_ACTIVE;
        return;
      }
      case 2:
        master.status =
          (master.status & BMIS_ACTIVE) |
          (value & 0x60) |
          (master.status & ~value & (BMIS_ERROR | BMIS_INTERRUPT));
        return;
      case 4:
        if (size === 4) master.table = (value & ~3) >>> 0;
    }
  }

  override reset(): void {
    super.reset();
    for (const master of this.masters) master.reset();
    for (const channel of this.channels) channel.reset();
  }

  override save(): SavedPciFunction {
    return {
      ...super.save(),
      masters: this.masters.map(({ command, status, table }) => ({ command, status, table })),
      channels: this.channels.map((channel) => channel.save()),
    } as SavedPciFunction;
  }

  override load(state: SavedPciFunction): void {
    super.load(state);
    const { masters, channels } = state as SavedPciFunction & { masters: object[]; channels: object[] };
    masters.forEach((saved, n) => Object.assign(this.masters[n]!, saved));
    channels.forEach((saved, n) => this.channels[n]!.load(saved));
  }
}
