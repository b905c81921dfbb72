/**
 * The operations in which every instruction says what it does.
 *
 * A definition's `effect` is a function over `Ops`. It is bound in several ways: the reference evaluator runs it
 * at once on BigInts; the interpreter generator and the translator record it and emit WebAssembly. So an effect
 * may branch in TypeScript only on what is static in a form (`o.bits`, `o.isMemory(i)`, `o.locked` ...), never on a value.
 *
 * `Int` is a 64-bit pattern. By convention a value of fewer bits is kept zero-extended; arithmetic is modulo 2^64
 * and the definition truncates with `zx`. `Bool` is a condition. `Vec` is 128 bits.
 */
export type Bits = 8 | 16 | 32 | 64;

declare const intBrand: unique symbol;
declare const boolBrand: unique symbol;
declare const vecBrand: unique symbol;
declare const varBrand: unique symbol;
export interface Int {
  readonly [intBrand]: true;
}
export interface Bool {
  readonly [boolBrand]: true;
}
export interface Vec {
  readonly [vecBrand]: true;
}
/** A mutable cell local to one execution of an instruction. */
export interface Var {
  readonly [varBrand]: true;
}
export type IntLike = Int | number | bigint;

export type ArithmeticFlag = 'cf' | 'pf' | 'af' | 'zf' | 'sf' | 'of';

/** The 16 conditions of Jcc, SETcc and CMOVcc, by their encoding (SDM vol. 1, appendix B). */
export type ConditionCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

export type FaultName =
  | '#DE' | '#DB' | '#BP' | '#OF' | '#BR' | '#UD' | '#NM' | '#TS' | '#NP' | '#SS' | '#GP' | '#PF' | '#MF' | '#AC' | '#XM'; // prettier-ignore

/** Named parts of the processor state that definitions may read or write directly (others go through helpers). */
export type StateField =
  | 'fcw' | 'fsw' | 'ftw' | 'fop' | 'fip' | 'fdp' | 'mxcsr'
  | 'cr0' | 'cr2' | 'cr3' | 'cr4' | 'eflags'
  | 'fsBase' | 'gsBase' | 'kernelGsBase' | 'tscAux' | 'cpl'
  | 'esSelector' | 'csSelector' | 'ssSelector' | 'dsSelector' | 'fsSelector' | 'gsSelector'
  | 'ldtrSelector' | 'trSelector' | 'gdtrBase' | 'gdtrLimit' | 'idtrBase' | 'idtrLimit'; // prettier-ignore

export interface Ops {
  // ---- what is static in the form being bound
  /** Operand size of the form: 8 for byte forms, else 16, 32 or 64. */
  readonly bits: Bits;
  /** Effective address size: 16, 32 or 64. Static only in forms of definitions with attribute `asize`; else 64. */
  readonly asize: 16 | 32 | 64;
  /** True in forms of 64-bit mode only when the definition has attribute `mode`; see definition.ts. */
  readonly long: boolean;
  /** LOCK prefix given (or implied, XCHG with memory). `update` is then atomic. */
  readonly locked: boolean;
  /** REP prefix of string instructions: 'none', 'rep' (F3) or 'repne' (F2). */
  readonly rep: 'none' | 'rep' | 'repne';
  width(operand: number): Bits | 128 | 80;
  isMemory(operand: number): boolean;

  // ---- values
  int(v: number | bigint): Int;
  add(a: IntLike, b: IntLike): Int;
  sub(a: IntLike, b: IntLike): Int;
  mul(a: IntLike, b: IntLike): Int;
  and(a: IntLike, b: IntLike): Int;
  or(a: IntLike, b: IntLike): Int;
  xor(a: IntLike, b: IntLike): Int;
  not(a: IntLike): Int;
  /** Shifts of the 64-bit pattern; the count is taken modulo 64. */
  shl(a: IntLike, n: IntLike): Int;
  shr(a: IntLike, n: IntLike): Int;
  sar(a: IntLike, n: IntLike): Int;
  /** The low `bits` turned left; the count is taken modulo `bits`, the rest of the result is zero. */
  rotl(bits: 32 | 64, a: IntLike, n: IntLike): Int;
  /** Zeros above / below the highest / lowest one of the 64-bit pattern; 64 for zero. */
  clz(a: IntLike): Int;
  ctz(a: IntLike): Int;
  popcnt(a: IntLike): Int;
  /** Keep the low `bits` and extend with zeros / with the sign to 64. */
  zx(bits: Bits | 1 | 4 | 5 | 6 | 7, a: IntLike): Int;
  sx(bits: Bits, a: IntLike): Int;

