/**
 * The ROM at F0000-FFFFF. Its code is little more than doors: a service pushes the caller's registers and asks the program that
 * runs the machine, which does the work on the stack's copy (frame.ts), through ports that no device of a PC has.
 */
import { EBDA } from '../boot/memory-map.js';
import { MOUSE_DRIVER, MOUSE_STATUS, MOUSE_X, MOUSE_Y } from './mouse-service.js';
import { PXE_OFFSET, PXE_SEGMENT } from './pxe/structures.js';
import { RomCode } from './rom-code.js';

export const ROM_SEGMENT = 0xf000;
const ROM_BYTES = 0x10000;

/** Writes give a service SS, then SP, which asks; reads tell what to do then. */
export const STACK_PORT = 0xb4;
export const SERVICE_PORT = 0xb6;
/** Writes of an EVENT_ ask without registers; reads take a byte of the mouse: 1 if its driver shall be called. */
export const EVENT_PORT = 0xb5;
/** What STACK_PORT reads: the service is done; or it shall be asked again after the next interrupt, or at once. */
export const DONE = 0;
export const AGAIN = 1;
export const SPIN = 2;
export type Outcome = typeof DONE | typeof AGAIN | typeof SPIN;

export const EVENT_TICK = 8;
export const EVENT_KEY = 9;

/** Doors that no interrupt leads to: calls of PXE, by its two structures. */
export const PXE_CALL = 0x100;
export const PXENV_CALL = 0x101;

/** Vectors that are services. */
const SERVICES = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a];
/** Where programs expect some handlers and tables, as in IBM's BIOS. */
const FIXED = {
  post: 0xe05b,
  floppyParameters: 0xefc7,
  configuration: 0xe6f5,
  font: 0xfa6e,
  resetVector: 0xfff0,
  date: 0xfff5,
  model: 0xfffe,
};
const AT = 0xfc;

// Opcodes
const PUSH_AX = 0x50;
const POP_AX = 0x58;
const PUSH_DS = 0x1e;
const POP_DS = 0x1f;
const PUSH_ES = 0x06;
const POP_ES = 0x07;
const PUSHAD = [0x66, 0x60];
const POPAD = [0x66, 0x61];
const PUSHA = 0x60;
const POPA = 0x61;
const pushAt = (offset: number): number[] => [0xff, 0x36, offset, 0];
const callFarAt = (offset: number): number[] => [0xff, 0x1e, offset, 0];
const IRET = 0xcf;
const PUSHF = 0x9c;
const PUSH_CS = 0x0e;
const CALL_NEAR = 0xe8;
const RETF = 0xcb;
const STI = 0xfb;
const CLI = 0xfa;
const HLT = 0xf4;
const JNZ = 0x75;
const JZ = 0x74;
const JNC = 0x73;
const JE_NEAR = [0x0f, 0x84];
const JMP_SHORT = 0xeb;
const JMP_NEAR = 0xe9;
const STC = 0xf9;
const NOP = 0x90;
const outAl = (port: number): number[] => [0xe6, port];
const outAx = (port: number): number[] => [0xe7, port];
const inAl = (port: number): number[] => [0xe4, port];
const movAl = (value: number): number[] => [0xb0, value];
const movAh = (value: number): number[] => [0xb4, value];
const cmpAh = (value: number): number[] => [0x80, 0xfc, value];
const cmpAl = (value: number): number[] => [0x3c, value];
const int = (vector: number): number[] => [0xcd, vector];
const MOV_AX_SS = [0x8c, 0xd0];
const MOV_AX_SP = [0x89, 0xe0];
const TEST_AL_AL = [0x84, 0xc0];
const DROP_VECTOR = [0x83, 0xc4, 0x02];
const END_OF_INTERRUPT = [...movAl(0x20), ...outAl(0x20)];
const END_OF_SLAVE_INTERRUPT = [...movAl(0x20), ...outAl(0xa0), ...outAl(0x20)];

/** A door for each of these vectors: label `int10` and so on; `service` is where they meet. */
export function services(code: RomCode, vectors: readonly number[]): void {
  for (const vector of vectors) {
    code.label(`int${vector.toString(16)}`);
    // This one the ROM does itself.
    if (vector === 0x15) code.put(...cmpAh(0x89)).near('toProtectedMode', ...JE_NEAR);
    // push word
    code.put(0x68).u16(vector).near('service', JMP_NEAR);
  }
  code.label('service').put(...PUSHAD, PUSH_DS, PUSH_ES);
  code
    .label('ask')
    .put(...MOV_AX_SS, ...outAx(STACK_PORT), ...MOV_AX_SP, ...outAx(SERVICE_PORT))
    .put(...inAl(STACK_PORT), ...TEST_AL_AL)
    .short('wait', JNZ)
    .put(POP_ES, POP_DS, ...POPAD, ...DROP_VECTOR, IRET);
  code
    .label('wait')
    .put(...cmpAl(AGAIN))
    .short('spin', JNZ);
  // An interrupt cannot come between STI and HLT.
  code.put(STI, HLT, CLI).short('ask', JMP_SHORT);
  code.label('spin').put(STI, NOP, CLI).short('ask', JMP_SHORT);
}

