/**
 * Random machines - modes, descriptors, page tables, handlers, code of all kinds - in two engines side by side:
 *
 *   node dist/testing/system-fuzz.js [--cases N] [--seed N] [--engines interpret,reference] [--heat N] [--mode MODE] [--modify PERCENT] [--only REGEXP] [--rounds N] [--from N]
 *
 * Each machine starts anew --rounds times; what was translated in a round runs in those behind it.
 */
import { parseArgs } from 'node:util';
import type { EngineKind } from '../engine/engine.js';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { describeCpu } from '../vm/report.js';
import { CodeSource, DATA_BYTES, DATA_START, CODE_BYTES, CODE_START } from './random-code.js';
import { Random } from './random.js';
import { MODES, SystemCases, type StartMode } from './system-cases.js';
import { SystemMachine } from './system-machine.js';

const MOST_INSTRUCTIONS = 4000;
const SHOWN = 3;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    engines: { type: 'string', default: 'interpret,reference' },
    heat: { type: 'string', default: '2' },
    mode: { type: 'string', default: '' },
    modify: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
  },
});

const modules = loadEngineModules();
const pair = (values.engines.split(',') as EngineKind[]).map(
  (kind) => new SystemMachine(kind, modules, Number(values.heat)),
);
if (pair.length !== 2)
  throw new Error(`--engines ${values.engines}: give two engines, as in interpret,reference`);
const rounds = Number(values.rounds);
const [one, other] = pair as [SystemMachine, SystemMachine];
const only = values.only === '' ? null : new RegExp(values.only);
const cases = new SystemCases(new CodeSource(one.engine.decoder.set.forms, Number(values.modify), only));

/** First difference, or null. */
function difference(): string[] | null {
  const [a, b] = [one.describe(), other.describe()];
  const found = [...a].flatMap(([name, value]) =>
    b.get(name) === value ? [] : [`${name}: ${value} | ${b.get(name)}`],
  );
  if (Buffer.compare(one.memory, other.memory) !== 0) {
    const at = one.memory.findIndex((byte, i) => byte !== other.memory[i]);
    found.push(
      `memory at ${at.toString(16)}: ${one.memory[at]!.toString(16)} | ${other.memory[at]!.toString(16)}`,
    );
  }
  return found.length > 0 ? found : null;
}

interface Outcome {
  instructions: number;
  found: string[];
  before: string;
  /** The step that went wrong, and how many instructions it was. */
  step: number;
  count: number;
}

/** Runs a case in steps until the engines differ. With `last`, its step `last.step` has `last.count` instructions and ends it. */
function runCase(seed: bigint, last?: { step: number; count: number }): Outcome {
  const random = new Random(seed);
  const state = cases.make(modeOf(random), random);
  const most = random.pick([5, 50, 500]);
  const sum: Outcome = { instructions: 0, found: [], before: '', step: 0, count: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const machine of pair) machine.load(state, round > 0);
    const outcome = runRound(random, most, sum.step, last);
    sum.instructions += outcome.instructions;
    sum.step = outcome.step;
    if (outcome.ended) return { ...outcome, instructions: sum.instructions };
  }
  return sum;
}

/** `first`: the number of its first step. */
function runRound(
  random: Random,
  most: number,
  first: number,
  last?: { step: number; count: number },
): Outcome & { ended: boolean } {
  let instructions = 0;
  let step = first;
  for (; instructions < MOST_INSTRUCTIONS; step++) {
    if (random.chance(3)) {
      const vector = 32 + random.below(224);
      for (const machine of pair) machine.interrupt(vector);
    }
    if (random.chance(1)) for (const machine of pair) machine.processor.nmi();
    if (random.chance(5)) {
      const physical = random.chance(50)
        ? DATA_START + random.below(DATA_BYTES)
        : CODE_START + random.below(CODE_BYTES);
      const value = random.below(256);
      for (const machine of pair) machine.write(physical, value);
    }
    const drawn = 1 + random.below(most);
    const ends = last?.step === step;
    const count = ends ? last.count : drawn;
    const before = ends ? describeCpu(other.engine, other.processor) : '';
    const going = pair.map((machine) => machine.step(count));
    instructions += count;
    const found = difference();
    if (found !== null || ends) return { instructions, found: found ?? [], before, step, count, ended: true };
    if (!going[0]) break;
  }
  return { instructions, found: [], before: '', step: step + 1, count: 0, ended: false };
}

const modeOf = (random: Random): StartMode => {
  const drawn = random.pick(MODES);
  return values.mode === '' ? drawn : (values.mode as StartMode);
};

/** The same difference after as few instructions as show it. */
function narrowed(seed: bigint, { step, count }: Outcome): Outcome {
  for (let fewer = 1; fewer < count; fewer++) {
    const outcome = runCase(seed, { step, count: fewer });
    if (outcome.found.length > 0) return outcome;
  }
  return runCase(seed, { step, count });
}

let failed = 0;
let instructions = 0;
const total = Number(values.cases);
const started = Date.now();
for (let i = Number(values.from); i < total; i++) {
  const seed = BigInt(values.seed) * 1_000_003n + BigInt(i);
  const outcome = runCase(seed);
  instructions += outcome.instructions;
  if (outcome.found.length === 0) continue;
  failed++;
  if (failed > SHOWN) continue;
  const { count, before, found } = narrowed(seed, outcome);
  console.log(
    `case ${i} of --seed ${values.seed}: ${values.engines} differ after ${count} more instructions from here:`,
  );
  console.log(before);
  for (const line of found.slice(0, 12)) console.log('  ' + line);
}
console.log(
  `${total - failed} passed, ${failed} failed (${instructions} instructions, seed ${values.seed}, ${values.engines}, ${((Date.now() - started) / 1000).toFixed(1)} s)`,
);
process.exitCode = failed === 0 ? 0 : 1;
