import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { EngineModules } from '../../engine/engine.js';

/**
 * V8 heeds branch hints by default from 13.7 on, and has them behind a flag before: out of the way of what is run, the
 * unlikely costs less (docs/bench.md).
 */
function allowBranchHints(): void {
  const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
  if (major < 13 || (major === 13 && minor < 7)) setFlagsFromString('--experimental-wasm-branch-hinting');
}

/** The built WebAssembly of the engine, from beside this code. */
export function loadEngineModules(): EngineModules {
  allowBranchHints();
  const load = (name: string): WebAssembly.Module =>
    new WebAssembly.Module(readFileSync(new URL(`../../engine/${name}`, import.meta.url)));
  return { runtime: load('runtime.wasm'), interpreter: load('interpreter.wasm') };
}
