import { CODE_BYTES, type NativeCase } from './native-cases.js';
import { MEMORY_BYTES, type UserState } from './user-machine.js';

// Layout of `struct state` in tests/native/harness.c
const RIP = 128;
const RFLAGS = 136;
const VECTOR = 144;
const ERROR = 152;
const CR2 = 160;
const CODE32 = 168;
const FX = 176;
const MEMORY = FX + 512;
const STATE_BYTES = MEMORY + MEMORY_BYTES;
const CASE_BYTES = STATE_BYTES + CODE_BYTES;

/** The file of cases that the native harness reads. */
export function packCases(cases: readonly NativeCase[]): Uint8Array {
  const bytes = new Uint8Array(cases.length * CASE_BYTES);
  const view = new DataView(bytes.buffer);
  cases.forEach(({ state, code }, n) => {
    const at = n * CASE_BYTES;
    state.gpr.forEach((value, i) => view.setBigUint64(at + 8 * i, value, true));
    view.setBigUint64(at + RFLAGS, state.rflags, true);
    view.setBigUint64(at + CODE32, state.code32 ? 1n : 0n, true);
    bytes.set(state.fx, at + FX);
    bytes.set(state.memory, at + MEMORY);
    bytes.set(code, at + STATE_BYTES);
  });
  return bytes;
}

/** The states after each case, as the native harness writes them. */
export function unpackResults(bytes: Uint8Array, cases: readonly NativeCase[]): UserState[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return cases.map(({ state }, n) => {
    const at = n * STATE_BYTES;
    return {
      gpr: Array.from({ length: 16 }, (_, i) => view.getBigUint64(at + 8 * i, true)),
      rip: view.getBigUint64(at + RIP, true),
      rflags: view.getBigUint64(at + RFLAGS, true),
      vector: Number(view.getBigUint64(at + VECTOR, true)),
      error: Number(view.getBigUint64(at + ERROR, true)),
      cr2: view.getBigUint64(at + CR2, true),
      code32: state.code32,
      fx: bytes.subarray(at + FX, at + FX + 512),
      memory: bytes.subarray(at + MEMORY, at + MEMORY + MEMORY_BYTES),
    };
  });
}
