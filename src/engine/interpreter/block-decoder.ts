import { BASE_RIP, DecodeResult, Decoded, NO_REGISTER, HIGH_BYTE, type Decoder } from '../../isa/decoder.js';
import { leavesStraightLine } from '../../isa/control-flow.js';
import type { Form } from '../../isa/forms.js';
import * as L from '../layout.js';
import { SharedLock } from '../shared-lock.js';
import type { HandlerPlan } from './generate.js';
import * as R from './record.js';

/** Longest block, in instructions. */
const MAX_BLOCK = 48;
export const PAGE = 0x1000;
export const CHUNK_SHIFT = 7;
/** Page byte offset reserve behind PAGE_BASE that keeps displacement + offset in 32 bits. */
const FAR = 0x10000;
/** No address of a record: another thread has to decode the block. */
const ELSEWHERE = -1;
const UD = L.FAULT_VALID | 6;
const GP = L.FAULT_VALID | L.FAULT_HAS_ERROR | 13;

/** What the decoder asks of the runtime and of memory. */
export interface BlockDecoderHost {
  /** Physical address of an instruction byte, or negative with a fault raised. */
  translateCode(cpu: number, linear: bigint): bigint;
  /** Address in memory of a physical address in RAM, 0 if it is none. */
  ramAddress(physical: bigint): number;
  /** Lets stores to the page (address in memory) be noticed. */
  protectCodePage(host: number): void;
  /** No jump leads to a record that it led to. */
  emptyJumpCache(cpu: number): void;
  /** Reads a byte that is not in RAM. */
  readPhysical8(cpu: number, physical: bigint): number;
}

/** Decodes blocks into the arena in the shared memory, where the runtime's `lookup` finds them. Each thread has one; they take turns. */
export class BlockDecoder {
  protected readonly view: DataView;
  protected readonly bytes: Uint8Array;
  protected readonly halves: Uint16Array;
  protected readonly words: Uint32Array;
  protected decoded = new Decoded();
  private readonly across = new Uint8Array(32);
  /**
   * Whether this is the machine's thread. Others leave to it what lies outside of RAM or reaches into another page: to fetch
   * that may take a question to the machine's thread, and this may be waiting for the lock.
   */
  protected readonly home: boolean = false;
  /** Of what is decoded: held by whoever takes room in the arena, or changes what is known of pages. */
  protected readonly lock: SharedLock;

  constructor(
    memory: WebAssembly.Memory,
    private readonly decoder: Decoder,
    private readonly plan: HandlerPlan,
    protected readonly host: BlockDecoderHost,
    /** Other threads store to the memory meanwhile. */
    private readonly shared: boolean,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.halves = new Uint16Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.lock = new SharedLock(memory, L.G_CODE_LOCK);
  }

  /** Executions after which a block counts as hot; 0: never. */
  get heat(): number {
    return this.view.getUint32(L.G_HEAT, true);
  }
  set heat(executions: number) {
    this.view.setUint32(L.G_HEAT, executions, true);
  }

  /** Blocks must become hot in this period or the one before it. */
  get period(): number {
    return this.view.getUint32(L.G_PERIOD, true);
  }
  set period(period: number) {
    this.view.setUint32(L.G_PERIOD, period, true);
  }

  /** Where the next records go. */
  protected get next(): number {
    return this.view.getUint32(L.G_ARENA_NEXT, true);
  }
  protected set next(at: number) {
    this.view.setUint32(L.G_ARENA_NEXT, at, true);
  }

  /** Whether so many bytes more fit. The table of blocks keeps a quarter empty, so that looking in it stays short. */
  protected hasRoom(bytes: number): boolean {
    const { view } = this;
    if (view.getUint32(L.G_BLOCKS_USED, true) > (view.getUint32(L.G_BLOCKS_MASK, true) >>> 2) * 3)
      return false;
    return view.getUint32(L.G_ARENA_END, true) - this.next >= bytes;
  }

