import { CpuTopology } from '../cpu-topology.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCpuModel, installCpuModel } from '../cpu-model.js';
import * as L from '../layout.js';
import { EFER, TIME } from './rig.js';
import { EFLAGS_IF, FLAT64, SELECTOR, STACK, SystemRig, TYPE, descriptor } from './system-rig.js';

const PE = 1n;
const MP_TS = 10n;
const ET = 0x10n;
const WP = 0x10000n;
const NW = 0x20000000n;
const CD = 0x40000000n;
const PG = 0x80000000n;
const TSD = 4n;
const DE = 8n;
const PAE = 0x20n;
const OSFXSR = 0x200n;
const UMIP = 0x800n;
const LA57 = 0x1000n;
const FSGSBASE = 0x10000n;
const PCIDE = 0x20000n;
const OSXSAVE = 0x40000n;
const SMAP = 0x200000n;
const TABLES = 0x100000;
const GP0 = { vector: 13, error: 0 };
const UD = { vector: 6 };
const VM = 0x20000;
const AC = 0x40000;
const VIF = 0x80000;
const VIP = 0x100000;
const RCX = 1;

const setCr = (rig: SystemRig, n: number, value: bigint): unknown =>
  rig.faultOf('writeCr', BigInt(n), BigInt.asIntN(64, value));
const cr = (rig: SystemRig, n: number): bigint => rig.get('readCr', BigInt(n));

/** 4-level tables that map the first GiB onto itself. */
function identity(rig: SystemRig): void {
  rig.setRam64(TABLES, BigInt(TABLES + 0x1007));
  rig.setRam64(TABLES + 0x1000, 0x87n);
}

test('CR0: what does not go together is #GP(0)', () => {
  const rig = new SystemRig();
  assert.deepEqual(setCr(rig, 0, PG), GP0, 'paging without protection');
  assert.deepEqual(setCr(rig, 0, PE | NW), GP0, 'NW without CD');
  assert.deepEqual(setCr(rig, 0, PE | (1n << 32n)), GP0, 'upper half');
  assert.equal(setCr(rig, 0, PE | CD | NW | MP_TS | 0x1ff00000n), null);
  assert.equal(cr(rig, 0), PE | CD | NW | MP_TS | ET, 'unknown bits stay clear, ET set');
  assert.equal(rig.mode & L.MODE_FPU_CHECK, L.MODE_FPU_CHECK);
  rig.call('clts');
  assert.equal(cr(rig, 0) & 8n, 0n);
});

test('LMSW sets PE and cannot clear it', () => {
  const rig = new SystemRig();
  rig.enterReal();
  assert.equal(rig.mode & L.MODE_PROTECTED, 0);
  rig.call('lmsw', 0xfff1n);
  assert.equal(cr(rig, 0), PE | ET);
  assert.equal(rig.mode & L.MODE_PROTECTED, L.MODE_PROTECTED);
  rig.call('lmsw', 0x8n);
  assert.equal(cr(rig, 0), PE | ET | 8n);
});

test('into long mode and out of it', () => {
  const rig = new SystemRig();
  identity(rig);
  const efer = (): bigint => rig.get('rdmsr', 0xc0000080n);
  rig.call('wrmsr', 0xc0000080n, EFER.LME);
  setCr(rig, 3, BigInt(TABLES));
  assert.deepEqual(setCr(rig, 0, PE | PG), GP0, 'without PAE');
  assert.equal(setCr(rig, 4, PAE), null);
  rig.gdt(SELECTOR.CODE0, descriptor({ access: 0x9b, flags: FLAT64 }));
  rig.use(L.CS, SELECTOR.CODE0);
  assert.deepEqual(setCr(rig, 0, PE | PG), GP0, 'from code marked 64-bit');
  rig.gdt(SELECTOR.CODE0, descriptor({ access: 0x9b }));
  rig.use(L.CS, SELECTOR.CODE0);
  rig.call('setSegment', L.TR, SELECTOR.TSS, TYPE.TSS16_BUSY, 0n, 0x2bn);
  assert.deepEqual(setCr(rig, 0, PE | PG), GP0, 'with a 16-bit TSS');
  rig.use(L.TR, SELECTOR.TSS);
  assert.equal(setCr(rig, 0, PE | PG), null);
  assert.equal(efer(), EFER.LME | EFER.LMA);
  assert.equal(rig.mode & (L.MODE_LMA | L.MODE_LONG | L.MODE_CS32), L.MODE_LMA | L.MODE_CS32);
  assert.deepEqual(setCr(rig, 4, 0n), GP0, 'PAE is needed');
  assert.deepEqual(setCr(rig, 4, PAE | LA57), GP0, 'LA57 is fixed');
  assert.deepEqual(rig.faultOf('wrmsr', 0xc0000080n, 0n), GP0, 'LME is fixed while paging');
  rig.call('farJump', BigInt(SELECTOR.LONG0), 0x1234n, 32n, 0n);
  assert.deepEqual(setCr(rig, 0, PE), GP0, 'not from 64-bit code');
  rig.call('farJump', BigInt(SELECTOR.CODE0), 0x1234n, 32n, 0n);
  assert.equal(setCr(rig, 0, PE), null);
  assert.equal(efer(), EFER.LME);
  assert.equal(rig.mode & L.MODE_LMA, 0);
});

