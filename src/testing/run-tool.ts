import { AssertionError } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a program of this folder printed; a failed assertion with its output if it ended with an error. */
export function runTool(name: string, ...args: string[]): string {
  const file = fileURLToPath(new URL(`${name}.js`, import.meta.url));
  try {
    return execFileSync(process.execPath, [file, ...args], { encoding: 'utf8' });
  } catch (error) {
    throw new AssertionError({ message: (error as { stdout?: string }).stdout || String(error) });
  }
}
