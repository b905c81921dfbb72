import type { Decoder } from '../../isa/decoder.js';
import type { Form } from '../../isa/forms.js';
import { controlFlowOf } from '../../isa/control-flow.js';
import { REGION } from '../imports.js';
import type { CodeCache } from '../interpreter/code-cache.js';
import { NO_REGION } from '../interpreter/record.js';
import type { HandlerPlan } from '../interpreter/generate.js';
import * as L from '../layout.js';
import { ModuleWriter } from '../wasm/module.js';
import { findBlocks, PAGE, type RegionInstruction, type Treatment } from './blocks.js';
import { KnownCode } from './known-code.js';
import { Refused, Region, type CallSite } from './region.js';

/** Modes in which code is translated: 64-bit, and flat 32-bit protected mode. */
const FLAT32 = L.MODE_CS32 | L.MODE_SS32 | L.MODE_FLAT | L.MODE_PROTECTED;

const MOST_GENERATIONS = 4;
/** Regions of one module. */
const MOST_AT_ONCE = 64;

export interface TranslatorHost {
  readonly memory: WebAssembly.Memory;
  readonly runtime: WebAssembly.Exports;
  /** Exports of the interpreter. */
  readonly interpreter: WebAssembly.Exports;
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
  /** Where to enter the region beside those places that it needs itself, as offsets from the page. */
  readonly entries: readonly number[];
}

interface Made {
  readonly region: Region;
  /** Pages that it has code of, with their distance from its own. */
  readonly pages: ReadonlyMap<number, number>;
  readonly wanted: Wanted;
  readonly pageAt: (distance: number) => number;
  readonly generation: number;
  /** Its place in the table. */
  readonly slot: number;
}

interface Installed {
  readonly region: Region;
  readonly offset: number;
  readonly mode: number;
  /** How often it was translated anew, to have more. */
  readonly generation: number;
  readonly slot: number;
  readonly page: number;
  readonly pages: ReadonlyMap<number, number>;
  readonly heads: readonly number[];
  /** Entry numbers by address in memory: where the interpreter enters it. */
  readonly entries: ReadonlyMap<number, number>;
  readonly code: WebAssembly.ExportValue;
  /** Call sites in modules that import it. */
  readonly importers: number[];
}

/** Makes WebAssembly of hot code, and takes it back when the code changes. */
export class Translator {
  private wanted: Wanted[] = [];
  /** By each page that they have code of. */
  private readonly regions = new Map<number, Set<Installed>>();
  private readonly freeSlots: number[] = [];
  private readonly bytes: Uint8Array;
  /** Forms that only their handlers run. */
  private readonly refused = new Set<Form>();
  /** For the statistics. */
  readonly counts = { regions: 0, instructions: 0, modules: 0, bytes: 0, dropped: 0, milliseconds: 0 };

  constructor(
    private readonly host: TranslatorHost,
    private readonly cache: CodeCache,
    private readonly decoder: Decoder,
    private readonly plan: HandlerPlan,
  ) {
    this.bytes = new Uint8Array(host.memory.buffer);
    cache.onInvalid = (page) => this.drop(page);
  }

  /** The block of this record is hot. */
  readonly heat = (cpu: number, record: number): void => {
    const view = this.cache.memory;
    const mode = view.getUint32(cpu + L.S_MODE, true);
    if (!(mode & L.MODE_LONG) && (mode & (FLAT32 | L.MODE_VM86)) !== FLAT32) return;
    const place = this.cache.placeOf(record);
    const base = view.getBigUint64(cpu + L.S_PAGE_BASE, true);
    if (!place) return;
    const global = this.host.codeKey(cpu, base) >>> 0 === view.getUint32(cpu + L.S_GLOBAL_KEY, true);
    const key = global ? L.S_GLOBAL_KEY : L.S_JUMP_KEY;
    this.wanted.push({ ...place, mode, cpu, base, key, entries: [] });
  };

  /** Translates what has become hot. */
  translate(): void {
    if (this.wanted.length === 0) return;
    const started = performance.now();
    this.cache.reserve();
    const wanted = this.wanted.splice(0, MOST_AT_ONCE);
    const module = new ModuleWriter();
    const made: Made[] = [];
    const covered = new Set<string>();
    for (const want of wanted) {
      // The blocks of a loop become hot together: the first one's region has the others.
      if (covered.has(`${want.page + want.offset},${want.mode}`)) continue;
      const smaller = this.growing(want);
      const head = smaller ? this.grown(smaller, want, wanted) : want;
      const found = this.regionOf(head, module, smaller?.slot ?? NO_REGION);
      if (!found) continue;
      for (const offset of found.region.offsets) {
        const at = found.pageAt(offset >> 12) + (offset & (PAGE - 1));
        covered.add(`${at},${head.mode}`);
        const known = this.cache.find(at, head.mode);
        if (known !== 0) this.cache.cool(known);
      }
      const generation = smaller ? smaller.generation + 1 : 0;
      const slot = this.freeSlots.pop() ?? this.table.grow(1);
      made.push({ ...found, wanted: head, generation, slot });
      if (smaller) this.remove(smaller);
    }
    if (made.length > 0) this.install(module, made);
    this.counts.milliseconds += performance.now() - started;
  }