test('CR3: reserved bits in long mode; PCIDs and the bit that keeps translations', () => {
  const rig = new SystemRig(true);
  identity(rig);
  rig.setState64(L.S_CR0, PE | PG | ET);
  rig.setState64(L.S_CR4, PAE);
  rig.setState64(L.S_CR3, BigInt(TABLES));
  assert.deepEqual(setCr(rig, 3, 1n << 40n), GP0);
  assert.deepEqual(setCr(rig, 3, (1n << 63n) | BigInt(TABLES)), GP0);
  assert.equal(setCr(rig, 3, BigInt(TABLES) | 5n), null);
  assert.deepEqual(setCr(rig, 4, PAE | PCIDE), GP0, 'the PCID must be 0 at first');
  setCr(rig, 3, BigInt(TABLES));
  assert.equal(setCr(rig, 4, PAE | PCIDE), null);
  assert.equal(setCr(rig, 3, (1n << 63n) | BigInt(TABLES) | 5n), null);
  assert.equal(cr(rig, 3), BigInt(TABLES) | 5n);
  assert.deepEqual(setCr(rig, 0, PE), GP0, 'paging stays on with PCIDs');
});

test('a new CR3 shows other memory', () => {
  const rig = new SystemRig();
  rig.setRam32(TABLES, TABLES + 0x1003);
  rig.setRam32(TABLES + 0x1000, 0x10003);
  rig.setRam32(TABLES + 0x2000, TABLES + 0x3003);
  rig.setRam32(TABLES + 0x3000, 0x11003);
  rig.setRam32(0x10000, 0xaa);
  rig.setRam32(0x11000, 0xbb);
  setCr(rig, 3, BigInt(TABLES));
  setCr(rig, 0, PE | PG);
  assert.equal(rig.get('load32', 0n), 0xaan);
  setCr(rig, 3, BigInt(TABLES + 0x2000));
  assert.equal(rig.get('load32', 0n), 0xbbn);
  setCr(rig, 0, PE | WP);
  rig.setRam32(0, 0xcc);
  assert.equal(rig.get('load32', 0n), 0xccn);
});

test('PAE paging: page-directory-pointer entries are checked when they are loaded', () => {
  const rig = new SystemRig();
  setCr(rig, 4, PAE);
  setCr(rig, 3, BigInt(TABLES));
  rig.setRam64(TABLES + 16, 0x3n);
  assert.deepEqual(setCr(rig, 0, PE | PG), GP0);
  assert.equal(cr(rig, 0) & PG, 0n);
  rig.setRam64(TABLES + 16, 0x101001n);
  assert.equal(setCr(rig, 0, PE | PG), null);
  rig.setRam64(TABLES + 0x2000, 1n << 40n);
  assert.equal(setCr(rig, 3, BigInt(TABLES + 0x2000)), null, 'an absent entry may hold anything');
  rig.setRam64(TABLES + 0x2000, (1n << 40n) | 1n);
  assert.deepEqual(setCr(rig, 3, BigInt(TABLES + 0x2000)), GP0);
});