  /**
   * Record of the block at the CPU's S_LOOKUP: kept for later, or with a limit used once, to stop at an exact instruction; 0:
   * it cannot be fetched; null: the arena has no room beside `spare` bytes, or it is the machine's thread's to decode.
   */
  decodeBlock(
    cpu: number,
    hostAddress: number,
    physical: number,
    limit: number,
    spare: number,
  ): number | null {
    const host = hostAddress >>> 0;
    const linear = this.view.getBigUint64(cpu + L.S_LOOKUP, true);
    const mode = this.view.getUint32(cpu + L.S_MODE, true);
    if (host === 0 && !this.home) return null;
    return this.lock.hold(() => {
      if (limit !== 0) {
        const scratch = cpu + L.S_SCRATCH;
        const count = Math.min(limit, MAX_BLOCK);
        const made = this.build(cpu, host, BigInt(physical), scratch, count, linear, mode);
        return made === ELSEWHERE ? null : made === 0 ? 0 : scratch;
      }
      // Another thread may have decoded it while this one waited; a second block would hide the first, and its region.
      const known = host === 0 ? 0 : this.find(host, mode);
      if (known !== 0 && this.secondPage(known) === 0) return known;
      if (!this.hasRoom((MAX_BLOCK + 4) * R.RECORD_BYTES + spare)) return null;
      const record = this.decodeAt(cpu, host, BigInt(physical), linear, mode);
      return record === ELSEWHERE ? null : record;
    });
  }

  /** Record of a block that is decoded now and kept; 0: none. */
  protected decodeAt(cpu: number, host: number, physical: bigint, linear: bigint, mode: number): number {
    const start = this.next;
    const made = this.build(cpu, host, physical, start, MAX_BLOCK, linear, mode);
    if (made === 0 || made === ELSEWHERE) return made;
    this.next = made;
    if (host !== 0) {
      this.insert(host, mode, start);
      // The machine's thread puts it among those of its page.
      this.view.setUint32(start + R.B_CHAIN, this.view.getUint32(L.G_NEW_BLOCKS, true), true);
      this.view.setUint32(L.G_NEW_BLOCKS, start, true);
    }
    return start;
  }

  /** Record of the block that was decoded at an address in memory, and is not stale; 0: none. */
  find(at: number, mode: number): number {
    const { view } = this;
    const entry = this.entryOf(at, mode);
    if (view.getUint32(entry, true) === 0) return 0;
    const record = view.getUint32(entry + 8, true);
    const handler = view.getUint16(record + R.R_HANDLER, true);
    return handler === R.HANDLER_BLOCK || handler === R.HANDLER_REGION ? record : 0;
  }

  /** Page that the block reaches into, or 0. */
  secondPage(record: number): number {
    return this.view.getUint32(record + R.B_SECOND, true);
  }

  /** The block counts as just decoded. */
  cool(head: number): void {
    this.view.setUint16(head + R.B_HEAT, this.heat, true);
    this.view.setUint16(head + R.B_HEAT_WHOLE, this.heat, true);
    this.view.setUint8(head + R.B_PERIOD, this.period);
  }

  protected attribute(page: number): number {
    const ram = this.view.getUint32(L.G_RAM, true);
    return this.view.getUint32(L.G_PAGES, true) + ((page - ram) >>> 12) * L.PAGE_BYTES;
  }

  /** Marks bytes `first` to `last` of the page as code, so that stores there are noticed. */
  protected guard(page: number, first: number, last: number): void {
    const { view } = this;
    const attribute = this.attribute(page);
    const chunks =
      ((0xffffffff >>> (31 - (last >> CHUNK_SHIFT))) & (0xffffffff << (first >> CHUNK_SHIFT))) >>> 0;
    view.setUint32(attribute + 4, (view.getUint32(attribute + 4, true) | chunks) >>> 0, true);
    const attributes = view.getUint32(attribute, true);
    if (!(attributes & L.PAGE_CODE)) {
      view.setUint32(attribute, attributes | L.PAGE_CODE, true);
      this.host.protectCodePage(page);
    }
  }

