import type { Engine } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import type { Processor } from '../engine/processor.js';
import { disassemble, registerName } from '../isa/disassembler.js';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];
const CODE_BYTES = 32;
const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Registers, code bytes and disassembly of a CPU, for a person: after a triple fault, for example. */
export function describeCpu(engine: Engine, processor: Processor): string {
  const view = new DataView(engine.memory.buffer);
  const { pointer } = processor;
  const get = (offset: number): bigint => view.getBigUint64(pointer + offset, true);
  const get32 = (offset: number): number => view.getUint32(pointer + offset, true);
  const lines: string[] = [];
  const rip = get(L.S_RIP);
  lines.push(`CPU ${processor.index}, after ${processor.retired()} instructions`);
  const registers = Array.from(
    { length: 16 },
    (_, i) => `${registerName(i, 64).padEnd(3)} ${hex(get(L.S_GPR + 8 * i), 16)}`,
  );
  for (let i = 0; i < 16; i += 4) lines.push(registers.slice(i, i + 4).join('  '));
  lines.push(
    `rip ${hex(rip, 16)}  rflags ${hex(engine.runtime.getEflags(pointer) >>> 0, 8)}  cpl ${get32(L.S_CPL)}`,
  );
  lines.push(
    `cr0 ${hex(get(L.S_CR0), 8)}  cr2 ${hex(get(L.S_CR2), 16)}  cr3 ${hex(get(L.S_CR3), 16)}  cr4 ${hex(get(L.S_CR4), 8)}  efer ${hex(get(L.S_EFER), 4)}`,
  );
  SEGMENTS.forEach((name, i) => {
    const at = L.S_SEG + L.SEG_BYTES * i;
    lines.push(
      `${name.padEnd(4)} ${hex(get32(at), 4)}  base ${hex(get(at + L.SEG_BASE), 16)}  limit ${hex(get(at + L.SEG_LIMIT), 8)}  attributes ${hex(get32(at + L.SEG_ATTR), 5)}`,
    );
  });
  lines.push(
    `gdtr ${hex(get(L.S_GDTR), 16)} ${hex(get32(L.S_GDTR + 8), 4)}  idtr ${hex(get(L.S_IDTR), 16)} ${hex(get32(L.S_IDTR + 8), 4)}`,
  );
  lines.push(...codeAt(engine, processor, rip));
  return lines.join('\n');
}

/** The code at the instruction pointer, if it can be read without a trace. */
function codeAt(engine: Engine, processor: Processor, rip: bigint): string[] {
  const view = new DataView(engine.memory.buffer);
  const { pointer } = processor;
  const mode = view.getUint32(pointer + L.S_MODE, true);
  const long = (mode & L.MODE_LONG) !== 0;
  const base = long ? 0n : view.getBigUint64(pointer + L.S_SEG + L.SEG_BYTES * L.CS + L.SEG_BASE, true);
  const linear = long ? rip : (rip + base) & 0xffffffffn;
  const bytes: number[] = [];
  for (let i = 0; i < CODE_BYTES; i++) {
    const physical = engine.runtime.peekPhysical(pointer, BigInt.asIntN(64, linear + BigInt(i)));
    const host = physical < 0n ? 0 : engine.runtime.ramAddress(physical) >>> 0;
    if (host === 0) break;
    bytes.push(view.getUint8(host));
  }
  if (bytes.length === 0) return [`code at ${hex(linear, 16)} cannot be read`];
  const lines = disassemble(
    engine.decoder,
    Uint8Array.from(bytes),
    rip,
    { long, default32: (mode & L.MODE_CS32) !== 0 },
    5,
  );
  return ['code:', ...lines.map((line) => `  ${line}`)];
}
