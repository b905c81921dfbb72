import { controlFlowOf, type ControlFlow } from '../../isa/control-flow.js';
import { Decoded, DecodeResult, type Decoder, type DecoderMode } from '../../isa/decoder.js';

const PAGE = 0x1000;
/** A region has at most so many instructions. */
const MOST_INSTRUCTIONS = 400;

export interface RegionInstruction {
  readonly decoded: Decoded;
  /** Offset in the page, and of the instruction behind. */
  readonly start: number;
  readonly next: number;
  readonly flow: ControlFlow;
}

/** Where a block goes. Offsets are in the page; those that are no block of the region lead out of it. */
export type Ending =
  | { readonly kind: 'goto'; readonly to: number }
  /** The last instruction jumps to `taken` (null: out of the page), always or on a condition. */
  | { readonly kind: 'jump'; readonly taken: number | null }
  | { readonly kind: 'branch'; readonly taken: number | null; readonly next: number }
  | { readonly kind: 'call'; readonly next: number }
  | { readonly kind: 'computed' }
  /** The last instruction is run by the interpreter's handler. */
  | { readonly kind: 'callout'; readonly next: number };

export interface BasicBlock {
  readonly start: number;
  readonly instructions: readonly RegionInstruction[];
  readonly ending: Ending;
}

/** How the region's instructions are to be run. */
export interface Treatment {
  /** Whether code at this offset has been executed. */
  executed(offset: number): boolean;
  /** `translate` it, let its handler run it (`callout`), or leave the region (`exit`). */
  of(instruction: RegionInstruction): 'translate' | 'callout' | 'exit';
}

/** The blocks of one page that are reached from `head` without leaving it, head first. Empty: not even the first instruction. */
export function findBlocks(
  bytes: Uint8Array,
  page: number,
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
    const result =
      offset < PAGE
        ? decoder.decode(bytes, page + offset, page + PAGE, mode, decoded)
        : DecodeResult.NeedMore;
    instruction =
      result === DecodeResult.Ok
        ? { decoded, start: offset, next: offset + decoded.length, flow: controlFlowOf(decoded.form!) }
        : null;
    if (instruction && treatment.of(instruction) === 'exit') instruction = null;
    instructions.set(offset, instruction);
    return instruction;
  };
  const inPage = (offset: number): number | null => (offset >= 0 && offset < PAGE ? offset : null);
  const leaders = new Set([head]);
  const seen = new Set<number>();
  const work = [head];
  const follow = (offset: number | null): void => {
    if (offset === null || leaders.has(offset) || !treatment.executed(offset)) return;
    leaders.add(offset);
    work.push(offset);
  };
  for (let at = work.shift(); at !== undefined; at = work.shift()) {
    for (;;) {
      if (seen.has(at) || seen.size >= MOST_INSTRUCTIONS) break;
      const instruction = decodeAt(at);
      if (!instruction) break;
      seen.add(at);
      const ending = endingOf(instruction, treatment, inPage);
      if (!ending) {
        at = instruction.next;
        continue;
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
        ending = endingOf(instruction, treatment, inPage);
        at = instruction.next;
      }
    }
    blocks.push({ start, instructions: list, ending });
  }
  return blocks;
}

function endingOf(
  instruction: RegionInstruction,
  treatment: Treatment,
  inPage: (offset: number) => number | null,
): Ending | null {
  const { next, decoded, flow } = instruction;
  if (treatment.of(instruction) === 'callout') return { kind: 'callout', next };
  switch (flow.kind) {
    case 'relative':
      return flow.isCall ? { kind: 'call', next } : { kind: 'jump', taken: inPage(next + decoded.immediate) };
    case 'branch':
      return { kind: 'branch', taken: inPage(next + decoded.immediate), next };
    case 'computed':
      return flow.isCall ? { kind: 'call', next } : { kind: 'computed' };
    default:
      return null;
  }
}
