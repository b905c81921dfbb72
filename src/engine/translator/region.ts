import { bindingImports, CALL, FRAME_SLOTS, HANDLER, MOST_SLOTS, REGION, REGION_LEFT } from '../imports.js';
import { NEIGHBOUR_BASE, NEIGHBOUR_KEY, SITE_IMPORT_KEY, SITE_TARGET } from '../interpreter/record.js';
import * as L from '../layout.js';
import { FunctionBody } from '../wasm/bytes.js';
import { Cell } from '../wasm/code.js';
import type { ModuleWriter } from '../wasm/module.js';
import { BlockRecorder, Exit, NotTranslatable, TranslatorOps, type Leaving } from './binding.js';
import {
  crossesPages,
  MOST_INSTRUCTIONS,
  PAGE,
  pagesOf,
  type BasicBlock,
  type Ending,
  type RegionInstruction,
} from './blocks.js';
import { withEntries, type RegionGraph } from './entries.js';
import { CPU, ENTRY, FLAGS, RegionFrame, SLOTS, WHERE_BIAS } from './frame.js';
import { irreducibleEdges, loopsOf, type Successors } from './graph.js';
import { findLiveness, type Liveness } from './liveness.js';
import { Structure } from './structure.js';

const LOAD32 = 0x28;
const LOAD64 = 0x29;
const STORE32 = 0x36;
const STORE64 = 0x37;
const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const BR = 0x0c;
const BR_IF = 0x0d;
const RETURN = 0x0f;
const IF = [0x04, 0x40];
const ELSE = 0x05;
const END = 0x0b;
const FAR = 0x10000;
/** Slots of its frame, beside the locals, for each instruction: V8's optimiser spills more where there is more (11 KB for 1071). */
const FRAME_GROWTH = 1.25;
/** What most functions need at least. */
const BODY_BYTES = 4096;

/** Code that stores what `mask` names, and then leaves at the frame's `where` (`exit`) or with its `rip` (`leave`). */
interface Stub {
  readonly kind: 'exit' | 'leave';
  readonly mask: number;
  readonly exits: Exit[];
}

/** What code of a region assumes, and where it is entered. */
export interface RegionMode {
  /** MODE_ bits. */
  readonly mode: number;
  /** S_JUMP_KEY or S_GLOBAL_KEY: what calls and neighbours are known under. */
  readonly key: number;
  /** Offsets of blocks to enter beside those that must be. */
  readonly entries: readonly number[];
  /** Offsets of instructions whose accesses are all looked up where the TLB does not have them. */
  readonly careful: ReadonlySet<number>;
}

/** A region that one calls: index of its function in the module, and the entry. */
export interface Callee {
  readonly index: number;
  readonly entry: number;
  /** It lies in the region's own page, and stays right as long as the region does. */
  readonly near: boolean;
}

/** How a direct call goes to its target. */
export interface CallSite {
  /** Offset of its SITE_ record from the CPU; 0: none. */
  readonly site: number;
  readonly callee: Callee | null;
}

/** Could not be translated as asked: the instruction at this offset must be treated otherwise. */
export class Refused extends Error {
  constructor(readonly instruction: RegionInstruction) {
    super();
  }
}

/** One region: recorded by the constructor, emitted by `define`. */
export class Region {
  /** Offsets of the blocks where it is entered: entry number n is the n-th, from 1. */
  readonly entries: readonly number[];
  /** Offsets of its instructions. */
  readonly instructions: readonly number[];
  /** Offsets of code that it leads to but does not have, and would have if it were made now. */
  readonly beyond: ReadonlySet<number>;
  private readonly frame: RegionFrame;
  private readonly recorded: { code: BlockRecorder; leaving: Leaving | null }[];
  private readonly live: Liveness;
  private readonly longest: (block: number) => number;
  private readonly blockAt: ReadonlyMap<number, number>;
  /**
   * Edges (`edge`) that would make a loop with two heads. They go by the root, which is the head of all then; or leave the region if
   * there is no entry for where they lead.
   */
  private readonly byRoot = new Set<string>();
  private readonly left = new Set<string>();
  private readonly graph: RegionGraph;
  private readonly checked = new Set([0]);
  /** Blocks that are reached without the edges that leave the region. */
  private readonly reached: ReadonlySet<number>;
  /** Where each block goes with `rip`, and out of its check. */
  private readonly leaves: readonly Exit[];
  private readonly refusals: readonly Exit[];
  private readonly body = new FunctionBody(BODY_BYTES);
  /** Where the size of its frame belongs. */
  private readonly frameSizes: number[] = [];
  private readonly imports: {
    call: number;
    instruction: number;
    settle: number;
    hasNeighbour: number;
    bindSite: number;
  };

