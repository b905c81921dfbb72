import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { placeNames, readPlace, TakenPlace } from './places.js';

test('a name belongs to one process until that leaves it, and is found meanwhile', async () => {
  const before = process.env['XDG_RUNTIME_DIR'];
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-places-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
  try {
    const place = TakenPlace.take('machine', 'one')!;
    assert.deepEqual(placeNames('machine'), [], 'it has not said where it is');
    await place.tell(1234);
    assert.deepEqual(placeNames('machine'), ['one']);
    assert.deepEqual(placeNames('net'), []);
    assert.deepEqual(readPlace('machine', 'one'), { port: 1234, token: place.token });
    assert.equal(TakenPlace.take('machine', 'one'), null);
    place.leave();
    assert.equal(readPlace('machine', 'one'), null);
    TakenPlace.take('machine', 'one')!.leave();
    // The folder that the environment names is no folder: another is used.
    const file = join(folder, 'file');
    writeFileSync(file, '');
    process.env['XDG_RUNTIME_DIR'] = file;
    assert.ok(Array.isArray(placeNames('machine')));
    process.env['XDG_RUNTIME_DIR'] = join(folder, 'nothing');
    assert.ok(Array.isArray(placeNames('machine')));
  } finally {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = before;
    rmSync(folder, { recursive: true });
  }
});
