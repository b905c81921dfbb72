/** VirtualBox's format (VirtualBox, "VDI image core structures"): a map of blocks of usually 1 MiB. */
import { alignUp, setU64le, u64le, viewOf } from './bytes.js';
import { ImageError } from './disk-image.js';
import { SparseImage } from './sparse-image.js';
export const VDI_SIGNATURE = 0xbeda107f;
export const VDI_SIGNATURE_AT = 0x40;
const HEADER_BYTES = 0x200;
const TITLE = '<<< Oracle VM VirtualBox Disk Image >>>\n';
const VERSION = 0x00010001;
const TYPE = 0x4c;
const MAP_AT = 0x154;
const DATA_AT = 0x158;
const BYTES = 0x170;
const BLOCK_BYTES = 0x178;
const BLOCK_EXTRA = 0x17c;
const BLOCKS = 0x180;
const ALLOCATED = 0x184;
const UUID = 0x188;
const PARENT_UUID = 0x1a8;
const DYNAMIC = 1;
const FIXED = 2;
const DIFFERENCE = 4;
const NONE = 0xffffffff;
const ZERO = 0xfffffffe;
const MOST_MAP = 256 * 2 ** 20;
export function readVdiHeader(storage) {
  const header = new Uint8Array(HEADER_BYTES);
  storage.read(0, header);
  const view = viewOf(header);
  if (view.getUint32(VDI_SIGNATURE_AT, true) !== VDI_SIGNATURE)
    throw new ImageError('it does not begin as a VDI image');
  const version = view.getUint32(0x44, true);
  if (version >>> 16 !== 1)
    throw new ImageError(`it is a VDI image of version ${version >>> 16}.${version & 0xffff}; 1.1 is known`);
  const uuid = (at) => hex(header.subarray(at, at + 16));
  return { type: view.getUint32(TYPE, true), uuid: uuid(UUID), parent: uuid(PARENT_UUID), view };
}
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
export class VdiImage extends SparseImage {
  format = 'vdi';
  bytes;
  clusterBytes;
  map;
  mapAt;
  dataAt;
  stride;
  allocated;
  /** Entries of the map that the file does not have yet. */
  dirty = new Set();
  constructor(storage, below) {
    super(storage, below);
    const { view, type } = readVdiHeader(storage);
    if (![DYNAMIC, FIXED, DIFFERENCE].includes(type))
      throw new ImageError(`it is a VDI image of type ${type}, which is not known`);
    this.bytes = u64le(view, BYTES);
    this.clusterBytes = view.getUint32(BLOCK_BYTES, true);
    const extra = view.getUint32(BLOCK_EXTRA, true);
    const blocks = view.getUint32(BLOCKS, true);
    this.mapAt = view.getUint32(MAP_AT, true);
    this.dataAt = view.getUint32(DATA_AT, true);
    this.allocated = view.getUint32(ALLOCATED, true);
    this.stride = this.clusterBytes + extra;
    if (this.clusterBytes < 512 || this.clusterBytes % 512 !== 0 || this.clusterBytes > 2 ** 28)
      throw new ImageError(`its blocks have ${this.clusterBytes} bytes, which cannot be`);
    if (blocks * this.clusterBytes < this.bytes || blocks * 4 > MOST_MAP)
      throw new ImageError(`it has a map of ${blocks} blocks, which is not what ${this.bytes} bytes need`);
    if (this.mapAt + blocks * 4 > storage.size)
      throw new ImageError('its map lies behind the end of the file');
    if (this.mapAt < HEADER_BYTES || this.dataAt < this.mapAt + blocks * 4)
      throw new ImageError('its map and its data overlap');
    const map = new Uint8Array(blocks * 4);
    storage.read(this.mapAt, map);
    this.map = Uint32Array.from({ length: blocks }, (_, n) => viewOf(map).getUint32(n * 4, true));
  }
  place(cluster) {
    const block = this.map[cluster];
    if (block === NONE) return { kind: 'none' };
    if (block === ZERO) return { kind: 'zero' };
    return { kind: 'data', at: this.dataAt + block * this.stride + (this.stride - this.clusterBytes) };
  }
  allocate() {
    const at = this.dataAt + this.allocated++ * this.stride + (this.stride - this.clusterBytes);
    if (this.storage.size < at + this.clusterBytes) this.storage.resize(at + this.clusterBytes);
    return at;
  }
  link(cluster, at) {
    this.map[cluster] = (at - this.dataAt - (this.stride - this.clusterBytes)) / this.stride;
    this.dirty.add(cluster);
  }
  /** Room is not given back: blocks are counted, and have no gaps. */
  unlink(cluster, old) {
    if (old.kind !== 'none') return false;
    this.map[cluster] = ZERO;
    this.dirty.add(cluster);
    return true;
  }
  writeBack() {
    if (this.dirty.size === 0) return;
    this.storage.flush();
    const header = new Uint8Array(4);
    viewOf(header).setUint32(0, this.allocated, true);
    // First that the blocks are taken, then whose they are.
    this.storage.write(ALLOCATED, header);
    for (const cluster of this.dirty) {
      const entry = new Uint8Array(4);
      viewOf(entry).setUint32(0, this.map[cluster], true);
      this.storage.write(this.mapAt + cluster * 4, entry);
    }
    this.dirty.clear();
  }
}
const BLOCK = 2 ** 20;
export function createVdi(storage, { bytes, fixed, uuid, parent }) {
  const blocks = Math.ceil(bytes / BLOCK);
  const mapAt = BLOCK;
  const dataAt = alignUp(mapAt + blocks * 4, BLOCK);
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOf(header);
  header.set(new TextEncoder().encode(TITLE));
  const u32 = (at, value) => view.setUint32(at, value, true);
  u32(VDI_SIGNATURE_AT, VDI_SIGNATURE);
  u32(0x44, VERSION);
  u32(0x48, 0x190);
  u32(TYPE, parent ? DIFFERENCE : fixed ? FIXED : DYNAMIC);
  u32(MAP_AT, mapAt);
  u32(DATA_AT, dataAt);
  u32(0x168, 512);
  setU64le(view, BYTES, bytes);
  u32(BLOCK_BYTES, BLOCK);
  u32(BLOCKS, blocks);
  u32(ALLOCATED, fixed ? blocks : 0);
  header.set(uuid, UUID);
  if (parent) header.set(parent, PARENT_UUID);
  storage.write(0, header);
  const map = new Uint8Array(blocks * 4).fill(0xff);
  if (fixed) for (let n = 0; n < blocks; n++) viewOf(map).setUint32(n * 4, n, true);
  storage.write(mapAt, map);
  storage.resize(dataAt + (fixed ? blocks * BLOCK : 0));
}
