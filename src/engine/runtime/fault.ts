import { FAULT_HAS_ERROR, FAULT_VALID, S_FAULT, S_FAULT_ADDRESS, S_FAULT_ERROR } from '../layout';

/** Records a fault without error code; whoever runs the instruction ends it and delivers. */
export function raise(cpu: u32, vector: u32): void {
  store<u32>(cpu + S_FAULT, FAULT_VALID | vector);
}

export function raiseWithError(cpu: u32, vector: u32, error: u32): void {
  store<u32>(cpu + S_FAULT, FAULT_VALID | FAULT_HAS_ERROR | vector);
  store<u32>(cpu + S_FAULT_ERROR, error);
}

export function raisePageFault(cpu: u32, linear: i64, error: u32): void {
  store<i64>(cpu + S_FAULT_ADDRESS, linear);
  raiseWithError(cpu, 14, error);
}

// @ts-ignore: decorator
@inline
export function faulted(cpu: u32): bool {
  return load<u32>(cpu + S_FAULT) != 0;
}

export const DE: u32 = 0;
export const DB: u32 = 1;
export const BP: u32 = 3;
export const OF: u32 = 4;
export const BR: u32 = 5;
export const UD: u32 = 6;
export const NM: u32 = 7;
export const DF: u32 = 8;
export const TS: u32 = 10;
export const NP: u32 = 11;
export const STACK: u32 = 12;
export const GP: u32 = 13;
export const PF: u32 = 14;
export const MF: u32 = 16;
export const AC: u32 = 17;
export const XM: u32 = 19;
