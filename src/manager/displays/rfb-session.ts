/** One client of the screen: the RFB protocol 3.8 (RFC 6143; community specification for Tight and QEMU's extensions). */
import { createCipheriv, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Picture } from '../../devices/display/picture.js';
import { keyOfSet1 } from '../../devices/input/scan-codes.js';
import { keyOfSymbol } from './keysyms.js';
import type { Look } from './screen.js';
import { tight } from './tight.js';

const VERSION = 'RFB 003.008\n';
const SECURITY_NONE = 1;
const SECURITY_PASSWORD = 2;
const NAME = 'Vivarium';

const RAW = 0;
const TIGHT = 7;
const DESKTOP_SIZE = -223;
const EXTENDED_KEY = -258;

// Messages of the client
const SET_PIXEL_FORMAT = 0;
const SET_ENCODINGS = 2;
const UPDATE_REQUEST = 3;
const KEY = 4;
const POINTER = 5;
const CUT_TEXT = 6;
const QEMU = 255;

const MOST_TEXT = 2 ** 20;
const MOST_ENCODINGS = 1024;
/** Bytes that may wait to be sent before a client is left alone. */
const MOST_WAITING = 4 * 2 ** 20;
/** Rectangles of so many pixels a side are compared and sent. */
const TILE = 64;

export interface RfbHost {
  readonly password: string | null;
  look(): Look;
  key(code: string, down: boolean): void;
  /** In pixels of a screen of this size, as the client sees it. Buttons: 1 left, 2 middle, 4 right, 8 and 16 the wheel. */
  pointer(x: number, y: number, screen: { width: number; height: number }, buttons: number): void;
}

interface PixelFormat {
  bits: number;
  bigEndian: boolean;
  max: [number, number, number];
  shift: [number, number, number];
}

const OWN_FORMAT: PixelFormat = { bits: 32, bigEndian: false, max: [255, 255, 255], shift: [16, 8, 0] };

export class RfbSession {
  private input: Buffer = Buffer.alloc(0);
  private format = OWN_FORMAT;
  private encodings: number[] = [];
  /** What the client shows now. */
  private shown: Picture = { width: 0, height: 0, pixels: new Uint32Array() };
  /** The version of the screen that it shows. */
  private seen = 0;
  /** The client waits for a change; `whole`: for all of it. */
  private wants: { whole: boolean } | null = null;
  private state: 'version' | 'security' | 'password' | 'init' | 'normal' = 'version';
  /** The client speaks 3.x. */
  private minor = 8;
  private readonly challenge = randomBytes(16);

  constructor(
    private readonly socket: Duplex,
    private readonly host: RfbHost,
  ) {
    socket.on('data', (data: Buffer) => this.receive(data));
    socket.on('error', () => socket.destroy());
    socket.write(VERSION);
  }

  private receive(data: Buffer): void {
    this.input = this.input.length === 0 ? data : Buffer.concat([this.input, data]);
    for (let used = this.next(); used > 0; used = this.next()) this.input = this.input.subarray(used);
  }

  /** Takes one message; gives its bytes, 0 if not all of them are there. */
  private next(): number {
    const { input } = this;
    switch (this.state) {
      case 'version':
        if (input.length < 12) return 0;
        if (!input.toString('latin1', 0, 12).startsWith('RFB 003.')) return this.end();
        this.minor = Number(input.toString('latin1', 8, 11));
        this.offerSecurity();
        return 12;
      case 'security':
        if (input.length < 1) return 0;
        if (input[0] !== this.security) return this.end();
        this.beginSecurity();
        return 1;
      case 'password':
        if (input.length < 16) return 0;
        if (!this.passwordFits(input.subarray(0, 16))) {
          const why = Buffer.from('wrong password');
          const head = Buffer.alloc(8);
          head.writeUInt32BE(1, 0);
          head.writeUInt32BE(why.length, 4);
          this.socket.end(this.minor >= 8 ? Buffer.concat([head, why]) : head.subarray(0, 4));
          return 0;
        }
        this.socket.write(Buffer.alloc(4));
        this.state = 'init';
        return 16;
      case 'init':
        if (input.length < 1) return 0;
        this.sendInit();
        this.state = 'normal';
        return 1;
      case 'normal':
        return input.length === 0 ? 0 : this.message(input);
    }
  }

