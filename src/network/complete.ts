/** What a sender left to do on a frame, done for receivers that cannot: checksums, and cutting into pieces. */
import { Frame, type OffloadAbilities, type Offload } from '../machine/frame.js';
import { finish, fold, pseudoHeader, sum, sumParts } from '../machine/checksum.js';
import { put16, put32, u16, u32 } from './ethernet.js';
import { ipLayout, MORE_FRAGMENTS, PROTOCOL_TCP, PROTOCOL_UDP, type IpLayout } from './ip.js';

/** In which the headers of a TCP segment lie: Ethernet's with a tag, IPv6 with extensions, TCP's with options. */
const MOST_HEADERS = 256;
const TCP_FLAGS = 13;
const FIN_PSH = 0x09;
const CWR = 0x80;
const TCP_CHECKSUM = 16;
const FRAGMENT_UNIT = 8;

/** The frames that `frame` is for a receiver of these abilities; none if what its sender says of it makes no sense. */
export function forReceiver(frame: Frame, abilities: OffloadAbilities): readonly Frame[] {
  const { offload } = frame;
  if (!offload) return [frame];
  const { segmentation } = offload;
  if (segmentation === 'none') return abilities.checksum ? [frame] : summed(frame, offload);
  if (abilities.checksum && abilities[segmentation]) return [frame];
  return segments(frame, offload);
}

function summed(frame: Frame, { checksumStart, checksumOffset }: Offload): readonly Frame[] {
  const { bytes } = frame.copy();
  const field = checksumStart + checksumOffset;
  if (field + 2 > bytes.length) return [];
  const value = finish(sum(bytes, checksumStart));
  // Of UDP, 0 means that there is none; for the others both zeros are the same.
  put16(bytes, field, value === 0 ? 0xffff : value);
  return [new Frame([bytes], null, true)];
}

/** The frame in pieces, each complete. */
function segments(frame: Frame, offload: Offload): readonly Frame[] {
  const head = frame.head(MOST_HEADERS);
  const layout = ipLayout(head, frame.length);
  if (!layout || layout.fragment || offload.segmentBytes === 0) return [];
  if (offload.segmentation === 'udp')
    return layout.protocol === PROTOCOL_UDP ? fragments(frame, layout, offload) : [];
  const tcp = layout.payload;
  if (layout.protocol !== PROTOCOL_TCP || layout.end < tcp + 20 || head.length < tcp + 20) return [];
  const headerEnd = tcp + (head[tcp + 12]! >> 4) * 4;
  if (headerEnd < tcp + 20 || headerEnd > Math.min(layout.end, head.length)) return [];
  const pieces: Frame[] = [];
  const count = Math.max(1, Math.ceil((layout.end - headerEnd) / offload.segmentBytes));
  for (let n = 0; n < count; n++) {
    const from = headerEnd + n * offload.segmentBytes;
    const to = Math.min(layout.end, from + offload.segmentBytes);
    const header = head.slice(0, headerEnd);
    const payload = frame.range(from, to);
    setLength(header, headerEnd + to - from, layout, n);
    put32(header, tcp + 4, (u32(head, tcp + 4) + n * offload.segmentBytes) >>> 0);
    if (n < count - 1) header[tcp + TCP_FLAGS]! &= ~FIN_PSH;
    if (n > 0) header[tcp + TCP_FLAGS]! &= ~CWR;
    transportChecksum([header, ...payload], headerEnd + to - from, layout, tcp + TCP_CHECKSUM);
    pieces.push(new Frame([header, ...payload], null, true));
  }
  return pieces;
}

/** Sets the lengths of the IP header of a piece of `length` bytes, IPv4's checksum, and its number. */
function setLength(
  header: Uint8Array,
  length: number,
  { version, start, payload }: IpLayout,
  n: number,
): void {
  if (version === 6) {
    put16(header, start + 4, length - start - 40);
    return;
  }
  put16(header, start + 2, length - start);
  put16(header, start + 4, (u16(header, start + 4) + n) & 0xffff);
  put16(header, start + 10, 0);
  put16(header, start + 10, finish(sum(header, start, payload)));
}

/** Makes the checksum of a piece, whose headers are in the first of its parts. */
function transportChecksum(
  parts: readonly Uint8Array[],
  length: number,
  layout: IpLayout,
  field: number,
): void {
  const { version, start, payload, protocol } = layout;
  const [header, ...rest] = parts;
  // Both addresses lie behind each other.
  const [from, to] = version === 4 ? [start + 12, start + 20] : [start + 8, start + 40];
  put16(header!, field, 0);
  const pseudo = sum(header!, from, to, protocol + (length - payload));
  const value = finish(sumParts([header!.subarray(payload), ...rest], pseudo));
  put16(header!, field, value === 0 ? 0xffff : value);
}

/** A UDP datagram as IPv4 fragments, its checksum made before. */
function fragments(frame: Frame, layout: IpLayout, { segmentBytes }: Offload): readonly Frame[] {
  if (layout.version !== 4 || segmentBytes < FRAGMENT_UNIT || layout.end < layout.payload + 8) return [];
  const whole = frame.copy().bytes.subarray(0, layout.end);
  transportChecksum([whole], whole.length, layout, layout.payload + 6);
  const unit = segmentBytes - (segmentBytes % FRAGMENT_UNIT);
  const pieces: Frame[] = [];
  for (let from = layout.payload; from < layout.end; from += unit) {
    const to = Math.min(layout.end, from + unit);
    const piece = new Uint8Array(layout.payload + to - from);
    piece.set(whole.subarray(0, layout.payload));
    piece.set(whole.subarray(from, to), layout.payload);
    put16(
      piece,
      layout.start + 6,
      (to < layout.end ? MORE_FRAGMENTS : 0) | ((from - layout.payload) / FRAGMENT_UNIT),
    );
    setLength(piece, piece.length, layout, 0);
    pieces.push(new Frame([piece], null, true));
  }
  return pieces;
}

/** The sum that a sender leaves in the checksum field for who finishes it. */
export function partialChecksum(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  return fold(pseudoHeader(source, destination, protocol, length));
}
