/** POSIX ustar and GNU tar (tar(5)): reads the regular files that are wanted from a stream. */
const BLOCK = 512;
const REGULAR = '0';
const REGULAR_OLD = '\0';
const GNU_LONG_NAME = 'L';
const PAX_HEADER = 'x';
const LARGEST_NAME = 0x10000;

interface Entry {
  path: string;
  type: string;
  size: number;
  /** Content where it is kept, else null. */
  content: Uint8Array | null;
  /** Bytes of content seen, and of content and padding still to come. */
  seen: number;
  rest: number;
}

export class TarReader {
  private header = new Uint8Array(BLOCK);
  private headerFilled = 0;
  private entry: Entry | null = null;
  private longName: string | null = null;

  constructor(private readonly wanted: (path: string) => boolean) {}

  /** Takes the next piece of the stream; gives each wanted file once all of it has been seen. */
  *push(piece: Uint8Array): Generator<{ path: string; bytes: Uint8Array }> {
    for (let at = 0; at < piece.length;) {
      if (!this.entry) {
        const count = Math.min(BLOCK - this.headerFilled, piece.length - at);
        this.header.set(piece.subarray(at, at + count), this.headerFilled);
        this.headerFilled += count;
        at += count;
        if (this.headerFilled < BLOCK) break;
        this.headerFilled = 0;
        this.entry = this.readHeader();
      } else {
        const count = Math.min(this.entry.rest, piece.length - at);
        this.keep(this.entry, piece.subarray(at, at + count));
        at += count;
      }
      if (this.entry?.rest === 0) {
        const { path, type, content } = this.entry;
        this.entry = null;
        if (type === GNU_LONG_NAME) this.longName = text(content!, 0, content!.length);
        else if (type === PAX_HEADER) this.longName = paxPath(content!) ?? this.longName;
        else if (content) yield { path, bytes: content };
      }
    }
  }

  private readHeader(): Entry | null {
    const { header } = this;
    if (header.every((byte) => byte === 0)) return null;
    const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
    const short = text(header, 0, 100);
    const type = String.fromCharCode(header[156]!);
    const size = parseInt(text(header, 124, 12).trim() || '0', 8);
    if (!Number.isSafeInteger(size)) throw new Error('tar header is broken');
    const isName = type === GNU_LONG_NAME || type === PAX_HEADER;
    if (isName && size > LARGEST_NAME) throw new Error('tar header is broken: a name is too long');
    const path = (this.longName ?? (prefix ? `${prefix}/${short}` : short)).replace(/^\.\//, '');
    if (!isName) this.longName = null;
    const isFile = type === REGULAR || type === REGULAR_OLD;
    const content = isName || (isFile && this.wanted(path)) ? new Uint8Array(size) : null;
    return { path, type, size, content, seen: 0, rest: Math.ceil(size / BLOCK) * BLOCK };
  }

  private keep(entry: Entry, piece: Uint8Array): void {
    if (entry.content && entry.seen < entry.size) {
      entry.content.set(piece.subarray(0, entry.size - entry.seen), entry.seen);
    }
    entry.seen += piece.length;
    entry.rest -= piece.length;
  }
}

function text(bytes: Uint8Array, start: number, length: number): string {
  const end = bytes.subarray(start, start + length).indexOf(0);
  return Buffer.from(bytes.subarray(start, end < 0 ? start + length : start + end)).toString('utf8');
}

/** The path of a pax extended header: records of "LENGTH KEY=VALUE\n". */
function paxPath(content: Uint8Array): string | null {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(Buffer.from(content).toString('utf8'))?.[1] ?? null;
}