  private insert(host: number, mode: number, record: number): void {
    const { view } = this;
    const entry = this.entryOf(host, mode);
    if (view.getUint32(entry, true) === 0)
      view.setUint32(L.G_BLOCKS_USED, view.getUint32(L.G_BLOCKS_USED, true) + 1, true);
    view.setUint32(entry, host, true);
    view.setUint32(entry + 4, mode, true);
    // Behind all that was written of the block, for who finds it here in another thread.
    Atomics.store(this.words, (entry + 8) >> 2, record);
  }

  /** Entry of the table of blocks for an address in memory: the one that has it, or the empty one to put it in. */
  private entryOf(host: number, mode: number): number {
    const { view } = this;
    const table = view.getUint32(L.G_BLOCKS, true);
    const mask = view.getUint32(L.G_BLOCKS_MASK, true);
    let slot = hashOf(host, mode) & mask;
    for (let probes = 0; probes <= mask + 1; probes++) {
      const entry = table + slot * L.BLOCK_ENTRY_BYTES;
      const known = view.getUint32(entry, true);
      if (known === 0 || (known === host && view.getUint32(entry + 4, true) === mode)) return entry;
      slot = (slot + 1) & mask;
    }
    throw new Error('table of decoded blocks is full');
  }

  /** Bytes from S_RIP to the limit of the code segment. */
  private bytesToLimit(cpu: number, mode: number): number {
    if (cpu === 0 || mode & (L.MODE_LONG | L.MODE_FLAT)) return Infinity;
    const limit = this.view.getBigUint64(cpu + L.S_SEG + L.SEG_BYTES * L.CS + L.SEG_LIMIT, true);
    return Number(limit - this.view.getBigUint64(cpu + L.S_RIP, true)) + 1;
  }

  /** The instruction at S_RIP runs over the limit of the code segment (SDM vol. 3, 5.3). */
  private refuse(cpu: number): void {
    this.view.setUint32(cpu + L.S_FAULT, GP, true);
    this.view.setUint32(cpu + L.S_FAULT_ERROR, 0, true);
  }

  /**
   * Decodes from `linear` on (without a CPU: in one page only) into records at `start`; gives the address behind them, 0 if
   * the very first byte cannot be fetched (S_FAULT is set).
   */
  private build(
    cpu: number,
    host: number,
    physical: bigint,
    start: number,
    limit: number,
    linear: bigint,
    mode: number,
  ): number {
    const { view, decoded } = this;
    const decoderMode = { long: (mode & L.MODE_LONG) !== 0, default32: (mode & L.MODE_CS32) !== 0 };
    const page = (host & ~(PAGE - 1)) >>> 0;
    const first = Number(linear & 0xfffn);
    const room = this.bytesToLimit(cpu, mode);
    // Stores of other threads are noticed from here on. What they change while this decodes, they change behind a copy.
    const copy = this.shared && host !== 0 ? this.copyGuarded(page, first) : null;
    const [source, shift] = copy ? [copy, -first] : [this.bytes, page];
    let offset = first;
    let record = start + R.RECORD_BYTES;
    let count = 0;
    let second = 0;
    let ended = false;

    while (!ended && count < limit && offset < PAGE) {
      let result: DecodeResult;
      if (host !== 0)
        result = this.decoder.decode(source, shift + offset, shift + PAGE, decoderMode, decoded);
      else {
        if (count > 0) break;
        for (let i = 0; i < 15; i++) this.across[i] = this.host.readPhysical8(cpu, physical + BigInt(i));
        result = this.decoder.decode(this.across, 0, 15, decoderMode, decoded);
      }
      if (result === DecodeResult.NeedMore) {
        // It goes on in the next page: a block of its own, tied to both pages.
        if (count > 0) break;
        if (cpu === 0) return 0;
        if (!this.home) return ELSEWHERE;
        const next = this.host.translateCode(cpu, (linear & ~0xfffn) + 0x1000n);
        if (next < 0n) return 0;
        const nextHost = this.host.ramAddress(next);
        const here = PAGE - offset;
        for (let i = 0; i < 15; i++)
          this.across[i] =
            i < here
              ? source[shift + offset + i]!
              : nextHost !== 0
                ? this.bytes[nextHost + i - here]!
                : this.host.readPhysical8(cpu, next + BigInt(i - here));
        result = this.decoder.decode(this.across, 0, 15, decoderMode, decoded);
        second = (nextHost & ~(PAGE - 1)) >>> 0;
        ended = true;
      }
      if (offset - first + decoded.length > room) {
        if (count > 0) break;
        this.refuse(cpu);
        return 0;
      }
      if (result === DecodeResult.Ok) ended = this.writeRecord(record, mode, offset) || ended;
      else {
        this.writeRaise(record, result === DecodeResult.TooLong ? GP : UD);
        decoded.length = result === DecodeResult.TooLong ? 15 : Math.max(1, decoded.length);
        view.setUint16(record + R.R_NEXT, offset + decoded.length, true);
        view.setUint8(record + R.R_LENGTH, decoded.length);
        ended = true;
      }
      offset += decoded.length;
      record += R.RECORD_BYTES;
      count++;
    }

    // head and end of the block
    this.bytes.fill(0, start, start + R.RECORD_BYTES);
    view.setUint16(start + R.R_HANDLER, R.HANDLER_BLOCK, true);
    view.setUint16(start + R.B_COUNT, count, true);
    this.cool(start);
    view.setUint16(start + R.B_MODE, mode, true);
    view.setUint32(start + R.B_SECOND, second, true);
    view.setUint32(start + R.B_PAGE, page, true);
    view.setUint16(start + R.R_NEXT, first, true);
    this.bytes.fill(0, record, record + R.RECORD_BYTES);
    view.setUint16(record + R.R_HANDLER, R.HANDLER_FALL, true);
    view.setUint16(record + R.R_NEXT, offset, true);
    for (let i = 0; i < count; i++) view.setUint8(start + (i + 1) * R.RECORD_BYTES + R.R_LEFT, count - i);
    view.setFloat64(L.G_DECODED, view.getFloat64(L.G_DECODED, true) + count, true);

    if (host !== 0) {
      this.guard(page, first, Math.min(offset, PAGE) - 1);
      if (second !== 0) this.guard(second, 0, Math.max(offset - PAGE, 1) - 1);
    }
    if (
      copy &&
      this.bytes.subarray(page + first, page + Math.min(offset, PAGE)).some((byte, i) => byte !== copy[i])
    )
      return this.build(cpu, host, physical, start, limit, linear, mode);
    return record + R.RECORD_BYTES;
  }

