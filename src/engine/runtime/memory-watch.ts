import { PENDING_TRAP, S_DR, S_PENDING, S_WATCH, S_WATCH_HIT } from '../layout';

/** DR7 (SDM vol. 3, 17.2.4): R/W field values, where 0 is execution. */
const ON_WRITE: u32 = 1;
const ON_READ_OR_WRITE: u32 = 3;

/** Notes the data breakpoints that an access touches (SDM vol. 3, 17.2.5): they trap when the instruction is done. */
export function watch(cpu: u32, linear: i64, bytes: u32, write: bool): void {
  if (load<u32>(cpu + S_WATCH) == 0) return;
  const dr7 = <u32>load<i64>(cpu + S_DR + 56);
  let hits: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (((dr7 >> (2 * i)) & 3) == 0) continue;
    const kind = (dr7 >> (16 + 4 * i)) & 3;
    if (kind != ON_READ_OR_WRITE && !(kind == ON_WRITE && write)) continue;
    const code = (dr7 >> (18 + 4 * i)) & 3;
    const length: i64 = code == 2 ? 8 : <i64>code + 1;
    const start = load<i64>(cpu + S_DR + 8 * i) & ~(length - 1);
    if (linear < start + length && start < linear + <i64>bytes) hits |= 1 << i;
  }
  if (hits == 0) return;
  store<u32>(cpu + S_WATCH_HIT, load<u32>(cpu + S_WATCH_HIT) | hits);
  atomic.or<u32>(cpu + S_PENDING, PENDING_TRAP);
}
