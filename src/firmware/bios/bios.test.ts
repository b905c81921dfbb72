import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestRam } from '../../machine/guest-ram.js';
import * as B from './bda.js';
import { FONT_14, FONT_16, FONT_8 } from './font.js';
import { Keyboard } from './keyboard.js';
import { systemRom } from './rom.js';
import { videoRom } from './video-rom.js';

test('the ROM has its doors where programs expect them', () => {
  const { bytes } = systemRom(FONT_8.subarray(0, 1024));
  // Far jump to F000:E05B at the reset vector; model byte of an AT.
  assert.deepEqual([...bytes.subarray(0xfff0, 0xfff5)], [0xea, 0x5b, 0xe0, 0x00, 0xf0]);
  assert.equal(bytes[0xfffe], 0xfc);
  const video = videoRom().bytes;
  assert.deepEqual([...video.subarray(0, 2)], [0x55, 0xaa]);
  assert.equal(video.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
});

test('every character has a shape of its own, but for those that look like nothing', () => {
  for (const [font, lines] of [
    [FONT_16, 16],
    [FONT_14, 14],
  ] as const) {
    const shapes = new Map<string, number>();
    for (let code = 0; code < 256; code++) {
      const shape = font.subarray(code * lines, (code + 1) * lines).join();
      const same = shapes.get(shape);
      const blank = [0, 32, 255].includes(code);
      assert.ok(same === undefined || blank, `${code} looks as ${same}`);
      if (!blank) shapes.set(shape, code);
    }
  }
});

function keyboard(): { ram: GuestRam; keys: Keyboard } {
  const ram = new GuestRam(new ArrayBuffer(0x1000), 0, { lowBytes: 0x1000, highBytes: 0 });
  const keys = new Keyboard(ram);
  keys.reset();
  return { ram, keys };
}

test('scan codes become codes as on a PC', () => {
  const cases: [codes: number[], word: number][] = [
    [[0x1e, 0x9e], 0x1e61],
    [[0x2a, 0x1e, 0x9e, 0xaa], 0x1e41],
    [[0x1d, 0x1e, 0x9e, 0x9d], 0x1e01],
    [[0x38, 0x1e, 0x9e, 0xb8], 0x1e00],
    [[0x3b, 0xbb], 0x3b00],
    [[0x58, 0xd8], 0x8600],
    [[0xe0, 0x48, 0xe0, 0xc8], 0x48e0],
    [[0x48, 0xc8], 0x4800],
    [[0x45, 0xc5, 0x48, 0xc8], 0x4838],
    [[0x1c, 0x9c], 0x1c0d],
    [[0x2a, 0x03, 0x83, 0xaa], 0x0340],
    [[0x3a, 0xba, 0x1e, 0x9e], 0x1e41],
    [[0x0f, 0x8f], 0x0f09],
  ];
  for (const [codes, word] of cases) {
    const { keys } = keyboard();
    for (const code of codes) keys.scanCode(code);
    assert.equal(
      keys.take().toString(16),
      word.toString(16),
      codes.map((code) => code.toString(16)).join(' '),
    );
    assert.equal(keys.take(), 0);
  }
});

test('the buffer holds fifteen codes and drops the next', () => {
  const { keys, ram } = keyboard();
  for (let n = 1; n <= 20; n++) keys.put(n);
  for (let n = 1; n <= 15; n++) assert.equal(keys.take(), n);
  assert.equal(keys.take(), 0);
  assert.equal(ram.readU16(B.KEY_HEAD), ram.readU16(B.KEY_TAIL));
});
