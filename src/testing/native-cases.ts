import type { Decoder } from '../isa/decoder.js';
import type { Form } from '../isa/forms.js';
import { encodeForm, type FormOperands, type MemoryOperand } from './encode-form.js';
import type { Random } from './random.js';
import { DATA_ADDRESS, MEMORY_BYTES, MEMORY_OFFSET, type UserState } from './user-machine.js';

export interface NativeCase {
  form: Form;
  state: UserState;
  code: Uint8Array;
}

export const CODE_BYTES = 128;
const INT3 = 0xcc;
const MIDDLE = DATA_ADDRESS + BigInt(MEMORY_OFFSET + MEMORY_BYTES / 2);

/** Instructions that a user program cannot run alike here and there, each with its reason. */
const LEFT_OUT = new Map<string, string>([
  ['SYSCALL', 'enters the kernel'],
  ['SYSENTER', 'enters the kernel'],
  ['INT', 'enters the kernel, or gates differ'],
  ['INT1', 'gates differ'],
  ['INTO', 'gates differ in compatibility mode'],
  ['CPUID', 'tells another CPU'],
  ['RDTSC', 'time'],
  ['RDTSCP', 'time'],
  ['RDPID', 'time of day'],
  ['RDPMC', 'counters of the host'],
  ['RDRAND', 'random'],
  ['RDSEED', 'random'],
  ['XGETBV', 'host components'],
  ['XSAVE', 'host components'],
  ['XSAVE64', 'host components'],
  ['XSAVEC', 'host components'],
  ['XSAVEC64', 'host components'],
  ['XSAVEOPT', 'host components'],
  ['XSAVEOPT64', 'host components'],
  ['XRSTOR', 'host components'],
  ['XRSTOR64', 'host components'],
  ['RDFSBASE', 'thread pointer of the host process'],
  ['RDGSBASE', 'host process'],
  ['WRFSBASE', 'thread pointer of the host process'],
  ['WRGSBASE', 'host process'],
  ['STR', 'UMIP emulation of the host'],
  ['SLDT', 'UMIP emulation of the host'],
  ['SMSW', 'UMIP emulation of the host'],
  ['SGDT', 'UMIP emulation of the host'],
  ['SIDT', 'UMIP emulation of the host'],
  ['LAR', 'descriptor tables of the host'],
  ['LSL', 'descriptor tables of the host'],
  ['VERR', 'descriptor tables of the host'],
  ['VERW', 'descriptor tables of the host'],
  ['MONITOR', 'privileged'],
  ['MWAIT', 'privileged'],
  ['MONITORX', 'not defined here'],
  ['VMCALL', 'hypervisor of the host'],
  ['VMMCALL', 'hypervisor of the host'],
  ['RSM', 'host'],
  ['POPF', 'sets TF and AC'],
  ['POPFD', 'sets TF and AC'],
  ['POPFQ', 'sets TF and AC'],
  ['FXSAVE', 'MXCSR_MASK of the host has another bit; every case is compared through FXSAVE images'],
  ['FXRSTOR', 'takes another bit of MXCSR on the host'],
  ['LDMXCSR', 'takes another bit of MXCSR on the host (misaligned SSE, APM vol. 1, 4.2.2)'],
  ['PUSH ES', 'selectors of the host'],
  ['PUSH DS', 'selectors of the host'],
  ['PUSH SS', 'selectors of the host'],
  ['PUSH CS', 'selectors of the host'],
  ['PUSH FS', 'selectors of the host'],
  ['PUSH GS', 'selectors of the host'],
]);
/** Instructions that load segments or go far: descriptor tables differ. */
const FAR =
  /^(POP [C-GS]S|CALLF|JMPF|RETF|IRET.?|LDS|LES|LFS|LGS|LSS|SYSRET.?|SYSEXIT|SWAPGS|HLT|LTR|LLDT|LGDT|LIDT|CLTS|INVD|WBINVD|INVLPG|INVPCID|RDMSR|WRMSR|XSETBV|CLI|STI|CLAC|STAC|IN|OUT|INS.?|OUTS.?|REP.*)$/;

