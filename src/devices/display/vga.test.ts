import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FONT_16 } from '../../firmware/bios/font.js';
import { VIDEO_MODES } from '../../firmware/bios/video-modes.js';
import { VideoRegisters } from '../../firmware/bios/video-registers.js';
import { MmioBus } from '../../machine/mmio-bus.js';
import { PortBus } from '../../machine/port-bus.js';
import { TestTime } from '../../machine/testing.js';
import { picture } from './picture.js';
import { screenLines, textScreen } from './text-screen.js';
import { Vga, VGA_MEMORY_BYTES } from './vga.js';

function make(): {
  vga: Vga;
  ports: PortBus;
  mmio: MmioBus;
  registers: VideoRegisters;
  time: TestTime;
  bytes: Uint8Array;
} {
  const [ports, mmio, time] = [new PortBus(), new MmioBus(), new TestTime()];
  const bytes = new Uint8Array(VGA_MEMORY_BYTES);
  const vga = new Vga(bytes, () => {}, time.clock);
  vga.attach(ports);
  vga.reset();
  mmio.map(0xa0000, 0x20000, vga.memory);
  return { vga, ports, mmio, registers: new VideoRegisters(ports), time, bytes };
}
const mode = (number: number) => VIDEO_MODES.find((known) => known.number === number)!;

function textMode(): ReturnType<typeof make> {
  const made = make();
  const { registers, mmio } = made;
  registers.load(mode(3), false);
  registers.withFontPlane(mode(3), () => {
    for (let code = 0; code < 256; code++)
      for (let line = 0; line < 16; line++)
        mmio.write(0xa0000 + code * 32 + line, FONT_16[code * 16 + line]!, 1);
  });
  for (let at = 0; at < 4000; at += 2) mmio.write(0xb8000 + at, 0x0720, 2);
  registers.crtc(0x0a, 0x20);
  return made;
}

test('text shows as characters and as dots, nine to a character', () => {
  const { vga, mmio } = textMode();
  mmio.write(0xb8000 + (3 * 80 + 5) * 2, 0x1e41, 2);
  mmio.write(0xb8000 + (3 * 80 + 6) * 2, 0x07db, 2);
  assert.equal(screenLines(vga)![3], '     A█');
  assert.equal(textScreen(vga)!.cells[3]![5]!.attribute, 0x1e);
  const { width, height, pixels } = picture(vga, 0);
  assert.deepEqual([width, height], [720, 400]);
  const [yellow, blue] = [0xff55ffff, 0xffaa0000];
  for (let line = 0; line < 16; line++)
    for (let dot = 0; dot < 8; dot++) {
      const on = (FONT_16[0x41 * 16 + line]! & (0x80 >> dot)) !== 0;
      assert.equal(pixels[(48 + line) * 720 + 45 + dot], on ? yellow : blue, `line ${line}, dot ${dot}`);
    }
  // The ninth dot of line graphics repeats the eighth.
  assert.equal(pixels[48 * 720 + 54 + 8], 0xffaaaaaa);
});

test('the screen begins where the CRT controller says, and the cursor is where it is set', () => {
  const { vga, mmio, registers } = textMode();
  mmio.write(0xb8000 + 160, 0x0758, 2);
  registers.crtc(0x0c, 0);
  registers.crtc(0x0d, 80);
  assert.equal(screenLines(vga)![0], 'X');
  registers.crtc(0x0a, 13);
  registers.crtc(0x0b, 14);
  registers.crtc(0x0e, (80 + 83) >> 8);
  registers.crtc(0x0f, 80 + 83);
  assert.deepEqual(textScreen(vga)!.cursor, { column: 3, row: 1 });
  const { pixels } = picture(vga, 0);
  assert.equal(pixels[(16 + 13) * 720 + 27], 0xffaaaaaa);
  assert.equal(pixels[(16 + 12) * 720 + 27], 0xff000000);
});

test('256 colours: a byte is a dot', () => {
  const { vga, mmio, registers } = make();
  registers.load(mode(0x13), false);
  mmio.write(0xa0000 + 100 * 320 + 7, 4, 1);
  const { width, height, pixels } = picture(vga, 0);
  assert.deepEqual([width, height], [320, 200]);
  assert.equal(pixels[100 * 320 + 7], 0xff0000aa);
  assert.equal(screenLines(vga), null);
});

