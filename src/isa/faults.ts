import type { FaultName } from './ops.js';

/** Vector of each fault (SDM vol. 3, 6.3.1). */
export const VECTORS: Record<FaultName, number> = {
  '#DE': 0, '#DB': 1, '#BP': 3, '#OF': 4, '#BR': 5, '#UD': 6, '#NM': 7, '#TS': 10, '#NP': 11, '#SS': 12, '#GP': 13,
  '#PF': 14, '#MF': 16, '#AC': 17, '#XM': 19,
}; // prettier-ignore

export const WITH_ERROR_CODE: ReadonlySet<FaultName> = new Set(['#TS', '#NP', '#SS', '#GP', '#PF', '#AC']);
