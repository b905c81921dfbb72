import type { EngineKind } from '../engine/engine.js';
import type { MachineCounts, MachineEnd, MachineMode } from '../vm/virtual-machine.js';

/** What a machine in a page is made of. */
export interface MachineSettings {
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly engine: EngineKind;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | null;
  /** The kernel's command line. */
  readonly append: string;
}

export type ToWorker =
  | { readonly kind: 'start'; readonly settings: MachineSettings }
  | { readonly kind: 'serial'; readonly bytes: Uint8Array }
  | { readonly kind: 'stop' };

export type FromWorker =
  | { readonly kind: 'serial'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'ended';
      readonly end: MachineEnd;
      readonly counts: MachineCounts;
      readonly mode: MachineMode;
    }
  | { readonly kind: 'failed'; readonly message: string };
