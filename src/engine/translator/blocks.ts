import { controlFlowOf, type ControlFlow } from '../../isa/control-flow.js';
import { Decoded, DecodeResult, type Decoder, type DecoderMode } from '../../isa/decoder.js';

export const PAGE = 0x1000;
/** Regions reach so many pages to each side of the one that they start in. */
export const MOST_PAGES = 3;
const LONGEST_INSTRUCTION = 15;
/** A region has at most so many instructions. */
export const MOST_INSTRUCTIONS = 700;

export interface RegionInstruction {
  readonly decoded: Decoded;
  /** Offset from the region's page, and of the instruction behind. */
  readonly start: number;
  readonly next: number;
  readonly flow: ControlFlow;
}

/** Where a block goes. Offsets are from the region's page; those that are no block of the region lead out of it. */
export type Ending =
  | { readonly kind: 'goto'; readonly to: number }
  /** The last instruction jumps to `taken` (null: too far), always or on a condition. */
  | { readonly kind: 'jump'; readonly taken: number | null }
  | { readonly kind: 'branch'; readonly taken: number | null; readonly next: number }
  | { readonly kind: 'call'; readonly next: number }
  /** The last instruction jumps to what it computes: to one of these, or out of the region. */
  | { readonly kind: 'computed'; readonly to: readonly number[] }
  /** The last instruction is run by the interpreter's handler. */
  | { readonly kind: 'callout'; readonly next: number };

export interface BasicBlock {
  readonly start: number;
  readonly instructions: readonly RegionInstruction[];
  readonly ending: Ending;
}

/** Pages that an instruction or a block lies in, as distances from the region's page: the first byte's, and the last one's. */
export function pagesOf({
  start,
  next,
}: {
  readonly start: number;
  readonly next: number;
}): [number, number] {
  return [start >> 12, (next - 1) >> 12];
}

/** How the region's instructions are to be run. */
export interface Treatment {
  /** Whether code at this offset has been executed. */
  executed(offset: number): boolean;
  /** Whether another region is entered at this offset: this one ends there. */
  elsewhere(offset: number): boolean;
  /** Offsets that a computed jump, the last of these instructions, may lead to. */
  leadsTo(code: readonly RegionInstruction[]): readonly number[];
  /** `translate` it, let its handler run it (`callout`), or leave the region (`exit`). */
  of(instruction: RegionInstruction): 'translate' | 'callout' | 'exit';
}

export function crossesPages(code: { readonly start: number; readonly next: number }): boolean {
  const [first, last] = pagesOf(code);
  return first !== last;
}

/**
 * The blocks that are reached from `head` (an offset in the region's page), head first. Empty: not even the first instruction.
 * `pageAt` gives the address in `bytes` of a page by its distance, 0 if it is not known. No block has instructions that start in different pages,
 * and an instruction that reaches into the next page is a block of its own.
 */
export function findBlocks(
  bytes: Uint8Array,
  pageAt: (distance: number) => number,
  head: number,
  mode: DecoderMode,
  decoder: Decoder,
  treatment: Treatment,
): BasicBlock[] {
  const instructions = new Map<number, RegionInstruction | null>();
  const decodeAt = (offset: number): RegionInstruction | null => {
    let instruction = instructions.get(offset);
    if (instruction !== undefined) return instruction;
    const decoded = new Decoded();
    const page = pageAt(offset >> 12);
    const inPage = offset & (PAGE - 1);
    let result = DecodeResult.NeedMore;
    if (page !== 0) result = decoder.decode(bytes, page + inPage, page + PAGE, mode, decoded);
    const second = result === DecodeResult.NeedMore && page !== 0 ? pageAt((offset >> 12) + 1) : 0;
    if (second !== 0) {
      const here = PAGE - inPage;
      const across = new Uint8Array(LONGEST_INSTRUCTION);
      across.set(bytes.subarray(page + inPage, page + Math.min(PAGE, inPage + LONGEST_INSTRUCTION)));
      if (here < LONGEST_INSTRUCTION)
        across.set(bytes.subarray(second, second + LONGEST_INSTRUCTION - here), here);
      result = decoder.decode(across, 0, LONGEST_INSTRUCTION, mode, decoded);
    }
    instruction =
      result === DecodeResult.Ok
        ? { decoded, start: offset, next: offset + decoded.length, flow: controlFlowOf(decoded.form!) }
        : null;
    if (instruction && treatment.of(instruction) === 'exit') instruction = null;
    instructions.set(offset, instruction);
    return instruction;
  };
  const within = (offset: number): number | null =>
    offset >= -MOST_PAGES * PAGE && offset < (MOST_PAGES + 1) * PAGE ? offset : null;
  const leaders = new Set([head]);
  const seen = new Set<number>();
  const work = [head];
  /** Where computed jumps lead, by their offset. */
  const tables = new Map<number, readonly number[]>();
  const follow = (offset: number | null): void => {
    if (offset === null || leaders.has(offset) || !treatment.executed(offset)) return;
    leaders.add(offset);
    work.push(offset);
  };
  for (let at = work.shift(); at !== undefined; at = work.shift()) {
    const code: RegionInstruction[] = [];
    for (;;) {
      if (seen.has(at) || seen.size >= MOST_INSTRUCTIONS) break;
      if (at !== head && treatment.elsewhere(at)) break;
      const instruction = decodeAt(at);
      if (!instruction) break;
      seen.add(at);
      code.push(instruction);
      const ending = endingOf(instruction, treatment, within);
      if (!ending) {
        const { next } = instruction;
        const other = decodeAt(next);
        if (next >> 12 === at >> 12 && !(other && crossesPages(other))) {
          at = next;
          continue;
        }
        follow(next);
        break;
      }
      if (ending.kind === 'computed') {
        const to = treatment.leadsTo(code);
        tables.set(at, to);
        to.forEach(follow);
      }
      if ('taken' in ending) follow(ending.taken);
      if ('next' in ending) follow(ending.next);
      break;
    }
  }

  const blocks: BasicBlock[] = [];
  for (const start of leaders) {
    if (!seen.has(start)) continue;
    const list: RegionInstruction[] = [];
    let ending: Ending | null = null;
    for (let at = start; !ending;) {
      if (at !== start && (leaders.has(at) || !seen.has(at))) ending = { kind: 'goto', to: at };
      else {
        const instruction = decodeAt(at)!;
        list.push(instruction);
        ending = endingOf(instruction, treatment, within);
        if (ending?.kind === 'computed') {
          const to = tables.get(at) ?? [];
          ending = { kind: 'computed', to: to.filter((target) => leaders.has(target) && seen.has(target)) };
        }
        at = instruction.next;
        if (!ending && at >> 12 !== instruction.start >> 12) ending = { kind: 'goto', to: at };
      }
    }
    blocks.push({ start, instructions: list, ending });
  }
  return blocks;
}

function endingOf(
  instruction: RegionInstruction,
  treatment: Treatment,
  within: (offset: number) => number | null,
): Ending | null {
  const { next, decoded, flow } = instruction;
  if (treatment.of(instruction) === 'callout') return { kind: 'callout', next };
  switch (flow.kind) {
    case 'relative':
      return flow.isCall ? { kind: 'call', next } : { kind: 'jump', taken: within(next + decoded.immediate) };
    case 'branch':
      return { kind: 'branch', taken: within(next + decoded.immediate), next };
    case 'computed':
      return flow.isCall ? { kind: 'call', next } : { kind: 'computed', to: [] };
    default:
      return null;
  }
}
