/** What a monitor says of itself: an EDID 1.3 block of 128 bytes (VESA E-EDID, release A) whose best mode is `width` x `height` at 60 Hz. */
export function edid(width: number, height: number): Uint8Array {
  const block = new Uint8Array(128);
  block.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  // Manufacturer "VIV", product 1, made in 2026; EDID 1.3.
  block.set([0x59, 0x36, 0x01, 0x00, 0, 0, 0, 0, 1, 36, 1, 3], 8);
  // Digital, so many centimetres at 96 dots an inch, gamma 2.2, RGB, preferred timing is the first.
  block.set([0x80, Math.round((width * 2.54) / 96), Math.round((height * 2.54) / 96), 120, 0x0a], 20);
  // sRGB's primaries.
  block.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // 640x480, 800x600 and 1024x768 at 60 Hz.
  block.set([0x21, 0x08, 0x00], 35);
  block.fill(0x01, 38, 54);
  block.set(timing(width, height), 54);
  block.set(text(0xfc, 'Vivarium'), 72);
  // 50-75 Hz, 30-160 kHz, 600 MHz.
  block.set([0, 0, 0, 0xfd, 0, 50, 75, 30, 160, 60, 0, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  block.set([0, 0, 0, 0x10], 108);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block[127] = -sum & 0xff;
  return block;
}

/** A detailed timing with blanking like that of reduced-blanking modes. */
function timing(width: number, height: number): number[] {
  const [blankX, blankY] = [160, 30];
  const clock = Math.round(((width + blankX) * (height + blankY) * 60) / 10_000);
  const [millimetresX, millimetresY] = [width, height].map((pixels) => Math.round((pixels * 25.4) / 96)) as [
    number,
    number,
  ];
  return [
    clock & 0xff,
    clock >> 8,
    width & 0xff,
    blankX,
    (width >> 8) << 4,
    height & 0xff,
    blankY,
    (height >> 8) << 4,
    // Sync: 48 pixels after the picture, 32 long; 3 lines after, 6 long.
    ...[48, 32, 0x36, 0],
    millimetresX & 0xff,
    millimetresY & 0xff,
    ((millimetresX >> 8) << 4) | (millimetresY >> 8),
    ...[0, 0, 0x1a],
  ];
}

function text(tag: number, value: string): number[] {
  const body = [...value].map((letter) => letter.charCodeAt(0));
  while (body.length < 13) body.push(body.length === value.length ? 0x0a : 0x20);
  return [0, 0, 0, tag, 0, ...body];
}
