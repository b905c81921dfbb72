import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as L from './layout.js';
import { Asker, Mailboxes, type Question } from './mailbox.js';

const CPU = L.CPU_BASE;

function make() {
  const pages = (L.CPU_BASE + 2 * L.CPU_BYTES) / 0x10000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const mailboxes = new Mailboxes(memory, 2);
  const askers = [0, 1].map((thread) => new Asker(memory, thread, () => {}));
  const words = new Int32Array(memory.buffer);
  const seen: Question[] = [];
  const answer = (thread: number): void =>
    mailboxes.answer(thread, (question) => {
      seen.push({ ...question });
      return {};
    });
  return { memory, mailboxes, askers, words, seen, answer };
}

test('what is posted is taken in order, each thread by itself, and counted at its CPU until it is done', () => {
  const { mailboxes, askers, words, seen, answer } = make();
  const posts = (): number => words[(CPU + L.S_POSTS) >> 2]!;
  assert.equal(mailboxes.waiting, false);
  for (let i = 0; i < 3; i++) askers[0]!.post(5 + i, CPU, i, 0, 0, BigInt(-i));
  askers[1]!.post(9, CPU + L.CPU_BYTES);
  assert.equal(posts(), 3);
  assert.equal(mailboxes.asked(0), 5);
  assert.equal(mailboxes.asked(1), 9);
  // It may go on with the CPU: what it posts next comes behind.
  askers[0]!.settle(CPU);
  for (let i = 0; i < 3; i++) {
    answer(0);
    assert.deepEqual(
      [seen[i]!.operation, seen[i]!.numbers[0], seen[i]!.wide, seen[i]!.waits],
      [5 + i, i, BigInt(-i), false],
    );
    assert.equal(posts(), 2 - i);
  }
  assert.equal(mailboxes.asked(0), -1);
  assert.equal(mailboxes.asked(1), 9);
  askers[1]!.settle(CPU);
  answer(1);
  assert.equal(mailboxes.waiting, false);
});

test('slots are used again, however many there were', () => {
  const { askers, seen, answer } = make();
  for (let i = 0; i < 100; i++) {
    askers[0]!.post(i, CPU);
    // Some are waiting all the time.
    if (i >= 5) answer(0);
  }
  while (seen.length < 100) answer(0);
  assert.deepEqual(
    seen.map(({ operation }) => operation),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test('registers are those that the CPU had when it was posted', () => {
  const { memory, mailboxes, askers } = make();
  const view = new DataView(memory.buffer);
  view.setBigUint64(CPU + L.S_GPR + 8 * 15, 0xfedcba9876543210n, true);
  askers[0]!.post(1, CPU, 0, 0, 0, 0n, true);
  view.setBigUint64(CPU + L.S_GPR + 8 * 15, 1n, true);
  mailboxes.answer(0, ({ registers }) => {
    assert.equal(registers()[15], 0xfedcba9876543210n);
    assert.equal(registers().length, 16);
    return {};
  });
});
