import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EscapeKeys } from './escape-keys.js';

const feed = (keys: EscapeKeys, text: string): { text: string; actions: string[] } => {
  const { bytes, actions } = keys.feed(new TextEncoder().encode(text));
  return { text: new TextDecoder().decode(bytes), actions };
};

test('what is typed goes through, Ctrl-A x and h do not', () => {
  const keys = new EscapeKeys();
  assert.deepEqual(feed(keys, 'ls\r'), { text: 'ls\r', actions: [] });
  assert.deepEqual(feed(keys, 'a\x01hb'), { text: 'ab', actions: ['help'] });
  assert.deepEqual(feed(keys, '\x01x'), { text: '', actions: ['quit'] });
});

test('an escape may come in two pieces, and twice it stands for itself', () => {
  const keys = new EscapeKeys();
  assert.deepEqual(feed(keys, 'q\x01'), { text: 'q', actions: [] });
  assert.deepEqual(feed(keys, 'X'), { text: '', actions: ['quit'] });
  assert.deepEqual(feed(keys, '\x01\x01'), { text: '\x01', actions: [] });
  assert.deepEqual(feed(keys, '\x01q'), { text: '', actions: [] });
});
