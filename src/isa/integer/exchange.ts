import { instruction, type Instruction } from '../definition.js';

/** Exchanges, and what semaphores are made of. */
export const exchange: Instruction[] = [
  instruction('XCHG', ['86 /r Eb,Gb ;locked', '87 /r Ev,Gv ;locked'], (o) => {
    const b = o.read(1);
    const a = o.update(0, () => b);
    o.write(1, a);
  }),
  // 90 itself is NOP, except with REX.B.
  instruction('XCHG', '90+r Zv,rAX ;', (o) => {
    const a = o.read(0);
    const b = o.read(1);
    o.write(0, b);
    o.write(1, a);
  }),
  instruction('XADD', ['0F C0 /r Eb,Gb ;lock', '0F C1 /r Ev,Gv ;lock'], (o) => {
    const b = o.read(1);
    const old = o.update(0, (a) => o.add(a, b));
    const sum = o.zx(o.bits, o.add(old, b));
    o.write(1, old);
    // With one register as both operands the sum stays.
    if (!o.isMemory(0)) o.write(0, sum);
    o.flagsAdd(o.bits, old, b, sum);
  }),
  instruction('CMPXCHG', ['0F B0 /r Eb,Gb ;lock', '0F B1 /r Ev,Gv ;lock'], (o) => {
    const { bits } = o;
    const accumulator = o.reg(bits, 0);
    const source = o.read(1);
    // Memory is written in either case, with its old value if they differ; a register only if they are equal (which
    // shows in its upper half: so AMD's processors).
    const old = o.isMemory(0) ? o.update(0, (a) => o.select(o.eq(a, accumulator), source, a)) : o.read(0);
    o.flagsSub(bits, accumulator, old, o.zx(bits, o.sub(accumulator, old)));
    o.if(
      o.eq(old, accumulator),
      () => {
        if (!o.isMemory(0)) o.write(0, source);
      },
      () => o.setReg(bits, 0, old),
    );
  }),
  instruction('CMPXCHG8B', '0F C7 /1 Mq ;w0 nosize lock rare cpuid=CX8', (o) => {
    o.setFlags({ zf: o.ne(o.call('cmpxchg8b', o.address(0, 8, 'write')), 0) });
  }),
  instruction('CMPXCHG16B', '0F C7 /1 Mx ;w1 only64 lock rare cpuid=CX16', (o) => {
    const linear = o.address(0, 16, 'write');
    o.raiseIf(o.ne(o.and(linear, 15), 0), '#GP', 0);
    o.setFlags({ zf: o.ne(o.call('cmpxchg16b', linear), 0) });
  }),
];
