/**
 * Compares user-mode instructions with the processor of this machine:
 *
 *   node dist/testing/native-fuzz.js [--cases N] [--seed S] [--engine translate|interpret|reference] [--only REGEXP] [--sequences] [--quiet] [--fences]
 *
 * --sequences: several vector or floating-point instructions in each case.
 * --fences: the engine for hosts whose memory has less order than x86's.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { EngineKind } from '../engine/engine.js';
import { orderedModules } from '../engine/ordered-modules.js';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { disassemble } from '../isa/disassembler.js';
import { differences } from './native-compare.js';
import { isComparable, isOfSequences, makeCase, makeSequence, type NativeCase } from './native-cases.js';
import { packCases, unpackResults } from './native-file.js';
import { Random } from './random.js';
import { CODE_ADDRESS, UserMachine } from './user-machine.js';

const BATCH = 20_000;
const SHOWN_PER_INSTRUCTION = 2;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'interpret' },
    only: { type: 'string', default: '' },
    sequences: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    fences: { type: 'boolean', default: false },
  },
});

const root = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'vivarium-native-'));
try {
  const harness = join(folder, 'harness');
  execFileSync('gcc', ['-O1', '-o', harness, join(root, 'tests/native/harness.c')]);
  const modules = loadEngineModules();
  const machine = new UserMachine(
    values.engine as EngineKind,
    values.fences ? orderedModules(modules) : modules,
  );
  const { decoder } = machine.engine;
  const only = new RegExp(values.only);
  const forms = decoder.set.forms.filter(
    (form) =>
      (values.sequences ? isOfSequences(form) : isComparable(form)) &&
      only.test(form.encoding.instruction.name),
  );
  if (forms.length === 0) throw new Error(`no instruction matches ${values.only}`);

  const total = Number(values.cases);
  const failures = new Map<string, number>();
  const run = new Map<string, number>();
  let done = 0;
  let failed = 0;
  for (let batch = 0; done < total; batch++) {
    const seed = BigInt(values.seed) * 1_000_003n + BigInt(batch);
    const random = new Random(seed);
    const cases: NativeCase[] = [];
    for (let i = 0; cases.length < Math.min(BATCH, total - done); i++) {
      if (values.sequences) {
        cases.push(makeSequence(forms, random));
        continue;
      }
      const form = i < forms.length && batch === 0 ? forms[i]! : random.pick(forms);
      const made = makeCase(form, random, decoder);
      if (made) cases.push(made);
    }
    writeFileSync(join(folder, 'cases'), packCases(cases));
    execFileSync(harness, [join(folder, 'cases'), join(folder, 'results')]);
    const expected = unpackResults(readFileSync(join(folder, 'results')), cases);
    cases.forEach((item, i) => {
      const { name } = item.form.encoding.instruction;
      run.set(name, (run.get(name) ?? 0) + 1);
      let found: string[];
      try {
        // Translated is what runs for the second time.
        if (values.engine === 'translate') machine.run(item.state, item.code);
        found = differences(item, expected[i]!, machine.run(item.state, item.code));
      } catch (error) {
        found = [String(error)];
      }
      if (found.length === 0) return;
      failed++;
      const seen = failures.get(name) ?? 0;
      failures.set(name, seen + 1);
      if (seen >= SHOWN_PER_INSTRUCTION || values.quiet) return;
      const mode = { long: !item.state.code32, default32: true };
      console.log(`batch seed ${seed}, case ${i}: ${item.form.encoding.text}`);
      console.log(
        '  ' + disassemble(decoder, item.code, CODE_ADDRESS, mode, values.sequences ? 16 : 1).join('\n  '),
      );
      const state = item.state;
      console.log(
        `  before: ${state.gpr.map((v) => v.toString(16)).join(' ')} flags ${state.rflags.toString(16)}`,
      );
      for (const line of found.slice(0, 6)) console.log('  ' + line);
    });
    done += cases.length;
    if (!values.quiet) console.log(`${done} cases, ${failed} differ`);
  }
  for (const [name, count] of [...failures].sort((a, b) => b[1] - a[1]))
    console.log(`${name}: ${count} of ${run.get(name)} differ`);
  console.log(
    `${done - failed} passed, ${failed} failed (${forms.length} forms, ${run.size} instructions, seed ${values.seed})`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