  constructor(
    private readonly blocks: readonly BasicBlock[],
    private readonly module: ModuleWriter,
    readonly how: RegionMode,
    /** Decoded record of an instruction that its handler runs. */
    private readonly recordOf: (instruction: RegionInstruction) => number,
    /** Offset from the CPU of the NEIGHBOUR_ record of a page, by its distance. */
    private readonly neighbourOf: (distance: number) => number,
    /** Puts bytes into memory that lasts as long as the region; their address. */
    private readonly tableOf: (bytes: Uint8Array) => number,
    /** As in RegionFrame. */
    alone = false,
  ) {
    this.frame = new RegionFrame(alone);
    this.imports = {
      call: module.import('interpreter', 'call', CALL),
      instruction: module.import('interpreter', 'instruction', HANDLER),
      bindSite: module.import('runtime', 'bindSite', bindingImports['bindSite']!),
      hasNeighbour: module.import('runtime', 'hasNeighbour', bindingImports['hasNeighbour']!),
      settle: module.import('runtime', 'settleFlags', bindingImports['settleFlags']!),
    };
    this.blockAt = new Map(blocks.map(({ start }, i) => [start, i]));
    const starts: number[] = [];
    for (const { instructions } of blocks) for (const { start } of instructions) starts.push(start);
    this.instructions = starts;
    const beyond = new Set<number>();
    if (starts.length < MOST_INSTRUCTIONS)
      for (const { ending } of blocks)
        for (const offset of offsetsBehind(ending)) if (!this.blockAt.has(offset)) beyond.add(offset);
    this.beyond = beyond;
    const toRoot = new Set<number>();
    for (;;) {
      const found = irreducibleEdges(this.successors());
      if (found.length === 0) break;
      for (const [from, to] of found) {
        if (crossesPages(this.extent(to))) this.left.add(edge(from, to));
        else {
          this.byRoot.add(edge(from, to));
          toRoot.add(from);
          this.checked.add(to);
        }
      }
    }
    const successors = this.successors();
    const reached = (this.reached = reachable(successors));
    for (const head of loopsOf(successors).keys()) this.checked.add(head);
    blocks.forEach(({ ending }, from) => {
      if (!reached.has(from) || (ending.kind !== 'call' && ending.kind !== 'callout')) return;
      const next = this.target(from, ending.next);
      if (next !== null) this.checked.add(next);
    });
    for (const offset of how.entries) {
      const block = this.blockAt.get(offset);
      if (block !== undefined && reached.has(block)) this.checked.add(block);
    }
    const others = [...this.checked].filter((block) => block !== 0 && !crossesPages(this.extent(block)));
    const far = (block: number): number => Math.abs(blocks[block]!.start >> 12);
    const entries = [0, ...others.sort((a, b) => far(a) - far(b))];
    this.graph = withEntries(successors, entries, toRoot);
    this.longest = this.longestPaths(successors);
    this.entries = entries.map((block) => blocks[block]!.start);
    this.recorded = blocks.map((block, i) =>
      reached.has(i) ? this.record(block) : { code: new BlockRecorder(), leaving: null },
    );
    const ways = this.ways().map((list, from) => (this.spillsAt(from) ? [] : list));
    this.live = findLiveness(
      ways,
      this.recorded.map(({ code }) => ({ written: code.written, needs: code.needs() })),
    );
    this.leaves = this.recorded.map(({ code }) => new Exit(code.written));
    this.refusals = blocks.map(() => new Exit(0));
  }

  private extent(block: number): { start: number; next: number } {
    const { start, instructions } = this.blocks[block]!;
    return { start, next: instructions[instructions.length - 1]!.next };
  }

  private pages(block: number): readonly number[] {
    return pagesOf(this.extent(block));
  }

  /** Whether all is in memory behind the block. */
  private spillsAt(block: number): boolean {
    const { kind } = this.blocks[block]!.ending;
    return kind === 'call' || kind === 'callout';
  }

