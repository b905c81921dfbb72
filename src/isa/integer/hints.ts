import { instruction, type Instruction } from '../definition.js';
import type { Ops } from '../ops.js';

const nothing = (): void => {};

/** Opcodes that are NOPs with a ModRM byte; memory operands are not touched. */
const reserved = ['19', '1A', '1B', '1C', '1D', '1E', '1F'].map((opcode) => `0F ${opcode} /r En ;nosize`);

/** The line must be readable; there are no caches whose contents could differ from memory. */
function flushLine(o: Ops): void {
  o.load(8, o.address(0, 1, 'read'));
}

/** Loads are in program order already, and so are stores. Every ModRM.rm is valid. */
const fence = (name: string, extension: number, effect = nothing as (o: Ops) => void): Instruction =>
  instruction(name, `NP 0F AE /${extension} Rn ;nosize`, effect);

function randomNumber(o: Ops): void {
  o.write(0, o.call('random'));
  const clear = o.bool(false);
  o.setFlags({ cf: o.bool(true), of: clear, sf: clear, zf: clear, af: clear, pf: clear });
}

export const hints: Instruction[] = [
  instruction('NOP', ['90 ;nosize', ...reserved], nothing),
  // The CPU's turn may end here.
  instruction('PAUSE', 'F3 90 ;nosize end', (o) => void o.call('pause')),
  instruction('ENDBR64', 'F3 0F 1E FA ;nosize', nothing),
  instruction('ENDBR32', 'F3 0F 1E FB ;nosize', nothing),
  instruction('PREFETCH', ['0F 18 /r En ;nosize', '0F 0D /r Mn ;nosize'], nothing),
  instruction('CLFLUSH', 'NP 0F AE /7 Mb ;cpuid=CLFSH', flushLine),
  instruction('CLFLUSHOPT', '66 0F AE /7 Mb ;cpuid=CLFLUSHOPT', flushLine),
  instruction('CLWB', '66 0F AE /6 Mb ;cpuid=CLWB', flushLine),
  fence('LFENCE', 5),
  fence('MFENCE', 6, (o) => void o.call('memoryFence')),
  fence('SFENCE', 7),
  instruction('RDRAND', '0F C7 /6 Rv ;cpuid=RDRAND', randomNumber),
  instruction('RDSEED', '0F C7 /7 Rv ;cpuid=RDSEED', randomNumber),
];
