/** Integer vector instructions that WebAssembly has nothing like: MPSADBW, PHMINPOSUW, MASKMOVQ, MASKMOVDQU. */
import { faulted } from './fault';
import { probeWrite, store8 } from './memory';
import { segmentLinear } from './segment-access';
import { S_RESULT } from './sse-lanes';

/** Eight sums of four absolute differences: immediate bit 2 chooses the window in the destination, bits 0-1 the four bytes of the source. */
export function mpsadbw(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  const window = cpu + <u32>destination + ((<u32>immediate) & 4);
  const block = cpu + <u32>source + 4 * ((<u32>immediate) & 3);
  for (let i: u32 = 0; i < 8; i++) {
    let sum: i32 = 0;
    for (let j: u32 = 0; j < 4; j++)
      sum += abs<i32>(<i32>load<u8>(window + i + j) - <i32>load<u8>(block + j));
    store<u16>(cpu + S_RESULT + 2 * i, <u16>sum);
  }
  memory.copy(cpu + <u32>destination, cpu + S_RESULT, 16);
}

/** The smallest word, and in bits 16-18 the number of the first that is so small. */
export function phminposuw(cpu: u32, source: i64): i64 {
  let best: u32 = 0xffffffff;
  for (let i: u32 = 0; i < 8; i++) {
    const candidate = ((<u32>load<u16>(cpu + <u32>source + 2 * i)) << 3) | i;
    if (candidate < best) best = candidate;
  }
  return <i64>((best >> 3) | ((best & 7) << 16));
}

/** Stores the bytes whose mask byte is negative. All are checked before the first is stored. */
export function maskmov(
  cpu: u32,
  segment: i64,
  offset: i64,
  offsetMask: i64,
  data: i64,
  mask: i64,
  bytes: i64,
): void {
  for (let check = 1; check >= 0; check--)
    for (let i: u32 = 0; i < <u32>bytes; i++) {
      if (!(load<u8>(cpu + <u32>mask + i) & 0x80)) continue;
      const linear = segmentLinear(cpu, <u32>segment, (offset + i) & offsetMask, 1, 1);
      if (faulted(cpu)) return;
      if (check) probeWrite(cpu, linear, 1);
      else store8(cpu, linear, <i64>load<u8>(cpu + <u32>data + i));
      if (faulted(cpu)) return;
    }
}