  /** Block at an offset, unless the way there leaves the region. */
  private target(from: number, offset: number | null): number | null {
    if (offset === null) return null;
    const to = this.blockAt.get(offset);
    if (to === undefined) return null;
    return this.left.size > 0 && this.left.has(edge(from, to)) ? null : to;
  }

  private goesByRoot(from: number, to: number): boolean {
    return this.byRoot.size > 0 && this.byRoot.has(edge(from, to));
  }

  /** Where blocks go, but by the root. */
  private successors(): Successors {
    return this.ways().map((list, from) => list.filter((to) => !this.goesByRoot(from, to)));
  }

  private ways(): Successors {
    return this.blocks.map(({ ending }, from) => {
      const list: number[] = [];
      for (const offset of offsetsBehind(ending)) {
        const to = this.target(from, offset);
        if (to !== null) list.push(to);
      }
      return list;
    });
  }

  private longestPaths(successors: Successors): (block: number) => number {
    const known = new Map<number, number>();
    const longest = (block: number): number => {
      let length = known.get(block);
      if (length !== undefined) return length;
      length = 0;
      for (const to of successors[block]!) if (!this.checked.has(to)) length = Math.max(length, longest(to));
      length += this.blocks[block]!.instructions.length;
      known.set(block, length);
      return length;
    };
    return longest;
  }

  private record(block: BasicBlock): { code: BlockRecorder; leaving: Leaving | null } {
    const code = new BlockRecorder();
    const list = block.ending.kind === 'callout' ? block.instructions.slice(0, -1) : block.instructions;
    let ops: TranslatorOps | null = null;
    list.forEach((instruction, i) => {
      const { decoded, start, next } = instruction;
      const left = block.instructions.length - i;
      const { mode, careful } = this.how;
      const asks = careful.has(start);
      ops = new TranslatorOps(decoded, code, this.frame, this.module, mode, start, next, left, asks);
      try {
        ops.bind();
      } catch (error) {
        if (error instanceof NotTranslatable) throw new Refused(instruction);
        throw error;
      }
    });
    // What comes behind finds the flags in the frame.
    (ops as TranslatorOps | null)?.syncFlags();
    return { code, leaving: (ops as TranslatorOps | null)?.leaving ?? null };
  }

  /** Offsets of its blocks. */
  get starts(): ReadonlySet<number> {
    return new Set(this.blockAt.keys());
  }

  /** Of the pages that it has code of, from its own. */
  get distances(): number[] {
    const distances = new Set<number>();
    this.blocks.forEach((_, block) => {
      for (const distance of this.pages(block)) distances.add(distance);
    });
    return [...distances];
  }

  /** Targets of its direct calls, and of jumps out of it, as offsets from the page. */
  get targets(): Set<number> {
    const targets = new Set<number>();
    this.blocks.forEach(({ ending }, block) => {
      if (!this.reached.has(block)) return;
      const far = 'taken' in ending && ending.taken === null;
      if (far || (ending.kind === 'call' && this.recorded[block]!.leaving?.kind === 'relative'))
        targets.add(this.jumpTarget(block));
      if (ending.kind === 'computed') return;
      for (const offset of offsetsBehind(ending))
        if (this.target(block, offset) === null) targets.add(offset);
    });
    return targets;
  }

  /** Where the block's last instruction, a direct call or jump, leads to. */
  private jumpTarget(block: number): number {
    const { instructions } = this.blocks[block]!;
    const { next, decoded } = instructions[instructions.length - 1]!;
    return next + decoded.immediate;
  }

