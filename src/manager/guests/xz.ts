import { Lzma2Decoder } from './lzma2.js';

/** The .xz file format 1.0.4. Filters other than LZMA2 are not supported: Debian's packages use none. */
const STREAM_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const STREAM_HEADER_BYTES = 12;
const LZMA2_FILTER = 0x21;
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const HAS_COMPRESSED_SIZE = 0x40;
const HAS_UNCOMPRESSED_SIZE = 0x80;
const FILTER_COUNT = 0x03;
const MAX_DICTIONARY = 256 * 1024 * 1024;

/**
 * Unpacks the first stream of an .xz file piece by piece; a piece is valid until the next is asked for. The checks
 * inside the file are not looked at: callers check a SHA-256 of the whole. Throws an Error for a broken file.
 */
export function* unxz(input: Uint8Array): Generator<Uint8Array> {
  if (!STREAM_MAGIC.every((byte, i) => input[i] === byte)) throw new Error('not an xz file');
  const checkBytes = CHECK_BYTES[input[7]! & 0xf]!;
  let at = STREAM_HEADER_BYTES;
  // The index, whose first byte is zero, follows the last block.
  while (input[at] !== 0) {
    if (at >= input.length) throw new Error('xz file is cut short');
    const { headerBytes, dictionaryBytes } = readBlockHeader(input, at);
    at += headerBytes;
    const decoder = new Lzma2Decoder(input, at, dictionaryBytes);
    for (let piece = decoder.next(); piece; piece = decoder.next()) yield piece;
    at += Math.ceil((decoder.position - at) / 4) * 4 + checkBytes;
  }
}

function readBlockHeader(input: Uint8Array, start: number): { headerBytes: number; dictionaryBytes: number } {
  const headerBytes = (input[start]! + 1) * 4;
  const flags = input[start + 1]!;
  let at = start + 2;
  const skipNumber = (): void => {
    while (input[at++]! & 0x80);
  };
  if (flags & HAS_COMPRESSED_SIZE) skipNumber();
  if (flags & HAS_UNCOMPRESSED_SIZE) skipNumber();
  if ((flags & FILTER_COUNT) !== 0 || input[at] !== LZMA2_FILTER)
    throw new Error('xz filter is not LZMA2 alone');
  const code = input[at + 2]!;
  const dictionaryBytes = code === 40 ? 0xffffffff : (2 | (code & 1)) * 2 ** ((code >> 1) + 11);
  if (dictionaryBytes > MAX_DICTIONARY)
    throw new Error(`xz dictionary of ${dictionaryBytes} bytes is too large`);
  return { headerBytes, dictionaryBytes };
}