  eq(a: IntLike, b: IntLike): Bool;
  ne(a: IntLike, b: IntLike): Bool;
  ltu(a: IntLike, b: IntLike): Bool;
  leu(a: IntLike, b: IntLike): Bool;
  lts(a: IntLike, b: IntLike): Bool;
  les(a: IntLike, b: IntLike): Bool;
  /** Bit n (static) of a. */
  bit(a: IntLike, n: number): Bool;
  bool(v: boolean): Bool;
  negate(a: Bool): Bool;
  both(a: Bool, b: Bool): Bool;
  either(a: Bool, b: Bool): Bool;
  differ(a: Bool, b: Bool): Bool;
  /** 1 or 0. */
  toInt(a: Bool): Int;
  /** Both sides are evaluated. */
  select(c: Bool, a: IntLike, b: IntLike): Int;

  variable(init: IntLike): Var;
  get(v: Var): Int;
  assign(v: Var, value: IntLike): void;
  if(c: Bool, then: () => void, otherwise?: () => void): void;

  // ---- operands (numbered from 0 in the manual's order)
  /** Value of operand i, zero-extended from its width. Immediates come as their attribute says (Ibs, Iz: sign-extended). A memory operand may fault. */
  read(operand: number): Int;
  /** Writes the low bits; a 32-bit register write clears the upper half. */
  write(operand: number, value: IntLike): void;
  /**
   * Read, compute, write of operand i: memory is checked for writing before it is read, and the whole is atomic in a
   * LOCK form. `f` may be evaluated again until the exchange succeeds, so it must not change registers or flags:
   * do that after `update`, from the old value that it returns.
   */
  update(operand: number, f: (old: Int) => IntLike): Int;
  /** Effective address (offset) of memory operand i, without segment (LEA), cut to the address size. */
  offset(operand: number): Int;
  /** Linear address of memory operand i, after the segment check for `access` of `bytes` bytes at it. */
  address(operand: number, bytes: number, access: 'read' | 'write'): Int;
  /** As `address`, of the bytes `distance` (a signed number) behind the operand: bit strings, second halves. */
  addressBeyond(operand: number, distance: IntLike, bytes: number, access: 'read' | 'write'): Int;
  /** Linear address of `bytes` bytes at an offset in a segment (a number 0 to 5); 'none': without any check. */
  linear(segment: Int, offset: IntLike, bytes: number, access: 'read' | 'write' | 'none'): Int;
  /** Selector of a far pointer in the instruction (operand A; `read` gives the offset). */
  farSelector(): Int;
  /** Runs `body`; if it faults, general register n (64 bits) gets the value `before` back. */
  restoring(n: number, before: Int, body: () => void): void;
  /** Faults as a write of `bytes` bytes at a linear address would; changes nothing. */
  probeWrite(linear: IntLike, bytes: number): void;
  /** `update` of memory at a linear address. */
  updateAt(bits: Bits, linear: IntLike, f: (old: Int) => IntLike): Int;
  /** Segment register number (0 ES .. 5 GS) of memory operand i, as Int. */
  segment(operand: number): Int;
  /**
   * Offset from the start of the CPU state of the register that is operand i (V, P, ST(i) physical...), for helpers that
   * take slots. For a memory operand: the operand is loaded into a temporary slot, whose offset is returned
   * (128-bit operands of non-VEX SSE instructions are checked for alignment unless the definition says `unaligned`).
   */
  slot(operand: number): Int;
  /** Vec operands: V, W, U (128 bits; W memory of its width, zero-extended) and P, Q, N (64 bits in the low half). */
  readVec(operand: number): Vec;
  /** Writes a V/W/U register (low 128 bits) or a P/Q/N register (low 64, the x87 exponent set to all ones), or memory of its width. */
  writeVec(operand: number, v: Vec): void;

