import { type Decoded, type Decoder } from '../../isa/decoder.js';
import * as L from '../layout.js';
import { BlockDecoder, CHUNK_SHIFT, PAGE, type BlockDecoderHost } from './block-decoder.js';
import type { HandlerPlan } from './generate.js';
import * as R from './record.js';

/** Room that a translation may need. */
export const RESERVE = 0xc0000;
const SITE_RESERVE = 0x20000;

/** Decoded blocks, as the machine's thread knows them: dropped when their bytes change. */
export class CodeCache extends BlockDecoder {
  protected override readonly home = true;
  /** Called around emptying the arena: nobody may be about to run what is in it. */
  aroundFlush: (flush: () => void) => void = (flush) => flush();
  /** Called when code of a page (its address in memory) is no longer what it was. */
  onInvalid: (page: number) => void = () => {};
  private nextSite = L.S_SITES;
  private readonly cpus: readonly number[];
  /** First block of each page that has any, by address of the page. */
  private readonly pages = new Map<number, number>();
  /** For a page, the pages from which an instruction reaches into it. */
  private readonly crossings = new Map<number, Set<number>>();
  flushes = 0;

  constructor(
    memory: WebAssembly.Memory,
    decoder: Decoder,
    plan: HandlerPlan,
    host: BlockDecoderHost,
    private readonly arena: { start: number; end: number },
    shared = false,
  ) {
    super(memory, decoder, plan, host, shared);
    this.next = arena.start;
    this.view.setUint32(L.G_ARENA_END, arena.end, true);
    this.cpus = Array.from(
      { length: this.view.getUint32(L.G_CPUS, true) },
      (_, i) => L.CPU_BASE + i * L.CPU_BYTES,
    );
  }

  /** Instructions decoded so far, for the statistics. */
  get decodedInstructions(): number {
    return this.view.getFloat64(L.G_DECODED, true);
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
    return this.lock.hold(() => this.decodeAt(0, at, -1n, BigInt(at & (PAGE - 1)), mode));
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
    // Behind the others, for who reads them in another thread.
    this.setHandler(head, R.HANDLER_REGION);
    return true;
  }

  /** In one piece: other threads may be about to run the record. V8's DataView, before it is optimised, stores byte by byte. */
  private setHandler(record: number, handler: number): void {
    Atomics.store(this.halves, (record + R.R_HANDLER) >> 1, handler);
  }

  leaveRegion(head: number, region: number): void {
    const { view } = this;
    if (view.getUint16(head + R.R_HANDLER, true) !== R.HANDLER_REGION) return;
    if (view.getUint16(head + R.B_REGION, true) !== region) return;
    this.setHandler(head, R.HANDLER_BLOCK);
    this.cool(head);
  }

  /** Blocks that were decoded since become known as those of their pages. */
  private adopt(): void {
    const { view, pages, crossings } = this;
    for (let block = view.getUint32(L.G_NEW_BLOCKS, true); block !== 0;) {
      const next = view.getUint32(block + R.B_CHAIN, true);
      const page = view.getUint32(block + R.B_PAGE, true);
      view.setUint32(block + R.B_CHAIN, pages.get(page) ?? 0, true);
      pages.set(page, block);
      const second = view.getUint32(block + R.B_SECOND, true);
      if (second !== 0) {
        let crossing = crossings.get(second);
        if (!crossing) crossings.set(second, (crossing = new Set()));
        crossing.add(page);
      }
      block = next;
    }
    view.setUint32(L.G_NEW_BLOCKS, 0, true);
  }

  /**
   * Whether a block whose B_HEAT is used up is hot. Else, as `heat` has grown meanwhile, it gets the difference; or begins anew, as it
   * took too long. (Periods are counted to 256: what does this a hundred times counts as hot in the end.)
   */
  isHot(head: number): boolean {
    const { view } = this;
    const more = this.heat - view.getUint16(head + R.B_HEAT_WHOLE, true);
    if (more <= 0) {
      const began = view.getUint8(head + R.B_PERIOD);
      if (((this.period - began) & 0xff) <= 1) return true;
      this.cool(head);
      return false;
    }
    view.setUint16(head + R.B_HEAT, more, true);
    view.setUint16(head + R.B_HEAT_WHOLE, this.heat, true);
    return false;
  }

  /** Record of one instruction that stands alone, as the last of its block. */
  recordFor(decoded: Decoded, mode: number, page: number, offset: number): number {
    return this.lock.hold(() => {
      const record = this.take(R.RECORD_BYTES);
      const own = this.decoded;
      this.decoded = decoded;
      this.writeRecord(record, mode, offset);
      this.decoded = own;
      this.view.setUint8(record + R.R_LEFT, 1);
      this.guard(page, offset, Math.min(offset + decoded.length, PAGE) - 1);
      if (!this.pages.has(page)) this.pages.set(page, 0);
      return record;
    });
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
    const start = this.lock.hold(() => this.take(Math.ceil(bytes.length / R.RECORD_BYTES) * R.RECORD_BYTES));
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
    if (L.S_SITES + L.SITES_BYTES - this.nextSite < SITE_RESERVE || !this.hasRoom(RESERVE)) this.flush();
  }

  /** The `decode` import of the runtime (decodeBlock). */
  readonly decode = (cpu: number, host: number, physical: number, limit: number): number => {
    for (;;) {
      const record = this.decodeBlock(cpu, host, physical, limit, 0);
      if (record !== null) return record;
      this.flush();
    }
  };

  /** Bytes of RAM were written: blocks of the page are stale if the touched chunks hold code. */
  readonly written = (host: number, length: number): void => {
    const start = host >>> 0;
    for (let page = (start & ~(PAGE - 1)) >>> 0; page < start + length; page += PAGE) {
      const first = Math.max(start, page) & (PAGE - 1);
      const last = (Math.min(start + length, page + PAGE) - 1) & (PAGE - 1);
      const touched = (0xffffffff >>> (31 - (last >> CHUNK_SHIFT))) & (0xffffffff << (first >> CHUNK_SHIFT));
      // A locked operation, so that it comes behind the bytes: a thread that decodes marks the chunk, then reads them.
      if (!(Atomics.or(this.words, (this.attribute(page) + 4) >> 2, 0) & touched)) continue;
      this.lock.hold(() => {
        this.adopt();
        this.invalidate(page);
      });
    }
  };

  /** Everything is forgotten: the arena is full, or the memory was loaded anew. */
  flush(): void {
    this.aroundFlush(() => this.empty());
  }

  private empty(): void {
    this.flushes++;
    this.adopt();
    for (const page of [...this.pages.keys()]) this.invalidate(page);
    this.next = this.arena.start;
    this.nextSite = L.S_SITES;
    const table = this.view.getUint32(L.G_BLOCKS, true);
    const entries = this.view.getUint32(L.G_BLOCKS_MASK, true) + 1;
    this.bytes.fill(0, table, table + entries * L.BLOCK_ENTRY_BYTES);
    this.view.setUint32(L.G_BLOCKS_USED, 0, true);
    for (const cpu of this.cpus) {
      this.host.emptyJumpCache(cpu);
      // It may be in what was dropped, where other records will be.
      this.view.setUint32(cpu + L.S_LINK_FROM, 0, true);
    }
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
    this.setHandler(block, R.HANDLER_STALE);
    view.setUint8(block + R.R_LEFT, 0);
    for (let i = 1; i <= count + 1; i++) this.setHandler(block + i * R.RECORD_BYTES, R.HANDLER_STALE);
  }
}