  /** The page's bytes from `first` on, after its fast stores were stopped. */
  private copyGuarded(page: number, first: number): Uint8Array {
    this.guard(page, first, first);
    return this.bytes.slice(page + first, page + PAGE);
  }

  private writeRaise(record: number, fault: number): void {
    const { view } = this;
    this.bytes.fill(0, record, record + R.RECORD_BYTES);
    view.setUint16(record + R.R_HANDLER, R.HANDLER_RAISE, true);
    view.setUint32(record + R.R_IMM, fault >>> 0, true);
  }

  /** Writes the record of `decoded`; true if nothing may follow it in a block. */
  protected writeRecord(record: number, mode: number, offset: number): boolean {
    const { view, decoded } = this;
    const form = decoded.form!;
    const { operands } = form.encoding;
    const next = offset + decoded.length;
    this.bytes.fill(0, record, record + R.RECORD_BYTES);
    view.setUint16(record + R.R_HANDLER, this.plan.handlers[form.id]!, true);
    view.setUint8(record + R.R_LENGTH, decoded.length);
    view.setUint16(record + R.R_NEXT, next, true);

    let immediates = 0;
    for (let i = 0; i < operands.length; i++) {
      const { kind } = operands[i]!;
      if ('IJAO'.includes(kind)) {
        immediates++;
        if (immediates === 1 && kind !== 'A') {
          view.setInt32(record + R.R_IMM, decoded.immediate, true);
          view.setInt32(record + R.R_IMM + 4, decoded.immediateHigh, true);
        } else if (kind === 'A') {
          view.setInt32(record + R.R_IMM, decoded.immediate, true);
          view.setInt32(record + R.R_IMM2, decoded.immediate2, true);
        } else view.setInt32(record + R.R_IMM2, decoded.immediate2, true);
        continue;
      }
      if (i > 2) continue;
      const field = i === 0 ? R.R_REG0 : i === 1 ? R.R_REG1 : R.R_REG2;
      const memory = form.memory && 'EMWQ'.includes(kind);
      if (!memory && kind !== 'const' && kind !== 'X' && kind !== 'Y' && !(i === 2 && immediates > 0))
        view.setUint16(record + field, registerOffset(kind, decoded.registers[i]!), true);
    }

    const hasAddress = form.memory || operands.some((o) => o.kind === 'O');
    const isString = form.asize !== 0;
    if (hasAddress || isString) this.writeAddress(record, mode, next, form);
    // Without a memory operand an instruction uses the stack, if any memory. Direct jumps keep links here.
    else if (!operands.some((o) => o.kind === 'J')) view.setUint8(record + R.R_SEGMENT, L.SS);
    return this.ends(form);
  }

