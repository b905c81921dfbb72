import { Bytes, type FunctionBody } from './bytes.js';

export type WasmType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
export const TYPE_CODE: Record<WasmType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

export interface Signature {
  readonly params: readonly WasmType[];
  readonly results: readonly WasmType[];
}

const keys = new WeakMap<Signature, string>();
/** The same for equal signatures. */
function keyOf(signature: Signature): string {
  let key = keys.get(signature);
  if (key === undefined)
    keys.set(signature, (key = `${signature.params.join()}>${signature.results.join()}`));
  return key;
}

interface DefinedFunction {
  type: number;
  locals: readonly WasmType[];
  body: FunctionBody;
}

/** Writes a WebAssembly module: imported shared memory and functions, own functions, one table, exports. */
export class ModuleWriter {
  private readonly types: string[] = [];
  private readonly typeBytes: Bytes[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly imported = new Map<string, Map<string, number>>();
  private readonly functions: DefinedFunction[] = [];
  private readonly exported: { name: string; kind: number; index: number }[] = [];
  private elements: readonly number[] = [];

  constructor(
    /** Its code keeps x86's order of accesses to guest memory on every host (EffectRecorder.loadGuest). */
    readonly ordered = false,
  ) {}

  type(signature: Signature): number {
    const known = this.types.indexOf(keyOf(signature));
    if (known >= 0) return known;
    const bytes = new Bytes().u8(0x60).unsigned(signature.params.length);
    for (const param of signature.params) bytes.u8(TYPE_CODE[param]);
    bytes.unsigned(signature.results.length);
    for (const result of signature.results) bytes.u8(TYPE_CODE[result]);
    this.types.push(keyOf(signature));
    this.typeBytes.push(bytes);
    return this.types.length - 1;
  }

  /** Index of an imported function. All imports come before the first `define`. */
  import(module: string, name: string, signature: Signature): number {
    let names = this.imported.get(module);
    if (!names) this.imported.set(module, (names = new Map()));
    const known = names.get(name);
    if (known !== undefined) return known;
    if (this.functions.length > 0) throw new Error('imports must precede functions');
    const index = this.imports.push({ module, name, type: this.type(signature) }) - 1;
    names.set(name, index);
    return index;
  }

  /** Index that the next function will have, if nothing is imported before. */
  get nextIndex(): number {
    return this.imports.length + this.functions.length;
  }

  /** Index of a new function; `locals` without the parameters; `body` without the final `end`. */
  define(signature: Signature, locals: readonly WasmType[], body: FunctionBody): number {
    this.functions.push({ type: this.type(signature), locals, body });
    return this.imports.length + this.functions.length - 1;
  }

  export(name: string, index: number): void {
    this.exported.push({ name, kind: 0, index });
  }

  /** Lets others put functions into table 0. */
  exportTable(name: string): void {
    this.exported.push({ name, kind: 1, index: 0 });
  }

  /** Functions of table 0, from element 0 on. */
  table(indexes: readonly number[]): void {
    this.elements = indexes;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const size = this.functions.reduce((sum, { body }) => sum + body.length + 4 * body.hints.length, 4096);
    const out = new Bytes(size).raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (id: number, content: Bytes): void => {
      out.u8(id).unsigned(content.length).raw(content.view());
    };

    const types = new Bytes().unsigned(this.types.length);
    for (const bytes of this.typeBytes) types.raw(bytes.view());
    section(1, types);

    const imports = new Bytes().unsigned(this.imports.length + 1);
    // shared memory: limits flag 3, at least 1 page, at most 65536
    imports.text('env').text('memory').u8(2).u8(3).unsigned(1).unsigned(65536);
    for (const { module, name, type } of this.imports) imports.text(module).text(name).u8(0).unsigned(type);
    section(2, imports);

    const functions = new Bytes().unsigned(this.functions.length);
    for (const { type } of this.functions) functions.unsigned(type);
    section(3, functions);

    if (this.elements.length > 0)
      section(4, new Bytes().unsigned(1).u8(0x70).u8(0).unsigned(this.elements.length));

    const exports = new Bytes().unsigned(this.exported.length);
    for (const { name, kind, index } of this.exported) exports.text(name).u8(kind).unsigned(index);
    section(7, exports);

    if (this.elements.length > 0) {
      const elements = new Bytes()
        .unsigned(1)
        .u8(0)
        .u8(0x41)
        .signed(0)
        .u8(0x0b)
        .unsigned(this.elements.length);
      for (const index of this.elements) elements.unsigned(index);
      section(9, elements);
    }

    const hinted = this.functions.filter(({ body }) => body.hints.length > 0);
    const hints = new Bytes().text('metadata.code.branch_hint').unsigned(hinted.length);
    const code = new Bytes(size).unsigned(this.functions.length);
    this.functions.forEach(({ locals, body }, i) => {
      const head = new Bytes();
      const runs: [WasmType, number][] = [];
      for (const local of locals) {
        const last = runs[runs.length - 1];
        if (last && last[0] === local) last[1]++;
        else runs.push([local, 1]);
      }
      head.unsigned(runs.length);
      for (const [type, count] of runs) head.unsigned(count).u8(TYPE_CODE[type]);
      code
        .unsigned(head.length + body.length + 1)
        .raw(head.view())
        .raw(body.view())
        .u8(0x0b);
      if (body.hints.length === 0) return;
      hints.unsigned(this.imports.length + i).unsigned(body.hints.length);
      for (const { at, likely } of body.hints)
        hints
          .unsigned(head.length + at)
          .u8(1)
          .u8(likely ? 1 : 0);
    });
    // WebAssembly branch hinting proposal: offsets are from the function's locals on.
    section(0, hints);
    section(10, code);

    // Names for profilers and traps: those of the exports (core specification, appendix, "name section")
    const named = this.exported.filter(({ kind }) => kind === 0).sort((a, b) => a.index - b.index);
    const names = new Bytes().unsigned(named.length);
    for (const { name, index } of named) names.unsigned(index).text(name);
    section(0, new Bytes().text('name').u8(1).unsigned(names.length).raw(names.view()));
    return out.view();
  }
}
