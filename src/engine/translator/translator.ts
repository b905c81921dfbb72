import type { Decoder } from '../../isa/decoder.js';
import type { Form } from '../../isa/forms.js';
import { controlFlowOf } from '../../isa/control-flow.js';
import { REGION } from '../imports.js';
import type { CodeCache } from '../interpreter/code-cache.js';
import { NO_REGION } from '../interpreter/record.js';
import type { HandlerPlan } from '../interpreter/generate.js';
import * as L from '../layout.js';
import type { HotBlock } from '../remote-board.js';
import { ModuleWriter } from '../wasm/module.js';
import type { Heat } from './heat.js';
import { findBlocks, MOST_PAGES, PAGE, type RegionInstruction, type Treatment } from './blocks.js';
import type { Installer, RegionModule } from './installer.js';
import { jumpTargets } from './jump-tables.js';
import { KnownCode } from './known-code.js';
import { Refused, Region, type CallSite } from './region.js';

/** Modes in which code is translated: 64-bit, and flat 32-bit protected mode. */
const FLAT32 = L.MODE_CS32 | L.MODE_SS32 | L.MODE_FLAT | L.MODE_PROTECTED;

const MOST_GENERATIONS = 4;
/** Places in a region that one computed jump leads to. */
const MOST_TARGETS = 64;
/** Regions of one module. */
const MOST_AT_ONCE = 64;
/** A module costs much beside its regions, so hot code waits for more: until there is this much, or for this many instructions by heat, but not for long. */
const ENOUGH = 48;
const PATIENCE = 250;
const MOST_PATIENCE = 1_000_000;
/** Instructions of a period. What takes longer than one or two to become hot does not: else all that a long run does now and then would be translated in the end. */
const PERIOD = 2_000_000_000;

export interface TranslatorHost {
  readonly installer: Installer;
  /** Sends a module to the other threads; gives its number among all. */
  publish(module: RegionModule): number;
  /** Whether all threads have this module, or will before they run anything. */
  isEverywhere(number: number): boolean;
  /** No translated code goes on as it is: all of it asks again where addresses lead. */
  readonly interrupt: () => void;
  peekPhysical(cpu: number, linear: bigint): bigint;
  codeKey(cpu: number, linear: bigint): number;
  ramAddress(physical: bigint): number;
}

interface Wanted {
  readonly page: number;
  readonly offset: number;
  readonly mode: number;
  /** CPU that ran it, and instruction pointer of the page's first byte there. */
  readonly cpu: number;
  readonly base: bigint;
  /** S_JUMP_KEY or S_GLOBAL_KEY: the page's. */
  readonly key: number;
  /** General registers when it became hot. */
  readonly registers: readonly bigint[];
  /** Where to enter the region beside those places that it needs itself, as offsets from the page. */
  readonly entries: readonly number[];
  /** Offsets of instructions where the region was left before, mostly for a page that the TLB did not have. */
  readonly careful: ReadonlySet<number>;
}

interface Placed {
  /** Pages that it has code of, with their distance from its own. */
  readonly pages: ReadonlyMap<number, number>;
  readonly wanted: Wanted;
  /** How often it was translated anew, to have more. */
  readonly generation: number;
  /** Its place in the table. */
  readonly slot: number;
  /** Call sites in modules that import it. */
  readonly importers: number[];
  /** It begins inside of another's block, where that was left before (for a page fault): others have that code as well. */
  readonly aside: boolean;
}

/** A region that was made. */
interface Made extends Placed {
  readonly region: Region;
  readonly known: KnownCode;
}

/** One that can be entered. It must not hold on to what it was made from, which is large. */
interface Installed extends Placed {
  /** Blocks whose place it has taken. */
  readonly heads: number[];
  /** Entry numbers by address in memory: where the interpreter enters it. */
  readonly entries: Map<number, number>;
  /** Offsets of its blocks, and of code that it would have as well if it were made now. */
  readonly starts: ReadonlySet<number>;
  readonly beyond: ReadonlySet<number>;
  /** Offsets of its instructions. */
  readonly instructions: Int16Array;
  /** Not all threads have it yet. */
  entered: boolean;
  dropped: boolean;
}

/** Where a direct call or jump leads: a region and its entry; null: not translated. */
interface Target {
  readonly to: Installed | Made | null;
  readonly entry: number;
}

/** Makes WebAssembly of hot code, and takes it back when the code changes. */
export class Translator {
  private wanted: Wanted[] = [];
  /** Instructions when the first of them was seen waiting, or -1. */
  private waitingSince = -1;
  /** By each page that they have code of. */
  private readonly regions = new Map<number, Set<Installed>>();
  private readonly freeSlots: number[] = [];
  private readonly bytes: Uint8Array;
  /** For the statistics. */
  readonly counts = { regions: 0, instructions: 0, modules: 0, bytes: 0, dropped: 0, milliseconds: 0 };

