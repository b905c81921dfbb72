import type { Ops } from './ops.js';

/**
 * How an instruction is written down.
 *
 * `encodings`: one string per encoding, in the manual's notation:
 *
 *     [prefix] opcode bytes [/r | /0../7 | +r] operands [; attribute ...]
 *
 * prefix    NP (none of 66/F2/F3), 66, F2, F3 - a mandatory prefix. Absent: 66 is the operand-size prefix, F2/F3 are ignored.
 * opcode    hex bytes: `01`, `0F AF`, `0F 38 F0`, `0F 3A 0F`; a further byte after a two-byte opcode with a group is an
 *           exact ModRM byte (`0F 01 D0` XGETBV, `D9 E8` FLD1).
 * /r        ModRM follows; /digit: its reg field is part of the opcode; +r: the register is in the low opcode bits.
 * operands  comma-separated, as in the opcode maps of SDM vol. 2 appendix A:
 *   E  register or memory by ModRM.rm    M  memory only    R  general register by ModRM.rm only
 *   G  general register by ModRM.reg     Z  general register of +r
 *   S  segment register (reg)    C control register (reg)    D debug register (reg)
 *   I  immediate    Is  immediate sign-extended    J  relative jump    A  far pointer in the instruction (offset then selector)    O  memory offset (moffs)
 *   V  xmm (reg)    W  xmm or memory    U  xmm (rm only)    P  mmx (reg)    Q  mmx or memory    N  mmx (rm only)
 *   T  ST(i) of rm (register form only)
 *   X  Y  memory at DS:rSI (overridable) / ES:rDI (string instructions; usually given to a helper)
 *   followed by the width: b 8, w 16, d 32, q 64, v 16/32/64 by operand size, z 16/32 (32 for 64), y 32/64, x 128, t 80,
 *   p far pointer in memory (16:16, 16:32, 16:64), s descriptor-table pseudo-operand (2+4 / 2+8), n no width (LEA, INVLPG, FXSAVE, M512...)
 *   Fixed registers: AL CL AX DX eAX (16/32 by size) rAX (16/32/64) rCX; a constant: 1, 3.
 *   For V and W the width is that of the memory operand and of what `read` gives: Vx, Wq, Wd ...
 *   For operands `Ib` the value is zero-extended, `Isb` sign-extended to 64 bits; `Iz`/`Isz` 16/32; `Iv` up to 64 bits.
 * attributes
 *   lock      the LOCK prefix is valid with a memory destination (operand 0)
 *   locked    always locked with memory (XCHG)
 *   d64       64-bit operand size by default in 64-bit mode (no 32-bit form there): PUSH, POP, ...
 *   f64       operand size is 64 in 64-bit mode whatever the prefixes (near branches as Intel)
 *   no64      invalid in 64-bit mode      only64   only there
 *   nosize    the operand-size prefix changes nothing: one form
 *   sized     the operand size makes forms although all operands have fixed widths (PUSH Isb)
 *   byte      the byte form of an instruction without explicit operands
 *   mode      64-bit mode makes a form of its own (o.long)
 *   w0 w1     REX.W must be 0 / 1 (W also picks y between 32 and 64)
 *   asize     the form is static in the address size (string, LOOP, JCXZ)
 *   rep       REP/REPNE make forms of their own
 *   end       the instruction ends a block although it is no jump (mode changes, STI, MOV SS, HLT, port I/O ...)
 *   rare      emitted out of line in the interpreter
 *   x87 mmx sse   #NM / #UD checks of that state, before all else, are emitted by the binder (CR0.EM, CR0.TS, CR4.OSFXSR; x87 also #MF pending)
 *   x87nw     x87 control instruction that does not check for pending #MF (FNINIT, FNSTSW ...)
 *   unaligned 128-bit memory operand needs no alignment
 *   flag names in `undefined=of,af`: the manual leaves these flags undefined (tests mask them)
 *   cpuid=NAME the CPUID feature without which it is #UD (names as in the manual: SSE4.1, BMI2, SHA, ...)
 *   cpl0      #GP(0) unless CPL 0
 */
export interface Instruction {
  /** The manual's mnemonic. */
  readonly name: string;
  readonly encodings: readonly string[];
  readonly effect: (o: Ops) => void;
}

export function instruction(
  name: string,
  encodings: string | readonly string[],
  effect: (o: Ops) => void,
): Instruction {
  return { name, encodings: typeof encodings === 'string' ? [encodings] : encodings, effect };
}