test('CR4 has the bits of the features that the model has', () => {
  const rig = new SystemRig();
  assert.deepEqual(setCr(rig, 4, 1n << 13n), GP0, 'VMX');
  assert.equal(setCr(rig, 4, SMAP | OSXSAVE | UMIP | FSGSBASE), null);
  installCpuModel(rig.view, rig.cpu, findCpuModel('pentium3'), 0, CpuTopology.flat(1));
  assert.deepEqual(setCr(rig, 4, SMAP), GP0);
  assert.deepEqual(setCr(rig, 4, OSXSAVE), GP0);
  assert.equal(setCr(rig, 4, PAE | OSFXSR), null);
  installCpuModel(rig.view, rig.cpu, findCpuModel('la57'), 0, CpuTopology.flat(1));
  assert.equal(setCr(rig, 4, LA57), null);
  installCpuModel(rig.view, rig.cpu, findCpuModel('default'), 0, CpuTopology.flat(1));
  assert.deepEqual(setCr(rig, 4, LA57), GP0);
});

test('CR8 is the task priority, in 64-bit mode only', () => {
  const rig = new SystemRig(true);
  assert.deepEqual(setCr(rig, 8, 16n), GP0);
  assert.equal(setCr(rig, 8, 15n), null);
  const short = new SystemRig();
  short.call('readCr', 8n);
  assert.deepEqual(short.fault(), UD);
  assert.deepEqual(setCr(short, 1, 0n), UD);
});

test('debug registers: fixed bits, aliases, general detect', () => {
  const rig = new SystemRig();
  rig.call('writeDr', 6n, 0n);
  assert.equal(rig.get('readDr', 6n), 0xffff0ff0n);
  rig.call('writeDr', 7n, 0xffffd7ffn);
  assert.equal(rig.get('readDr', 7n), 0xffff07ffn);
  rig.call('writeDr', 7n, 0n);
  rig.call('writeDr', 5n, 1n);
  assert.equal(rig.get('readDr', 7n), 0x401n);
  rig.setState64(L.S_CR4, DE);
  assert.deepEqual(rig.faultOf('writeDr', 4n, 0n), UD);
  assert.deepEqual(rig.faultOf('writeDr', 6n, 1n << 32n), GP0);
  rig.call('writeDr', 7n, 0x2000n);
  assert.deepEqual(rig.faultOf('readDr', 0n), { vector: 1 });
  assert.equal(rig.state64(L.S_DR + 48) & 0x2000n, 0x2000n);
  assert.equal(rig.get('readDr', 7n), 0x400n, 'GD is clear for the handler');
});

test('a data breakpoint is noticed even where the TLB has the page; code breakpoints by linear address', () => {
  const rig = new SystemRig();
  rig.call('load32', 0x8000n);
  rig.call('writeDr', 0n, 0x8002n);
  rig.call('writeDr', 7n, 0x00010001n);
  rig.call('load32', 0x8000n);
  assert.equal(rig.state32(L.S_WATCH_HIT), 0, 'it is for writes');
  rig.call('store32', 0x8000n, 1n);
  assert.equal(rig.state32(L.S_WATCH_HIT), 1);
  rig.call('writeDr', 7n, 0x00000001n);
  assert.equal(rig.call('codeBreakpointsArmed'), 1);
  rig.rip = 0x7002n;
  assert.equal(rig.call('codeBreakpoint'), 0);
  rig.call('setSegment', L.CS, SELECTOR.CODE0, 0xc09b, 0x1000n, 0xffffffffn);
  assert.equal(rig.call('codeBreakpoint'), 1);
});

test('POPF and PUSHF by level and IOPL', () => {
  const rig = new SystemRig();
  rig.call('popf', 32n, 0x3ffffffn);
  assert.equal(rig.eflags, 0x247fd7, 'VM, RF, VIF and VIP stay');
  rig.enter(3, { eflags: EFLAGS_IF });
  rig.call('popf', 32n, 0x3000n);
  assert.equal(rig.eflags, EFLAGS_IF | 2);
  rig.enter(3, { eflags: EFLAGS_IF | 0x3000 });
  rig.call('popf', 16n, 0n);
  assert.equal(rig.eflags, 0x3002);
  rig.setFlags(0x10000 | EFLAGS_IF);
  assert.equal(rig.get('pushf', 32n), BigInt(EFLAGS_IF | 2));
});