  constructor(
    private readonly host: TranslatorHost,
    private readonly cache: CodeCache,
    private readonly decoder: Decoder,
    private readonly plan: HandlerPlan,
    private readonly hot: Heat,
    /** As in ModuleWriter. */
    private readonly ordered = false,
    /** The machine has one CPU. */
    private readonly alone = false,
  ) {
    this.bytes = new Uint8Array(cache.memory.buffer);
    cache.onInvalid = (page) => this.drop(page);
  }

  /** A block has used up its heat. */
  readonly heat = ({ record, cpu, mode, base, key, registers }: HotBlock): void => {
    if (!this.cache.isHot(record)) return;
    if (!(mode & L.MODE_LONG) && (mode & (FLAT32 | L.MODE_VM86)) !== FLAT32) return;
    const place = this.cache.placeOf(record);
    if (place)
      this.wanted.push({ ...place, mode, cpu, base, key, registers, entries: [], careful: new Set() });
  };

  /** The same, of a CPU that this thread runs. */
  readonly heatHere = (cpu: number, record: number): void => {
    const view = this.cache.memory;
    const mode = view.getUint32(cpu + L.S_MODE, true);
    const base = view.getBigUint64(cpu + L.S_PAGE_BASE, true);
    const registers = Array.from({ length: 16 }, (_, n) => view.getBigUint64(cpu + L.S_GPR + 8 * n, true));
    this.heat({ record, cpu, mode, base, key: this.host.codeKey(cpu, base), registers });
  };

  /** Instructions that this thread has run: what is done when goes by them, not by time, so that runs are repeatable. */
  retired = 0;

  /** Before a CPU's turn: lets the heat follow, and translates if it is time. */
  beforeTurn(): void {
    const { retired } = this;
    this.cache.heat = this.hot.at(retired);
    this.cache.period = Math.floor(retired / PERIOD);
    if (this.entering.length > 0) {
      this.cache.reserve();
      this.enterReady();
    }
    if (this.wanted.length === 0) return;
    if (this.waitingSince < 0) this.waitingSince = retired;
    const patience = Math.min(MOST_PATIENCE, PATIENCE * this.cache.heat);
    if (this.wanted.length < ENOUGH && retired - this.waitingSince < patience) return;
    this.waitingSince = -1;
    const before = this.counts.instructions;
    this.translate();
    this.hot.spent(this.counts.instructions - before, retired);
  }

  /** Translates what has become hot. */
  private translate(): void {
    const started = performance.now();
    this.cache.reserve();
    const wanted = this.wanted.splice(0, MOST_AT_ONCE);
    const module = new ModuleWriter(this.ordered);
    const made: Made[] = [];
    const covered = new Set<string>();
    for (const want of wanted) {
      // The blocks of a loop become hot together: the first one's region has the others.
      const place = placeName(want.page + want.offset, want.mode);
      if (covered.has(place) || this.promisedAsides.has(place)) continue;
      const record = this.cache.find(want.page + want.offset, want.mode);
      // It became hot again while it was not known everywhere.
      if (record !== 0 && this.cache.regionOf(record) !== NO_REGION) continue;
      const smaller = this.growing(want);
      if (smaller && !smaller.entered) continue;
      const head = smaller ? this.grown(smaller, want, wanted) : want;
      const found = this.regionOf(head, module, smaller?.slot ?? NO_REGION);
      if (!found) continue;
      // And so do those parts that the interpreter has of what is one block here.
      for (const offset of found.region.instructions) {
        const at = found.known.addressOf(offset);
        covered.add(placeName(at, head.mode));
        const covering = this.cache.find(at, head.mode);
        if (covering !== 0) this.cache.cool(covering);
      }
      const generation = smaller ? smaller.generation + 1 : 0;
      const slot = this.freeSlots.pop() ?? this.host.installer.newSlot();
      const aside = !smaller && this.isInside(want);
      made.push({ ...found, wanted: head, generation, slot, importers: [], aside });
      if (smaller) this.remove(smaller);
    }
    if (made.length > 0) this.install(module, made);
    this.counts.milliseconds += performance.now() - started;
  }

