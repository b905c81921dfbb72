import { NO_REGISTER, type Decoded } from '../../isa/decoder.js';
import type { RegionInstruction } from './blocks.js';

/** How far before the jump its address is made. */
const MOST_BACK = 8;
const MOST_ENTRIES = 256;

interface JumpTable {
  /** Linear address of the first entry, and bytes of each. */
  readonly at: bigint;
  readonly bytes: 4 | 8;
  /** What is added to each; then entries have a sign. */
  readonly base: bigint | null;
}

/**
 * Guesses where a computed jump may lead (linear addresses): it reads the table that compilers use for a switch. `code` are the
 * instructions up to the jump; `registers` what the general registers held in code nearby, which is where the table is
 * if its address is in one. Translated code tests where the jump really goes.
 */
export function* jumpTargets(
  code: readonly RegionInstruction[],
  registers: readonly bigint[],
  long: boolean,
  read: (linear: bigint, bytes: 4 | 8) => bigint | null,
): Generator<bigint> {
  const table = tableOf(code, registers, long);
  if (!table) return;
  for (let i = 0; i < MOST_ENTRIES; i++) {
    const entry = read(table.at + BigInt(i * table.bytes), table.bytes);
    if (entry === null) return;
    const target = table.base === null ? entry : table.base + BigInt.asIntN(8 * table.bytes, entry);
    yield long ? BigInt.asUintN(64, target) : BigInt.asUintN(32, target);
  }
}

/** JMP [table + i * n]; MOV r, [table + i * n], JMP r; MOVSXD (MOV) r, [base + i * 4], ADD r, base, JMP r. */
function tableOf(
  code: readonly RegionInstruction[],
  registers: readonly bigint[],
  long: boolean,
): JumpTable | null {
  const jump = code[code.length - 1]!.decoded;
  const word = long ? 8 : 4;
  if (jump.form!.memory) return entriesAt(jump, registers, word, null);
  const target = jump.registers[0]!;
  let base: bigint | null = null;
  for (let i = code.length - 2; i >= 0 && i >= code.length - MOST_BACK; i--) {
    const { decoded } = code[i]!;
    if (decoded.registers[0] !== target) continue;
    const { name } = decoded.form!.encoding.instruction;
    if (decoded.form!.memory) {
      if (name === 'MOVSXD') return entriesAt(decoded, registers, 4, base);
      return name === 'MOV' ? entriesAt(decoded, registers, word, base) : null;
    }
    if (name !== 'ADD' || base !== null) return null;
    base = registers[decoded.registers[1]!] ?? null;
  }
  return null;
}

function entriesAt(
  { base, index, scale, displacement }: Decoded,
  registers: readonly bigint[],
  bytes: 4 | 8,
  added: bigint | null,
): JumpTable | null {
  if (index === NO_REGISTER || 1 << scale !== bytes) return null;
  const start = base === NO_REGISTER ? 0n : registers[base];
  return start === undefined ? null : { at: start + BigInt(displacement), bytes, base: added };
}
