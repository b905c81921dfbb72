import {
  G_A20, G_HIGH_BYTES, G_LOW_BYTES, G_PAGES, G_RAM, G_WINDOWS, PAGE_BYTES, PAGE_CODE, PAGE_MMIO, PAGE_ROM, WINDOW_BYTES, WINDOWS,
} from '../layout';
import { codeWritten, mmioRead, mmioRead64, mmioWrite, mmioWrite64 } from './host';
import { fence, loadGuest, storeGuest } from './order';
import { forgetTime } from './tsc';

const FOUR_GIB: i64 = 0x100000000;

/** What the address pins show of a physical address: A20 may be masked. */
// @ts-ignore: decorator
@inline
function pins(physical: i64): i64 {
  return physical & <i64>(<u64>0xffffffffffefffff | load<u32>(G_A20));
}

/** Address in this memory of a guest physical address in RAM or a window (whatever its page attributes), or 0. */
export function ramAddress(physical: i64): u32 {
  const at = pins(physical);
  const low = <i64>load<u32>(G_LOW_BYTES);
  if (<u64>at < <u64>low) return load<u32>(G_RAM) + <u32>at;
  const high = at - FOUR_GIB;
  if (<u64>high < <u64>load<u32>(G_HIGH_BYTES)) return load<u32>(G_RAM) + <u32>low + <u32>high;
  for (let window: u32 = G_WINDOWS; window < <u32>(G_WINDOWS + WINDOWS * WINDOW_BYTES); window += WINDOW_BYTES) {
    const offset = at - load<i64>(window);
    if (<u64>offset < <u64>load<u32>(window + 8)) return load<u32>(window + 12) + <u32>offset;
  }
  return 0;
}

/** Address of the attributes of the RAM page at `host`. */
// @ts-ignore: decorator
@inline
export function attributesOf(host: u32): u32 {
  return load<u32>(G_PAGES) + ((host - load<u32>(G_RAM)) >> 12) * PAGE_BYTES;
}

/** As ramAddress, but 0 for pages that are devices' (the VGA window). */
export function plainAddress(physical: i64): u32 {
  const host = ramAddress(physical);
  if (host != 0 && (load<u32>(attributesOf(host)) & PAGE_MMIO) != 0) return 0;
  return host;
}

/** Reads 1, 2, 4 or 8 bytes of a device. */
export function readDevice(cpu: u32, physical: i64, bytes: u32): i64 {
  forgetTime(cpu);
  const at = <f64>pins(physical);
  if (bytes == 8) return mmioRead64(cpu, at);
  const value = <i64>mmioRead(cpu, at, bytes);
  return value & ((<i64>1 << <i64>(8 * bytes)) - 1);
}

export function writeDevice(cpu: u32, physical: i64, bytes: u32, value: i64): void {
  forgetTime(cpu);
  const at = <f64>pins(physical);
  if (bytes == 8) mmioWrite64(cpu, at, value);
  else mmioWrite(cpu, at, bytes, <u32>(value & ((<i64>1 << <i64>(8 * bytes)) - 1)));
}

/** Reads 1, 2, 4 or 8 bytes of RAM, zero-extended. */
// @ts-ignore: decorator
@inline
export function readRam(host: u32, bytes: u32): i64 {
  if (bytes == 1) return <i64>loadGuest<u8>(host);
  if (bytes == 2) return <i64>loadGuest<u16>(host);
  if (bytes == 4) return <i64>loadGuest<u32>(host);
  return loadGuest<i64>(host);
}

/** Writes RAM; ROM keeps what it has; decoded code there is dropped. The bytes lie in one page. */
export function writeRam(host: u32, bytes: u32, value: i64): void {
  const attributes = attributesOf(host);
  if ((load<u32>(attributes) & PAGE_ROM) != 0) return;
  if (bytes == 1) storeGuest<u8>(host, <u8>value);
  else if (bytes == 2) storeGuest<u16>(host, <u16>value);
  else if (bytes == 4) storeGuest<u32>(host, <u32>value);
  else storeGuest<i64>(host, value);
  // Another thread may just have found code there: a locked read, so that it comes behind the store.
  if ((atomic.or<u32>(attributes, 0) & PAGE_CODE) != 0) noticeCodeWrite(host, bytes);
}

/** One byte of physical memory or of a device. */
export function readPhysical8(cpu: u32, physical: i64): u32 {
  const host = plainAddress(physical);
  return host != 0 ? load<u8>(host) : <u32>readDevice(cpu, physical, 1);
}

/** Stores beside the code of a page after which the code is forgotten; doubled each time, up to the most. */
const FEWEST_STORES: u32 = 64;
const MOST_STORES: u32 = 1 << 20;

/**
 * Bytes of one page that holds code were written: the code cache is told if decoded code is among them. If there are many such
 * stores beside the code, that is forgotten: mostly the page is used for something else by now, and stores are slow as long as it counts as code.
 */
export function noticeCodeWrite(host: u32, bytes: u32): void {
  const attributes = attributesOf(host);
  // Whoever decodes these bytes now marks them and looks at them once more: the marks are read behind the store.
  atomic.or<u32>(attributes, 0);
  fence();
  const chunks = load<u32>(attributes + 4);
  const first = (host & 0xfff) >> 7;
  const last = ((host + bytes - 1) & 0xfff) >> 7;
  if ((chunks & ((0xffffffff >> (31 - last)) & (0xffffffff << first))) != 0) {
    codeWritten(host, bytes);
    return;
  }
  const stores = load<u32>(attributes + 8) + 1;
  const most = max(load<u32>(attributes + 12), FEWEST_STORES);
  if (stores < most) {
    store<u32>(attributes + 8, stores);
    return;
  }
  store<u32>(attributes + 8, 0);
  store<u32>(attributes + 12, min(2 * most, MOST_STORES));
  codeWritten(host & ~0xfff, 0x1000);
}
