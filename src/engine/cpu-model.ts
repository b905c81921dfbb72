import * as L from './layout.js';

/**
 * CPU models of `--cpu-model`.
 *
 * The vendor is AMD's with the family of QEMU's `qemu64`: systems then do not work around Meltdown and its kin, which
 * this CPU does not have (it does not speculate), and touch few model-specific registers.
 */
export interface CpuModel {
  readonly name: string;
  readonly description: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Features by the manual's names, as in the `cpuid=` attributes of definitions. */
  readonly features: ReadonlySet<string>;
}

export class UnknownCpuModel extends Error {
  constructor(name: string) {
    super(`there is no CPU model "${name}"; known are ${cpuModels.map((m) => m.name).join(', ')}`);
  }
}

const BASE_32 = ['FPU', 'VME', 'DE', 'PSE', 'TSC', 'MSR', 'PAE', 'MCE', 'CX8', 'APIC', 'SEP', 'MTRR', 'PGE', 'MCA', 'CMOV', 'PAT', 'PSE36', 'MMX', 'FXSR', 'SSE'];
const SSE2_UP = ['CLFSH', 'SSE2'];
const LONG = ['SYSCALL', 'NX', 'LM', 'LAHF', 'SSE3', 'CX16', 'RDTSCP', 'TSC-DEADLINE', 'X2APIC', 'HYPERVISOR', 'INVTSC'];
const V2 = ['SSSE3', 'SSE4.1', 'SSE4.2', 'POPCNT'];
const NEWER = ['PCLMULQDQ', 'AES', 'MOVBE', 'XSAVE', 'XSAVEOPT', 'XSAVEC', 'RDRAND', 'RDSEED', 'FSGSBASE', 'BMI1', 'BMI2', 'LZCNT', 'SMEP', 'SMAP', 'ADX', 'SHA',
  'CLFLUSHOPT', 'CLWB', 'UMIP', 'PCID', 'INVPCID', 'RDPID', 'PDPE1GB', 'PREFETCHW', 'ARAT']; // prettier-ignore

export const cpuModels: readonly CpuModel[] = [
  {
    name: 'default',
    description: 'all that is implemented: x86-64-v2 with AES, SHA, BMI and more',
    family: 15,
    model: 107,
    stepping: 1,
    features: new Set([...BASE_32, ...SSE2_UP, ...LONG, ...V2, ...NEWER]),
  },
  {
    name: 'x86-64',
    description: 'the first 64-bit processors: SSE3, no more',
    family: 15,
    model: 107,
    stepping: 1,
    features: new Set([...BASE_32, ...SSE2_UP, ...LONG]),
  },
  {
    name: 'pentium3',
    description: 'a 32-bit processor with SSE',
    family: 6,
    model: 8,
    stepping: 3,
    features: new Set([...BASE_32, 'HYPERVISOR']),
  },
];

export function findCpuModel(name: string): CpuModel {
  const found = cpuModels.find((m) => m.name === name);
  if (!found) throw new UnknownCpuModel(name);
  return found;
}

/** Feature bits by leaf and register (SDM vol. 2, CPUID; APM vol. 3, appendix E). */
const LEAF_1_EDX = ['FPU', 'VME', 'DE', 'PSE', 'TSC', 'MSR', 'PAE', 'MCE', 'CX8', 'APIC', '', 'SEP', 'MTRR', 'PGE', 'MCA', 'CMOV', 'PAT', 'PSE36', '', 'CLFSH', '', '', '', 'MMX', 'FXSR', 'SSE', 'SSE2'];
const LEAF_1_ECX = ['SSE3', 'PCLMULQDQ', '', 'MONITOR', '', '', '', '', '', 'SSSE3', '', '', '', 'CX16', '', '', '', 'PCID', '', 'SSE4.1', 'SSE4.2', 'X2APIC', 'MOVBE', 'POPCNT', 'TSC-DEADLINE', 'AES', 'XSAVE', '', '', '', 'RDRAND', 'HYPERVISOR'];
const LEAF_7_EBX = ['FSGSBASE', '', '', 'BMI1', '', '', '', 'SMEP', 'BMI2', '', 'INVPCID', '', '', '', '', '', '', '', 'RDSEED', 'ADX', 'SMAP', '', '', 'CLFLUSHOPT', 'CLWB', '', '', '', '', 'SHA'];
const LEAF_7_ECX = ['', '', 'UMIP', '', '', '', '', '', '', '', '', '', '', '', '', '', 'LA57', '', '', '', '', '', 'RDPID'];
const EXT_1_ECX = ['LAHF', '', '', '', '', 'LZCNT', '', '', 'PREFETCHW'];
const EXT_1_EDX_OWN = ['', '', '', '', '', '', '', '', '', '', '', 'SYSCALL', '', '', '', '', '', '', '', '', 'NX', '', '', '', '', '', 'PDPE1GB', 'RDTSCP', '', 'LM'];

function bits(names: readonly string[], features: ReadonlySet<string>): number {
  return names.reduce((sum, name, i) => (name !== '' && features.has(name) ? sum | (1 << i) : sum), 0) >>> 0;
}

const text = (value: string, at: number): number =>
  [0, 1, 2, 3].reduce((sum, i) => sum | ((value.charCodeAt(at + i) || 0) << (8 * i)), 0) >>> 0;