test('PUSHF, POPF, CLI and STI in virtual-8086 mode', () => {
  const rig = new SystemRig();
  rig.enterVirtual8086({ iopl: 3, eflags: EFLAGS_IF });
  assert.equal(rig.get('pushf', 32n), BigInt(EFLAGS_IF | 0x3002));
  rig.call('cli');
  assert.equal(rig.eflags & EFLAGS_IF, 0);
  rig.enterVirtual8086({ iopl: 0, eflags: EFLAGS_IF });
  for (const [name, ...args] of [['pushf', 16n], ['popf', 16n, 0n], ['cli'], ['sti']] as [
    string,
    ...bigint[],
  ][])
    assert.deepEqual(rig.faultOf(name, ...args), GP0, name);

  rig.enterVirtual8086({ iopl: 0, eflags: EFLAGS_IF, cr4: 1n });
  assert.equal(rig.get('pushf', 16n) & 0xffffn, 0x3002n, 'the virtual IF');
  rig.call('sti');
  assert.equal(rig.eflags & VIF, VIF);
  assert.equal(rig.get('pushf', 16n) & 0xffffn, BigInt(EFLAGS_IF | 0x3002));
  assert.deepEqual(rig.faultOf('pushf', 32n), GP0);
  rig.call('cli');
  assert.equal(rig.eflags & (VIF | EFLAGS_IF), EFLAGS_IF);
  rig.call('popf', 16n, BigInt(EFLAGS_IF));
  assert.equal(rig.eflags & (VIF | VM), VIF | VM);
  assert.deepEqual(rig.faultOf('popf', 16n, 0x100n), GP0, 'TF');
  rig.setFlags(VM | VIP);
  assert.deepEqual(rig.faultOf('sti'), GP0);
  assert.deepEqual(rig.faultOf('popf', 16n, BigInt(EFLAGS_IF)), GP0);
});

test('CLI and STI: IOPL, the shadow, and the virtual IF of protected mode', () => {
  const rig = new SystemRig();
  rig.call('sti');
  assert.equal(rig.state32(L.S_SHADOW_NEXT), 1);
  rig.setU32(rig.cpu + L.S_SHADOW_NEXT, 0);
  rig.call('sti');
  assert.equal(rig.state32(L.S_SHADOW_NEXT), 0, 'IF was set already');
  rig.enter(3);
  assert.deepEqual(rig.faultOf('cli'), GP0);
  rig.enter(3, { cr4: 2n });
  rig.call('sti');
  assert.equal(rig.eflags, VIF | 2);
  rig.setFlags(VIP);
  assert.deepEqual(rig.faultOf('sti'), GP0);
});

test('STAC and CLAC change who may touch user pages', () => {
  const rig = new SystemRig();
  setCr(rig, 4, SMAP);
  assert.equal(rig.state32(L.S_MMU), 1);
  rig.call('stac');
  assert.equal(rig.state32(L.S_MMU), 2);
  assert.equal(rig.eflags & AC, AC);
  rig.call('clac');
  assert.equal(rig.state32(L.S_MMU), 1);
});

test('HLT stops the CPU at the next block', () => {
  const rig = new SystemRig();
  rig.call('hlt');
  assert.equal(rig.state32(L.S_RUN), L.RUN_HALTED);
  assert.equal(rig.state32(L.S_PENDING) & L.PENDING_STEP, L.PENDING_STEP);
});

test('RDTSC, RDPMC, UMIP and FSGSBASE', () => {
  const rig = new SystemRig();
  assert.equal(rig.get('rdtsc'), BigInt(TIME));
  rig.call('wrmsr', 0x10n, 0x123456789n);
  assert.equal(rig.get('rdtsc'), 0x123456789n);
  const moved = BigInt.asUintN(64, 0x123456789n - BigInt(TIME));
  assert.equal(rig.get('rdmsr', 0x3bn), moved, 'TSC_ADJUST moves along');
  rig.enter(3, { cr4: TSD | UMIP });
  assert.deepEqual(rig.faultOf('rdtsc'), GP0);
  assert.deepEqual(rig.faultOf('umipCheck'), GP0);
  assert.deepEqual(rig.faultOf('fsgsbaseCheck'), UD);
  assert.deepEqual(rig.faultOf('rdpmc'), GP0);
  rig.enter(0, { cr4: TSD | UMIP | FSGSBASE });
  for (const name of ['rdtsc', 'umipCheck', 'fsgsbaseCheck']) assert.equal(rig.faultOf(name), null);
});

