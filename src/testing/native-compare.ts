import { registerName } from '../isa/disassembler.js';
import type { NativeCase } from './native-cases.js';
import type { UserState } from './user-machine.js';

const FLAG_BITS: Record<string, bigint> = { cf: 1n, pf: 4n, af: 0x10n, zf: 0x40n, sf: 0x80n, of: 0x800n };
const COMPARED_FLAGS = 0xcd5n;
const PAGE_FAULT = 14;
/** The manual leaves these results to the implementation within 1.5 * 2^-12 (SDM vol. 2, RCPPS, RSQRTPS). */
const APPROXIMATE = /^R(CP|SQRT)[SP]S$/;
/** Error below 1 unit in the last place (SDM vol. 1, 8.3.10): results may differ by one. */
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)$/;

const hex = (value: bigint | number): string => '0x' + value.toString(16);

function close32(a: Uint8Array, b: Uint8Array): boolean {
  const x = new DataView(a.buffer, a.byteOffset, 16);
  const y = new DataView(b.buffer, b.byteOffset, 16);
  for (let i = 0; i < 4; i++) {
    if (x.getUint32(4 * i, true) === y.getUint32(4 * i, true)) continue;
    const p = x.getFloat32(4 * i, true);
    const q = y.getFloat32(4 * i, true);
    if (!(Math.abs(p - q) <= Math.abs(q) * 2 ** -10)) return false;
  }
  return true;
}

function closeExtended(a: Uint8Array, b: Uint8Array): boolean {
  const x = new DataView(a.buffer, a.byteOffset, 10);
  const y = new DataView(b.buffer, b.byteOffset, 10);
  const whole = (v: DataView): bigint =>
    ((BigInt(v.getUint16(8, true) & 0x7fff) << 63n) | (v.getBigUint64(0, true) & 0x7fffffffffffffffn)) *
    (v.getUint16(8, true) & 0x8000 ? -1n : 1n);
  const difference = whole(x) - whole(y);
  return difference >= -1n && difference <= 1n;
}

/**
 * An access over the end of 4 GiB in 32-bit code may fault by the limit or wrap (SDM vol. 3, 5.3), and one over the end of the lower
 * canonical addresses in 64-bit code may fault by either part: #SS or #GP there, #PF here.
 */
function runsOverEnd(expected: UserState, actual: UserState): boolean {
  const other = expected.vector === 12 || expected.vector === 13;
  if (!other || actual.vector !== PAGE_FAULT) return false;
  const { cr2 } = actual;
  if (expected.code32) return cr2 >= 0xfffff000n || cr2 < 0x1000n;
  return cr2 >= 0x7ffffffff000n && cr2 < 0x800000000000n;
}

/** FYL2XP1 is defined only for |x| below 1 - sqrt(1/2) (SDM vol. 2): here up to 1/4. */
function outOfRange(name: string, { fx }: UserState): boolean {
  return (
    name === 'FYL2XP1' && (new DataView(fx.buffer, fx.byteOffset).getUint16(40, true) & 0x7fff) >= 0x3ffd
  );
}

/** What differs between what the processor of this machine did and what Vivarium did; empty: nothing. */
export function differences(
  { form, state: input }: NativeCase,
  expected: UserState,
  actual: UserState,
): string[] {
  const found: string[] = [];
  if (outOfRange(form.encoding.instruction.name, input)) return found;
  if (runsOverEnd(expected, actual)) return found;
  const { name } = form.encoding.instruction;
  const check = (what: string, want: bigint | number, got: bigint | number): void => {
    if (want !== got) found.push(`${what}: processor ${hex(want)}, Vivarium ${hex(got)}`);
  };
  check('exception', expected.vector, actual.vector);
  check('rip', expected.rip, actual.rip);
  if (expected.vector === PAGE_FAULT && actual.vector === PAGE_FAULT) {
    // not the present bit: low addresses are the kernel's here and nobody's there
    check('error code', expected.error & 6, actual.error & 6);
    // of an operand across two pages, processors name either end of the piece that faults
    check('cr2', expected.cr2 >> 12n, actual.cr2 >> 12n);
  }
  const registers = expected.code32 ? 8 : 16;
  for (let i = 0; i < registers; i++) check(registerName(i, 64), expected.gpr[i]!, actual.gpr[i]!);

  let mask = COMPARED_FLAGS;
  for (const flag of form.encoding.undefinedFlags) mask &= ~(FLAG_BITS[flag] ?? 0n);
  check('rflags', expected.rflags & mask, actual.rflags & mask);

  const x = new DataView(expected.fx.buffer, expected.fx.byteOffset, 512);
  const y = new DataView(actual.fx.buffer, actual.fx.byteOffset, 512);
  check('fcw', x.getUint16(0, true), y.getUint16(0, true));
  // C1 of a transcendental result depends on its last bit.
  const statusMask = TRANSCENDENTAL.test(name) ? ~0x0200 : ~0;
  check('fsw', x.getUint16(2, true) & statusMask, y.getUint16(2, true) & statusMask);
  check('ftw', x.getUint8(4), y.getUint8(4));
  for (let i = 0; i < 8; i++) {
    const a = expected.fx.subarray(32 + 16 * i, 42 + 16 * i);
    const b = actual.fx.subarray(32 + 16 * i, 42 + 16 * i);
    if (sameBytes(a, b)) continue;
    if (TRANSCENDENTAL.test(name) && closeExtended(a, b)) continue;
    found.push(`st(${i}): processor ${text(a)}, Vivarium ${text(b)}`);
  }
  check('mxcsr', x.getUint32(24, true), y.getUint32(24, true));
  for (let i = 0; i < registers; i++) {
    const a = expected.fx.subarray(160 + 16 * i, 176 + 16 * i);
    const b = actual.fx.subarray(160 + 16 * i, 176 + 16 * i);
    if (sameBytes(a, b)) continue;
    if (APPROXIMATE.test(name) && close32(a, b)) continue;
    found.push(`xmm${i}: processor ${text(a)}, Vivarium ${text(b)}`);
  }
  for (let i = 0; i < expected.memory.length; i++)
    if (expected.memory[i] !== actual.memory[i]) {
      found.push(
        `memory+${i}: processor ${text(expected.memory.subarray(i, i + 16))}, Vivarium ${text(actual.memory.subarray(i, i + 16))}`,
      );
      break;
    }
  return found;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytes as one little-endian number. */
function text(bytes: Uint8Array): string {
  return [...bytes]
    .reverse()
    .map((b) => b.toString(16).padStart(2, '0'))
    .join('');
}