  private regionOf(
    wanted: Wanted,
    module: ModuleWriter,
    replaced: number,
  ): Pick<Made, 'region' | 'pages' | 'known'> | null {
    const { offset, mode } = wanted;
    if (this.cache.find(wanted.page + offset, mode) === 0) return null;
    const exits = new Set<number>();
    const callouts = new Set<number>();
    const known = new KnownCode(this.cache, mode, (distance) => this.neighbourPage(wanted, distance));
    const executed = (at: number): boolean => known.recordAt(at) !== 0;
    const treatment: Treatment = {
      executed,
      elsewhere: (at) => {
        const record = known.recordAt(at);
        if (record === 0) return false;
        const taken = this.cache.regionOf(record);
        if (taken === NO_REGION) return this.promised.has(placeName(known.addressOf(at), mode));
        return taken !== replaced && !this.asides.has(taken);
      },
      leadsTo: (code) => this.leadsTo(code, wanted, executed),
      of: (instruction) => {
        const { decoded, start } = instruction;
        const form = decoded.form!;
        if (exits.has(start)) return 'exit';
        if (callouts.has(start) || isHandlers(form)) return this.byHandler(form);
        return 'translate';
      },
    };
    const decoderMode = { long: (mode & L.MODE_LONG) !== 0, default32: (mode & L.MODE_CS32) !== 0 };
    for (;;) {
      const blocks = findBlocks(this.bytes, known.pageAt, offset, decoderMode, this.decoder, treatment);
      if (blocks.length === 0) return null;
      try {
        const recordOf = ({ decoded, start }: RegionInstruction): number =>
          this.cache.recordFor(decoded, mode, known.pageAt(start >> 12), start & (PAGE - 1));
        const neighbours = new Map<number, number>();
        const neighbourOf = (distance: number): number => {
          let record = neighbours.get(distance);
          if (record === undefined)
            neighbours.set(distance, (record = this.cache.neighbour(known.pageAt(distance), distance)));
          return record;
        };
        const tableOf = (table: Uint8Array): number => this.cache.table(table);
        const region = new Region(blocks, module, wanted, recordOf, neighbourOf, tableOf, this.alone);
        this.counts.instructions += region.instructions.length;
        const pages = new Map(region.distances.map((distance) => [known.pageAt(distance), distance]));
        return { region, pages, known };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { decoded, start } = error.instruction;
        if (this.byHandler(decoded.form!) === 'callout') callouts.add(start);
        else exits.add(start);
      }
    }
  }

  /** Offsets of what was executed where a computed jump may lead. */
  private leadsTo(
    code: readonly RegionInstruction[],
    { base, cpu, mode, registers }: Wanted,
    executed: (offset: number) => boolean,
  ): number[] {
    const { decoded, start } = code[code.length - 1]!;
    if (decoded.form!.encoding.instruction.name !== 'JMP') return [];
    const read = (linear: bigint, bytes: 4 | 8): bigint | null => {
      const offset = Number(linear & BigInt(PAGE - 1));
      const page = offset + bytes > PAGE ? 0 : this.pageAt(cpu, linear, mode);
      if (page === 0) return null;
      const view = this.cache.memory;
      return bytes === 8
        ? view.getBigUint64(page + offset, true)
        : BigInt(view.getUint32(page + offset, true));
    };
    const found = new Set<number>();
    for (const target of jumpTargets(code, registers, (mode & L.MODE_LONG) !== 0, read)) {
      const offset = Number(BigInt.asIntN(64, target - base));
      // Behind the table is something else.
      if (Math.abs(offset) > (MOST_PAGES + 1) * PAGE) break;
      if (Math.abs(offset - start) < PAGE && executed(offset)) found.add(offset);
    }
    return [...found].slice(0, MOST_TARGETS);
  }

  private neighbourPage({ page, base, cpu, mode }: Wanted, distance: number): number {
    return distance === 0 ? page : this.pageAt(cpu, base + BigInt(distance * PAGE), mode);
  }

  /** How an instruction that is not translated is run: handlers in the interpreter's loop cannot be called. */
  private byHandler(form: Form): 'callout' | 'exit' {
    const handler = this.plan.handlers[form.id]!;
    return handler >= this.plan.firstOutOfLine ? 'callout' : 'exit';
  }