/** Why a form is not run natively; empty if it is. */
export function whyLeftOut(form: Form): string {
  const { name } = form.encoding.instruction;
  const { operands, attributes } = form.encoding;
  const reason = LEFT_OUT.get(name);
  if (reason !== undefined) return reason;
  if (FAR.test(name)) return 'segments, descriptor tables or privilege';
  if (operands.some((o) => 'SCD'.includes(o.kind))) return 'segment, control or debug registers';
  if (operands.some((o) => 'AO'.includes(o.kind) || o.width === 'p' || o.width === 's'))
    return 'addresses that the case does not have';
  if (attributes.has('cpl0')) return 'privileged';
  if (form.asize === 16) return '16-bit addresses';
  return '';
}

export const isComparable = (form: Form): boolean => whyLeftOut(form) === '';

function floatBits(random: Random): bigint {
  const special = [
    0n,
    0x8000000000000000n,
    0x3ff0000000000000n,
    0x7ff0000000000000n,
    0xfff0000000000000n,
    0x7ff8000000000000n,
    0x7ff0000000000001n,
    1n,
    0x000fffffffffffffn,
    0x0010000000000000n,
    0x7fefffffffffffffn,
    0x3f8000003f800000n,
    0x7f8000007fc00000n,
    0x000000017f800001n,
    0x7f7fffff00800000n,
  ];
  if (random.chance(30)) return random.pick(special);
  if (random.chance(50))
    return (random.u64() & 0x800fffffffffffffn) | (BigInt(1023 - 40 + random.below(80)) << 52n);
  if (random.chance(50)) {
    const single = (): bigint => (random.u64() & 0x807fffffn) | (BigInt(127 - 20 + random.below(40)) << 23n);
    return (single() << 32n) | single();
  }
  return random.value();
}

/** An FXSAVE image with random registers. */
function randomFx(random: Random): Uint8Array {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  view.setUint16(
    0,
    (0x37f & ~(random.chance(30) ? 0x300 : 0) & ~(random.chance(20) ? 1 << random.below(6) : 0)) |
      (random.below(4) << 10),
    true,
  );
  const top = random.below(8);
  view.setUint16(2, (top << 11) | (random.chance(30) ? random.below(8) << 8 : 0), true);
  view.setUint8(4, random.chance(50) ? 0xff : random.below(256));
  view.setUint32(
    24,
    (random.chance(70) ? 0x1f80 : 0x1f80 & ~(random.chance(30) ? 1 << (7 + random.below(6)) : 0)) |
      ((random.below(4) << 13) * (random.chance(50) ? 1 : 0)) |
      (random.chance(30) ? random.below(64) : 0) |
      (random.chance(10) ? 0x8000 : 0) |
      (random.chance(10) ? 0x40 : 0),
    true,
  );
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) {
    const kind = random.below(10);
    let exponent = 16383 - 70 + random.below(140);
    let significand = random.u64() | (1n << 63n);
    if (kind === 0) [exponent, significand] = [0, 0n];
    else if (kind === 1)
      [exponent, significand] = [0x7fff, random.pick([1n << 63n, 3n << 62n, (1n << 63n) | 5n])];
    else if (kind === 2) [exponent, significand] = [0, random.u64() >> 1n];
    else if (kind === 3) exponent = random.below(0x8000);
    else if (kind === 4) significand = random.pick([1n << 63n, (1n << 63n) | 1n, 0xffffffffffffffffn]);
    view.setBigUint64(32 + 16 * i, BigInt.asUintN(64, significand), true);
    view.setUint16(40 + 16 * i, exponent | (random.chance(50) ? 0x8000 : 0), true);
  }
  for (let i = 0; i < 32; i++)
    view.setBigUint64(160 + 8 * i, random.chance(50) ? floatBits(random) : random.value(), true);
  return image;
}

