import { FunctionBody } from '../../engine/wasm/bytes.js';
import { ModuleWriter } from '../../engine/wasm/module.js';

const F32_SUB = 0x93;
const I32_REINTERPRET_F32 = 0xbc;

/**
 * Whether the processor is an x86, whose order of memory guests expect. Browsers tell it of few processors, and say x86 of others; so
 * the processor is asked: of all that browsers run on, only x86 makes a NaN with its sign set where none came in (SDM vol. 1,
 * 4.8.3.7 "QNaN Floating-Point Indefinite"; Arm's default NaN and RISC-V's canonical one are positive).
 */
export function isX86(): boolean {
  const module = new ModuleWriter(false);
  const body = new FunctionBody();
  body.raw([0x20, 0, 0x20, 0, F32_SUB, I32_REINTERPRET_F32]);
  module.export('bits', module.define({ params: ['f32'], results: ['i32'] }, [], body));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  return (exports['bits'] as (x: number) => number)(Infinity) < 0;
}
