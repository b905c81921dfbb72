/** The order of accesses to guest memory where the host does not keep that of x86 (G_ORDERED; in generated code: EffectRecorder). */
import { G_ORDERED } from '../layout';
import { fullFence } from './host';

/** No access behind this goes before one that comes earlier: behind loads, before stores, behind locked accesses. */
// @ts-ignore: decorator
@inline
export function fence(): void {
  if (load<u32>(G_ORDERED) != 0) fullFence();
}

/** Guest memory at an address in this memory; no later access goes before it. Aligned, that costs nothing on x86. */
// @ts-ignore: decorator
@inline
export function loadGuest<T>(host: u32): T {
  if ((host & (sizeof<T>() - 1)) == 0) return atomic.load<T>(host);
  const value = load<T>(host);
  fence();
  return value;
}

/** No earlier access goes behind it. */
// @ts-ignore: decorator
@inline
export function storeGuest<T>(host: u32, value: T): void {
  if (load<u32>(G_ORDERED) == 0) store<T>(host, value);
  else if ((host & (sizeof<T>() - 1)) == 0) atomic.store<T>(host, value);
  else {
    fullFence();
    store<T>(host, value);
  }
}