/** Makes a case that executes `form` once, between random state; null where operands do not go together. */
export function makeCase(form: Form, random: Random, decoder: Decoder): NativeCase | null {
  const { encoding } = form;
  const { attributes } = encoding;
  const code32 =
    attributes.has('no64') ||
    (!attributes.has('only64') && form.bits !== 64 && form.asize !== 64 && random.chance(15));
  if (code32 && (form.bits === 64 || form.asize === 64 || attributes.has('only64'))) return null;
  const long = !code32;
  const registerCount = long ? 16 : 8;

  const gpr = Array.from({ length: 16 }, () => random.value());
  if (code32) for (let i = 0; i < 16; i++) gpr[i] = i < 8 ? gpr[i]! & 0xffffffffn : 0n;
  gpr[4] = MIDDLE - BigInt(random.below(32) * 8);
  const rflags = 0x202n | (random.u64() & 0x8d5n) | (random.chance(20) ? 0x400n : 0n);

  let memory: MemoryOperand | null = null;
  const registers = encoding.operands.map((operand, i) => {
    if (form.widths[i] === 8 && 'GERZ'.includes(operand.kind))
      return random.chance(25) ? 16 + random.below(4) : random.below(registerCount);
    if ('PQNT'.includes(operand.kind)) return random.below(8);
    return random.below(registerCount);
  });
  if (form.memory) {
    const choices = Array.from({ length: registerCount }, (_, i) => i).filter((i) => i !== 4);
    const base = random.pick(choices);
    const index = random.chance(30) ? random.pick(choices.filter((i) => i !== base)) : null;
    memory = { base, index, scale: random.below(4), displacement: random.below(256) - 128 };
    if (random.chance(20)) memory.displacement *= 1000;
    let target = MIDDLE + BigInt(random.below(256) - 128);
    const aligned = random.chance(60) ? 16n : 1n;
    target -= target % aligned;
    if (random.chance(3)) target = DATA_ADDRESS + 0x1000n - BigInt(random.below(20));
    // Somewhere else: not where an access runs over 4 GiB or over the edge of canonical addresses, where manuals allow #GP and #PF alike.
    if (random.chance(1)) {
      const anywhere = random.value() & (code32 ? 0x7fffffffn : 0xffffffffffffffffn);
      if (((anywhere + 0x1000n) & 0x7fffffffe000n) !== 0n) target = anywhere;
    }
    let address = target - BigInt(memory.displacement);
    if (index !== null) {
      gpr[index] = BigInt(random.below(64));
      address -= gpr[index]! << BigInt(memory.scale);
    }
    gpr[base] = BigInt.asUintN(code32 ? 32 : 64, address);
    // Nothing is mapped below 64 KiB: what was computed is seen in the address of the fault.
    if (code32 && random.chance(10)) memory.address16 = true;
  }
  if (form.asize !== 0 || encoding.instruction.name === 'XLAT' || /MASKMOV/.test(encoding.instruction.name)) {
    // strings: pointers into the data page, a small count
    for (const pointer of [6, 7]) gpr[pointer] = MIDDLE + BigInt(random.below(128) - 64);
    gpr[3] = MIDDLE - 128n;
    gpr[1] = BigInt(random.below(12));
    if (form.asize === 16) return null;
  }
  const immediates = encoding.operands.flatMap((o, i) => {
    if (o.kind === 'J') return [0n];
    if (o.kind === 'I')
      return [random.chance(60) ? random.value() : BigInt(random.below(1 << Math.min(6, form.widths[i]!)))];
    return [];
  });
  if (/^BT/.test(encoding.instruction.name) && form.memory) {
    // the bit offset addresses memory: keep it near
    const source = encoding.operands.findIndex((o) => o.kind === 'G');
    if (source >= 0) {
      const register = registers[source]!;
      if (memory && (register === memory.base || register === memory.index)) return null;
      gpr[register] = BigInt.asUintN(64, BigInt(random.below(2048) - 1024));
      if (code32) gpr[register] = BigInt.asUintN(32, gpr[register]!);
    }
  }
  if (/^(JMP|CALL)$/.test(encoding.instruction.name) && !encoding.operands.some((o) => o.kind === 'J'))
    return null;

  const operands: FormOperands = { registers, memory, immediates };
  // ES, SS, DS: flat here and there; CS: may not be written
  if (random.chance(5))
    operands.segmentPrefix = random.pick(code32 ? [0x26, 0x2e, 0x36, 0x3e] : [0x26, 0x36, 0x3e]);
  const bytes = encodeForm(form, operands, long, true);
  if (!bytes || bytes.length > 15) return null;
  // The bytes must mean this form for the decoder, or the case tests another.
  const code = new Uint8Array(CODE_BYTES).fill(INT3);
  code.set(bytes);
  void decoder;
  const memoryBytes = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(memoryBytes.buffer);
  for (let i = 0; i < MEMORY_BYTES; i += 8)
    view.setBigUint64(i, random.chance(50) ? floatBits(random) : random.value(), true);
  return {
    form,
    code,
    state: {
      gpr,
      rip: 0n,
      rflags,
      vector: 0,
      error: 0,
      cr2: 0n,
      code32,
      fx: randomFx(random),
      memory: memoryBytes,
    },
  };
}

