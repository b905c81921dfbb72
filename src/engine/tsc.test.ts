import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { emptyBoard } from '../testing/user-machine.js';
import { Engine, type EngineKind } from './engine.js';
import * as L from './layout.js';

const CODE = 0x1000;
const TABLE = 0x2000;
const READINGS = 500;
/** rdtsc; mov [di], eax; mov [di + 4], edx; add di, 8 */
const READ = [0x0f, 0x31, 0x66, 0x89, 0x05, 0x66, 0x89, 0x55, 0x04, 0x83, 0xc7, 0x08];
const IN_AL_DX = [0xec];
/** push cx; push di; mov cx,2000; mov di,0x5000; rep stosb; pop di; pop cx */
const REP_STOSB = [0x51, 0x57, 0xb9, 0xd0, 0x07, 0xbf, 0x00, 0x50, 0xf3, 0xaa, 0x5f, 0x59];
/** With the two that make it a loop. */
const LOOP_INSTRUCTIONS = 6;

/** What RDTSC gave in a loop of 16-bit code, and how often the clock, which goes `tick` on each time, was asked. */
function readings(kind: EngineKind, steps: number, tick: number, beside: readonly number[] = []) {
  let [asked, clock] = [0, 5000];
  const now = (): number => {
    asked++;
    return (clock += tick);
  };
  const engine = new Engine({
    ...{ kind, cpus: 1, lowBytes: 0x100000, highBytes: 0, heat: 1, codeBytes: 0x200000 },
    ...{ board: { ...emptyBoard, now }, ...loadEngineModules() },
  });
  const view = new DataView(engine.memory.buffer);
  const [processor] = engine.processors;
  const { pointer } = processor!;
  const loop = [...READ, ...beside];
  // dec cx; jnz loop; hlt
  const code = [...loop, 0x49, 0x75, -(loop.length + 3), 0xf4];
  new Uint8Array(engine.memory.buffer).set(code, engine.ramBase + CODE);
  view.setUint32(L.G_TSC_STEPS, steps, true);
  view.setBigUint64(pointer + L.S_SEG + L.SEG_BYTES * L.CS + L.SEG_BASE, 0n, true);
  view.setBigUint64(pointer + L.S_RIP, BigInt(CODE), true);
  view.setBigUint64(pointer + L.S_GPR + 8, BigInt(READINGS), true);
  view.setBigUint64(pointer + L.S_GPR + 8 * 7, BigInt(TABLE), true);
  engine.runtime.newGeneration(pointer);
  assert.equal(processor!.run(100_000), 'halted');
  const read = (n: number): number => Number(view.getBigUint64(engine.ramBase + TABLE + 8 * n, true));
  const values = Array.from({ length: READINGS }, (_, n) => read(n));
  assert.ok(
    values.every((value, n) => n === 0 || value > values[n - 1]!),
    'the counter goes on between two readings',
  );
  return { asked, first: values[0]!, last: values.at(-1)! };
}

for (const kind of ['interpret', 'reference'] as const) {
  test(`${kind}: RDTSC asks for the time, each time or every so many instructions or readings`, () => {
    assert.deepEqual(readings(kind, 0, 7), { asked: READINGS, first: 5007, last: 5000 + 7 * READINGS });
    const instructions = READINGS * LOOP_INSTRUCTIONS;
    // A reading uses up an eighth of the instructions: here each stands for 6 + 10 of 80, or for 6 + 1000 of 8000.
    for (const [steps, least, most] of [
      [80, instructions / 80, READINGS / 4],
      [8000, READINGS / 9, READINGS / 7],
    ] as const) {
      const { asked, last } = readings(kind, steps, 1000);
      assert.ok(asked >= least && asked <= most, `asked ${asked} times, not ${least} to ${most}`);
      assert.ok(last >= 5000 + 1000 * asked && last < 6000 + 1000 * asked, `${last} at last`);
    }
  });

  test(`${kind}: behind an access to a port RDTSC asks for the time`, () => {
    assert.equal(readings(kind, 1000, 1000, IN_AL_DX).asked, READINGS);
  });

  test(`${kind}: RDTSC asks for the time behind what takes long`, () => {
    assert.equal(readings(kind, 1000, 1000, REP_STOSB).asked, READINGS);
  });

  test(`${kind}: a clock that stands still is not seen to`, () => {
    assert.ok(readings(kind, 100, 0).last < 5000 + READINGS * LOOP_INSTRUCTIONS);
  });
}
