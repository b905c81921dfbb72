/**
 * A small assembler of ACPI Machine Language (ACPI 5.1, chapter 20): each function returns the bytes of one term,
 * named as in ASL; terms are nested as arguments.
 */
export type Aml = Uint8Array;

export const local0 = bytes(0x60);
export const arg0 = bytes(0x68);
const nullTarget = bytes(0x00);

// Address spaces of operation regions
export const SYSTEM_IO = 1;
export const PCI_CONFIG = 2;

export function bytes(...values: number[]): Aml {
  return Uint8Array.from(values);
}

export function join(...terms: Aml[]): Aml {
  const whole = new Uint8Array(terms.reduce((sum, term) => sum + term.length, 0));
  let offset = 0;
  for (const term of terms) {
    whole.set(term, offset);
    offset += term.length;
  }
  return whole;
}

function ascii(text: string): Aml {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** PkgLength (20.2.4). With `includesItself` the count covers its own bytes, as it does but in field lists. */
function packageLength(length: number, includesItself: boolean): Aml {
  const own = (size: number): number => length + (includesItself ? size : 0);
  if (own(1) < 0x40) return bytes(own(1));
  let size = 2;
  while (own(size) >= 2 ** (8 * size - 4)) size++;
  const value = own(size);
  const lead = ((size - 1) << 6) | (value & 0xf);
  const rest = Array.from({ length: size - 1 }, (_, i) => (value >> (4 + 8 * i)) & 0xff);
  return bytes(lead, ...rest);
}

function sized(opcode: number[], ...parts: Aml[]): Aml {
  const content = join(...parts);
  return join(bytes(...opcode), packageLength(content.length, true), content);
}

/** A name path such as `\_SB.PCI0` or `_ADR`; segments of less than four characters are padded (20.2.2). */
export function path(text: string): Aml {
  const prefix = /^[\\^]*/.exec(text)![0];
  const segments = text
    .slice(prefix.length)
    .split('.')
    .filter((segment) => segment !== '')
    .map((segment) => ascii(segment.padEnd(4, '_')));
  let count: Aml = bytes();
  if (segments.length === 0) count = bytes(0);
  if (segments.length === 2) count = bytes(0x2e);
  if (segments.length > 2) count = bytes(0x2f, segments.length);
  return join(ascii(prefix), count, ...segments);
}

export function integer(value: number): Aml {
  if (value === 0 || value === 1) return bytes(value);
  const size = [1, 2, 4].find((candidate) => value < 2 ** (8 * candidate)) ?? 8;
  const opcode = { 1: 0x0a, 2: 0x0b, 4: 0x0c, 8: 0x0e }[size]!;
  return bytes(opcode, ...Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff));
}

export function text(value: string): Aml {
  return join(bytes(0x0d), ascii(value), bytes(0));
}

/** A plug-and-play id such as PNP0A03, compressed to 32 bits (19.6.36). */
export function eisaId(id: string): Aml {
  const letter = (i: number): number => id.charCodeAt(i) - 0x40;
  const packed = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = parseInt(id.slice(3), 16);
  return bytes(0x0c, packed >> 8, packed & 0xff, product >> 8, product & 0xff);
}

export function buffer(content: Uint8Array): Aml {
  return sized([0x11], integer(content.length), content);
}

/** At most 255 elements. */
export function packageOf(...elements: Aml[]): Aml {
  return sized([0x12], bytes(elements.length), ...elements);
}

export function name(at: string, value: Aml): Aml {
  return join(bytes(0x08), path(at), value);
}

export function scope(at: string, ...terms: Aml[]): Aml {
  return sized([0x10], path(at), ...terms);
}

export function device(at: string, ...terms: Aml[]): Aml {
  return sized([0x5b, 0x82], path(at), ...terms);
}

/** Processor object with no P_BLK: declares the processor with this id in the MADT. */
export function processor(at: string, id: number): Aml {
  return sized([0x5b, 0x83], path(at), bytes(id, 0, 0, 0, 0, 0));
}

const SERIALIZED = 8;

/** Serialized, as a method that makes named fields must not run twice at once. */
export function method(at: string, argumentCount: number, ...terms: Aml[]): Aml {
  return sized([0x14], path(at), bytes(argumentCount | SERIALIZED), ...terms);
}

export function operationRegion(at: string, space: number, offset: number, length: number): Aml {
  return join(bytes(0x5b, 0x80), path(at), bytes(space), integer(offset), integer(length));
}

/** Fields of a byte each, accessed by bytes, from the start of `region`. */
export function byteFields(region: string, ...names: string[]): Aml {
  const BYTE_ACCESS = 1;
  const fields = names.map((field) => join(path(field), packageLength(8, false)));
  return sized([0x5b, 0x81], path(region), bytes(BYTE_ACCESS), ...fields);
}

/** Fields of 32 bits each, accessed as such, from the start of `region`. */
export function dwordFields(region: string, ...names: string[]): Aml {
  const DWORD_ACCESS = 3;
  const fields = names.map((field) => join(path(field), packageLength(32, false)));
  return sized([0x5b, 0x81], path(region), bytes(DWORD_ACCESS), ...fields);
}

/** Tells the system that something happened to a device. */
export function notify(at: Aml, value: number): Aml {
  return join(bytes(0x86), at, integer(value));
}

export function store(value: Aml, target: Aml): Aml {
  return join(bytes(0x70), value, target);
}

export function and(a: Aml, b: Aml, target: Aml = nullTarget): Aml {
  return join(bytes(0x7b), a, b, target);
}

export function or(a: Aml, b: Aml, target: Aml = nullTarget): Aml {
  return join(bytes(0x7d), a, b, target);
}

export function createDWordField(source: Aml, offset: number, at: string): Aml {
  return join(bytes(0x8a), source, integer(offset), path(at));
}

export function ifTrue(condition: Aml, ...terms: Aml[]): Aml {
  return sized([0xa0], condition, ...terms);
}

export function otherwise(...terms: Aml[]): Aml {
  return sized([0xa1], ...terms);
}

export function give(value: Aml): Aml {
  return join(bytes(0xa4), value);
}
