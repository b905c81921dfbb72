import { FunctionBody } from './bytes.js';
import { ModuleWriter } from './module.js';
import { FENCE } from './opcodes.js';

/** atomic.fence as a function, for code whose compiler cannot emit it (AssemblyScript 0.28 makes a module of it that its own validator refuses). */
export function fenceFunction(memory: WebAssembly.Memory): WebAssembly.ExportValue {
  const module = new ModuleWriter();
  module.export('fence', module.define({ params: [], results: [] }, [], new FunctionBody().raw(FENCE)));
  const compiled = new WebAssembly.Module(module.finish());
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports['fence']!;
}