export interface Rom {
  bytes: Uint8Array;
  /** Offset of a door or table by name. */
  offset(name: string): number;
}

/** `font`: 8x8, the first 128 characters. */
export function systemRom(font: Uint8Array): Rom {
  const code = new RomCode(ROM_BYTES);
  code.org(0xe000).text('Vivarium BIOS').put(0);
  plugAndPlayHeader(code.org(PNP_HEADER));
  code.org(FIXED.post).label('cold').put(CLI);
  // Who jumps here without a reset gets one: reset control register.
  code.put(...movAl(0x06), 0xba, 0xf9, 0x0c, 0xee, HLT).short('cold', JMP_SHORT);
  code.label('start');
  // Stack below the boot sector, then INT 19h.
  code.put(0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, STI, ...int(0x19), ...int(0x18));
  code.label('stop').put(STI, HLT).short('stop', JMP_SHORT);
  services(code, [...SERVICES, PXE_CALL, PXENV_CALL]);
  // A far call goes through a door as an interrupt does.
  for (const [name, door] of [
    ['pxeEntry', PXE_CALL],
    ['pxenvEntry', PXENV_CALL],
  ] as const)
    code
      .label(name)
      .put(PUSHF, CLI, PUSH_CS)
      .near(`int${door.toString(16)}`, CALL_NEAR)
      .put(RETF);
  // A program from the network: a far call, with PXE's structure behind the address to return to.
  code.label('pxeStart').put(0x31, 0xd2, 0x8e, 0xd2, 0xbc, 0x00, 0x7c);
  code.put(0x68).u16(PXE_SEGMENT).put(0x68).u16(PXE_OFFSET);
  code
    .put(0x9a)
    .u16(0x7c00, 0)
    .put(...int(0x18));
  code
    .label('int8')
    .put(
      PUSH_AX,
      ...movAl(EVENT_TICK),
      ...outAl(EVENT_PORT),
      ...int(0x1c),
      ...END_OF_INTERRUPT,
      POP_AX,
      IRET,
    );
  code
    .label('int9')
    .put(PUSH_AX, ...inAl(0x60), ...movAh(0x4f), STC, ...int(0x15))
    .short('keyDropped', JNC)
    // OUT AL first: the scan code as INT 15h may have changed it.
    .put(...outAl(SERVICE_PORT), ...movAl(EVENT_KEY), ...outAl(EVENT_PORT));
  code.label('keyDropped').put(...END_OF_INTERRUPT, POP_AX, IRET);
  code.label('eoi').put(PUSH_AX, ...END_OF_INTERRUPT, POP_AX, IRET);
  code.label('eoiSlave').put(PUSH_AX, ...END_OF_SLAVE_INTERRUPT, POP_AX, IRET);
  mouseInterrupt(code);
  code.label('iret').put(IRET);
  // Plug and play: there is nothing to be asked.
  code.label('plugAndPlay').put(0xb8).u16(PNP_NOT_SUPPORTED).put(RETF);
  toProtectedMode(code);
  code.org(FIXED.configuration).label('configuration');
  // 8 bytes follow: model, submodel, revision; second 8259, RTC, keyboard intercept, EBDA; extended INT 16h.
  code.u16(8).put(AT, 0x01, 0x00, 0x74, 0x40, 0x00, 0x00, 0x00);
  code.org(FIXED.floppyParameters).label('floppyParameters').put(FLOPPY_144);
  code.label('disk0').put(new Uint8Array(16)).label('disk1').put(new Uint8Array(16));
  code.org(FIXED.font).label('font').put(font);
  // jmp far F000:E05B
  code.org(FIXED.resetVector).put(0xea).u16(FIXED.post, ROM_SEGMENT);
  code.org(FIXED.date).text('11/21/26').put(0, AT);
  const bytes = code.finish();
  const header = bytes.subarray(PNP_HEADER, PNP_HEADER + PNP_BYTES);
  header[PNP_CHECKSUM] = -header.reduce((sum, byte) => sum + byte, 0);
  return { bytes, offset: (name) => code.offsetOf(name) };
}

/** IRQ 12: the driver of the mouse gets status, X, Y and a zero on its stack. */
function mouseInterrupt(code: RomCode): void {
  code.label('int74').put(PUSHA, PUSH_DS, PUSH_ES, ...inAl(EVENT_PORT), ...TEST_AL_AL);
  code.short('mouseDone', JZ);
  // mov ax, EBDA; mov ds, ax
  code
    .put(0xb8)
    .u16(EBDA >> 4)
    .put(0x8e, 0xd8);
  code.put(...pushAt(MOUSE_STATUS), ...pushAt(MOUSE_X), ...pushAt(MOUSE_Y), 0x6a, 0);
  code.put(...callFarAt(MOUSE_DRIVER), 0x83, 0xc4, 8);
  code.label('mouseDone').put(CLI, ...END_OF_SLAVE_INTERRUPT, POP_ES, POP_DS, POPA, IRET);
}

