import { loopsOf, type Successors } from './graph.js';

export type RegionNode =
  | { readonly kind: 'block'; readonly block: number }
  /** Chooses by the entry number; in a loop, 0 means to go on to the loop's head, the first successor. */
  | { readonly kind: 'root' | 'dispatch'; readonly targets: ReadonlyMap<number, number> };

export interface RegionGraph {
  /** Node 0 is the root. */
  readonly nodes: readonly RegionNode[];
  readonly successors: Successors;
  /** Node of each block. */
  readonly ofBlock: readonly number[];
  readonly dispatches: boolean;
}

/**
 * A graph in which all entries are reached from one root and every loop still has one head: an entry inside a loop is
 * reached through a dispatch at the head of each loop around it. `entries` are blocks; entry number n is the n-th, from 1.
 * `toRoot`: blocks that also go to the root, to an entry.
 */
export function withEntries(
  successors: Successors,
  entries: readonly number[],
  toRoot: ReadonlySet<number>,
): RegionGraph {
  const loops = loopsOf(successors);
  /** Heads of the loops around each entry, outermost first. */
  const around = entries.map((entry) =>
    [...loops]
      .filter(([, body]) => body.has(entry))
      .sort((a, b) => b[1].size - a[1].size)
      .map(([head]) => head),
  );
  const dispatched = new Set<number>();
  entries.forEach((entry, i) => {
    for (const head of around[i]!) if (head !== entry) dispatched.add(head);
  });

  const nodes: RegionNode[] = [];
  const edges: number[][] = [];
  const add = (node: RegionNode): number => {
    edges.push([]);
    return nodes.push(node) - 1;
  };
  const rootTargets = new Map<number, number>();
  const root = add({ kind: 'root', targets: rootTargets });
  const ofBlock = successors.map((_, block) => add({ kind: 'block', block }));
  const dispatchOf = new Map<number, { node: number; targets: Map<number, number> }>();
  for (const head of dispatched) {
    const targets = new Map<number, number>();
    dispatchOf.set(head, { node: add({ kind: 'dispatch', targets }), targets });
  }
  /** Where an edge to a block goes: to the dispatch of the loop that it heads, if there is one. */
  const into = (block: number): number => dispatchOf.get(block)?.node ?? ofBlock[block]!;

  successors.forEach((list, from) => {
    edges[ofBlock[from]!] = list.map(into);
    // Last: who looks for the way to a block finds that first.
    if (toRoot.has(from)) edges[ofBlock[from]!]!.push(root);
  });
  for (const [head, { node }] of dispatchOf) edges[node]!.push(ofBlock[head]!);
  const hop = (from: number, targets: Map<number, number>, number: number, to: number): void => {
    targets.set(number, to);
    if (!edges[from]!.includes(to)) edges[from]!.push(to);
  };
  entries.forEach((entry, i) => {
    let from = root;
    let targets = rootTargets;
    for (const head of around[i]!) {
      if (head === entry) break;
      const dispatch = dispatchOf.get(head)!;
      hop(from, targets, i + 1, dispatch.node);
      from = dispatch.node;
      targets = dispatch.targets;
    }
    hop(from, targets, i + 1, into(entry));
  });
  return { nodes, successors: edges, ofBlock, dispatches: dispatched.size > 0 };
}
