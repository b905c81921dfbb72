/** Intel 82441FX host bridge, "440FX PCIset" (order number 290549). RAM is there whatever its registers say. */
import { PciFunction } from './pci-function.js';

/** Programmable attribute map: which parts of 0xC0000-0xFFFFF are RAM. */
const PAM0 = 0x59;
const PAM_COUNT = 7;
/** DRAM row boundaries. */
const DRB0 = 0x60;
const DRB_COUNT = 8;
const SMRAM = 0x72;
const SMRAM_AFTER_RESET = 0x02;
const PAM_READ_WRITE = 0x33;

export class I440fx extends PciFunction {
  constructor() {
    super({ vendor: 0x8086, device: 0x1237, revision: 0x02, classCode: 0x060000 });
    // As a BIOS leaves it: all shadow RAM can be read and written.
    this.set8(PAM0, 0x30);
    for (let index = 1; index < PAM_COUNT; index++) this.set8(PAM0 + index, PAM_READ_WRITE);
    this.set8(SMRAM, SMRAM_AFTER_RESET);
    for (let index = 0; index < PAM_COUNT; index++) this.allow(PAM0 + index, 1, 0x33);
    for (let index = 0; index < DRB_COUNT; index++) this.allow(DRB0 + index, 1, 0xff);
    this.allow(SMRAM, 1, 0x7f);
  }
}