  // ---- emission
  /** Index of the region's function (imports.ts, REGION). `sites` by target. */
  define(sites: ReadonlyMap<number, CallSite>): number {
    const { frame, body } = this;
    this.sites = sites;
    // V8's optimiser then knows it: no addition, and a register less (recursive calls 0.87 of the time, loops 0.93 to 0.97).
    if (frame.alone) body.raw([0x41]).signed(L.CPU_BASE).raw([SET, CPU]);
    this.emitHome();
    this.loadEntry();
    const stubs = this.makeStubs();
    body.raw([0x02, 0x40, 0x02, 0x40]);
    const [atReturn, atExit] = [1, 2];
    const inside = atExit + stubs.length;
    stubs.forEach(({ exits }, i) => {
      body.raw([0x02, 0x40]);
      for (const exit of exits) exit.level = inside - i;
    });
    const labelled = new Set<number>();
    this.graph.nodes.forEach((node) => {
      if (node.kind !== 'block') for (const to of node.targets.values()) labelled.add(to);
    });
    const structure = new Structure(this.graph.successors, labelled, body, (node, level, goTo) =>
      this.emitNode(node, level, goTo, structure),
    );
    structure.emitAll(inside);
    stubs.forEach(({ kind, mask }, i) => {
      body.u8(END);
      this.spill(mask);
      body.u8(BR).unsigned(inside - i - 1 - (kind === 'exit' ? atExit : atReturn));
    });
    body.u8(END);
    // exit: S_RIP = base + (where & 0xffff) - WHERE_BIAS, budget += where >> 16
    body.raw([GET, CPU]);
    this.get(frame.base);
    this.get(frame.where);
    body.raw([0x41]).signed(0xffff).raw([0x71, 0xad, 0x7c, 0x42]).signed(WHERE_BIAS);
    body.raw([0x7d, STORE64, 3]).unsigned(L.S_RIP);
    this.get(frame.budget);
    this.get(frame.where);
    body.raw([0x41, 16, 0x76, 0xad, 0x7c]);
    this.set(frame.budget);
    body.raw([0x42]).signed64(REGION_LEFT);
    this.set(frame.rip);
    body.u8(END);
    this.get(frame.rip);
    this.get(frame.budget);
    this.writeFrameSizes();
    return this.module.define(REGION, frame.locals.types, body);
  }

  /** For entries in other pages: the region's own must be there too, and `base` be its. */
  private emitHome(): void {
    const { body, frame } = this;
    const first = this.entries.findIndex((offset) => offset >> 12 !== 0);
    if (first < 0) return;
    body.raw([GET, ENTRY, 0x41]).signed(first).u8(0x4b).hint(false).raw(IF);
    const distances = new Set(this.entries.slice(first).map((offset) => offset >> 12));
    for (const distance of distances) {
      const numbers = this.entries.flatMap((offset, n) => (offset >> 12 === distance ? [n + 1] : []));
      if (distances.size > 1) {
        numbers.forEach((n, i) => {
          body.raw([GET, ENTRY, 0x41]).signed(n).u8(0x46);
          if (i > 0) body.u8(0x72);
        });
        body.raw(IF);
      }
      this.emitIp(-distance * PAGE);
      this.set(frame.base);
      if (distances.size > 1) body.u8(END);
    }
    this.emitHasNeighbour(0);
    body.u8(0x45);
    this.set(frame.homeless);
    body.u8(END);
  }

  /** Leaves 1 if the page at this distance is what it was. */
  private emitHasNeighbour(distance: number): void {
    const { body, frame } = this;
    const record = this.neighbourOf(distance);
    body.raw([GET, CPU, LOAD64, 3]).unsigned(record + NEIGHBOUR_BASE);
    this.get(frame.base);
    body.raw([0x51, GET, CPU, LOAD64, 3]).unsigned(record + NEIGHBOUR_KEY);
    body.raw([GET, CPU, LOAD64, 3]).unsigned(this.how.key).raw([0x51, 0x71]).hint(true).raw([0x04, 0x7f]);
    body.raw([0x41, 1, ELSE, GET, CPU]);
    this.emitSite(record);
    this.get(frame.base);
    body.u8(0x10).unsigned(this.imports.hasNeighbour).u8(END);
  }

  /** Loads what the blocks at the entry need. */
  private loadEntry(): void {
    const { live } = this.live;
    const [first, ...others] = this.entries.map((offset) => live[this.blockAt.get(offset)!]!);
    const rest = others.reduce((all, mask) => all | mask, 0);
    if (others.length === 0 || rest === first) {
      this.load(first!);
      return;
    }
    this.body.raw([GET, ENTRY, 0x41, 1, 0x46]).raw(IF);
    this.load(first!);
    this.body.u8(ELSE);
    this.load(rest);
    this.body.u8(END);
  }