  // ---- memory by linear address (may fault)
  load(bits: Bits, linear: IntLike): Int;
  store(bits: Bits, linear: IntLike, value: IntLike): void;
  loadVec(linear: IntLike): Vec;
  storeVec(linear: IntLike, v: Vec): void;

  // ---- 128-bit vectors, in WebAssembly's own operation names (e.g. 'i8x16.add', 'v128.andnot', 'i16x8.mul_hi' is not one)
  simd(op: string, ...args: (Vec | IntLike)[]): Vec;
  /** Static lanes: i8x16.shuffle of (a, b) with 16 lane numbers 0..31. */
  shuffle(a: Vec, b: Vec, lanes: number[]): Vec;
  /** Lane as zero-extended Int. */
  lane(bits: Bits, v: Vec, index: number): Int;
  withLane(bits: Bits, v: Vec, index: number, value: IntLike): Vec;
  splat(bits: Bits, value: IntLike): Vec;
  vec(low: IntLike, high: IntLike): Vec;
  /** i8x16.bitmask / i32x4.bitmask / i64x2.bitmask. */
  bitmask(bits: Bits, v: Vec): Int;

  // ---- registers
  /** General register n (0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8 .. 15), low `bits`. */
  reg(bits: Bits, n: number): Int;
  setReg(bits: Bits, n: number, value: IntLike): void;
  state(field: StateField): Int;
  setState(field: StateField, value: IntLike): void;
  xmm(n: number): Vec;
  setXmm(n: number, v: Vec): void;

  // ---- arithmetic flags
  /** All six as ADD/ADC (r = zx(a + b + carry)) or SUB/SBB/CMP (r = zx(a - b - borrow)) of `bits` set them. */
  flagsAdd(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void;
  flagsSub(bits: Bits, a: IntLike, b: IntLike, r: IntLike): void;
  /** ZF, SF, PF from r; CF = OF = AF = 0. */
  flagsLogic(bits: Bits, r: IntLike): void;
  /** As ADD/SUB with 1, CF kept. */
  flagsInc(bits: Bits, a: IntLike, r: IntLike): void;
  flagsDec(bits: Bits, a: IntLike, r: IntLike): void;
  /** ZF, SF, PF from r (zero-extended); CF, OF (and AF = 0) as given. */
  flagsResult(bits: Bits, r: IntLike, cf: Bool, of: Bool): void;
  /** Only those that are named; the others stay. */
  setFlags(flags: Partial<Record<ArithmeticFlag, Bool>>): void;
  flag(name: ArithmeticFlag): Bool;
  condition(cc: ConditionCode): Bool;

  // ---- control
  /** Instruction pointer of the next instruction, cut to the operand size of the code. */
  nextIp(): Int;
  /** Near transfer to `target` (already cut to the operand size); checks canonicity and the CS limit. */
  jump(target: IntLike): void;
  /** The check of `jump` alone, where something else must not happen if it fails (the push of CALL). */
  checkJump(target: IntLike): void;
  /** To the operand J, always / if c. */
  jumpRelative(): void;
  branch(c: Bool): void;
  /** Stack of the current stack size; faults before anything changes. */
  push(bits: Bits, value: IntLike): void;
  /** Reads the top; RSP is advanced at once, so write other results after it. */
  pop(bits: Bits): Int;
  raise(fault: FaultName, error?: IntLike): void;
  raiseIf(c: Bool, fault: FaultName, error?: IntLike): void;
  /** #UD in real-address and virtual-8086 mode. */
  raiseIfNotProtected(): void;
  /** #GP(0) unless CPL is 0. */
  requireCpl0(): void;
  /** A runtime helper (helpers.ts). The binder ends the instruction if the helper raises a fault. */
  call(helper: import('./helpers.js').HelperName, ...args: IntLike[]): Int;
  /**
   * A helper that sets the instruction pointer itself (state RIP; it finds there the address of this instruction and
   * gets that of the next as its last argument, added by the binder).
   */
  transfer(helper: import('./helpers.js').TransferName, ...args: IntLike[]): void;
  /** A repeated string helper: returns 1 when finished, else 0, and the instruction is executed again (interrupts come between). */
  repeat(helper: import('./helpers.js').HelperName, ...args: IntLike[]): void;
}
