import { readFileSync } from 'node:fs';

export interface EngineModules {
  readonly runtime: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
}

/** The built WebAssembly of the engine, from beside this code. */
export function loadEngineModules(): EngineModules {
  const load = (name: string): WebAssembly.Module =>
    new WebAssembly.Module(readFileSync(new URL(`../../engine/${name}`, import.meta.url)));
  return { runtime: load('runtime.wasm'), interpreter: load('interpreter.wasm') };
}