const BASE_REGISTER = 3;
const STACK_REGISTER = 4;

/** Whether a form may be one of several: results and flags are defined to the bit, and where it accesses memory is free. */
export function isOfSequences(form: Form): boolean {
  const { attributes, instruction, undefinedFlags } = form.encoding;
  if (!['sse', 'mmx', 'x87'].some((attribute) => attributes.has(attribute))) return false;
  return (
    isComparable(form) && undefinedFlags.length === 0 && form.asize === 0 && !UNEXACT.test(instruction.name)
  );
}
/** RCP and RSQRT are approximations, transcendentals have their last bit free. */
const UNEXACT = /^(R(CP|SQRT)[SP]S|F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)$/;

/**
 * A case that executes several forms of vector or floating-point instructions one behind the other, in 64-bit code: what is known
 * of a register from one is used by the next.
 */
export function makeSequence(forms: readonly Form[], random: Random): NativeCase {
  const code = new Uint8Array(CODE_BYTES).fill(INT3);
  const chosen: Form[] = [];
  let length = 0;
  // Few registers, so that instructions meet.
  const vectors = Array.from({ length: 2 + random.below(3) }, () => random.below(16));
  const general = Array.from({ length: 16 }, (_, i) => i).filter(
    (n) => n !== BASE_REGISTER && n !== STACK_REGISTER,
  );
  for (const wanted = 2 + random.below(14); chosen.length < wanted;) {
    const form = random.pick(forms);
    const registers = form.encoding.operands.map(({ kind }) => {
      if ('PQNT'.includes(kind)) return random.below(8);
      return random.pick('VWU'.includes(kind) ? vectors : general);
    });
    const aligned = random.chance(90);
    const displacement = aligned ? 16 * (random.below(16) - 8) : random.below(256) - 128;
    const memory = form.memory ? { base: BASE_REGISTER, index: null, scale: 0, displacement } : null;
    const immediates = form.encoding.operands.flatMap(({ kind }) => (kind === 'I' ? [random.value()] : []));
    const bytes = encodeForm(form, { registers, memory, immediates }, true, true);
    if (!bytes) continue;
    if (length + bytes.length >= CODE_BYTES) break;
    code.set(bytes, length);
    length += bytes.length;
    chosen.push(form);
  }
  const gpr = Array.from({ length: 16 }, () => random.value());
  gpr[BASE_REGISTER] = MIDDLE;
  gpr[STACK_REGISTER] = MIDDLE - 128n;
  const fx = randomFx(random);
  // As programs have it: exceptions masked, and some registers of the x87's stack in use.
  const state = new DataView(fx.buffer);
  if (random.chance(70)) state.setUint32(24, 0x1fa0, true);
  if (random.chance(70)) {
    const [top, used] = [random.below(8), random.below(7)];
    state.setUint16(0, 0x37f, true);
    state.setUint16(2, top << 11, true);
    state.setUint8(
      4,
      Array.from({ length: used }, (_, i) => 1 << ((top + i) & 7)).reduce((a, b) => a | b, 0),
    );
  }
  const memory = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(memory.buffer);
  for (let i = 0; i < MEMORY_BYTES; i += 8)
    view.setBigUint64(i, random.chance(80) ? floatBits(random) : random.value(), true);
  const rflags = 0x202n | (random.u64() & 0x8d5n);
  const before = { gpr, rip: 0n, rflags, vector: 0, error: 0, cr2: 0n, code32: false, fx, memory };
  return { form: chosen[0]!, code, state: before };
}
