import {
  CS, DS, ES, FEATURES_ALL, FS, GS, LDTR, RUN_RUNNING, RUN_WAIT_SIPI, S_CPL, S_CPUID_COUNT, S_CR0, S_CR2, S_CR3, S_CR4, S_DR, S_EFER, S_FAULT, S_FCW, S_FEATURES,
  S_FTW, S_GDTR, S_GPR, S_IDTR, S_INDEX, S_LINE, S_MISC_ENABLE, S_MXCSR, S_NMI_BLOCKED, S_PAT, S_PENDING, S_RECORD, S_RIP, S_RUN, S_SHADOW, S_SHADOW_NEXT, S_STAR, S_KICKED, S_STARTUP,
  S_TEMP, S_WATCH_HIT, S_XCR0, S_XMM, SS, TR,
} from '../layout'; // prettier-ignore
import { cpuSignature } from './cpuid';
import { setSegment } from './descriptor';
import { setEflags } from './flags';
import { CR0_CD, CR0_ET, CR0_NW, updateMode } from './mode';
import { resetTlb } from './tlb';
import { initX87 } from './xsave';

const CR0_CACHE: i64 = CR0_CD | CR0_NW;
/** Fast strings; no branch trace storage, no precise event sampling. */
const MISC_ENABLE: i64 = 0x1801;

/** State after power-up (SDM vol. 3, table 9-1). The CPU model's tables and features stay. */
export function resetCpu(cpu: u32, index: u32): void {
  memory.fill(cpu + S_STAR, 0, S_TEMP - S_STAR);
  memory.fill(cpu + S_XMM, 0, 2048);
  store<u32>(cpu + S_INDEX, index);
  if (load<u32>(cpu + S_CPUID_COUNT) == 0) store<u32>(cpu + S_FEATURES, FEATURES_ALL);
  store<i64>(cpu + S_PAT, 0x0007040600070406);
  store<i64>(cpu + S_MISC_ENABLE, MISC_ENABLE);
  initX87(cpu);
  store<u32>(cpu + S_FCW, 0x40);
  store<u32>(cpu + S_FTW, 0x5555);
  store<u32>(cpu + S_MXCSR, 0x1f80);
  store<i64>(cpu + S_XCR0, 1);
  store<i64>(cpu + S_EFER, 0);
  store<u32>(cpu + S_PENDING, 0);
  store<u32>(cpu + S_LINE, 0);
  store<i64>(cpu + S_CR0, CR0_ET | CR0_CACHE);
  store<u32>(cpu + S_RUN, index == 0 ? RUN_RUNNING : RUN_WAIT_SIPI);
  store<i32>(cpu + S_STARTUP, -1);
  store<u32>(cpu + S_KICKED, 0);
  common(cpu);
}

/** INIT: as reset, but caches, x87 and SSE state, and most MSRs stay (SDM vol. 3, table 9-1). */
export function initCpu(cpu: u32): void {
  store<i64>(cpu + S_EFER, 0);
  store<i64>(cpu + S_CR0, CR0_ET | (load<i64>(cpu + S_CR0) & CR0_CACHE));
  store<u32>(cpu + S_RUN, load<u32>(cpu + S_INDEX) == 0 ? RUN_RUNNING : RUN_WAIT_SIPI);
  common(cpu);
}

function common(cpu: u32): void {
  memory.fill(cpu + S_GPR, 0, 128);
  // the signature of the processor
  store<i64>(cpu + S_GPR + 16, <i64>cpuSignature(cpu));
  setEflags(cpu, 2, 0x3fffff);
  store<u32>(cpu + S_CPL, 0);
  setSegment(cpu, CS, 0xf000, 0x9b, 0xffff0000, 0xffff);
  setSegment(cpu, SS, 0, 0x93, 0, 0xffff);
  setSegment(cpu, DS, 0, 0x93, 0, 0xffff);
  setSegment(cpu, ES, 0, 0x93, 0, 0xffff);
  setSegment(cpu, FS, 0, 0x93, 0, 0xffff);
  setSegment(cpu, GS, 0, 0x93, 0, 0xffff);
  setSegment(cpu, LDTR, 0, 0x82, 0, 0xffff);
  setSegment(cpu, TR, 0, 0x8b, 0, 0xffff);
  store<i64>(cpu + S_GDTR, 0);
  store<u32>(cpu + S_GDTR + 8, 0xffff);
  store<i64>(cpu + S_IDTR, 0);
  store<u32>(cpu + S_IDTR + 8, 0xffff);
  store<i64>(cpu + S_RIP, 0xfff0);
  store<i64>(cpu + S_CR2, 0);
  store<i64>(cpu + S_CR3, 0);
  store<i64>(cpu + S_CR4, 0);
  for (let i: u32 = 0; i < 4; i++) store<i64>(cpu + S_DR + 8 * i, 0);
  store<i64>(cpu + S_DR + 48, 0xffff0ff0);
  store<i64>(cpu + S_DR + 56, 0x400);
  store<u32>(cpu + S_FAULT, 0);
  store<u32>(cpu + S_RECORD, 0);
  store<u32>(cpu + S_NMI_BLOCKED, 0);
  store<u32>(cpu + S_SHADOW_NEXT, 0);
  store<i64>(cpu + S_SHADOW, -1);
  store<u32>(cpu + S_WATCH_HIT, 0);
  resetTlb(cpu);
  updateMode(cpu);
}

/** Start-up IPI: real mode at vector * 4 KiB. */
export function startupIpi(cpu: u32, vector: u32): void {
  setSegment(cpu, CS, (vector & 0xff) << 8, 0x9b, <i64>(vector & 0xff) << 12, 0xffff);
  store<i64>(cpu + S_RIP, 0);
  store<u32>(cpu + S_RUN, RUN_RUNNING);
  updateMode(cpu);
}