  private get security(): number {
    return this.host.password === null ? SECURITY_NONE : SECURITY_PASSWORD;
  }

  /** The oldest clients are told what holds, the others choose. */
  private offerSecurity(): void {
    if (this.minor >= 7) {
      this.state = 'security';
      this.socket.write(Uint8Array.of(1, this.security));
      return;
    }
    this.socket.write(Uint8Array.of(0, 0, 0, this.security));
    this.beginSecurity();
  }

  private beginSecurity(): void {
    if (this.security === SECURITY_NONE) {
      // Only 3.8 says that nothing went wrong.
      if (this.minor >= 8) this.socket.write(Buffer.alloc(4));
      this.state = 'init';
    } else {
      this.socket.write(this.challenge);
      this.state = 'password';
    }
  }

  private end(): number {
    this.socket.destroy();
    this.input = Buffer.alloc(0);
    return 0;
  }

  /** The challenge encrypted by DES with the password, each byte of which is mirrored. Three times the same key is DES once. */
  private passwordFits(answer: Buffer): boolean {
    const key = Buffer.alloc(8);
    key.write(this.host.password!.slice(0, 8), 'latin1');
    for (let n = 0; n < 8; n++) key[n] = mirrored(key[n]!);
    const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null).setAutoPadding(false);
    return timingSafeEqual(Buffer.concat([cipher.update(this.challenge), cipher.final()]), answer);
  }

  private sendInit(): void {
    const { width, height } = (this.shown = blank(this.host.look().picture));
    const name = Buffer.from(NAME);
    const head = Buffer.alloc(24);
    head.writeUInt16BE(width, 0);
    head.writeUInt16BE(height, 2);
    // 32 bits, depth 24, little endian, true colour.
    head.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
    head.writeUInt32BE(name.length, 20);
    this.socket.write(Buffer.concat([head, name]));
  }

  private message(input: Buffer): number {
    switch (input[0]) {
      case SET_PIXEL_FORMAT: {
        if (input.length < 20) return 0;
        const bits = input[4]!;
        if (![8, 16, 32].includes(bits) || input[7] === 0) return this.end();
        this.format = {
          bits,
          bigEndian: input[6] !== 0,
          max: [input.readUInt16BE(8), input.readUInt16BE(10), input.readUInt16BE(12)],
          shift: [input[14]! & 31, input[15]! & 31, input[16]! & 31],
        };
        return 20;
      }
      case SET_ENCODINGS: {
        if (input.length < 4) return 0;
        const count = input.readUInt16BE(2);
        if (count > MOST_ENCODINGS) return this.end();
        if (input.length < 4 + 4 * count) return 0;
        this.encodings = Array.from({ length: count }, (_, n) => input.readInt32BE(4 + 4 * n));
        if (this.encodings.includes(EXTENDED_KEY)) this.announceKeys();
        return 4 + 4 * count;
      }
      case UPDATE_REQUEST:
        if (input.length < 10) return 0;
        this.wants = { whole: input[1] === 0 || this.wants?.whole === true };
        this.update();
        return 10;
      case KEY: {
        if (input.length < 8) return 0;
        const key = keyOfSymbol(input.readUInt32BE(4));
        if (key !== null) this.host.key(key, input[1] !== 0);
        return 8;
      }
      case POINTER:
        if (input.length < 6) return 0;
        this.host.pointer(input.readUInt16BE(2), input.readUInt16BE(4), this.shown, input[1]!);
        return 6;
      case CUT_TEXT: {
        if (input.length < 8) return 0;
        const length = input.readUInt32BE(4);
        if (length > MOST_TEXT) return this.end();
        return input.length < 8 + length ? 0 : 8 + length;
      }
      case QEMU: {
        if (input.length < 2) return 0;
        if (input[1] !== 0) return this.end();
        if (input.length < 12) return 0;
        const key = keyOfSet1(input.readUInt32BE(8)) ?? keyOfSymbol(input.readUInt32BE(4));
        if (key) this.host.key(key, input.readUInt16BE(2) !== 0);
        return 12;
      }
      default:
        return this.end();
    }
  }

  /** An empty rectangle says that scan codes are understood. */
  private announceKeys(): void {
    this.socket.write(
      rectangles([rectangle(0, 0, this.shown.width, this.shown.height, EXTENDED_KEY, new Uint8Array())]),
    );
  }

  /** Sends what has changed, if the client waits for that. To be called as often as the screen shall be looked at. */
  update(): void {
    const { wants, socket } = this;
    if (!wants || this.state !== 'normal' || socket.writableLength > MOST_WAITING) return;
    const { picture: now, version, rows } = this.host.look();
    if (version === this.seen && !wants.whole) return;
    const resized = now.width !== this.shown.width || now.height !== this.shown.height;
    if (resized) {
      // A client that cannot follow shows what it can.
      if (this.encodings.includes(DESKTOP_SIZE)) {
        this.shown = blank(now);
        this.seen = 0;
        socket.write(rectangles([rectangle(0, 0, now.width, now.height, DESKTOP_SIZE, new Uint8Array())]));
        this.wants = { whole: true };
        return;
      }
    }
    const width = Math.min(now.width, this.shown.width);
    const height = Math.min(now.height, this.shown.height);
    const changed = (first: number, end: number): boolean =>
      rows.subarray(first, end).some((row) => row > this.seen);
    const parts: Uint8Array[] = [];
    for (let y = 0; y < height; y += TILE)
      for (let x = 0; x < width; x += TILE) {
        const w = Math.min(TILE, width - x);
        const h = Math.min(TILE, height - y);
        if (wants.whole || (changed(y, y + h) && this.differs(now, x, y, w, h)))
          parts.push(this.tile(now, x, y, w, h));
      }
    for (let row = 0; row < height; row++) if (rows[row]! > this.seen) this.remember(now, row, width);
    this.seen = version;
    if (parts.length === 0) return;
    this.wants = null;
    socket.write(rectangles(parts));
  }

  private differs(now: Picture, x: number, y: number, w: number, h: number): boolean {
    const { shown } = this;
    for (let row = y; row < y + h; row++) {
      const a = row * now.width + x;
      const b = row * shown.width + x;
      for (let n = 0; n < w; n++) if (now.pixels[a + n] !== shown.pixels[b + n]) return true;
    }
    return false;
  }

  private remember(now: Picture, row: number, width: number): void {
    const { shown } = this;
    shown.pixels.set(now.pixels.subarray(row * now.width, row * now.width + width), row * shown.width);
  }

  private tile(now: Picture, x: number, y: number, w: number, h: number): Uint8Array {
    const pixels = new Uint32Array(w * h);
    for (let row = 0; row < h; row++)
      pixels.set(now.pixels.subarray((y + row) * now.width + x, (y + row) * now.width + x + w), row * w);
    const canTight =
      this.encodings.includes(TIGHT) &&
      this.format.bits === 32 &&
      this.format.max.every((max) => max === 255);
    if (canTight) return rectangle(x, y, w, h, TIGHT, tight(pixels, w));
    return rectangle(x, y, w, h, RAW, raw(pixels, this.format));
  }
}