/** Where programs look for it: on a 16-byte boundary ("Plug and Play BIOS Specification" 1.0A, section 4.4). */
const PNP_HEADER = 0xe020;
const PNP_BYTES = 33;
const PNP_CHECKSUM = 8;
const PNP_NOT_SUPPORTED = 0x82;

function plugAndPlayHeader(code: RomCode): void {
  code.text('$PnP').put(0x10, PNP_BYTES).u16(0).put(0).u16(0, 0);
  // Entry for real mode, and for protected mode with 16 bits.
  code
    .offset('plugAndPlay')
    .u16(ROM_SEGMENT)
    .offset('plugAndPlay')
    .u16(0, ROM_SEGMENT >> 12);
  code.u16(0, 0, ROM_SEGMENT, 0, ROM_SEGMENT >> 12);
}

/** Descriptors of the table that INT 15h, AH = 89h gets, as selectors: its own, and what the caller goes on with. */
const GDT_ITSELF = 0x08;
const IDT_ITSELF = 0x10;
const CALLER_DS = 0x18;
const CALLER_ES = 0x20;
const CALLER_SS = 0x28;
const CALLER_CS = 0x30;
const BIOS_CS = 0x38;

/** INT 15h, AH = 89h: to protected mode with the table at ES:SI, interrupts from BH and BL on, all of them masked. */
function toProtectedMode(code: RomCode): void {
  code.label('toProtectedMode').put(CLI);
  code.put(...inAl(0x92), 0x0c, 0x02, ...outAl(0x92));
  code.put(...movAl(0x11), ...outAl(0x20), ...outAl(0xa0));
  // mov al, bh; mov al, bl
  code.put(0x88, 0xf8, ...outAl(0x21), 0x88, 0xd8, ...outAl(0xa1));
  code.put(...movAl(0x04), ...outAl(0x21), ...movAl(0x02), ...outAl(0xa1));
  code.put(...movAl(0x01), ...outAl(0x21), ...outAl(0xa1), ...movAl(0xff), ...outAl(0x21), ...outAl(0xa1));
  // mov word es:[si + n], value: the descriptor of this code.
  const store = (at: number, value: number): void => void code.put(0x26, 0xc7, 0x44, BIOS_CS + at).u16(value);
  store(0, 0xffff);
  store(2, 0x0000);
  store(4, 0x9b0f);
  store(6, 0x0000);
  // lgdt, lidt es:[si + n]; mov ax, 1; lmsw ax; jmp far
  code.put(0x26, 0x0f, 0x01, 0x54, GDT_ITSELF, 0x26, 0x0f, 0x01, 0x5c, IDT_ITSELF);
  code.put(0xb8, 0x01, 0x00, 0x0f, 0x01, 0xf0).offset('protected', 0xea).u16(BIOS_CS);
  code.label('protected');
  const load = (selector: number, modrm: number): void => void code.put(0xb8, selector, 0, 0x8e, modrm);
  load(CALLER_DS, 0xd8);
  load(CALLER_ES, 0xc0);
  load(CALLER_SS, 0xd0);
  // pop bx; add sp, 4; push CALLER_CS; push bx; mov ah, 0; clc; retf
  code.put(0x5b, 0x83, 0xc4, 0x04, 0x6a, CALLER_CS, 0x53, ...movAh(0), 0xf8, RETF);
}

/** Parameters of a 1.44 MB drive, as INT 1Eh points to them: step and load times, motor, bytes, sectors, gaps. */
const FLOPPY_144 = Uint8Array.of(0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08);

const INTERRUPT_VECTORS = 0x100;

/** The interrupt vector table: 256 far pointers; `video`: where INT 10h is. */
export function interruptVectors(
  rom: Rom,
  video: Record<number, [segment: number, offset: number]>,
): Uint8Array {
  const table = new DataView(new ArrayBuffer(INTERRUPT_VECTORS * 4));
  const set = (vector: number, segment: number, offset: number): void => {
    table.setUint16(vector * 4, offset, true);
    table.setUint16(vector * 4 + 2, segment, true);
  };
  for (let vector = 0; vector < 0x60; vector++) set(vector, ROM_SEGMENT, rom.offset('iret'));
  for (let vector = 0x08; vector < 0x10; vector++) set(vector, ROM_SEGMENT, rom.offset('eoi'));
  for (let vector = 0x70; vector < 0x78; vector++) set(vector, ROM_SEGMENT, rom.offset('eoiSlave'));
  set(0x74, ROM_SEGMENT, rom.offset('int74'));
  set(0x08, ROM_SEGMENT, rom.offset('int8'));
  set(0x09, ROM_SEGMENT, rom.offset('int9'));
  for (const vector of SERVICES) set(vector, ROM_SEGMENT, rom.offset(`int${vector.toString(16)}`));
  set(0x1d, 0, 0);
  set(0x1e, ROM_SEGMENT, rom.offset('floppyParameters'));
  set(0x41, ROM_SEGMENT, rom.offset('disk0'));
  set(0x46, ROM_SEGMENT, rom.offset('disk1'));
  for (const [vector, [segment, offset]] of Object.entries(video)) set(Number(vector), segment, offset);
  return new Uint8Array(table.buffer);
}