test('SWAPGS, LGDT and LIDT', () => {
  const rig = new SystemRig(true);
  rig.setU64(rig.cpu + L.S_SEG + L.GS * L.SEG_BYTES + L.SEG_BASE, 0x11n);
  rig.setState64(L.S_KERNEL_GS_BASE, 0xffff888000000000n);
  rig.call('swapgs');
  assert.equal(rig.base(L.GS), 0xffff888000000000n);
  assert.equal(rig.state64(L.S_KERNEL_GS_BASE), 0x11n);
  assert.deepEqual(rig.faultOf('lgdt', 0xffffn, 1n << 47n), GP0);
  assert.deepEqual(rig.faultOf('lidt', 0xffffn, 1n << 47n), GP0);
  rig.call('lidt', 0xfffn, 0x5000n);
  assert.equal(rig.state64(L.S_IDTR), 0x5000n);
  assert.equal(rig.state32(L.S_IDTR + 8), 0xfff);
});

test('INVPCID: the descriptor is checked', () => {
  const rig = new SystemRig(true);
  const attempt = (type: bigint, pcid: bigint, linear: bigint): unknown => {
    rig.setRam64(0x8000, pcid);
    rig.setRam64(0x8008, linear);
    return rig.faultOf('invpcid', type, 0x8000n);
  };
  for (let type = 0n; type < 4n; type++) assert.equal(attempt(type, 0n, 0x1000n), null);
  assert.deepEqual(attempt(4n, 0n, 0n), GP0);
  assert.deepEqual(attempt(2n, 0x1000n, 0n), GP0);
  assert.deepEqual(attempt(1n, 5n, 0n), GP0, 'PCIDs are off');
  assert.deepEqual(attempt(0n, 0n, 1n << 47n), GP0);
  rig.setState64(L.S_CR4, PAE | PCIDE);
  assert.equal(attempt(1n, 5n, 0n), null);
});

test('XSETBV and XGETBV', () => {
  const rig = new SystemRig();
  assert.deepEqual(rig.faultOf('xsetbv', 0n, 3n), UD);
  setCr(rig, 4, OSXSAVE);
  for (const [index, value] of [
    [1n, 1n],
    [0n, 2n],
    [0n, 7n],
    [0n, 0n],
  ] as const)
    assert.deepEqual(rig.faultOf('xsetbv', index, value), GP0);
  rig.call('xsetbv', 0n, 3n);
  rig.setRegister(RCX, 0n);
  assert.equal(rig.get('xgetbv'), 3n);
  rig.call('initX87');
  rig.setRegister(RCX, 1n);
  assert.equal(rig.get('xgetbv'), 0n);
  rig.setState64(L.S_XMM, 1n);
  assert.equal(rig.get('xgetbv'), 2n);
  rig.setRegister(RCX, 2n);
  assert.deepEqual(rig.faultOf('xgetbv'), GP0);
});

test('reset, INIT and start-up IPI', () => {
  const rig = new SystemRig();
  installCpuModel(rig.view, rig.cpu, findCpuModel('pentium3'), 0, CpuTopology.flat(1));
  rig.call('resetCpu', 1);
  assert.equal(rig.register(2), 0x683n, 'signature');
  assert.deepEqual([rig.selector(L.CS), rig.base(L.CS), rig.rip], [0xf000, 0xffff0000n, 0xfff0n]);
  assert.equal(cr(rig, 0), 0x60000010n);
  assert.equal(rig.state32(L.S_RUN), L.RUN_WAIT_SIPI, 'not the first CPU');
  assert.equal(rig.state32(L.S_FEATURES), 0, 'features stay those of the model');
  assert.equal(rig.mode & (L.MODE_PROTECTED | L.MODE_CS32 | L.MODE_SS32), 0);
  assert.deepEqual(
    [rig.state32(L.S_FCW), rig.state32(L.S_FTW), rig.state32(L.S_MXCSR)],
    [0x40, 0x5555, 0x1f80],
  );

  rig.setU32(rig.cpu + L.S_FCW, 0x37f);
  rig.setState64(L.S_PAT, 6n);
  rig.enter(0);
  rig.call('initCpu');
  assert.equal(rig.state32(L.S_FCW), 0x37f, 'INIT keeps the x87 state');
  assert.equal(rig.state64(L.S_PAT), 6n);
  assert.equal(rig.rip, 0xfff0n);
  rig.call('startupIpi', 0x9a);
  assert.deepEqual(
    [rig.selector(L.CS), rig.base(L.CS), rig.rip, rig.state32(L.S_RUN)],
    [0x9a00, 0x9a000n, 0n, L.RUN_RUNNING],
  );
  assert.notEqual(rig.rsp, BigInt(STACK));
});
