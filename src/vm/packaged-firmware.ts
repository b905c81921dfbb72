import { FwCfg } from '../devices/legacy/fw-cfg.js';
import { NorFlash } from '../devices/legacy/nor-flash.js';
import type { PcBoard } from '../devices/pc-board.js';
import { setUpCmos } from '../devices/power-on-setup.js';
import { pcMemoryMap } from '../firmware/boot/memory-map.js';
import type { BootDevice } from '../firmware/bios/machine.js';
import { videoRom } from '../firmware/bios/video-rom.js';
import type { MachineShape } from '../firmware/tables/firmware-tables.js';
import { fwCfgTables } from '../firmware/tables/fw-cfg-tables.js';
import { FOUR_GIB, ROM_AREA_END, VGA_WINDOW } from '../machine/memory-map.js';

/** Firmware from elsewhere that was made for QEMU: SeaBIOS, OVMF. */
export interface PackagedFirmware {
  /** The ROM that ends at 4 GiB; a multiple of 4 KiB, 16 MiB at most. */
  readonly bytes: Uint8Array;
  /** What it keeps from one start to the next, in flash below the ROM, and who is told of changes. */
  readonly variables?: { bytes: Uint8Array; changed: (offset: number, length: number) => void };
}

export const FIRMWARE_UNIT = 0x1000;
/** What of the ROM is seen below 1 MiB. */
const LOW_BYTES = 0x20000;

// Items of fw_cfg
const RAM_SIZE = 0x03;
const CPUS = 0x05;
const BOOT_MENU = 0x0e;
const MOST_CPUS = 0x0f;
const E820_BYTES = 20;

// CMOS: the order of boot devices, as on QEMU
const CMOS_BOOT_1_2 = 0x3d;
const CMOS_BOOT_3 = 0x38;
const BOOT_CODES: Record<BootDevice, number> = { floppy: 1, disk: 2, cdrom: 3, network: 4 };

export interface FirmwareSettings {
  readonly shape: MachineShape;
  readonly bootOrder: readonly BootDevice[];
  readonly bootMenu: boolean;
}

function number(value: number, bytes: 2 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 2) view.setUint16(0, value, true);
  else view.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(view.buffer);
}

function e820(memory: MachineShape['memory']): Uint8Array {
  const map = pcMemoryMap(memory).filter(({ start }) => start === 0 || start >= ROM_AREA_END);
  const list = new DataView(new ArrayBuffer(map.length * E820_BYTES));
  map.forEach(({ start, length, type }, n) => {
    // The firmware itself takes what it needs below 640 KiB.
    const whole = start === 0 ? VGA_WINDOW : length;
    list.setBigUint64(n * E820_BYTES, BigInt(start), true);
    list.setBigUint64(n * E820_BYTES + 8, BigInt(whole), true);
    list.setUint32(n * E820_BYTES + 16, type, true);
  });
  return new Uint8Array(list.buffer);
}

/** The device by which the firmware learns of the machine. */
export function firmwareConfiguration(board: PcBoard, { shape, bootMenu }: FirmwareSettings): FwCfg {
  const { topology, memory } = shape;
  // The tables say where the registers are now: the firmware has placed them when it asks.
  let made = { base: 0, tables: fwCfgTables(shape, 0) };
  const table = (name: string) => (): Uint8Array => {
    const { base } = board.powerManagement;
    if (made.base !== base) made = { base, tables: fwCfgTables(shape, base) };
    return made.tables.get(name)!;
  };
  const names = [...made.tables.keys()];
  return new FwCfg(board.ram, {
    items: new Map([
      [RAM_SIZE, number(memory.lowBytes + memory.highBytes, 8)],
      [CPUS, number(topology.cpus, 2)],
      [MOST_CPUS, number(Math.max(...topology.apicIds) + 1, 2)],
      [BOOT_MENU, number(bootMenu ? 1 : 0, 2)],
    ]),
    files: new Map<string, Uint8Array | (() => Uint8Array)>([
      ...names.map((name) => [name, table(name)] as const),
      ['etc/e820', e820(memory)],
      ['vgaroms/vivarium.bin', videoRom().bytes],
    ]),
  });
}

/** The flash that the firmware keeps its variables in, where it has one. */
export function plugVariables({ mmio }: PcBoard, { bytes, variables }: PackagedFirmware): NorFlash | null {
  if (!variables) return null;
  const flash = new NorFlash(variables.bytes, variables.changed);
  mmio.map(FOUR_GIB - bytes.length - variables.bytes.length, variables.bytes.length, flash);
  return flash;
}

/** After a reset of the board: what lies below 1 MiB and in the battery-backed memory. Gives where the ROM begins. */
export function placeFirmware(
  board: PcBoard,
  { bytes }: PackagedFirmware,
  { bootOrder }: FirmwareSettings,
): number {
  setUpCmos(board);
  const [first = 0, second = 0, third = 0] = bootOrder.map((device) => BOOT_CODES[device]);
  board.rtc.write(CMOS_BOOT_1_2, first | (second << 4));
  board.rtc.write(CMOS_BOOT_3, third << 4);
  const low = bytes.subarray(Math.max(0, bytes.length - LOW_BYTES));
  board.ram.write(ROM_AREA_END - low.length, low);
  return FOUR_GIB - bytes.length;
}
