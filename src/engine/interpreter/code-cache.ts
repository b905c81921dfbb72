import { BASE_RIP, DecodeResult, Decoded, NO_REGISTER, HIGH_BYTE, type Decoder } from '../../isa/decoder.js';
import { leavesStraightLine } from '../../isa/control-flow.js';
import type { Form } from '../../isa/forms.js';
import * as L from '../layout.js';
import type { HandlerPlan } from './generate.js';
import * as R from './record.js';

/** Longest block, in instructions. */
const MAX_BLOCK = 48;
const PAGE = 0x1000;
const RESERVE = 0xc0000;
const SITE_RESERVE = 0x20000;
const CHUNK_SHIFT = 7;
/** Page byte offset reserve behind PAGE_BASE that keeps displacement + offset in 32 bits. */
const FAR = 0x10000;
const UD = L.FAULT_VALID | 6;
const GP = L.FAULT_VALID | L.FAULT_HAS_ERROR | 13;

/** What the cache asks of the runtime and of memory. */
export interface CodeCacheHost {
  /** Physical address of an instruction byte, or negative with a fault raised. */
  translateCode(cpu: number, linear: bigint): bigint;
  /** Address in memory of a physical address in RAM, 0 if it is none. */
  ramAddress(physical: bigint): number;
  /** Lets stores to the page (address in memory) be noticed. */
  protectCodePage(host: number): void;
  /** Reads a byte that is not in RAM. */
  readPhysical8(cpu: number, physical: bigint): number;
}

/** Decoded blocks in the shared memory, found by the runtime's `lookup`, made here, dropped when their bytes change. */
export class CodeCache {
  private readonly view: DataView;
  /** Executions after which a block counts as hot; 0: never. */
  heat = 0;
  /** Called around emptying the arena: nobody may be about to run what is in it. */
  aroundFlush: (flush: () => void) => void = (flush) => flush();
  /** Called when code of a page (its address in memory) is no longer what it was. */
  onInvalid: (page: number) => void = () => {};
  private readonly bytes: Uint8Array;
  private decoded = new Decoded();
  private readonly across = new Uint8Array(32);
  private next: number;
  private nextSite = L.S_SITES;
  private readonly cpus: readonly number[];
  /** In the table of blocks, stale ones included. */
  private blocks = 0;
  /** First block of each page that has any, by address of the page. */
  private readonly pages = new Map<number, number>();
  /** Records decoded so far, for the statistics. */
  decodedInstructions = 0;
  flushes = 0;

  constructor(
    memory: WebAssembly.Memory,
    private readonly decoder: Decoder,
    private readonly plan: HandlerPlan,
    private readonly host: CodeCacheHost,
    private readonly arena: { start: number; end: number },
    /** Other threads store to the memory meanwhile. */
    private readonly shared = false,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.next = arena.start;
    this.cpus = Array.from(
      { length: this.view.getUint32(L.G_CPUS, true) },
      (_, i) => L.CPU_BASE + i * L.CPU_BYTES,
    );
  }

  /** Address in memory of guest physical 0. */
  get ramBase(): number {
    return this.view.getUint32(L.G_RAM, true);
  }

  get memory(): DataView {
    return this.view;
  }

  /** Page and offset in it of the block at `record`; null if it is not kept, or reaches into another page. */
  placeOf(record: number): { page: number; offset: number } | null {
    const { view } = this;
    if (record < this.arena.start || view.getUint32(record + R.B_SECOND, true) !== 0) return null;
    const page = view.getUint32(record + R.B_PAGE, true);
    return page === 0 ? null : { page, offset: view.getUint16(record + R.R_NEXT, true) };
  }

