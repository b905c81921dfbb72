import { R_LEFT } from '../interpreter/record';
import { S_BUDGET, S_RECORD, S_RETIRED_END } from '../layout';

/** Instructions retired, when the block being run is done or its rest has been given back. */
// @ts-ignore: decorator
@inline
export function retired(cpu: u32): i64 {
  return load<i64>(cpu + S_RETIRED_END) - load<i64>(cpu + S_BUDGET);
}

/** Instructions retired before the one in S_RECORD. */
export function retiredBefore(cpu: u32): i64 {
  const record = load<u32>(cpu + S_RECORD);
  return retired(cpu) - (record == 0 ? 0 : <i64>load<u8>(record + R_LEFT));
}
