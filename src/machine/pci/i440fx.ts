/** Intel 82441FX host bridge, "440FX PCIset" (order number 290549). RAM is there whatever its registers say. */
import { PciFunction } from './pci-function.js';

/** Programmable attribute map: which parts of 0xC0000-0xFFFFF are RAM. */
export const PAM0 = 0x59;
export const PAM_COUNT = 7;
/** DRAM row boundaries. */
const DRB0 = 0x60;
const DRB_COUNT = 8;
const SMRAM = 0x72;
const SMRAM_AFTER_RESET = 0x02;

export class I440fx extends PciFunction {
  constructor() {
    // Firmware made for QEMU knows by the subsystem what board it is on.
    super({
      vendor: 0x8086,
      device: 0x1237,
      revision: 0x02,
      classCode: 0x060000,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
    });
    this.set8(SMRAM, SMRAM_AFTER_RESET);
    for (let index = 0; index < PAM_COUNT; index++) this.allow(PAM0 + index, 1, 0x33);
    for (let index = 0; index < DRB_COUNT; index++) this.allow(DRB0 + index, 1, 0xff);
    this.allow(SMRAM, 1, 0x7f);
  }
}