  /** Record of the block at an address in memory, decoded if it was not yet; 0 if it reaches into the next page. */
  headAt(at: number, mode: number): number {
    const known = this.find(at, mode);
    if (known !== 0) return this.secondPage(known) === 0 ? known : 0;
    return this.decodeAt(0, at, -1n, BigInt(at & (PAGE - 1)), mode);
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

  /** Place in the table of the region that has taken over at a block's head, or NO_REGION. */
  regionOf(record: number): number {
    if (this.view.getUint16(record + R.R_HANDLER, true) !== R.HANDLER_REGION) return R.NO_REGION;
    return this.view.getUint16(record + R.B_REGION, true);
  }

  /** Lets a region take over at a block's head; false if another one has. */
  enterRegion(head: number, region: number, entry: number): boolean {
    const { view } = this;
    if (view.getUint16(head + R.R_HANDLER, true) !== R.HANDLER_BLOCK) return false;
    view.setUint16(head + R.B_REGION, region, true);
    view.setUint16(head + R.B_ENTRY, entry, true);
    view.setUint16(head + R.R_HANDLER, R.HANDLER_REGION, true);
    return true;
  }

  leaveRegion(head: number, region: number): void {
    const { view } = this;
    if (view.getUint16(head + R.R_HANDLER, true) !== R.HANDLER_REGION) return;
    if (view.getUint16(head + R.B_REGION, true) !== region) return;
    view.setUint16(head + R.R_HANDLER, R.HANDLER_BLOCK, true);
    this.cool(head);
  }

  /** The block counts as just decoded. */
  cool(head: number): void {
    this.view.setUint16(head + R.B_HEAT, this.heat, true);
    this.view.setUint16(head + R.B_HEAT_WHOLE, this.heat, true);
  }

  /** All blocks count as just decoded. */
  coolAll(): void {
    for (const first of this.pages.values())
      for (let head = first; head !== 0; head = this.view.getUint32(head + R.B_CHAIN, true)) this.cool(head);
  }

  /** Whether a block whose B_HEAT is used up is hot; else, as `heat` has grown meanwhile, it gets the difference. */
  isHot(head: number): boolean {
    const { view } = this;
    const more = this.heat - view.getUint16(head + R.B_HEAT_WHOLE, true);
    if (more <= 0) return true;
    view.setUint16(head + R.B_HEAT, more, true);
    view.setUint16(head + R.B_HEAT_WHOLE, this.heat, true);
    return false;
  }

  /** Record of one instruction that stands alone, as the last of its block. */
  recordFor(decoded: Decoded, mode: number, page: number, offset: number): number {
    const record = this.take(R.RECORD_BYTES);
    const own = this.decoded;
    this.decoded = decoded;
    this.writeRecord(record, mode, offset);
    this.decoded = own;
    this.view.setUint8(record + R.R_LEFT, 1);
    this.guard(page, offset, Math.min(offset + decoded.length, PAGE) - 1);
    return record;
  }

  /** A call site that knows no target yet; its caller's module imports this entry of a region. An offset from each CPU. */
  site(region = R.NO_REGION, entry = 0): number {
    const site = this.takeSite();
    for (const cpu of this.cpus) {
      this.view.setUint16(cpu + site + R.SITE_IMPORT, region, true);
      this.view.setUint16(cpu + site + R.SITE_IMPORT_ENTRY, entry, true);
    }
    return site;
  }

  /** A page beside a region's that was not looked for yet. An offset from each CPU. */
  neighbour(page: number, distance: number): number {
    const record = this.takeSite();
    for (const cpu of this.cpus) {
      this.view.setUint32(cpu + record + R.NEIGHBOUR_PAGE, page, true);
      this.view.setInt32(cpu + record + R.NEIGHBOUR_DISTANCE, distance, true);
    }
    return record;
  }

  private takeSite(): number {
    const site = this.nextSite;
    this.nextSite += R.SITE_BYTES;
    for (const cpu of this.cpus) this.bytes.fill(0, cpu + site, cpu + site + R.SITE_BYTES);
    return site;
  }

  /** Bytes that translated code reads. */
  table(bytes: Uint8Array): number {
    const start = this.take(Math.ceil(bytes.length / R.RECORD_BYTES) * R.RECORD_BYTES);
    this.bytes.set(bytes, start);
    return start;
  }

  /** Empty bytes for a translation (`reserve`). */
  private take(bytes: number): number {
    const start = this.next;
    this.next += bytes;
    this.bytes.fill(0, start, this.next);
    return start;
  }

  /** What the caller's module imports is not the target's region any more. */
  leaveSite(site: number): void {
    for (const cpu of this.cpus) {
      this.view.setUint16(cpu + site + R.SITE_IMPORT, R.NO_REGION, true);
      this.view.setBigUint64(cpu + site + R.SITE_IMPORT_KEY, 0n, true);
    }
  }

  /** Room for a translation's records and sites; what was decoded may be dropped to make it. */
  reserve(): void {
    if (L.S_SITES + L.SITES_BYTES - this.nextSite < SITE_RESERVE) this.flush();
    this.makeRoom(RESERVE);
  }

  /** The table of blocks keeps a quarter empty, so that looking in it stays short. */
  private makeRoom(bytes: number): void {
    const tableFull = this.blocks > (this.view.getUint32(L.G_BLOCKS_MASK, true) >>> 2) * 3;
    if (tableFull || this.arena.end - this.next < bytes) this.flush();
  }

  /** The `decode` import of the runtime: a block kept for later, or with a limit one that is used once, to stop at an exact instruction. */
  readonly decode = (cpu: number, hostAddress: number, physical: number, limit: number): number => {
    const host = hostAddress >>> 0;
    const linear = this.view.getBigUint64(cpu + L.S_LOOKUP, true);
    const mode = this.view.getUint32(cpu + L.S_MODE, true);
    if (limit !== 0) {
      const scratch = cpu + L.S_SCRATCH;
      return this.build(cpu, host, BigInt(physical), scratch, Math.min(limit, MAX_BLOCK), linear, mode) === 0
        ? 0
        : scratch;
    }
    this.makeRoom((MAX_BLOCK + 4) * R.RECORD_BYTES);
    return this.decodeAt(cpu, host, BigInt(physical), linear, mode);
  };

  /** Record of a block that is decoded now and kept; 0: none. */
  private decodeAt(cpu: number, host: number, physical: bigint, linear: bigint, mode: number): number {
    const start = this.next;
    const made = this.build(cpu, host, physical, start, MAX_BLOCK, linear, mode);
    if (made === 0) return 0;
    this.next = made;
    if (host !== 0) this.insert(host, mode, start);
    return start;
  }

  /** Bytes of RAM were written: blocks of the page are stale if the touched chunks hold code. */
  readonly written = (host: number, length: number): void => {
    const start = host >>> 0;
    for (let page = (start & ~(PAGE - 1)) >>> 0; page < start + length; page += PAGE) {
      if (!this.pages.has(page)) continue;
      const first = Math.max(start, page) & (PAGE - 1);
      const last = (Math.min(start + length, page + PAGE) - 1) & (PAGE - 1);
      const touched =
        ((0xffffffff >>> (31 - (last >> CHUNK_SHIFT))) & (0xffffffff << (first >> CHUNK_SHIFT))) >>> 0;
      const attribute = this.attribute(page);
      if (this.view.getUint32(attribute + 4, true) & touched) this.invalidate(page);
    }
  };

  /** Everything is forgotten: the arena is full, or the memory was loaded anew. */
  flush(): void {
    this.aroundFlush(() => this.empty());
  }

  private empty(): void {
    this.flushes++;
    this.blocks = 0;
    for (const page of [...this.pages.keys()]) this.invalidate(page);
    this.next = this.arena.start;
    this.nextSite = L.S_SITES;
    const table = this.view.getUint32(L.G_BLOCKS, true);
    const entries = this.view.getUint32(L.G_BLOCKS_MASK, true) + 1;
    this.bytes.fill(0, table, table + entries * L.BLOCK_ENTRY_BYTES);
    for (const cpu of this.cpus) {
      this.bytes.fill(0, cpu + L.S_JUMPS, cpu + L.S_JUMPS + L.JUMP_ENTRIES * 16);
      // It may be in what was dropped, where other records will be.
      this.view.setUint32(cpu + L.S_LINK_FROM, 0, true);
    }
  }

  private attribute(page: number): number {
    const ram = this.view.getUint32(L.G_RAM, true);
    return this.view.getUint32(L.G_PAGES, true) + ((page - ram) >>> 12) * L.PAGE_BYTES;
  }

  /** Marks every record of the page's blocks stale: whoever is about to run one looks up again. */
  private invalidate(page: number): void {
    const { view } = this;
    this.onInvalid(page);
    let block = this.pages.get(page) ?? 0;
    this.pages.delete(page);
    while (block !== 0) {
      const chain = view.getUint32(block + R.B_CHAIN, true);
      this.makeStale(block);
      block = chain;
    }
    for (const cpu of this.cpus)
      if (view.getUint32(cpu + L.S_SCRATCH + R.B_PAGE, true) === page) this.makeStale(cpu + L.S_SCRATCH);
    const crossing = this.crossings.get(page);
    if (crossing) {
      this.crossings.delete(page);
      for (const first of crossing) if (this.pages.has(first)) this.invalidate(first);
    }
    const attribute = this.attribute(page);
    view.setUint32(attribute, view.getUint32(attribute, true) & ~L.PAGE_CODE, true);
    view.setUint32(attribute + 4, 0, true);
  }

  private makeStale(block: number): void {
    const { view } = this;
    const count = view.getUint16(block + R.B_COUNT, true);
    view.setUint16(block + R.R_HANDLER, R.HANDLER_STALE, true);
    view.setUint8(block + R.R_LEFT, 0);
    for (let i = 1; i <= count + 1; i++)
      view.setUint16(block + i * R.RECORD_BYTES + R.R_HANDLER, R.HANDLER_STALE, true);
  }

  /** Marks bytes `first` to `last` of the page as code, so that stores there are noticed. */
  private guard(page: number, first: number, last: number): void {
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
    if (!this.pages.has(page)) this.pages.set(page, 0);
  }

  private insert(host: number, mode: number, record: number): void {
    const { view } = this;
    const entry = this.entryOf(host, mode);
    if (view.getUint32(entry, true) === 0) this.blocks++;
    view.setUint32(entry, host, true);
    view.setUint32(entry + 4, mode, true);
    view.setUint32(entry + 8, record, true);
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
    this.decodedInstructions += count;

    if (host !== 0) {
      this.guard(page, first, Math.min(offset, PAGE) - 1);
      if (second !== 0) {
        this.guard(second, 0, Math.max(offset - PAGE, 1) - 1);
        let crossing = this.crossings.get(second);
        if (!crossing) this.crossings.set(second, (crossing = new Set()));
        crossing.add(page);
      }
    }
    if (
      copy &&
      this.bytes.subarray(page + first, page + Math.min(offset, PAGE)).some((byte, i) => byte !== copy[i])
    )
      return this.build(cpu, host, physical, start, limit, linear, mode);
    if (start >= this.arena.start && host !== 0) {
      view.setUint32(start + R.B_CHAIN, this.pages.get(page)!, true);
      this.pages.set(page, start);
    }
    return record + R.RECORD_BYTES;
  }

  /** For a page, the pages from which an instruction reaches into it. */
  private readonly crossings = new Map<number, Set<number>>();

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
  private writeRecord(record: number, mode: number, offset: number): boolean {
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
