/** The ROM at C0000: what makes a video BIOS of it, INT 10h's door, the fonts and the list of VBE modes. */
import { FONT_14, FONT_16, FONT_8 } from './font.js';
import { RomCode } from './rom-code.js';
import { services, type Rom } from './rom.js';
import { VBE_MODES } from './vbe-modes.js';

export const VIDEO_SEGMENT = 0xc000;
const BYTES = 0x8000;
const BLOCK = 512;

export type VideoRom = Rom;

export function videoRom(): VideoRom {
  const code = new RomCode(BYTES);
  // Signature, length, entry: there is nothing to set up.
  code.put(0x55, 0xaa, BYTES / BLOCK, 0xcb);
  code.org(0x1e).text('IBM').put(0);
  code.org(0x40).label('name').text('Vivarium VGA BIOS').put(0);
  services(code, [0x10]);
  // mov ax,4F05h; int 10h; retf
  code.label('window').put(0xb8, 0x05, 0x4f, 0xcd, 0x10, 0xcb);
  // What INT 10h, 1Bh points to: all modes but 8-0Ch, 400 lines, and what functions there are.
  code.label('functionality').put(0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x04, 0x02, 0x08, 0xff, 0x0e, 0, 0, 0, 0);
  code.label('modes').u16(...VBE_MODES.map(({ number }) => number), 0xffff);
  code.org(0x400).label('font16').put(FONT_16);
  code.label('font14').put(FONT_14);
  code.label('font8').put(FONT_8);
  const bytes = code.finish();
  bytes[BYTES - 1] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return { bytes, offset: (name) => code.offsetOf(name) };
}
