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
  // Signature, length, entry.
  code.put(0x55, 0xaa, BYTES / BLOCK).near('initialize', 0xe9);
  code.org(0x1e).text('IBM').put(0);
  code.org(0x40).label('name').text('Vivarium VGA BIOS').put(0);
  services(code, [0x10]);
  // Other firmware calls this when it starts: INT 10h leads here, and mode 3 is set.
  // push ds; xor ax,ax; mov ds,ax; mov word [40h],int10; mov [42h],cs; pop ds; mov ax,3; int 10h; retf
  code.label('initialize').put(0x1e, 0x31, 0xc0, 0x8e, 0xd8).offset('int10', 0xc7, 0x06, 0x40, 0x00);
  code.put(0x8c, 0x0e, 0x42, 0x00, 0x1f, 0xb8, 0x03, 0x00, 0xcd, 0x10, 0xcb);
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