  /** All ways out, those together that may store the same: at least what differs from memory, at most what is right in the frame. */
  private makeStubs(): Stub[] {
    const wanted: { kind: Stub['kind']; exit: Exit; least: number; most: number }[] = [];
    this.recorded.forEach(({ code }, block) => {
      const [dirty, live] = [this.live.dirty[block]!, this.live.live[block]!];
      const want = (kind: Stub['kind'], exit: Exit): void => {
        const least = dirty | exit.written;
        wanted.push({ kind, exit, least, most: live | least });
      };
      want('exit', this.refusals[block]!);
      for (const exit of code.exits) want('exit', exit);
      if (!this.spillsAt(block)) want('leave', this.leaves[block]!);
      else wanted.push({ kind: 'leave', exit: this.leaves[block]!, least: 0, most: 0 });
    });
    wanted.sort((a, b) => ones(b.least) - ones(a.least));
    const stubs: Stub[] = [];
    for (const { kind, exit, least, most } of wanted) {
      let best: Stub | null = null;
      for (const stub of stubs)
        if (stub.kind === kind && (stub.mask & least) === least && (stub.mask & ~most) === 0)
          if (!best || ones(stub.mask) < ones(best.mask)) best = stub;
      if (best) best.exits.push(exit);
      else stubs.push({ kind, mask: least, exits: [exit] });
    }
    return stubs;
  }

  private sites: ReadonlyMap<number, CallSite> = new Map();

  private get(cell: Cell): void {
    this.body.u8(GET).unsigned(cell.local);
  }
  private set(cell: Cell): void {
    this.body.u8(SET).unsigned(cell.local);
  }
  private stateLoad(op: number, offset: number, cell: Cell): void {
    this.body.raw([GET, CPU, op, op === LOAD32 ? 2 : 3]).unsigned(offset);
    this.set(cell);
  }
  private stateStore(op: number, offset: number, cell: Cell): void {
    this.body.raw([GET, CPU]);
    this.get(cell);
    this.body.raw([op, op === STORE32 ? 2 : 3]).unsigned(offset);
  }

  /** Loads what the mask names from the CPU's state. */
  private load(mask: number): void {
    const { frame } = this;
    frame.gpr.forEach((cell, n) => {
      if (mask & (1 << n)) this.stateLoad(LOAD64, L.S_GPR + 8 * n, cell);
    });
    if (!(mask & FLAGS)) return;
    this.stateLoad(LOAD64, L.S_FLAG_Z, frame.flags.z);
    this.stateLoad(LOAD64, L.S_FLAG_S, frame.flags.s);
    this.stateLoad(LOAD64, L.S_FLAG_C, frame.flags.c);
    this.stateLoad(LOAD32, L.S_FLAG_KIND, frame.kind);
  }

  /** Stores what the mask names. */
  private spill(mask: number): void {
    const { frame } = this;
    frame.gpr.forEach((cell, n) => {
      if (mask & (1 << n)) this.stateStore(STORE64, L.S_GPR + 8 * n, cell);
    });
    if (!(mask & FLAGS)) return;
    this.stateStore(STORE64, L.S_FLAG_Z, frame.flags.z);
    this.stateStore(STORE64, L.S_FLAG_S, frame.flags.s);
    this.stateStore(STORE64, L.S_FLAG_C, frame.flags.c);
    this.stateStore(STORE32, L.S_FLAG_KIND, frame.kind);
  }

  private emitNode(
    number: number,
    level: number,
    goTo: (to: number, level: number) => void,
    structure: Structure,
  ): void {
    const node = this.graph.nodes[number]!;
    if (node.kind === 'block') {
      this.emitBlock(node.block, level, goTo);
      return;
    }
    const { body } = this;
    /** `otherwise` is a depth. */
    const table = (at: number, otherwise: number): void => {
      body.raw([GET, ENTRY, 0x0e]).unsigned(this.entries.length + 1);
      for (let entry = 0; entry <= this.entries.length; entry++) {
        const to = node.targets.get(entry);
        body.unsigned(to === undefined ? otherwise : structure.depth(to, at));
      }
      body.unsigned(otherwise);
    };
    if (node.kind === 'root') {
      const first = structure.depth(node.targets.get(1)!, level);
      if (node.targets.size === 1) {
        body.u8(BR).unsigned(first);
        return;
      }
      // Nearly always the first.
      body.raw([GET, ENTRY, 0x41, 1, 0x46, BR_IF]).unsigned(first);
      table(level, first);
      return;
    }
    // Entries that are not inside of the loop go on behind the `if`, to its head.
    body.raw([GET, ENTRY]).raw(IF);
    table(level + 1, 0);
    body.u8(END);
    goTo(this.graph.successors[number]![0]!, level);
  }

