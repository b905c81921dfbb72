/** Control flow as numbers of nodes; node 0 is the start, all nodes are reached from it. */
export type Successors = readonly (readonly number[])[];

export interface Order {
  /** Place of each node in a reverse postorder, and the nodes in that order. */
  readonly place: readonly number[];
  readonly nodes: readonly number[];
  /** Immediate dominator of each node; that of the start is itself. */
  readonly dominator: readonly number[];
}

export function predecessors(successors: Successors): number[][] {
  const result: number[][] = successors.map(() => []);
  successors.forEach((list, from) => list.forEach((to) => result[to]!.push(from)));
  return result;
}

/** Reverse postorder and dominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm). */
export function orderOf(successors: Successors, start = 0): Order {
  const nodes: number[] = [];
  const state = new Uint8Array(successors.length);
  const stack: [number, number][] = [[start, 0]];
  state[start] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const next = successors[top[0]]![top[1]++];
    if (next === undefined) {
      nodes.push(top[0]);
      stack.pop();
    } else if (!state[next]) {
      state[next] = 1;
      stack.push([next, 0]);
    }
  }
  nodes.reverse();
  const place: number[] = successors.map(() => -1);
  nodes.forEach((node, i) => (place[node] = i));

  const before = predecessors(successors);
  const dominator: number[] = successors.map(() => -1);
  dominator[start] = start;
  for (let changed = true; changed;) {
    changed = false;
    for (const node of nodes) {
      if (node === start) continue;
      let common = -1;
      for (const from of before[node]!) {
        if (place[from]! < 0 || dominator[from]! < 0) continue;
        let a = from;
        if (common < 0) common = a;
        let b = common;
        while (a !== b) {
          while (place[a]! > place[b]!) a = dominator[a]!;
          while (place[b]! > place[a]!) b = dominator[b]!;
        }
        common = a;
      }
      if (dominator[node] !== common) {
        dominator[node] = common;
        changed = true;
      }
    }
  }
  return { place, nodes, dominator };
}

export function dominates({ dominator, place }: Order, a: number, b: number): boolean {
  let node = b;
  while (place[node]! > place[a]!) node = dominator[node]!;
  return node === a;
}

/** Edges that lead back to a node that does not dominate where they come from, as [from, to]: without them all loops have one head. */
export function irreducibleEdges(successors: Successors): [number, number][] {
  const order = orderOf(successors);
  const found: [number, number][] = [];
  successors.forEach((list, from) => {
    if (order.place[from]! < 0) return;
    for (const to of list)
      if (order.place[to]! <= order.place[from]! && !dominates(order, to, from)) found.push([from, to]);
  });
  return found;
}

/** Heads of the loops of a graph without irreducible edges, each with all nodes of its loop. */
export function loopsOf(successors: Successors): Map<number, Set<number>> {
  const order = orderOf(successors);
  const before = predecessors(successors);
  const loops = new Map<number, Set<number>>();
  for (const from of order.nodes)
    for (const head of successors[from]!) {
      if (order.place[head]! > order.place[from]!) continue;
      let body = loops.get(head);
      if (!body) loops.set(head, (body = new Set([head])));
      const work = [from];
      for (let node = work.pop(); node !== undefined; node = work.pop()) {
        if (body.has(node)) continue;
        body.add(node);
        for (const p of before[node]!) if (order.place[p]! >= 0) work.push(p);
      }
    }
  return loops;
}