  /** Whether an instruction ends its block. */
  private ends(form: Form): boolean {
    let ends = this.endings.get(form);
    if (ends === undefined) this.endings.set(form, (ends = leavesStraightLine(form)));
    return ends;
  }
  private readonly endings = new Map<Form, boolean>();

  private writeAddress(record: number, mode: number, next: number, form: Form): void {
    const { view, decoded } = this;
    let base = decoded.base === NO_REGISTER ? L.S_ZERO : L.S_GPR + 8 * decoded.base;
    let displacement = decoded.displacement;
    if (decoded.base === BASE_RIP) {
      // RIP-relative: from the page's first byte, so that the record holds wherever the page is mapped.
      base = L.S_PAGE_BASE;
      displacement += next;
      if (displacement > 0x7fffffff) {
        base = L.S_PAGE_BASE_FAR;
        displacement -= FAR;
      }
    }
    view.setUint16(record + R.R_BASE, base, true);
    view.setUint16(
      record + R.R_INDEX,
      decoded.index === NO_REGISTER ? L.S_ZERO : L.S_GPR + 8 * decoded.index,
      true,
    );
    view.setUint8(record + R.R_SCALE, decoded.scale);
    view.setUint8(record + R.R_SEGMENT, decoded.segment);
    view.setInt32(record + R.R_DISPLACEMENT, displacement, true);
    view.setUint8(record + R.R_ASIZE, 64 - decoded.asize);

    const { segment } = decoded;
    let segmentBase = L.S_ZERO;
    let way = R.EA_GENERAL;
    if (form.encoding.operands.some((o) => o.kind === 'O'))
      view.setUint16(record + R.R_BASE, R.BASE_MOFFS, true);
    else if (mode & L.MODE_LONG) {
      if (segment === L.FS || segment === L.GS) segmentBase = L.S_SEG + L.SEG_BYTES * segment + L.SEG_BASE;
      way = decoded.asize === 64 ? 0 : 32;
    } else if (mode & L.MODE_FLAT && decoded.asize === 32 && FLAT_SEGMENTS.has(segment)) way = 32;
    view.setUint16(record + R.R_SEGMENT_BASE, segmentBase, true);
    view.setUint8(record + R.R_EA, way);
  }
}

/** What MODE_FLAT says is flat and may be written: code may not, and perhaps not be read. */
export const FLAT_SEGMENTS: ReadonlySet<number> = new Set([L.ES, L.SS, L.DS]);

/** Offset in the CPU block of a register operand. */
export function registerOffset(kind: string, register: number): number {
  switch (kind) {
    case 'V':
    case 'W':
    case 'U':
      return L.S_XMM + L.XMM_BYTES * register;
    case 'P':
    case 'Q':
    case 'N':
      return L.S_FPR + 16 * register;
    case 'S':
    case 'C':
    case 'D':
    case 'T':
      return register;
    default:
      return register >= HIGH_BYTE ? L.S_GPR + 8 * (register - HIGH_BYTE) + 1 : L.S_GPR + 8 * register;
  }
}

/** The same function as in runtime/lookup.ts. */
function hashOf(host: number, mode: number): number {
  return (Math.imul(host, 0x9e3779b1) + Math.imul(mode, 0x85ebca6b)) >>> 8;
}
