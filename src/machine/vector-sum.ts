/** Sums of 16-bit words by vectors, for checksums of whole frames: WebAssembly, as JavaScript has no vectors. */
import { FunctionBody, unsignedBytes } from '../engine/wasm/bytes.js';
import { ModuleWriter } from '../engine/wasm/module.js';

const VECTOR_BYTES = 16;
const simd = (code: number, ...rest: number[]): number[] => [0xfd, ...unsignedBytes(code), ...rest];
const V128_LOAD = simd(0, 0, 0);
const I32X4_EXTRACT_LANE = 27;
const I32X4_EXTADD_PAIRWISE_I16X8_U = simd(127);
const I32X4_ADD = simd(174);

/** `sum(end)`: of the little-endian words from 0 to `end`, a multiple of 16 above 0 and at most 65536. */
function vectorSum(memory: WebAssembly.Memory): (end: number) => number {
  const [END, AT, TOTAL] = [0, 1, 2];
  const module = new ModuleWriter(false);
  const body = new FunctionBody();
  body.raw([0x03, 0x40, 0x20, TOTAL, 0x20, AT, ...V128_LOAD, ...I32X4_EXTADD_PAIRWISE_I16X8_U]);
  body.raw([...I32X4_ADD, 0x21, TOTAL]);
  body.raw([0x20, AT, 0x41, VECTOR_BYTES, 0x6a, 0x22, AT, 0x20, END, 0x49, 0x0d, 0, 0x0b]);
  for (let lane = 0; lane < 4; lane++)
    body.raw([0x20, TOTAL, ...simd(I32X4_EXTRACT_LANE, lane), ...(lane > 0 ? [0x6a] : [])]);
  const signature = { params: ['i32'], results: ['i32'] } as const;
  module.export('sum', module.define(signature, ['i32', 'v128'], body));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  return exports['sum'] as (end: number) => number;
}

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const scratch = new Uint8Array(memory.buffer);
const sumTo = vectorSum(memory);

/** Most bytes at once. */
export const MOST_VECTOR_BYTES = scratch.length;

/** The sum of 1 to `MOST_VECTOR_BYTES` bytes as 16-bit little-endian words, with a zero behind an odd one. */
export function littleEndianSum(bytes: Uint8Array): number {
  scratch.set(bytes);
  const end = (bytes.length + VECTOR_BYTES - 1) & -VECTOR_BYTES;
  if (end > bytes.length) scratch.fill(0, bytes.length, end);
  return sumTo(end) >>> 0;
}