  private regionOf(
    wanted: Wanted,
    module: ModuleWriter,
    replaced: number,
  ): Pick<Made, 'region' | 'pages' | 'pageAt'> | null {
    const { offset, mode } = wanted;
    if (this.cache.find(wanted.page + offset, mode) === 0) return null;
    const exits = new Set<number>();
    const callouts = new Set<number>();
    const code = new KnownCode(this.cache, mode, (distance) => this.neighbourPage(wanted, distance));
    const treatment: Treatment = {
      executed: (at) => {
        if (!code.executed(at)) return false;
        const taken = this.cache.regionAt(code.pageAt(at >> 12) + (at & (PAGE - 1)), mode);
        return taken === NO_REGION || taken === replaced;
      },
      of: (instruction) => {
        const { decoded, start } = instruction;
        const form = decoded.form!;
        if (exits.has(start)) return 'exit';
        if (callouts.has(start) || this.refused.has(form) || isHandlers(form)) return this.byHandler(form);
        return 'translate';
      },
    };
    const decoderMode = { long: (mode & L.MODE_LONG) !== 0, default32: (mode & L.MODE_CS32) !== 0 };
    for (;;) {
      const blocks = findBlocks(this.bytes, code.pageAt, offset, decoderMode, this.decoder, treatment);
      if (blocks.length === 0) return null;
      try {
        const recordOf = ({ decoded, start }: RegionInstruction): number =>
          this.cache.recordFor(decoded, mode, code.pageAt(start >> 12), start & (PAGE - 1));
        const neighbours = new Map<number, number>();
        const neighbourOf = (distance: number): number => {
          let record = neighbours.get(distance);
          if (record === undefined)
            neighbours.set(distance, (record = this.cache.neighbour(code.pageAt(distance), distance)));
          return record;
        };
        const region = new Region(blocks, module, wanted, recordOf, neighbourOf);
        this.counts.instructions += blocks.reduce((sum, block) => sum + block.instructions.length, 0);
        const pages = new Map(region.distances.map((distance) => [code.pageAt(distance), distance]));
        return { region, pages, pageAt: code.pageAt };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { decoded, start } = error.instruction;
        if (this.byHandler(decoded.form!) === 'callout') callouts.add(start);
        else exits.add(start);
      }
    }
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
    const imported: Record<string, WebAssembly.ExportValue> = {};
    const importersOf = new Map<Made, number[]>();
    const found = made.map((one) => this.calleesOf(one, made));
    for (const callees of found)
      for (const { to } of callees.values())
        if (to && 'code' in to) {
          imported[to.slot] = to.code;
          writer.import('region', String(to.slot), REGION);
        }
    const first = writer.nextIndex;
    made.forEach((one, i) => {
      const sites = new Map<number, CallSite>();
      for (const [target, { to, entry }] of found[i]!) {
        const site = this.cache.site(to?.slot, entry);
        let callee: CallSite['callee'] = null;
        const near =
          target >> 12 === 0 && to !== null && [...to.pages.keys()].every((page) => one.pages.has(page));
        if (to && 'code' in to) {
          to.importers.push(site);
          callee = { entry, near, index: writer.import('region', String(to.slot), REGION) };
        } else if (to) {
          const importers = importersOf.get(to);
          if (importers) importers.push(site);
          else importersOf.set(to, [site]);
          callee = { entry, near, index: first + made.indexOf(to) };
        }
        sites.set(target, { site, callee });
      }
      writer.export(nameOf(one, i), one.region.define(sites));
    });
    const bytes = writer.finish();
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory: host.memory },
      runtime: host.runtime,
      interpreter: host.interpreter,
      region: imported,
    });
    counts.modules++;
    counts.bytes += bytes.length;
    made.forEach((one, i) => {
      const { region, generation, slot } = one;
      const { page, offset: start, mode } = one.wanted;
      const code = exports[nameOf(one, i)]!;
      this.table.set(slot, code);
      const heads: number[] = [];
      const entries = new Map<number, number>();
      region.entries.forEach(({ offset }, n) => {
        const at = one.pageAt(offset >> 12) + (offset & (PAGE - 1));
        const head = this.cache.headAt(at, mode);
        if (head === 0 || !this.cache.enterRegion(head, slot, n + 1)) return;
        heads.push(head);
        entries.set(at, n + 1);
      });
      const importers = importersOf.get(one) ?? [];
      const { pages } = one;
      const installed = {
        region, offset: start, mode, generation, slot, page, pages, heads, entries, code, importers,
      }; // prettier-ignore
      for (const each of pages.keys()) {
        const known = this.regions.get(each);
        if (known) known.add(installed);
        else this.regions.set(each, new Set([installed]));
      }
      counts.regions++;
    });
  }

  /** The regions that a region's direct calls lead to, by target, as far as they are translated, or will be in the same module. */
  private calleesOf(
    { region, wanted: { page, base, mode, cpu } }: Made,
    made: readonly Made[],
  ): Map<number, { to: Installed | Made | null; entry: number }> {
    const result = new Map<number, { to: Installed | Made | null; entry: number }>();
    for (const target of region.targets) {
      const offset = target & (PAGE - 1);
      const home = target === offset ? page : this.pageAt(cpu, base + BigInt(target), mode);
      const at = home + offset;
      const installed = [...(this.regions.get(home) ?? [])].find(
        (one) => one.mode === mode && one.entries.has(at),
      );
      if (installed) {
        result.set(target, { to: installed, entry: installed.entries.get(at)! });
        continue;
      }
      let entry = 0;
      const to = made.find((one) => {
        const distance = one.pages.get(home);
        if (distance === undefined || one.wanted.mode !== mode) return false;
        const inRegion = offset + distance * PAGE;
        entry = one.region.entries.findIndex((candidate) => candidate.offset === inRegion) + 1;
        return entry > 0;
      });
      result.set(target, { to: to ?? null, entry });
    }
    return result;
  }

  /** Address in memory of the page of RAM at a linear address, as it is mapped now; 0 if there is none. */
  private pageAt(cpu: number, linear: bigint, mode: number): number {
    const { peekPhysical, ramAddress } = this.host;
    const physical = peekPhysical(cpu, mode & L.MODE_LONG ? BigInt.asIntN(64, linear) : linear & 0xffffffffn);
    return physical < 0n ? 0 : (ramAddress(physical) & ~(PAGE - 1)) >>> 0;
  }

  private get table(): WebAssembly.Table {
    return this.host.interpreter['table'] as WebAssembly.Table;
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
    this.free(installed);
  }

  private free({ slot, heads, importers }: Installed): void {
    for (const site of importers) this.cache.leaveSite(site);
    for (const head of heads) this.cache.leaveRegion(head, slot);
    this.freeSlots.push(slot);
    this.counts.dropped++;
  }

  /** A region that has this code, but no entry there; or was made before it was executed for the first time, and leads to it. */
  private growing({ page, offset, mode }: Wanted): Installed | null {
    let leads: Installed | null = null;
    for (const installed of this.regions.get(page) ?? []) {
      const { region, generation } = installed;
      if (installed.mode !== mode || generation >= MOST_GENERATIONS) continue;
      const inRegion = offset + installed.pages.get(page)! * PAGE;
      if (region.has(inRegion)) return installed;
      if (region.beyond.has(inRegion)) leads ??= installed;
    }
    return leads;
  }

  /** What to translate instead of a region that grows: from the same start, to be entered as well where others of the wanted are inside. */
  private grown(installed: Installed, want: Wanted, wanted: readonly Wanted[]): Wanted {
    const { page, offset, mode, pages, region } = installed;
    const inside = wanted.flatMap((one) => {
      const distance = one.mode === mode ? pages.get(one.page) : undefined;
      return distance === undefined ? [] : [one.offset + distance * PAGE];
    });
    const entries = [...region.wantedEntries, ...inside];
    const { cpu, key, base } = want;
    return { page, offset, mode, cpu, key, base: base - BigInt(pages.get(want.page)! * PAGE), entries };
  }

  private remove(installed: Installed): void {
    this.forget(installed);
    // Call sites may know it.
    this.host.interrupt();
  }
}

/** Whether the instruction changes more than registers and memory, so that its handler runs it. */
function isHandlers(form: Form): boolean {
  const { attributes, instruction } = form.encoding;
  const flow = controlFlowOf(form);
  return (
    attributes.has('end') || flow.kind === 'transfer' || flow.repeats || instruction.name.startsWith('UD')
  );
}
