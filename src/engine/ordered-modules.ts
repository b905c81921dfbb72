import { instructions } from '../isa/instructions.js';
import type { EngineModules } from './engine.js';
import { generateInterpreter } from './interpreter/generate.js';

/**
 * The engine for hosts whose memory has less order than x86's: its accesses to guest memory see to the order themselves
 * (docs/cpus.md, "Memory order"). Its interpreter is made here, as few machines need one.
 */
export function orderedModules(modules: EngineModules): EngineModules {
  const interpreter = new WebAssembly.Module(generateInterpreter(instructions, true));
  return { ...modules, interpreter, ordered: true };
}
