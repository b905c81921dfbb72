import type { CpuTopology } from './cpu-topology.js';
import * as L from './layout.js';

/**
 * CPU models of `--cpu-model`.
 *
 * The vendor is Intel's, as the model-specific registers (SDM vol. 4) and the instructions on which vendors differ are
 * (near branches ignore 66, SYSENTER works and SYSCALL does not in compatibility mode). The 64-bit models have the number
 * of the first Atom, which executes in order: systems know that it does not speculate, as this CPU does not, and neither
 * work around Meltdown, Spectre and their kin nor report them. No performance counters, thermal or power registers are
 * announced, so none are looked for.
 */
export interface CpuModel {
  readonly name: string;
  readonly description: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** The last basic leaf of CPUID. */
  readonly lastLeaf: number;
  /** Features by the manual's names, as in the `cpuid=` attributes of definitions. */
  readonly features: ReadonlySet<string>;
}

export class UnknownCpuModel extends Error {
  constructor(name: string) {
    super(`there is no CPU model "${name}"; known are ${cpuModels.map((m) => m.name).join(', ')}`);
  }
}

const PENTIUM3 = ['FPU', 'VME', 'DE', 'PSE', 'TSC', 'MSR', 'PAE', 'MCE', 'CX8', 'APIC', 'SEP', 'MTRR', 'PGE', 'MCA', 'CMOV', 'PAT', 'PSE36', 'MMX', 'FXSR', 'SSE', 'HYPERVISOR']; // prettier-ignore
const X86_64 = [
  ...PENTIUM3,
  'CLFSH',
  'SSE2',
  'SSE3',
  'CX16',
  'SYSCALL',
  'NX',
  'LM',
  'LAHF',
  'INVTSC',
  'ARAT',
];
const DEFAULT = [...X86_64, 'SSSE3', 'SSE4.1', 'SSE4.2', 'POPCNT', 'RDTSCP', 'TSC-DEADLINE', 'X2APIC', 'TSC_ADJUST', 'PCLMULQDQ', 'AES', 'MOVBE', 'XSAVE',
  'XSAVEOPT', 'XSAVEC', 'XGETBV1', 'RDRAND', 'RDSEED', 'FSGSBASE', 'BMI1', 'BMI2', 'LZCNT', 'SMEP', 'SMAP', 'ADX', 'SHA', 'CLFLUSHOPT', 'CLWB', 'UMIP', 'PCID',
  'INVPCID', 'RDPID', 'PDPE1GB', 'PREFETCHW']; // prettier-ignore

const ATOM = { family: 6, model: 0x1c, stepping: 10 };
const LAST_LEAF_TSC = 0x16;
const LAST_LEAF_TOPOLOGY = 0xb;

export const cpuModels: readonly CpuModel[] = [
  {
    name: 'default',
    description: 'all that is implemented: x86-64-v2 with AES, SHA, BMI and more',
    ...ATOM,
    lastLeaf: LAST_LEAF_TSC,
    features: new Set(DEFAULT),
  },
  {
    name: 'la57',
    description: 'the default model with linear addresses of 57 bits (5-level paging)',
    ...ATOM,
    lastLeaf: LAST_LEAF_TSC,
    features: new Set([...DEFAULT, 'LA57']),
  },
  {
    name: 'x86-64',
    description: 'what every 64-bit processor has: SSE3, no more',
    ...ATOM,
    lastLeaf: LAST_LEAF_TOPOLOGY,
    features: new Set(X86_64),
  },
  {
    name: 'core2duo',
    description: 'a 64-bit processor of 2006, with SSSE3; systems work around what it suffered from',
    family: 6,
    model: 15,
    stepping: 11,
    lastLeaf: 0xa,
    features: new Set([...X86_64, 'SSSE3']),
  },
  {
    name: 'pentium3',
    description: 'a 32-bit processor with SSE',
    family: 6,
    model: 8,
    stepping: 3,
    lastLeaf: 2,
    features: new Set(PENTIUM3),
  },
];

/** Throws UnknownCpuModel, which names the known ones. */
export function findCpuModel(name: string): CpuModel {
  const found = cpuModels.find((m) => m.name === name);
  if (!found) throw new UnknownCpuModel(name);
  return found;
}