const VENDOR = 'AuthenticAMD';
const BRAND = 'Vivarium Virtual CPU';
const HYPERVISOR = 'KVMKVMKVM\0\0\0';
/** KVM_FEATURE_CLOCKSOURCE2, KVM_FEATURE_CLOCKSOURCE_STABLE_BIT. */
const KVM_FEATURES = (1 << 3) | (1 << 24);
const TSC_KHZ = 1_000_000;
const ANY = 0xffffffff;
const XSAVE_BYTES = 512 + 64;
/** FXSAVE and XSAVE always save the x87 error pointers: systems need not clear what would leak (APM vol. 3, Fn8000_0008_EBX). */
const XSAVEERPTR = 1 << 2;

type Leaf = [leaf: number, subleaf: number, eax: number, ebx: number, ecx: number, edx: number];

/** Answers of CPUID for CPU `index` of `cpus`. */
export function cpuidLeaves(model: CpuModel, index: number, cpus: number): Leaf[] {
  const { features, family } = model;
  const has = (name: string): boolean => features.has(name);
  const extendedFamily = family >= 15 ? family - 15 : 0;
  const signature = (extendedFamily << 20) | ((model.model >> 4) << 16) | (Math.min(family, 15) << 8) | ((model.model & 15) << 4) | model.stepping;
  const threads = Math.min(cpus, 255);
  const idBits = Math.ceil(Math.log2(Math.max(cpus, 1)));
  const edx1 = (bits(LEAF_1_EDX, features) | (cpus > 1 ? 1 << 28 : 0)) >>> 0;
  const long = has('LM');
  const leaves: Leaf[] = [
    [0, ANY, has('XSAVE') ? 0x16 : long ? 0xb : 2, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)],
    [1, ANY, signature, ((index & 255) << 24) | (threads << 16) | (8 << 8), bits(LEAF_1_ECX, features), edx1],
    [2, ANY, 0, 0, 0, 0],
    [6, ANY, has('ARAT') ? 4 : 0, 0, 0, 0],
    [7, 0, 0, bits(LEAF_7_EBX, features), bits(LEAF_7_ECX, features), 0],
    // x2APIC topology: one thread a core, all cores in one package
    [0xb, 0, 0, 1, 0x100, index],
    [0xb, 1, idBits, cpus, 0x201, index],
    [0xb, 2, 0, 0, 2, index],
    [0x15, ANY, 1, 1, TSC_KHZ * 1000, 0],
    [0x16, ANY, 1000, 1000, 1000, 0],
  ];
  if (has('XSAVE')) {
    leaves.push([0xd, 0, 3, XSAVE_BYTES, XSAVE_BYTES, 0]);
    leaves.push([0xd, 1, (has('XSAVEOPT') ? 1 : 0) | (has('XSAVEC') ? 2 : 0), XSAVE_BYTES, 0, 0]);
  }
  if (has('HYPERVISOR')) {
    leaves.push([0x40000000, ANY, 0x40000010, text(HYPERVISOR, 0), text(HYPERVISOR, 4), text(HYPERVISOR, 8)]);
    leaves.push([0x40000001, ANY, KVM_FEATURES, 0, 0, 0]);
    // TSC and local APIC timer rates in kHz
    leaves.push([0x40000010, ANY, TSC_KHZ, TSC_KHZ, 0, 0]);
  }
  const amdShared = bits(LEAF_1_EDX, features) & 0x0183f3ff;
  leaves.push(
    [0x80000000, ANY, 0x80000008, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)],
    [0x80000001, ANY, signature, 0, bits(EXT_1_ECX, features) | (cpus > 1 && long ? 2 : 0), (bits(EXT_1_EDX_OWN, features) | amdShared) >>> 0],
    ...[0, 1, 2].map((i): Leaf => [0x80000002 + i, ANY, text(BRAND, 16 * i), text(BRAND, 16 * i + 4), text(BRAND, 16 * i + 8), text(BRAND, 16 * i + 12)]),
    // first and second level caches: 64 KiB, 64 KiB, 512 KiB
    [0x80000005, ANY, 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140],
    [0x80000006, ANY, 0, 0x42004200, 0x02008140, 0],
    [0x80000007, ANY, 0, 0, 0, has('INVTSC') ? 0x100 : 0],
    [0x80000008, ANY, (48 << 8) | L.CPUID_PHYSICAL_BITS, XSAVEERPTR, cpus > 1 ? (idBits << 12) | (threads - 1) : 0, 0],
  );
  return leaves;
}

/** Writes the model's answers and what the runtime asks of it into a CPU block at `pointer`. */
export function installCpuModel(view: DataView, pointer: number, model: CpuModel, index: number, cpus: number): void {
  const leaves = cpuidLeaves(model, index, cpus);
  view.setUint32(pointer + L.S_CPUID_COUNT, leaves.length, true);
  leaves.forEach((leaf, i) => leaf.forEach((value, n) => view.setUint32(pointer + L.S_CPUID + i * L.CPUID_BYTES + 4 * n, value >>> 0, true)));
  const flags = (model.features.has('LM') ? L.FEATURE_LM : 0) | (model.features.has('NX') ? L.FEATURE_NX : 0) | (model.features.has('SYSCALL') ? L.FEATURE_SYSCALL : 0);
  view.setUint32(pointer + L.S_FEATURES, flags, true);
}