function blank({ width, height }: Picture): Picture {
  return { width, height, pixels: new Uint32Array(width * height) };
}

function mirrored(byte: number): number {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) result |= 0x80 >> bit;
  return result;
}

function rectangle(
  x: number,
  y: number,
  w: number,
  h: number,
  encoding: number,
  content: Uint8Array,
): Uint8Array {
  const head = Buffer.alloc(12);
  [x, y, w, h].forEach((value, n) => head.writeUInt16BE(value, 2 * n));
  head.writeInt32BE(encoding, 8);
  return Buffer.concat([head, content]);
}

function rectangles(parts: Uint8Array[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(parts.length, 2);
  return Buffer.concat([head, ...parts]);
}

function raw(pixels: Uint32Array, { bits, bigEndian, max, shift }: PixelFormat): Uint8Array {
  const step = bits / 8;
  const bytes = Buffer.alloc(pixels.length * step);
  pixels.forEach((pixel, n) => {
    let value = 0;
    for (let part = 0; part < 3; part++) {
      const level = (pixel >> (8 * part)) & 0xff;
      value |= Math.round((level * max[part]!) / 255) << shift[part]!;
    }
    const at = n * step;
    if (step === 1) bytes[at] = value;
    else if (bigEndian) bytes.writeUIntBE(value >>> 0, at, step);
    else bytes.writeUIntLE(value >>> 0, at, step);
  });
  return bytes;
}