  private emitBlock(block: number, level: number, goTo: (to: number, level: number) => void): void {
    const { frame, body } = this;
    const { start, instructions, ending } = this.blocks[block]!;
    const { code, leaving } = this.recorded[block]!;
    if (this.graph.dispatches && this.entries.includes(start)) body.raw([0x41, 0, SET, ENTRY]);
    if (this.checked.has(block)) this.emitCheck(block, level);
    this.get(frame.budget);
    body.raw([0x42]).signed(instructions.length).raw([0x7d]);
    this.set(frame.budget);
    frame.locals.reset();
    code.code.emit(body, level, frame.locals);

    const way = (offset: number | null, at: number): void => {
      const to = this.target(block, offset);
      if (to !== null) {
        const own = this.pages(block);
        for (const page of new Set(this.pages(to)))
          if (page !== 0 && !own.includes(page)) this.emitCrossing(block, page, offset!, at);
        if (this.goesByRoot(block, to)) {
          body.raw([0x41]).signed(this.entries.indexOf(offset!) + 1);
          body.raw([SET, ENTRY]);
          goTo(0, at);
          return;
        }
        // Edges to a loop's head may go by its dispatch.
        const node = this.graph.successors[this.graph.ofBlock[block]!]!.find(
          (candidate) => this.reaches(candidate) === to,
        )!;
        goTo(node, at);
        return;
      }
      if (offset !== null) this.emitIp(offset);
      else code.code.emitValue(leaving!.target, body, frame.locals);
      this.set(frame.rip);
      this.emitTail(offset ?? this.jumpTarget(block), this.spillsAt(block) ? 0 : spilled);
      leave(at);
    };
    const leave = (at: number): void => void body.u8(BR).unsigned(at - this.leaves[block]!.level);
    const spilled = (this.live.dirty[block] ?? 0) | code.written;
    switch (ending.kind) {
      case 'goto':
        way(ending.to, level);
        break;
      case 'jump':
        way(ending.taken, level);
        break;
      case 'branch':
        code.code.emitValue(
          (leaving as { condition: import('../wasm/code.js').Node }).condition,
          body,
          frame.locals,
        );
        body.raw(IF);
        way(ending.taken, level + 1);
        body.u8(ELSE);
        way(ending.next, level + 1);
        body.u8(END);
        break;
      case 'computed':
        code.code.emitValue(leaving!.target, body, frame.locals);
        this.set(frame.rip);
        this.emitSwitch(
          ending.to.filter((offset) => this.target(block, offset) !== null),
          level,
          way,
        );
        leave(level);
        break;
      case 'call':
        this.spill(spilled);
        code.code.emitValue(leaving!.target, body, frame.locals);
        this.set(frame.rip);
        this.emitCall(leaving!.kind === 'relative' ? this.jumpTarget(block) : null, ending.next);
        this.loadFor(block, ending.next);
        way(ending.next, level);
        break;
      case 'callout':
        this.emitCallout(instructions[instructions.length - 1]!, spilled);
        this.loadFor(block, ending.next);
        way(ending.next, level);
        break;
    }
  }

  /** Goes to that of these offsets which is the frame's `rip`, or on behind this. */
  private emitSwitch(
    offsets: readonly number[],
    level: number,
    way: (offset: number, at: number) => void,
  ): void {
    if (offsets.length === 0) return;
    const { body, frame } = this;
    const first = Math.min(...offsets);
    const table = new Uint8Array(Math.max(...offsets) - first + 1);
    offsets.forEach((offset, i) => (table[offset - first] = i + 1));
    const at = new Cell('i64', frame.locals.take('i64'));
    for (let i = 0; i <= offsets.length; i++) body.raw([0x02, 0x40]);
    this.get(frame.rip);
    this.emitIp(first);
    body.raw([0x7d]).u8(TEE).unsigned(at.local);
    body.raw([0x42]).signed(table.length).raw([0x5a]).hint(false).u8(BR_IF).unsigned(offsets.length);
    this.get(at);
    body.raw([0xa7, 0x2d, 0]).unsigned(this.tableOf(table)).raw([0x0e]).unsigned(offsets.length);
    body.unsigned(offsets.length);
    for (let i = 0; i < offsets.length - 1; i++) body.unsigned(i);
    body.unsigned(offsets.length - 1);
    offsets.forEach((offset, i) => {
      body.u8(END);
      way(offset, level + offsets.length - i);
    });
    body.u8(END);
  }