test('planes: write modes, functions and reading', () => {
  const { vga, mmio, registers } = make();
  registers.load(mode(0x12), false);
  // Write mode 2: the byte is a colour, the bit mask says which dots.
  registers.graphics(5, 2);
  registers.graphics(8, 0x40);
  mmio.read(0xa0000 + 80, 1);
  mmio.write(0xa0000 + 80, 0x0c, 1);
  const { width, height, pixels } = picture(vga, 0);
  assert.deepEqual([width, height], [640, 480]);
  assert.equal(pixels[640 + 1], 0xff5555ff);
  assert.equal(pixels[640], 0xff000000);
  // Set/reset through all planes, then inverted.
  registers.graphics(5, 0);
  registers.graphics(8, 0xff);
  registers.graphics(0, 0x05);
  registers.graphics(1, 0x0f);
  mmio.write(0xa0000, 0, 1);
  registers.graphics(4, 0);
  assert.equal(mmio.read(0xa0000, 1), 0xff);
  registers.graphics(4, 1);
  assert.equal(mmio.read(0xa0000, 1), 0x00);
  registers.graphics(1, 0);
  registers.graphics(3, 0x18);
  mmio.read(0xa0000, 1);
  mmio.write(0xa0000, 0xf0, 1);
  assert.equal(mmio.read(0xa0000, 1), 0xf0);
  // Read mode 1: which dots have colour 10 (planes 1 and 3), of all planes.
  registers.graphics(5, 8);
  registers.graphics(2, 0x0a);
  registers.graphics(7, 0x0f);
  assert.equal(mmio.read(0xa0000, 1), 0xf0);
  // Write mode 1 copies what was read.
  registers.graphics(5, 1);
  mmio.read(0xa0000, 1);
  mmio.write(0xa0001, 0, 1);
  registers.graphics(5, 0);
  registers.graphics(4, 3);
  assert.equal(mmio.read(0xa0001, 1), 0xf0);
});

test('four colours of a CGA: rows in two halves', () => {
  const { vga, mmio, registers } = make();
  registers.load(mode(4), false);
  mmio.write(0xb8000, 0x1b, 1);
  mmio.write(0xba000, 0xe4, 1);
  const { width, height, pixels } = picture(vga, 0);
  assert.deepEqual([width, height], [320, 200]);
  const [cyan, magenta, white] = [0xffffff55, 0xffff55ff, 0xffffffff];
  assert.deepEqual([...pixels.subarray(0, 4)], [0xff000000, cyan, magenta, white]);
  assert.deepEqual([...pixels.subarray(320, 324)], [white, magenta, cyan, 0xff000000]);
});

test('the VBE extension: sizes, depths, panning and banks', () => {
  const { vga, registers, mmio, bytes } = make();
  registers.dispi(1, 1024);
  registers.dispi(2, 768);
  registers.dispi(3, 32);
  registers.dispi(4, 0x41);
  bytes.set([1, 2, 3], 4 * (10 * 1024 + 20));
  let shown = picture(vga, 0);
  assert.deepEqual([shown.width, shown.height], [1024, 768]);
  assert.equal(shown.pixels[10 * 1024 + 20], 0xff010203);
  registers.dispi(8, 20);
  registers.dispi(9, 10);
  shown = picture(vga, 0);
  assert.equal(shown.pixels[0], 0xff010203);
  // Virtual height ends with the memory; what does not fit is not taken.
  registers.dispi(6, 60000);
  assert.equal(registers.readDispi(6), 1024);
  registers.dispi(4, 0);
  registers.load(mode(0x13), true);
  registers.dispi(3, 16);
  registers.dispi(4, 0x41);
  registers.dispi(5, 1);
  mmio.write(0xa0000, 0xf800, 2);
  assert.deepEqual([...bytes.subarray(0x10000, 0x10002)], [0x00, 0xf8]);
  assert.equal(picture(vga, 0).pixels[0x8000], 0xff0000ff);
});

test('the beam goes around', () => {
  const { ports, time, registers } = make();
  registers.load(mode(3), false);
  const seen = new Set<number>();
  for (let n = 0; n < 2000; n++) {
    seen.add(ports.read(0x3da, 1) & 9);
    time.advance(15_000);
  }
  assert.deepEqual([...seen].sort(), [0, 1, 9]);
});

test('state goes on in another card', () => {
  const { vga, bytes } = textMode();
  const other = make();
  other.vga.load(JSON.parse(JSON.stringify(vga.save())));
  other.bytes.set(bytes.subarray(0, 0x40000));
  assert.deepEqual(picture(other.vga, 0), picture(vga, 0));
});
