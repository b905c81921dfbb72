/** The log of a VHDX image: changes of its bookkeeping that were under way when it was left ([MS-VHDX] 2.3). */
import { crc32c } from './crc32c.js';
import { u64le, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
const PAGE = 4096;
const DESCRIPTOR_BYTES = 32;
const ENTRY_HEADER = 64;
const DATA = 4084;
/** Does what the log says, on `target`; nothing where it has no whole sequence of entries. */
export function replayLog(storage, log, target) {
  const bytes = new Uint8Array(log.length);
  storage.read(log.at, bytes);
  const entries = [];
  for (let at = 0; at < log.length; at += PAGE) {
    const entry = readEntry(bytes, at, log.guid);
    if (entry) entries.push(entry);
  }
  const active = longestSequence(entries, log.length);
  for (const entry of active) apply(entry, target);
  return active.length > 0;
}
function readEntry(log, at, guid) {
  const view = viewOf(log);
  if (String.fromCharCode(...log.subarray(at, at + 4)) !== 'loge') return null;
  const length = view.getUint32(at + 8, true);
  if (length === 0 || length % PAGE !== 0 || length > log.length) return null;
  if (guid.some((byte, n) => byte !== log[at + 32 + n])) return null;
  // Entries go around the end of the log.
  const bytes = new Uint8Array(length);
  const first = Math.min(length, log.length - at);
  bytes.set(log.subarray(at, at + first));
  bytes.set(log.subarray(0, length - first), first);
  if (crc32c(bytes, 4) !== view.getUint32(at + 4, true)) return null;
  return { sequence: u64le(view, at + 16), tail: view.getUint32(at + 12, true), at, length, bytes };
}
/** Entries that follow each other in place and number, the last of which says where the first is. */
function longestSequence(entries, logBytes) {
  let best = [];
  for (const start of entries) {
    const sequence = [start];
    for (;;) {
      const last = sequence.at(-1);
      const next = entries.find(
        ({ at, sequence: number }) =>
          at === (last.at + last.length) % logBytes && number === last.sequence + 1,
      );
      if (!next || sequence.includes(next)) break;
      sequence.push(next);
    }
    const whole = sequence.at(-1).tail === start.at;
    if (whole && (best.length === 0 || sequence.at(-1).sequence > best.at(-1).sequence)) best = sequence;
  }
  return best;
}
function apply({ bytes, sequence }, target) {
  const view = viewOf(bytes);
  const count = view.getUint32(24, true);
  const firstData = Math.ceil((ENTRY_HEADER + count * DESCRIPTOR_BYTES) / PAGE) * PAGE;
  let data = firstData;
  for (let n = 0; n < count; n++) {
    const at = ENTRY_HEADER + n * DESCRIPTOR_BYTES;
    const signature = String.fromCharCode(...bytes.subarray(at, at + 4));
    if (signature === 'zero') {
      const length = u64le(view, at + 8);
      if (length > 2 ** 32) throw new ImageError('its log would fill more with zeros than can be');
      target.write(u64le(view, at + 16), new Uint8Array(length));
    } else if (signature === 'desc') {
      if (data + PAGE > bytes.length || String.fromCharCode(...bytes.subarray(data, data + 4)) !== 'data')
        throw new ImageError('an entry of its log lacks data');
      const page = new Uint8Array(PAGE);
      page.set(bytes.subarray(at + 8, at + 16));
      page.set(bytes.subarray(data + 8, data + 8 + DATA), 8);
      page.set(bytes.subarray(at + 4, at + 8), PAGE - 4);
      target.write(u64le(view, at + 16), page);
      data += PAGE;
    } else throw new ImageError(`an entry ${sequence} of its log has a part that is not known`);
  }
}