  /** Calls what is at the frame's `rip` (`target`: offset from the page, where it is known); goes on if it comes back to `next`. */
  private emitCall(target: number | null, next: number): void {
    const { body, frame } = this;
    const { site, callee } = (target === null ? null : this.sites.get(target)) ?? { site: 0, callee: null };
    const link = new Cell('i32', frame.locals.take('i32'));
    const done = (depth: number): void => {
      this.set(frame.budget);
      body.u8(TEE).unsigned(frame.rip.local);
      this.emitIp(next);
      body.raw([0x51]).hint(true).u8(BR_IF).unsigned(depth);
    };
    if (site === 0) body.raw([0x41, 0]);
    else this.emitSite(site);
    this.set(link);
    body.raw([0x02, 0x40]);
    if (callee) {
      body.raw([0x02, 0x40]);
      if (!callee.near) {
        this.emitIsBound(site);
        body.u8(0x45).hint(false).raw([BR_IF, 0]);
      }
      this.emitEnter(callee, 0);
      done(1);
      body.raw([0x41, 0]);
      this.set(link);
      body.u8(END);
    }
    body.raw([GET, CPU]);
    this.get(frame.rip);
    this.emitIp(next);
    this.get(frame.budget);
    this.emitSlots();
    this.get(link);
    body.u8(0x10).unsigned(this.imports.call);
    done(0);
    this.get(frame.rip);
    this.get(frame.budget);
    body.raw([RETURN, END]);
  }

  /** Address of a SITE_ or NEIGHBOUR_ record of this CPU. */
  private emitSite(offset: number): void {
    this.body.raw([GET, CPU, 0x41]).signed(offset).u8(0x6a);
  }

  /** Leaves 1 if the site's target is the frame's `rip`, and in the region that it imports. */
  private emitIsBound(site: number): void {
    const { body, frame } = this;
    body.raw([GET, CPU, LOAD64, 3]).unsigned(site + SITE_TARGET);
    this.get(frame.rip);
    body.raw([0x51, GET, CPU, LOAD64, 3]).unsigned(site + SITE_IMPORT_KEY);
    body.raw([GET, CPU, LOAD64, 3]).unsigned(this.how.key).raw([0x51, 0x71]);
  }

  /** Calls the region of the frame's `rip`, or branches if the calls are too deep. */
  private emitEnter({ entry, near, index }: Callee, tooDeep: number): void {
    const { body, frame } = this;
    body.raw([GET, SLOTS, 0x41]).signed(MOST_SLOTS).u8(0x4f).hint(false).u8(BR_IF).unsigned(tooDeep);
    body.raw([GET, CPU, 0x41]).signed(entry);
    this.get(near ? frame.base : frame.rip);
    if (!near) body.raw([0x42]).signed64(~0xfffn).u8(0x83);
    this.get(frame.budget);
    this.emitSlots();
    body.u8(0x10).unsigned(index);
  }

  /** Leaves what is used of the stack with the region's own frame, whose size is known when all is emitted. */
  private emitSlots(): void {
    const { body } = this;
    body.raw([GET, SLOTS, 0x41]);
    this.frameSizes.push(body.length);
    body.raw([0x80, 0, 0x6a]);
  }

  private writeFrameSizes(): void {
    // Two bytes of signed LEB128.
    let slots = FRAME_SLOTS + Math.ceil(FRAME_GROWTH * this.instructions.length);
    for (const type of this.frame.locals.types) slots += type === 'v128' ? 2 : 1;
    slots = Math.min(slots, 0x1fff);
    const bytes = [(slots & 0x7f) | 0x80, slots >> 7];
    for (const at of this.frameSizes) this.body.view().set(bytes, at);
  }

