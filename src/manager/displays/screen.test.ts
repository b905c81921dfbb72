import assert from 'node:assert/strict';
import { test } from 'node:test';
import { picture } from '../../devices/display/picture.js';
import { Vga, VGA_MEMORY_BYTES } from '../../devices/display/vga.js';
import { PortBus } from '../../machine/port-bus.js';
import { TestTime } from '../../machine/testing.js';
import { sequence } from '../../testing/sequence.js';
import { Screen } from './screen.js';

const INDEX = 0x1ce;
const DATA = 0x1cf;
const [WIDTH, HEIGHT, BITS, ENABLE] = [1, 2, 3, 4];
const ENABLED_LINEAR = 0x41;

function make(): { screen: Screen; vga: Vga; bytes: Uint8Array; ports: PortBus; time: TestTime } {
  const [ports, time] = [new PortBus(), new TestTime()];
  const bytes = new Uint8Array(VGA_MEMORY_BYTES);
  const vga = new Vga(bytes, () => {}, time.clock);
  vga.attach(ports);
  vga.reset();
  return { screen: new Screen(vga, () => time.clock.now()), vga, bytes, ports, time };
}

function setMode(ports: PortBus, values: readonly (readonly [register: number, value: number])[]): void {
  for (const [register, value] of values) {
    ports.write(INDEX, register, 2);
    ports.write(DATA, value, 2);
  }
}

for (const bits of [8, 16, 24, 32])
  test(`with ${bits} bits a pixel, what is seen is the picture, and rows that are as they were keep their version`, () => {
    const { screen, vga, bytes, ports, time } = make();
    setMode(ports, [
      [ENABLE, 0],
      [WIDTH, 64],
      [HEIGHT, 48],
      [BITS, bits],
      [ENABLE, ENABLED_LINEAR],
    ]);
    const next = sequence(bits);
    const pitch = (64 * bits) / 8;
    for (let step = 0; step < 200; step++) {
      const before = screen.look();
      const [version, rows] = [before.version, before.rows.slice()];
      assert.equal(screen.look().version, version, 'nothing has changed');
      const changed = new Set<number>();
      for (let n = next(4); n > 0; n--) {
        const at = next(pitch * 48);
        bytes[at]! ^= 1 + next(255);
        changed.add(Math.floor(at / pitch));
      }
      if (next(20) === 0 && bits === 8) {
        ports.write(0x3c8, next(256), 1);
        for (let n = 0; n < 3; n++) ports.write(0x3c9, next(64), 1);
      }
      const { picture: seen, rows: now } = screen.look();
      assert.deepEqual(seen, picture(vga, time.clock.now()), `step ${step}`);
      if (bits > 8)
        for (let y = 0; y < 48; y++)
          if (!changed.has(y)) assert.equal(now[y], rows[y], `step ${step}, row ${y}`);
    }
  });

test('another size, and text that blinks, are seen as changes', () => {
  const { screen, vga, bytes, ports, time } = make();
  const text = screen.look().version;
  bytes[0x20000] = 1;
  assert.equal(screen.look().version, text + 1);
  bytes[0x90000] = 1;
  assert.equal(screen.look().version, text + 1, 'what lies behind is not shown');
  time.advance(266e6);
  assert.equal(screen.look().version, text + 2);
  setMode(ports, [
    [WIDTH, 32],
    [HEIGHT, 16],
    [BITS, 32],
    [ENABLE, ENABLED_LINEAR],
  ]);
  const { picture: seen, rows } = screen.look();
  assert.deepEqual([seen.width, seen.height, rows.length], [32, 16, 16]);
  assert.deepEqual(seen, picture(vga, time.clock.now()));
});
