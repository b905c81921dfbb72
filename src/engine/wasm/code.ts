import { unsignedBytes, type FunctionBody } from './bytes.js';
import type { WasmType } from './module.js';
import { I64 } from './opcodes.js';

const NONE: readonly never[] = [];
const GET = [0x20];
const I32_CONST = [0x41];
const I64_CONST = [0x42];
const LOW_HALF = 0xffffffffn;
/** i32.wrap_i64, i64.extend_i32_u */
const CUT = [0xa7, 0xad];

/** One WebAssembly operation and its operands. */
export class Node {
  uses = 0;
  /** A value is below 2^width. */
  width = 64;
  /** Local that holds the value once emitted, or -1. */
  local = -1;
  /** The value is what this had when the node was made. */
  cell: Cell | null = null;
  constructor(
    readonly opcode: readonly number[],
    readonly type: WasmType | 'void',
    readonly args: readonly Node[],
    /** Immediate bytes behind the opcode. */
    readonly immediate: ArrayLike<number>,
    /** No effect and depends on nothing that changes: may be emitted where it is used, or not at all. */
    readonly pure: boolean,
    readonly constant: bigint | null = null,
  ) {}
}

function constant(type: 'i32' | 'i64', value: bigint): Node {
  const pattern = BigInt.asUintN(type === 'i32' ? 32 : 64, value);
  const node = new Node(type === 'i32' ? I32_CONST : I64_CONST, type, NONE, NONE, true, pattern);
  node.width = pattern >> 32n === 0n ? 32 - Math.clz32(Number(pattern)) : 64;
  return node;
}

/** Small constants are made once, for all code: they are no statements, so it does not matter whose uses they count. */
const SMALL = 4096;
const small: Record<'i32' | 'i64', Node[]> = { i32: [], i64: [] };

/** A local that is assigned more than once. */
export class Cell {
  constructor(
    readonly type: WasmType,
    public local = -1,
  ) {}
}

/** A place that code can leave to; `level` is the nesting depth of its block, set by whoever emits that block. */
export class Label {
  level = 0;
}

type Statement =
  | { kind: 'node'; node: Node }
  | { kind: 'assign'; cell: Cell; value: Node }
  | { kind: 'if'; condition: Node; then: Statement[]; otherwise: Statement[]; likely: boolean | null }
  | { kind: 'loop'; label: Label; body: Statement[] }
  | { kind: 'block'; label: Label; body: Statement[] }
  | { kind: 'branch'; label: Label; condition: Node | null; likely: boolean | null }
  | { kind: 'raw'; bytes: readonly number[]; args: Node[] };

/** Records straight-line code with structured control, then emits it: values used more than once get a local. */
export class Code {
  private statements: Statement[] = [];
  private readonly root = this.statements;

  node(
    opcode: readonly number[],
    type: WasmType | 'void',
    args: readonly Node[],
    immediate: ArrayLike<number> = NONE,
    pure = true,
  ): Node {
    for (const arg of args) arg.uses++;
    const node = new Node(opcode, type, args, immediate, pure);
    this.statements.push({ kind: 'node', node });
    return node;
  }

  constant(type: 'i32' | 'i64', value: number | bigint): Node {
    const number = Number(value);
    if (number < 0 || number >= SMALL) return constant(type, BigInt(value));
    const known = type === 'i32' ? small.i32 : small.i64;
    return (known[number] ??= constant(type, BigInt(value)));
  }

  /** A parameter: read anywhere, never assigned by this code except through `setParameter`. */
  parameter(index: number, type: WasmType): Node {
    return new Node(GET, type, NONE, unsignedBytes(index), true, null);
  }

  cell(type: WasmType, init: Node): Cell {
    const cell = new Cell(type);
    this.assign(cell, init);
    return cell;
  }

  /** The value that the cell has now. */
  read(cell: Cell): Node {
    const node = new Node(GET, cell.type, NONE, NONE, false);
    node.cell = cell;
    this.statements.push({ kind: 'node', node });
    return node;
  }

  assign(cell: Cell, value: Node): void {
    value.uses++;
    this.statements.push({ kind: 'assign', cell, value });
  }

  private nested(build: () => void): Statement[] {
    const outer = this.statements;
    const inner: Statement[] = [];
    this.statements = inner;
    build();
    this.statements = outer;
    return inner;
  }

  /** `likely`: the condition is mostly true, mostly false, or nobody knows. */
  if(condition: Node, then: () => void, otherwise?: () => void, likely: boolean | null = null): void {
    condition.uses++;
    const thenList = this.nested(then);
    const otherwiseList = otherwise ? this.nested(otherwise) : [];
    this.statements.push({ kind: 'if', condition, then: thenList, otherwise: otherwiseList, likely });
  }

  loop(body: (again: Label) => void): void {
    const label = new Label();
    this.statements.push({ kind: 'loop', label, body: this.nested(() => body(label)) });
  }

  /** To `label`, if the condition (i32) is not zero. */
  branch(label: Label, condition: Node | null = null, likely: boolean | null = null): void {
    if (condition) condition.uses++;
    this.statements.push({ kind: 'branch', label, condition, likely });
  }

