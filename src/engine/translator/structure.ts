import type { Bytes } from '../wasm/bytes.js';
import { orderOf, predecessors, type Order, type Successors } from './graph.js';

/** Emits what a node does and where it goes; `goTo` emits the way to a successor from inside `level` nested constructs. */
export type EmitNode = (node: number, level: number, goTo: (to: number, level: number) => void) => void;

const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const END = 0x0b;
const BR = 0x0c;

/**
 * Emits a control-flow graph as nested blocks and loops (N. Ramsey, Beyond Relooper): each node stands inside its dominator;
 * nodes where ways meet, and `labelled` ones, stand behind a block that is left to reach them.
 */
export class Structure {
  private readonly order: Order;
  private readonly heads = new Set<number>();
  private readonly meets: boolean[];
  private readonly children: number[][];
  /** Nesting of the label of each node. */
  private readonly labels = new Map<number, number>();

  constructor(
    successors: Successors,
    labelled: ReadonlySet<number>,
    private readonly out: Bytes,
    private readonly emit: EmitNode,
  ) {
    this.order = orderOf(successors);
    const { place, nodes, dominator } = this.order;
    const before = predecessors(successors);
    this.meets = successors.map((_, node) => {
      let forward = 0;
      for (const from of before[node]!) {
        if (place[from]! < 0) continue;
        if (place[from]! < place[node]!) forward++;
        else this.heads.add(node);
      }
      return forward > 1 || labelled.has(node);
    });
    this.children = successors.map(() => []);
    for (const node of nodes) if (node !== nodes[0]) this.children[dominator[node]!]!.push(node);
  }

  /** Emits the whole inside `level` nested constructs. */
  emitAll(level: number): void {
    this.tree(this.order.nodes[0]!, level);
  }

  /** Depth for a branch to the label of a node, from inside `level` constructs. */
  depth(node: number, level: number): number {
    const label = this.labels.get(node);
    if (label === undefined) throw new Error(`node ${node} has no label here`);
    return level - label;
  }

  private tree(node: number, level: number): void {
    const behind = this.children[node]!.filter((child) => this.meets[child]);
    if (!this.heads.has(node)) {
      this.within(node, behind, behind.length, level);
      return;
    }
    this.out.raw(LOOP);
    const outer = this.labels.get(node);
    this.labels.set(node, level + 1);
    this.within(node, behind, behind.length, level + 1);
    if (outer === undefined) this.labels.delete(node);
    else this.labels.set(node, outer);
    this.out.u8(END);
  }

  /** The first `count` of `behind` get a block each, the later in the order the further out. */
  private within(node: number, behind: readonly number[], count: number, level: number): void {
    if (count === 0) {
      this.emit(node, level, (to, from) => this.goTo(node, to, from));
      return;
    }
    const last = behind[count - 1]!;
    this.out.raw(BLOCK);
    this.labels.set(last, level + 1);
    this.within(node, behind, count - 1, level + 1);
    this.labels.delete(last);
    this.out.u8(END);
    this.tree(last, level);
  }

  private goTo(from: number, to: number, level: number): void {
    const back = this.order.place[to]! <= this.order.place[from]!;
    if (back || this.meets[to]) this.out.u8(BR).unsigned(this.depth(to, level));
    else this.tree(to, level);
  }
}
