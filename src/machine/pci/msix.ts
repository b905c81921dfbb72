/** MSI-X (PCI Local Bus Specification 3.0, 6.8.2): table and pending bits, behind a memory BAR of their own. */
import type { MsiSend } from '../interrupts/apic-bus.js';
import type { MmioDevice } from '../mmio-bus.js';
import type { AccessSize } from '../port-bus.js';
import { checkVersion } from '../state.js';

/** Size of the BAR that holds both. */
export const MSIX_BAR_BYTES = 0x1000;
const PENDING_OFFSET = 0x800;
const ENTRY_BYTES = 16;
const MAX_VECTORS = PENDING_OFFSET / ENTRY_BYTES;

// Table entry
const UPPER_ADDRESS = 4;
const DATA = 8;
const CONTROL = 12;
const CONTROL_MASKED = 1;

// Message control, 2 bytes behind the start of the capability
export const MSIX_CONTROL_ENABLE = 0x8000;
export const MSIX_CONTROL_MASK_ALL = 0x4000;

export class MsiX implements MmioDevice {
  private readonly table: DataView;
  private readonly pending: Uint8Array;
  private isEnabled = false;
  private maskAll = false;

  /** `count`: number of vectors, 128 at most. */
  constructor(
    readonly count: number,
    private readonly send: MsiSend,
  ) {
    if (count > MAX_VECTORS) throw new RangeError(`${count} MSI-X vectors: at most ${MAX_VECTORS} fit`);
    this.table = new DataView(new ArrayBuffer(count * ENTRY_BYTES));
    this.pending = new Uint8Array(Math.ceil(count / 64) * 8);
    this.reset();
  }

  reset(): void {
    this.isEnabled = this.maskAll = false;
    this.pending.fill(0);
    for (let vector = 0; vector < this.count; vector++) {
      for (let field = 0; field < CONTROL; field += 4)
        this.table.setUint32(vector * ENTRY_BYTES + field, 0, true);
      this.table.setUint32(vector * ENTRY_BYTES + CONTROL, CONTROL_MASKED, true);
    }
  }

  /** What follows id and next pointer of the capability, for a table in BAR `bar`. */
  capability(bar: number): Uint8Array {
    const body = new DataView(new ArrayBuffer(10));
    body.setUint16(0, this.count - 1, true);
    body.setUint32(2, bar, true);
    body.setUint32(6, PENDING_OFFSET | bar, true);
    return new Uint8Array(body.buffer);
  }

  get enabled(): boolean {
    return this.isEnabled;
  }

  /** Software wrote message control. */
  configure(control: number): void {
    this.isEnabled = (control & MSIX_CONTROL_ENABLE) !== 0;
    this.maskAll = (control & MSIX_CONTROL_MASK_ALL) !== 0;
    for (let vector = 0; vector < this.count; vector++) this.sendPending(vector);
  }

  /** Sends vector `vector`, or keeps it pending while it is masked. */
  notify(vector: number): void {
    if (!this.isEnabled || vector >= this.count) return;
    this.pending[vector >> 3]! |= 1 << (vector & 7);
    this.sendPending(vector);
  }

  private sendPending(vector: number): void {
    const bit = 1 << (vector & 7);
    const entry = vector * ENTRY_BYTES;
    const masked = this.maskAll || (this.table.getUint32(entry + CONTROL, true) & CONTROL_MASKED) !== 0;
    if (!this.isEnabled || masked || !(this.pending[vector >> 3]! & bit)) return;
    this.pending[vector >> 3]! &= ~bit;
    const address =
      BigInt(this.table.getUint32(entry, true)) |
      (BigInt(this.table.getUint32(entry + UPPER_ADDRESS, true)) << 32n);
    this.send(address, this.table.getUint32(entry + DATA, true));
  }

  /** Only aligned accesses of 4 (or 8) bytes have a defined effect. */
  mmioRead(offset: number, size: AccessSize): number {
    if (size !== 4 || offset & 3) return 0;
    if (offset < this.table.byteLength) return this.table.getUint32(offset, true);
    const pending = offset - PENDING_OFFSET;
    if (pending < 0 || pending >= this.pending.length) return 0;
    return new DataView(this.pending.buffer).getUint32(pending, true);
  }

  mmioWrite(offset: number, value: number, size: AccessSize): void {
    if (size !== 4 || offset & 3 || offset >= this.table.byteLength) return;
    this.table.setUint32(offset, offset % ENTRY_BYTES === CONTROL ? value & CONTROL_MASKED : value, true);
    this.sendPending(Math.floor(offset / ENTRY_BYTES));
  }

  save(): { version: 1; table: number[]; pending: number[]; enabled: boolean; maskAll: boolean } {
    const table = [...new Uint8Array(this.table.buffer)];
    return { version: 1, table, pending: [...this.pending], enabled: this.isEnabled, maskAll: this.maskAll };
  }

  load(state: ReturnType<MsiX['save']>): void {
    checkVersion('MSI-X', state, 1);
    new Uint8Array(this.table.buffer).set(state.table);
    this.pending.set(state.pending);
    this.isEnabled = state.enabled;
    this.maskAll = state.maskAll;
  }
}