  /** Counts a use by `emitValue`. */
  use(node: Node): Node {
    node.uses++;
    return node;
  }

  /** Emits a value of this code, behind all of it. */
  emitValue(node: Node, out: FunctionBody, locals: Locals): void {
    this.emitUse(node, out, locals);
  }

  /** Any instruction without result, with operands. */
  raw(bytes: readonly number[], ...args: Node[]): void {
    for (const arg of args) arg.uses++;
    this.statements.push({ kind: 'raw', bytes, args });
  }

  /**
   * Emits all that was recorded. `level` is the nesting depth at this place (0: the function's body), `locals` gives
   * out locals by type.
   */
  emit(out: FunctionBody, level: number, locals: Locals): void {
    this.prune();
    this.emitList(this.root, out, level, locals);
  }

  /** Takes back the uses by values that nobody uses. */
  prune(): void {
    if (this.pruned) return;
    this.pruned = true;
    prune(this.root);
  }
  private pruned = false;

  private emitList(list: readonly Statement[], out: FunctionBody, level: number, locals: Locals): void {
    for (const statement of list) {
      switch (statement.kind) {
        case 'node': {
          const { node } = statement;
          if (node.pure && node.uses <= 1) break;
          if (node.cell && node.uses === 0) break;
          this.emitNode(node, out, locals);
          if (node.type === 'void') break;
          if (node.uses === 0) out.u8(0x1a);
          else {
            node.local = locals.take(node.type);
            out.u8(0x21).unsigned(node.local);
          }
          break;
        }
        case 'assign':
          if (statement.cell.local < 0) statement.cell.local = locals.take(statement.cell.type);
          this.emitUse(statement.value, out, locals);
          out.u8(0x21).unsigned(statement.cell.local);
          break;
        case 'if':
          this.emitUse(statement.condition, out, locals);
          out.hint(statement.likely).u8(0x04).u8(0x40);
          this.emitList(statement.then, out, level + 1, locals);
          if (statement.otherwise.length > 0) {
            out.u8(0x05);
            this.emitList(statement.otherwise, out, level + 1, locals);
          }
          out.u8(0x0b);
          break;
        case 'loop':
        case 'block':
          statement.label.level = level + 1;
          out.u8(statement.kind === 'loop' ? 0x03 : 0x02).u8(0x40);
          this.emitList(statement.body, out, level + 1, locals);
          out.u8(0x0b);
          break;
        case 'branch':
          if (statement.condition) {
            this.emitUse(statement.condition, out, locals);
            out.hint(statement.likely);
          }
          out.u8(statement.condition ? 0x0d : 0x0c).unsigned(level - statement.label.level);
          break;
        case 'raw':
          for (const arg of statement.args) this.emitUse(arg, out, locals);
          out.raw(statement.bytes);
          break;
      }
    }
  }

  private emitUse(node: Node, out: FunctionBody, locals: Locals): void {
    if (node.local >= 0) out.u8(0x20).unsigned(node.local);
    else this.emitNode(node, out, locals);
  }

  private emitNode(node: Node, out: FunctionBody, locals: Locals): void {
    if (node.cell) {
      out.u8(0x20).unsigned(node.cell.local);
      return;
    }
    const { constant } = node;
    if (constant !== null) {
      if (node.type === 'i32') out.u8(0x41).signed(Number(BigInt.asIntN(32, constant)));
      else out.u8(0x42).signed64(constant);
      return;
    }
    // Bytes and work for the engine's baseline compiler are saved where 32 bits are cut out.
    if (node.opcode === I64.and && node.args[1]!.constant === LOW_HALF) {
      this.emitUse(node.args[0]!, out, locals);
      out.raw(CUT);
      return;
    }
    for (const arg of node.args) this.emitUse(arg, out, locals);
    out.raw(node.opcode).raw(node.immediate);
  }
}

/** Takes back the uses by values that nobody uses. */
function prune(list: readonly Statement[]): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const statement = list[i]!;
    if (statement.kind === 'if') {
      prune(statement.otherwise);
      prune(statement.then);
    } else if (statement.kind === 'loop' || statement.kind === 'block') prune(statement.body);
    else if (statement.kind === 'node' && statement.node.pure && statement.node.uses === 0)
      for (const arg of statement.node.args) arg.uses--;
  }
}

/** Gives out locals of a function; `reset` lets the next piece of code use them again. */
export class Locals {
  private readonly pools = new Map<WasmType, { all: number[]; used: number; kept: number }>();
  readonly types: WasmType[] = [];
  constructor(private readonly parameters: number) {}

  take(type: WasmType): number {
    let pool = this.pools.get(type);
    if (!pool) this.pools.set(type, (pool = { all: [], used: 0, kept: 0 }));
    if (pool.used === pool.all.length) {
      this.types.push(type);
      pool.all.push(this.parameters + this.types.length - 1);
    }
    return pool.all[pool.used++]!;
  }

  /** What was taken so far stays taken. */
  keep(): void {
    for (const pool of this.pools.values()) pool.kept = pool.used;
  }

  reset(): void {
    for (const pool of this.pools.values()) pool.used = pool.kept;
  }
}