/** Feature bits by leaf and register, from bit 0 up (SDM vol. 2, CPUID). */
const LEAF_1_EDX = ['FPU', 'VME', 'DE', 'PSE', 'TSC', 'MSR', 'PAE', 'MCE', 'CX8', 'APIC', '', 'SEP', 'MTRR', 'PGE', 'MCA', 'CMOV', 'PAT', 'PSE36', '', 'CLFSH', '', '', '', 'MMX', 'FXSR', 'SSE', 'SSE2']; // prettier-ignore
const LEAF_1_ECX = ['SSE3', 'PCLMULQDQ', '', 'MONITOR', '', '', '', '', '', 'SSSE3', '', '', '', 'CX16', '', '', '', 'PCID', '', 'SSE4.1', 'SSE4.2', 'X2APIC', 'MOVBE', 'POPCNT', 'TSC-DEADLINE', 'AES', 'XSAVE', '', '', '', 'RDRAND', 'HYPERVISOR']; // prettier-ignore
const LEAF_6_EAX = ['', '', 'ARAT'];
const LEAF_7_EBX = ['FSGSBASE', 'TSC_ADJUST', '', 'BMI1', '', '', '', 'SMEP', 'BMI2', '', 'INVPCID', '', '', '', '', '', '', '', 'RDSEED', 'ADX', 'SMAP', '', '', 'CLFLUSHOPT', 'CLWB', '', '', '', '', 'SHA']; // prettier-ignore
const LEAF_7_ECX = [
  '',
  '',
  'UMIP',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  '',
  'LA57',
  '',
  '',
  '',
  '',
  '',
  'RDPID',
];
const LEAF_D_EAX = ['XSAVEOPT', 'XSAVEC', 'XGETBV1'];
const EXTENDED_1_ECX = ['LAHF', '', '', '', '', 'LZCNT', '', '', 'PREFETCHW'];
const EXTENDED_1_EDX = ['', '', '', '', '', '', '', '', '', '', '', 'SYSCALL', '', '', '', '', '', '', '', '', 'NX', '', '', '', '', '', 'PDPE1GB', 'RDTSCP', '', 'LM']; // prettier-ignore
const EXTENDED_7_EDX = ['', '', '', '', '', '', '', '', 'INVTSC'];

function bits(names: readonly string[], features: ReadonlySet<string>): number {
  return names.reduce((sum, name, i) => (name !== '' && features.has(name) ? sum | (1 << i) : sum), 0) >>> 0;
}

/** Four characters as a register. */
const text = (value: string, at: number): number =>
  [0, 1, 2, 3].reduce((sum, i) => sum | ((value.charCodeAt(at + i) || 0) << (8 * i)), 0) >>> 0;

const VENDOR = 'GenuineIntel';
const BRAND = 'Vivarium Virtual CPU';
const HYPERVISOR = 'KVMKVMKVM\0\0\0';
const LAST_HYPERVISOR_LEAF = 0x40000010;
/** CLOCKSOURCE2, STEAL_TIME, PV_UNHALT, PV_TLB_FLUSH, PV_SEND_IPI, PV_SCHED_YIELD, CLOCKSOURCE_STABLE_BIT (Linux Documentation/virt/kvm/x86/cpuid.rst). */
const KVM_FEATURES = (1 << 3) | (1 << 5) | (1 << 7) | (1 << 9) | (1 << 11) | (1 << 13) | (1 << 24);
const TSC_KHZ = 1_000_000;
const MHZ = TSC_KHZ / 1000;
/** Bytes of an XSAVE area: legacy region and header. */
const XSAVE_BYTES = 512 + 64;
const CACHE_LINE = 64;

/** Subleaf that stands for all: the leaf has none. */
const ANY = 0xffffffff;
type Leaf = [leaf: number, subleaf: number, eax: number, ebx: number, ecx: number, edx: number];

/** Leaf 4 describes caches by geometry: 8 ways of lines of 64 bytes. `type`: 1 data, 2 instructions, 3 both. */
function cache(
  subleaf: number,
  type: number,
  level: number,
  kib: number,
  { coreBits, threadBits }: CpuTopology,
): Leaf {
  const ways = 8;
  const sets = (kib * 1024) / (ways * CACHE_LINE);
  const threads = (1 << threadBits) - 1;
  const cores = Math.min(1 << coreBits, 64) - 1;
  const eax = type | (level << 5) | (1 << 8) | (threads << 14) | (cores << 26);
  return [4, subleaf, eax, ((ways - 1) << 22) | (CACHE_LINE - 1), sets - 1, 0];
}

