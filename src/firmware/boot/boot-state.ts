/**
 * State of the bootstrap processor at a kernel's entry point. What is not told here is as after reset.
 */
export interface BootState {
  registers: Record<RegisterName, bigint>;
  rip: bigint;
  rflags: bigint;
  segments: Record<SegmentName, BootSegment>;
  gdtr: DescriptorTable;
  idtr: DescriptorTable;
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

export const REGISTER_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
export type RegisterName = (typeof REGISTER_NAMES)[number];

export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export type SegmentName = (typeof SEGMENT_NAMES)[number];

/** A segment register with its hidden part. */
export interface BootSegment {
  selector: number;
  base: bigint;
  /** In bytes, scaled by the granularity. */
  limit: number;
  /** Bits 40-55 of the descriptor without those of the limit: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15. */
  attr: number;
}

export interface DescriptorTable {
  base: bigint;
  /** Bytes of the table less one. */
  limit: number;
}
