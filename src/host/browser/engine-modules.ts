import type { EngineModules } from '../../engine/engine.js';

/** The built WebAssembly of the engine, from beside this code. */
export async function fetchEngineModules(): Promise<EngineModules> {
  const load = async (name: string): Promise<WebAssembly.Module> => {
    const url = new URL(`../../engine/${name}`, import.meta.url);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url.href}: ${response.status} ${response.statusText}`);
    return WebAssembly.compile(await response.arrayBuffer());
  };
  const [runtime, interpreter] = await Promise.all([load('runtime.wasm'), load('interpreter.wasm')]);
  return { runtime, interpreter };
}