  private install(writer: ModuleWriter, made: readonly Made[]): void {
    const { host, counts } = this;
    const nameOf = ({ wanted: { page, offset, mode } }: Made, i: number): string =>
      `region ${i}: ${(page + offset - this.cache.ramBase).toString(16)} mode ${mode.toString(16)}`;
    const imports: number[] = [];
    const targets = made.map((one) => this.targetsOf(one, made));
    /** Index of each region's function in the module. */
    const indexes = new Map<Placed, number>();
    for (const { to } of targets.flatMap((list) => [...list.values()]))
      if (to && 'heads' in to && !indexes.has(to)) {
        imports.push(to.slot);
        indexes.set(to, writer.import('region', String(to.slot), REGION));
      }
    const first = writer.nextIndex;
    made.forEach((one, i) => indexes.set(one, first + i));
    made.forEach((one, i) => {
      const sites = new Map<number, CallSite>();
      for (const [target, { to, entry }] of targets[i]!) {
        const site = this.cache.site(to?.slot, entry);
        to?.importers.push(site);
        const near =
          to !== null && target >> 12 === 0 && [...to.pages.keys()].every((page) => one.pages.has(page));
        sites.set(target, { site, callee: to && { entry, near, index: indexes.get(to)! } });
      }
      writer.export(nameOf(one, i), one.region.define(sites));
    });
    const bytes = writer.finish();
    const module = new WebAssembly.Module(bytes);
    const exports = made.map((one, i) => [nameOf(one, i), one.slot] as const);
    const compiled = { module, imports, exports };
    host.installer.install(compiled);
    const number = host.publish(compiled);
    counts.modules++;
    counts.bytes += bytes.length;
    for (const { region, slot, known, pages, wanted, generation, importers, aside } of made) {
      const { starts, beyond } = region;
      const instructions = Int16Array.from(region.instructions);
      const installed: Installed = {
        ...{ pages, wanted, generation, slot, importers, aside, starts, beyond, instructions },
        ...{ heads: [], entries: new Map(), entered: false, dropped: false },
      };
      for (const page of pages.keys()) {
        const others = this.regions.get(page);
        if (others) others.add(installed);
        else this.regions.set(page, new Set([installed]));
      }
      counts.regions++;
      if (aside) this.asides.add(slot);
      // Others end where a region will be entered, but for asides.
      const entries = aside ? region.entries.slice(0, 1) : region.entries;
      const promises = aside ? this.promisedAsides : this.promised;
      const places = entries.map((offset) => placeName(known.addressOf(offset), wanted.mode));
      for (const place of places) promises.add(place);
      const enter = (): void => {
        for (const place of places) promises.delete(place);
        this.enter(installed, entries, known);
      };
      this.entering.push({ number, enter });
    }
    this.enterReady();
  }

  /** Regions that are not entered yet, as not all threads have them. */
  private readonly entering: { number: number; enter: () => void }[] = [];

  /** Places in the table of regions that begin inside of others' blocks. */
  private readonly asides = new Set<number>();

  /** Where they will be entered (placeName); where those will that begin inside of others' blocks. */
  private readonly promised = new Set<string>();
  private readonly promisedAsides = new Set<string>();

  private enterReady(): void {
    while (this.entering.length > 0 && this.host.isEverywhere(this.entering[0]!.number))
      this.entering.shift()!.enter();
  }

  private enter(installed: Installed, offsets: readonly number[], known: KnownCode): void {
    const { slot, wanted, heads, entries } = installed;
    installed.entered = true;
    offsets.forEach((offset, n) => {
      if (installed.dropped) return;
      const at = known.addressOf(offset);
      const head = this.cache.headAt(at, wanted.mode);
      if (head === 0 || !this.cache.enterRegion(head, slot, n + 1)) return;
      heads.push(head);
      entries.set(at, n + 1);
    });
  }

  /** Where a region's direct calls and jumps lead, as far as it is translated, or will be in the same module. */
  private targetsOf({ region, wanted }: Made, made: readonly Made[]): Map<number, Target> {
    const { mode } = wanted;
    const result = new Map<number, Target>();
    for (const target of region.targets) {
      const offset = target & (PAGE - 1);
      const page = this.neighbourPage(wanted, target >> 12);
      const at = page + offset;
      for (const to of this.regions.get(page) ?? [])
        if (to.wanted.mode === mode && to.entries.has(at))
          result.set(target, { to, entry: to.entries.get(at)! });
      if (result.has(target)) continue;
      result.set(target, { to: null, entry: 0 });
      for (const to of made) {
        const distance = to.pages.get(page);
        if (distance === undefined || to.wanted.mode !== mode) continue;
        const entry = to.region.entries.indexOf(offset + distance * PAGE) + 1;
        if (entry === 0) continue;
        result.set(target, { to, entry });
        break;
      }
    }
    return result;
  }

  /** Address in memory of the page of RAM at a linear address, as it is mapped now; 0 if there is none. */
  private pageAt(cpu: number, linear: bigint, mode: number): number {
    const { peekPhysical, ramAddress } = this.host;
    const physical = peekPhysical(cpu, mode & L.MODE_LONG ? BigInt.asIntN(64, linear) : linear & 0xffffffffn);
    return physical < 0n ? 0 : (ramAddress(physical) & ~(PAGE - 1)) >>> 0;
  }

