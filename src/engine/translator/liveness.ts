import { predecessors, type Successors } from './graph.js';

/** What one block does with what the region keeps in locals: masks as of frame.ts. */
export interface BlockUse {
  /** It may change these. */
  readonly written: number;
  /** These must be right at its start: it reads them, or changes them only on a condition. */
  readonly needs: number;
}

/** At the start of each block, as masks. */
export interface Liveness {
  /** May differ from memory: ways out store them. */
  readonly dirty: readonly number[];
  /** Right in the locals: needed by this block or a later one, or dirty. */
  readonly live: readonly number[];
}

/** `ways`: where blocks go on with the locals as they are. */
export function findLiveness(ways: Successors, uses: readonly BlockUse[]): Liveness {
  const before = predecessors(ways);
  const dirty = uses.map(() => 0);
  let work = uses.map((_, block) => block);
  while (work.length > 0) {
    const from = work.pop()!;
    const out = dirty[from]! | uses[from]!.written;
    for (const to of ways[from]!) {
      if ((dirty[to]! | out) === dirty[to]) continue;
      dirty[to]! |= out;
      work.push(to);
    }
  }
  const live = uses.map(({ needs }, block) => needs | dirty[block]!);
  work = uses.map((_, block) => block);
  while (work.length > 0) {
    const block = work.pop()!;
    const into = live[block]!;
    for (const from of before[block]!) {
      const through = live[from]! | (into & ~uses[from]!.written);
      if (through === live[from]) continue;
      live[from] = through;
      work.push(from);
    }
  }
  return { dirty, live };
}
