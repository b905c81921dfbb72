/** Regions compiled to one module. Numbers are places in the table of functions, the same in each thread. */
export interface RegionModule {
  readonly module: WebAssembly.Module;
  /** Of the regions that it calls directly. */
  readonly imports: readonly number[];
  /** Of its own, by the names of its exports. */
  readonly exports: readonly (readonly [name: string, slot: number])[];
}

/** Puts modules of regions into the table of the interpreter of this thread. */
export class Installer {
  private readonly table: WebAssembly.Table;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly runtime: WebAssembly.Exports,
    private readonly interpreter: WebAssembly.Exports,
  ) {
    this.table = interpreter['table'] as WebAssembly.Table;
  }

  /** A place that no region had yet. */
  newSlot(): number {
    return this.table.grow(1);
  }

  /** To be done in the order in which the modules were made: a place may be that of a region that is no more. */
  install({ module, imports, exports }: RegionModule): void {
    const { table, memory, runtime, interpreter } = this;
    const region = Object.fromEntries(imports.map((slot) => [slot, table.get(slot)]));
    const instance = new WebAssembly.Instance(module, { env: { memory }, runtime, interpreter, region });
    for (const [name, slot] of exports) {
      if (slot >= table.length) table.grow(slot + 1 - table.length);
      table.set(slot, instance.exports[name]);
    }
  }
}
