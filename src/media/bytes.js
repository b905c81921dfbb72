/** Numbers of 64 bits as formats have them, where they are sizes and places and so less than 2^53. */
export function u64be(view, at) {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}
export function setU64be(view, at, value) {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}
export function u64le(view, at) {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}
export function setU64le(view, at, value) {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
export function alignUp(value, to) {
  return Math.ceil(value / to) * to;
}
/** Text without what follows a NUL. */
export function text(bytes) {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.slice(0, end < 0 ? bytes.length : end));
}