  /** Goes on at the frame's `rip` in the region that is there, if it is known, and comes back as that does; else behind this. */
  private emitTail(target: number, mask: number): void {
    const { site, callee } = this.sites.get(target) ?? { site: 0, callee: null };
    if (!callee) return;
    const { body, frame } = this;
    body.raw([0x02, 0x40]);
    if (!callee.near) {
      this.emitIsBound(site);
      body.u8(0x45).hint(false).raw(IF).raw([GET, CPU]);
      this.emitSite(site);
      this.get(frame.rip);
      body.u8(0x10).unsigned(this.imports.bindSite).raw([0x45, BR_IF, 1, END]);
    }
    this.spill(mask);
    this.emitEnter(callee, 0);
    body.raw([RETURN, END]);
  }

  /** Instruction pointer of an offset in the page. */
  private emitIp(offset: number): void {
    this.get(this.frame.base);
    this.body.raw([0x42]).signed(offset).raw([0x7c]);
  }

  /** Loads what the block at `offset` needs, if it is one of the region's. */
  private loadFor(from: number, offset: number): void {
    const next = this.target(from, offset);
    if (next !== null) this.load(this.live.live[next]!);
  }

  /** The block that a node is, or is the dispatch of. */
  private reaches(node: number): number {
    const found = this.graph.nodes[node]!;
    return found.kind === 'block' ? found.block : this.reaches(this.graph.successors[node]![0]!);
  }

  /** Leaves for `offset` unless the page at this distance is what it was. */
  private emitCrossing(block: number, distance: number, offset: number, level: number): void {
    const { body, frame } = this;
    this.emitHasNeighbour(distance);
    body.u8(0x45).hint(false).raw(IF);
    this.emitIp(offset);
    this.set(frame.rip);
    body
      .u8(BR)
      .unsigned(level + 1 - this.leaves[block]!.level)
      .u8(END);
  }

  /** Leaves if the budget may not last to the next check, or something is pending. */
  private emitCheck(block: number, level: number): void {
    const { body, frame } = this;
    body.raw([0x41]).signed(this.blocks[block]!.start + WHERE_BIAS);
    this.set(frame.where);
    this.get(frame.budget);
    const leave = (): void =>
      void body
        .hint(false)
        .u8(BR_IF)
        .unsigned(level - this.refusals[block]!.level);
    body.raw([0x42]).signed(this.longest(block)).u8(0x53);
    leave();
    // Not an atomic load: engines test its alignment each time, and keep no such load over a loop or a call.
    body.raw([GET, CPU, LOAD32, 2]).unsigned(L.S_PENDING);
    if (this.blocks[block]!.start >> 12 !== 0) {
      this.get(frame.homeless);
      body.u8(0x72);
    }
    leave();
  }

  /** The instruction's own handler runs it on the state in memory. */
  private emitCallout(instruction: RegionInstruction, dirty: number): void {
    const { body, frame } = this;
    this.spill(dirty);
    this.stateStore(STORE64, L.S_BUDGET, frame.budget);
    body.raw([GET, CPU, LOAD32, 2]).unsigned(L.S_FLAG_KIND).raw(IF);
    body.raw([GET, CPU, 0x10]).unsigned(this.imports.settle).u8(END);
    const page = instruction.start & ~(PAGE - 1);
    body.raw([GET, CPU]);
    this.emitIp(page);
    body.raw([STORE64, 3]).unsigned(L.S_PAGE_BASE).raw([GET, CPU]);
    this.emitIp(page + FAR);
    body.raw([STORE64, 3]).unsigned(L.S_PAGE_BASE_FAR);
    body.raw([GET, CPU, 0x41]).signed(this.recordOf(instruction)).u8(0x10).unsigned(this.imports.instruction);
    this.stateLoad(LOAD64, L.S_BUDGET, frame.budget);
    body.raw([0x45]).hint(false).raw(IF).raw([0x42]).signed64(REGION_LEFT);
    this.get(frame.budget);
    body.raw([RETURN, END]);
  }
}

function offsetsBehind(ending: Ending): readonly number[] {
  switch (ending.kind) {
    case 'goto':
      return [ending.to];
    case 'jump':
      return ending.taken === null ? [] : [ending.taken];
    case 'branch':
      return ending.taken === null ? [ending.next] : [ending.taken, ending.next];
    case 'computed':
      return ending.to;
    default:
      return [ending.next];
  }
}

function edge(from: number, to: number): string {
  return `${from},${to}`;
}

function reachable(successors: Successors): Set<number> {
  const seen = new Set([0]);
  for (const node of seen) for (const to of successors[node]!) seen.add(to);
  return seen;
}

function ones(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
