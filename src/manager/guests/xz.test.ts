import { test } from 'node:test';
import assert from 'node:assert/strict';
import { unxz } from './xz.js';

/** `xz -9e --block-size=40000` of text(): two blocks, matches near and far, literals after matches. */
const TEXT_XZ = [
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Jw/BEBdADYaSh8IoCYETa+5/ogtCpIny8FnrSjkpohP08TaX6jGXAfhokd2FJu2gjR5',
  'G8+GRrGTDUs71iRydntBn6A6bnVxiHpbJU3EdZ1Zv3F/MkbWQlcq7jaiwctDZzxIYT7WDC4oALRy7WxEUqxlAZf9fyqcn1GAqkHg',
  'nHdrwZCCn1TvItuBPuHnngIJxKUAbGzRSxi9fxngFcCpYD1/8eDRZWDPvfREKx+pDsAFKuU5xAHRA7afjnhDj1Rl0sKYZgLsV2Gd',
  'lncrKO8qFBZ7/geqzw8q9FPlblYR69uPSGmqyBhDl0/tpRhCXGT+GDhOMgwDOScZzQIe6+53vm0ZKZefYvOdjiWRMzxZKbtNBdJO',
  '6Q2IkG0XKEZgzTlcquUVrCCc7H4J6RXWwekSEHqtFKkHHnEAplJcmPA91Ugi6z7mA/LIQ8TRAhbE5TkErLHJqDZTGSYjln5nVmhU',
  '5IjzeyrG++CDdKKBF+Cznh2KA6DjiTQZxOUXnZKiYwaxmttdQu5Cfji/pZ+AL7313Z4QHnSXwkaKtY3vsJoXmHhFpMCJxRiAaQYB',
  '/AeQOGOISkdQLrFU67hCnPztSaBWiCIcPYpi3g1GocQvOtofj/qptk2S1XpVAIDOv89hDRVpAgnLhj8zBcvxx3AYGof1gA8FGQH9',
  'TXoLay6T7y9ZQbRE6sxoIaU6vgpaREM9xtImtruCm+IUmSaI38bvf64PDBbv2At2cUpNhjfhN5Mf6SC8yzdptqXgMDnrRGAo2A14',
  'Qd3YN5SnVp29kV9bwozAKUCv1Ato9WcYohR80IqLPis6gd9zGpDW4tdcjBV+rbXzhwuQCekCVi0oC5PJmDj6ORzs868EjZ7MftrO',
  'ezr1wtlPVg28KbD7eMh5uBigJO6JV5ZydEjn0lXhjemAgPg+dpY2ThgypLyMbZAGGoT9S5pDvFiSGczNsM0LVvu3kXdHMXplCZT3',
  'iJbdWYxbZfEYTlSwh0JeVI+bFCTpjXYuFiBYhyp0z8RjxvTYpBxX4T8z+IcsrRpV4QX+7bhEXyxUgeOl5wWbrDzhwGZFctUFHPgi',
  'guRxgVGT4S7a47aJY3vxxJoQIk6FQ0eo5IVKsWsdgmoThMJt/OMQdBCG6Q4Ulejj2y0lvvyCOXWlGgwwEVh1rm76VLzjFPv/lK55',
  'y2/yKccAhUqkahl9pPmdUk9CHAiqW60B56Pndf0ndYKtCZNGiHmHNrCowrJwnxv4BmYNmQkdTlXbexmN2QKbWqick3G/awN6Fu06',
  'Xn7knmDdP5SMztPrLe+NgGdJwyyJcjOMxYYV6Vyp8PTMCcHh5Sbu5B7fFftlQCjJFbmoNVOugRKfOo4tZbr0TkQxfextbnWWp4BU',
  'ZNIGt5FmG1mGNBkhiE0/QCMd4bBQdjUdOYyin1wS25WVgngtfiZq5Y56676HoifdnY/yzqJUJ4BsuVhkYZM9iIBwHnsAAJkBCRHw',
  '4J86AgAhARwAAAAQz1jM4I0lAEZdABaIK/wd//f/1IEKn3RzhPowEaZpp4+RC+RFpEO932qwFnAeVi0L6rgnHZslAj+o/1pyqZWi',
  'wsWqNBkGdox2aWWguEvBTgAAAAAVJsP1QS6+jAAC3AjAuAJippoCANpo+LAUFzswAwAAAAAEWVo=',
].join('');

/** `xz --lzma2=dict=4096,lc=0,lp=2,pb=0` of noise(): a chunk that is stored plain. */
const NOISE_XZ = [
  '/Td6WFoAAATm1rRGAgAhAQAAAAA3J5fWAQErzCYqWH+NfXwfqivjc+WCATdcyp2ASBPzRjl7x+e7tjJokWre0Y2n9M61g/CSPbQb',
  'lY2jaJ5LTfBSKgFCIvy+U0w8xLNeD6FcYoDGQqFfdWyoHIpP/nhyp7DpYgiqF4Tpf7HF1hCjdiI/VtUulIpUKI/yE93/nPX1luBD',
  'vqdIule1uYbiPNJ9D/E/nSZKeKphEzVdPG6BkRNsM1gjMkjh3UxYrQ2jJlhJNfwWt5FenQKqRxUwgOxQk8DCXhJKSUWVUs1rKnEg',
  '91PwDESKH+8g1nXGcBnZnoZmTysgg+D+/nZ9lH2mQUGVCjarOGaaWu+BQYs09IhU1NcCxnSKzJHuUzFkLY0XArepRM8NK5FIlYWJ',
  'rK1ZCccokO6nPFXUq8fcfjJQhmPcMsSGKuzXAFyMH1mTRfTQAAHEAqwCAADMqdU3scRn+wIAAAAABFla',
].join('');

function text(): Buffer {
  let seed = 1;
  const next = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24;
  const out: number[] = [];
  for (let i = 0; i < 700; i++) {
    const n = next();
    if (n < 16) out.push(n, n ^ 0x5a);
    else if (n < 96) out.push(...Buffer.from(`line ${i % 37} `));
    else out.push(...Buffer.from('the same text again; ').subarray(0, n % 21));
  }
  for (let i = 0; i < 40; i++) out.push(next());
  for (let i = 0; i < 70000; i++) out.push(i & 1 ? 32 : 45);
  return Buffer.from(out);
}

function noise(): Buffer {
  let seed = 7;
  const next = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 24;
  return Buffer.from(Array.from({ length: 300 }, next));
}

function unpack(packed: Uint8Array): Buffer {
  const pieces: Uint8Array[] = [];
  for (const piece of unxz(packed)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

test('unpacks several blocks', () => {
  assert.deepEqual(unpack(Buffer.from(TEXT_XZ, 'base64')), text());
});

test('unpacks data that was stored plain', () => {
  assert.deepEqual(unpack(Buffer.from(NOISE_XZ, 'base64')), noise());
});

test('a file cut short anywhere, or with a byte changed, ends in an error or in data, never in a hang', () => {
  const packed = Buffer.from(TEXT_XZ, 'base64');
  const indexBytes = 40; // the index and footer at the end are not read
  for (let length = 0; length < packed.length - indexBytes; length += 3) {
    assert.throws(() => unpack(packed.subarray(0, length)), /xz/, `length ${length}`);
  }
  for (let at = 12; at < packed.length; at += 7) {
    const changed = Buffer.from(packed);
    changed[at]! ^= 0x55;
    try {
      assert.ok(unpack(changed).length < 1e8);
    } catch (error) {
      assert.match((error as Error).message, /xz/, `byte ${at}`);
    }
  }
});
