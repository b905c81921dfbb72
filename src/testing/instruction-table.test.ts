import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { instructionTable } from './instruction-table.js';

test('docs/instructions.md is what the definitions say now', () => {
  const committed = readFileSync(new URL('../../docs/instructions.md', import.meta.url), 'utf8');
  assert.equal(committed, instructionTable(), 'run: node scripts/instruction-table.mjs');
});
