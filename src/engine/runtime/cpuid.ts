import { CPUID_BYTES, MODE_LONG, S_CPUID, S_CPUID_COUNT, S_CR4, S_GPR, S_MODE } from '../layout';
import { CR4_OSXSAVE } from './mode';

const ANY: u32 = 0xffffffff;
const HYPERVISOR: u32 = 0x40000000;
const EXTENDED: u32 = 0x80000000;
const TOPOLOGY: u32 = 0xb;

// Where the registers lie in an entry of the table
const EAX: u32 = 8;
export const EBX: u32 = 12;
export const ECX: u32 = 16;
export const EDX: u32 = 20;

/** Leaf 1, ECX */
const XSAVE: u32 = 1 << 26;
const OSXSAVE: u32 = 1 << 27;
/** Leaf 80000001H, EDX */
const SYSCALL: u32 = 1 << 11;

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

/** Whether the CPU model has a feature: bit of a register (EBX, ECX, EDX) of a leaf. Without a model all features are there. */
export function cpuidBit(cpu: u32, leaf: u32, register: u32, bit: u32): bool {
  if (load<u32>(cpu + S_CPUID_COUNT) == 0) return true;
  const entry = find(cpu, leaf, 0);
  return entry != 0 && ((load<u32>(entry + register) >> bit) & 1) != 0;
}

/** Family, model and stepping as CPUID tells them; 600H, an unknown Pentium Pro, without a model. */
export function cpuSignature(cpu: u32): u32 {
  const entry = find(cpu, 1, 0);
  return entry == 0 ? 0x600 : load<u32>(entry + EAX);
}

/** The leaf that answers: one beyond the last of its range answers as the last basic one (SDM vol. 2, CPUID). */
function answering(cpu: u32, leaf: u32): u32 {
  const range: u32 = leaf >= EXTENDED ? EXTENDED : leaf >= HYPERVISOR ? HYPERVISOR : 0;
  const first = find(cpu, range, 0);
  if (first != 0 && leaf <= load<u32>(first + EAX)) return leaf;
  const basic = find(cpu, 0, 0);
  return basic == 0 ? leaf : load<u32>(basic + EAX);
}

/** CPUID by the table that the CPU model wrote. */
export function cpuid(cpu: u32): void {
  const leaf = answering(cpu, load<u32>(cpu + S_GPR));
  const subleaf = load<u32>(cpu + S_GPR + 8);
  const entry = find(cpu, leaf, subleaf);
  let eax: u32 = 0;
  let ebx: u32 = 0;
  let ecx: u32 = 0;
  let edx: u32 = 0;
  if (entry != 0) {
    eax = load<u32>(entry + EAX);
    ebx = load<u32>(entry + EBX);
    ecx = load<u32>(entry + ECX);
    edx = load<u32>(entry + EDX);
  } else if (leaf == TOPOLOGY && find(cpu, TOPOLOGY, 0) != 0) {
    // a level that there is not: its number, and the x2APIC ID as always
    ecx = subleaf & 0xff;
    edx = load<u32>(find(cpu, TOPOLOGY, 0) + EDX);
  }
  if (leaf == 1 && (ecx & XSAVE) != 0 && (load<i64>(cpu + S_CR4) & CR4_OSXSAVE) != 0) ecx |= OSXSAVE;
  // SYSCALL is shown where it works.
  if (leaf == EXTENDED + 1 && (load<u32>(cpu + S_MODE) & MODE_LONG) == 0) edx &= ~SYSCALL;
  store<i64>(cpu + S_GPR, <i64>eax);
  store<i64>(cpu + S_GPR + 24, <i64>ebx);
  store<i64>(cpu + S_GPR + 8, <i64>ecx);
  store<i64>(cpu + S_GPR + 16, <i64>edx);
}
