import { CPUID_BYTES, S_CPUID, S_CPUID_COUNT, S_CR4, S_GPR, S_XCR0 } from '../layout';

const CR4_OSXSAVE: i64 = 0x40000;
const ANY: u32 = 0xffffffff;
const EXTENDED: u32 = 0x80000000;
const HYPERVISOR: u32 = 0x40000000;

function find(cpu: u32, leaf: u32, subleaf: u32): u32 {
  const count = load<u32>(cpu + S_CPUID_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const entry = cpu + S_CPUID + i * CPUID_BYTES;
    if (load<u32>(entry) != leaf) continue;
    const sub = load<u32>(entry + 4);
    if (sub == ANY || sub == subleaf) return entry;
  }
  return 0;
}

/** CPUID by the table that the CPU model wrote; a leaf beyond the last basic one answers as that (SDM vol. 2, CPUID). */
export function cpuid(cpu: u32): void {
  let leaf = load<u32>(cpu + S_GPR);
  const subleaf = load<u32>(cpu + S_GPR + 8);
  const first = find(cpu, leaf < HYPERVISOR ? 0 : leaf < EXTENDED ? HYPERVISOR : EXTENDED, 0);
  const highest: u32 = first == 0 ? 0 : load<u32>(first + 8);
  if (leaf > highest && leaf < HYPERVISOR) leaf = load<u32>(find(cpu, 0, 0) + 8);
  const entry = find(cpu, leaf, subleaf);
  let eax: u32 = 0;
  let ebx: u32 = 0;
  let ecx: u32 = 0;
  let edx: u32 = 0;
  if (entry != 0) {
    eax = load<u32>(entry + 8);
    ebx = load<u32>(entry + 12);
    ecx = load<u32>(entry + 16);
    edx = load<u32>(entry + 20);
  }
  // OSXSAVE shows CR4's bit
  if (leaf == 1 && (load<i64>(cpu + S_CR4) & CR4_OSXSAVE) != 0 && (ecx & 0x4000000) != 0) ecx |= 0x8000000;
  store<i64>(cpu + S_GPR, <i64>eax);
  store<i64>(cpu + S_GPR + 24, <i64>ebx);
  store<i64>(cpu + S_GPR + 8, <i64>ecx);
  store<i64>(cpu + S_GPR + 16, <i64>edx);
}