/** Answers of CPUID for CPU number `index`. */
export function cpuidLeaves(model: CpuModel, index: number, topology: CpuTopology): Leaf[] {
  const { features, lastLeaf } = model;
  const has = (name: string): boolean => features.has(name);
  const signature =
    ((model.model >> 4) << 16) | (model.family << 8) | ((model.model & 15) << 4) | model.stepping;
  const { threadBits, coreBits, threads, cores } = topology;
  const apicId = topology.apicId(index);
  // Room for APIC IDs in the package, as far as the old field goes.
  const logical = Math.min(1 << (threadBits + coreBits), 128);
  const severalThreads = threads * cores > 1 ? 1 << 28 : 0;
  const leaves: Leaf[] = [
    [0, ANY, lastLeaf, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)],
    [
      1,
      ANY,
      signature,
      ((apicId & 255) << 24) | (logical << 16) | ((CACHE_LINE / 8) << 8),
      bits(LEAF_1_ECX, features),
      bits(LEAF_1_EDX, features) | severalThreads,
    ],
    // Descriptors: 2CH, 30H, 7DH are caches of 32 KiB, 32 KiB and 2 MiB; FFH sends to leaf 4.
    [2, ANY, 1, 0, 0, lastLeaf < 4 ? 0x2c307d : 0xff],
    cache(0, 1, 1, 32, topology),
    cache(1, 2, 1, 32, topology),
    cache(2, 3, 2, 512, topology),
    [6, ANY, bits(LEAF_6_EAX, features), 0, 0, 0],
    [7, 0, 0, bits(LEAF_7_EBX, features), bits(LEAF_7_ECX, features), 0],
    [0xb, 0, threadBits, threads, 0x100, apicId],
    [0xb, 1, threadBits + coreBits, threads * cores, 0x201, apicId],
    [0x15, ANY, 1, 1, TSC_KHZ * 1000, 0],
    [0x16, ANY, MHZ, MHZ, MHZ, 0],
  ];
  if (has('XSAVE')) {
    leaves.push([0xd, 0, 3, XSAVE_BYTES, XSAVE_BYTES, 0]);
    leaves.push([0xd, 1, bits(LEAF_D_EAX, features), XSAVE_BYTES, 0, 0]);
  }
  if (has('HYPERVISOR')) {
    leaves.push([
      0x40000000,
      ANY,
      LAST_HYPERVISOR_LEAF,
      text(HYPERVISOR, 0),
      text(HYPERVISOR, 4),
      text(HYPERVISOR, 8),
    ]);
    leaves.push([0x40000001, ANY, KVM_FEATURES, 0, 0, 0]);
    // TSC and local APIC timer rates in kHz
    leaves.push([LAST_HYPERVISOR_LEAF, ANY, TSC_KHZ, TSC_KHZ, 0, 0]);
  }
  leaves.push([0x80000000, ANY, has('LM') ? 0x80000008 : 0x80000004, 0, 0, 0]);
  leaves.push([0x80000001, ANY, 0, 0, bits(EXTENDED_1_ECX, features), bits(EXTENDED_1_EDX, features)]);
  for (let i = 0; i < 3; i++)
    leaves.push([
      0x80000002 + i,
      ANY,
      text(BRAND, 16 * i),
      text(BRAND, 16 * i + 4),
      text(BRAND, 16 * i + 8),
      text(BRAND, 16 * i + 12),
    ]);
  // second-level cache: 512 KiB, 8 ways
  leaves.push([0x80000006, ANY, 0, 0, (512 << 16) | (6 << 12) | CACHE_LINE, 0]);
  leaves.push([0x80000007, ANY, 0, 0, 0, bits(EXTENDED_7_EDX, features)]);
  leaves.push([0x80000008, ANY, ((has('LA57') ? 57 : 48) << 8) | L.CPUID_PHYSICAL_BITS, 0, 0, 0]);
  return leaves;
}

/** Features that the runtime asks for by bit. */
const RUNTIME_FEATURES: readonly (readonly [string, number])[] = [
  ['LM', L.FEATURE_LM],
  ['NX', L.FEATURE_NX],
  ['SYSCALL', L.FEATURE_SYSCALL],
  ['LA57', L.FEATURE_LA57],
];

/** Writes the model's answers and what the runtime asks of it into the block of CPU number `index`, which begins at `pointer`. */
export function installCpuModel(
  view: DataView,
  pointer: number,
  model: CpuModel,
  index: number,
  topology: CpuTopology,
): void {
  const leaves = cpuidLeaves(model, index, topology);
  view.setUint32(pointer + L.S_CPUID_COUNT, leaves.length, true);
  leaves.forEach((leaf, i) =>
    leaf.forEach((value, n) =>
      view.setUint32(pointer + L.S_CPUID + i * L.CPUID_BYTES + 4 * n, value >>> 0, true),
    ),
  );
  const flags = RUNTIME_FEATURES.reduce(
    (sum, [name, bit]) => (model.features.has(name) ? sum | bit : sum),
    0,
  );
  view.setUint32(pointer + L.S_FEATURES, flags, true);
}