  private drop(page: number): void {
    const known = this.regions.get(page);
    if (!known) return;
    for (const installed of known) this.forget(installed);
    this.host.interrupt();
  }

  private forget(installed: Installed): void {
    for (const page of installed.pages.keys()) {
      const known = this.regions.get(page)!;
      known.delete(installed);
      if (known.size === 0) this.regions.delete(page);
    }
    const { slot, heads, importers } = installed;
    installed.dropped = true;
    this.asides.delete(slot);
    for (const site of importers) this.cache.leaveSite(site);
    for (const head of heads) this.cache.leaveRegion(head, slot);
    this.freeSlots.push(slot);
    this.counts.dropped++;
  }

  /** A region that has this code, but no entry there; or was made before it was executed for the first time, and leads to it. */
  private growing({ page, offset, mode }: Wanted): Installed | null {
    let leads: Installed | null = null;
    for (const installed of this.regions.get(page) ?? []) {
      const { starts, beyond, generation, wanted, aside } = installed;
      if (wanted.mode !== mode || generation >= MOST_GENERATIONS || aside) continue;
      const inRegion = offset + installed.pages.get(page)! * PAGE;
      if (starts.has(inRegion)) return installed;
      if (isInside(installed, inRegion) && !wanted.careful.has(inRegion)) return installed;
      if (beyond.has(inRegion)) leads ??= installed;
    }
    return leads;
  }

  /** Whether this lies inside of a block of a region that there is. */
  private isInside({ page, offset, mode }: Wanted): boolean {
    for (const installed of this.regions.get(page) ?? []) {
      const inRegion = offset + installed.pages.get(page)! * PAGE;
      if (installed.wanted.mode === mode && !installed.aside && isInside(installed, inRegion)) return true;
    }
    return false;
  }

  /** What to translate instead of a region that grows: from the same start, to be entered as well where others of the wanted are inside. */
  private grown(installed: Installed, want: Wanted, wanted: readonly Wanted[]): Wanted {
    const { pages, wanted: old } = installed;
    const inside = new Set<number>();
    for (const { page, offset, mode } of wanted) {
      const distance = mode === old.mode ? pages.get(page) : undefined;
      if (distance === undefined) continue;
      const inRegion = offset + distance * PAGE;
      if (!isInside(installed, inRegion)) inside.add(inRegion);
    }
    const base = want.base - BigInt(pages.get(want.page)! * PAGE);
    const { cpu, key } = want;
    const careful = this.leftAt(installed, inside);
    return { ...old, cpu, key, base, entries: [...old.entries, ...inside], careful };
  }

  /**
   * What is behind a place, in its block, where a region was left: the interpreter has a block that begins there, or if it is the first
   * of the region's block, that has become hot (`inside`).
   */
  private leftAt(
    { pages, starts, instructions, wanted }: Installed,
    inside: ReadonlySet<number>,
  ): Set<number> {
    const careful = new Set(wanted.careful);
    const pageAt = new Map([...pages].map(([page, distance]) => [distance, page]));
    let left = false;
    for (const offset of instructions) {
      if (starts.has(offset)) left = inside.has(offset);
      else if (!left) {
        const at = pageAt.get(offset >> 12)! + (offset & (PAGE - 1));
        left = this.cache.find(at, wanted.mode) !== 0;
      }
      if (left) careful.add(offset);
    }
    return careful;
  }

  private remove(installed: Installed): void {
    this.forget(installed);
    // Call sites may know it.
    this.host.interrupt();
  }
}

/** Whether the instruction at this offset is one of the region's, and not the first of a block. */
function isInside({ starts, instructions }: Installed, offset: number): boolean {
  return !starts.has(offset) && instructions.includes(offset);
}

/** Names code by its address in memory and its mode. */
function placeName(at: number, mode: number): string {
  return `${at},${mode}`;
}

/** String instructions that regions have, unless their addresses are not flat. */
const STRINGS = new Set(['MOVS', 'STOS']);

/** They end blocks of the interpreter's, and are translated all the same. */
const INLINE = new Set(['CLI', 'STI', 'CLAC', 'STAC']);

/** Whether the instruction changes more than registers and memory, so that its handler runs it. */
function isHandlers(form: Form): boolean {
  const { attributes, instruction } = form.encoding;
  const flow = controlFlowOf(form);
  return (
    (attributes.has('end') && !INLINE.has(instruction.name)) ||
    flow.kind === 'transfer' ||
    (flow.repeats && !STRINGS.has(instruction.name)) ||
    instruction.name.startsWith('UD')
  );
}
