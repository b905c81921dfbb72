/** SHA instructions (SDM vol. 2; FIPS 180-4 for the functions). A register holds doublewords 0 to 3 from the low end. */
import { S_XMM } from '../layout';

// @ts-ignore: decorator
@inline
function word(cpu: u32, slot: i64, n: u32): u32 {
  return load<u32>(cpu + <u32>slot + 4 * n);
}

// @ts-ignore: decorator
@inline
function setWords(cpu: u32, slot: i64, w0: u32, w1: u32, w2: u32, w3: u32): void {
  const at = cpu + <u32>slot;
  store<u32>(at, w0);
  store<u32>(at + 4, w1);
  store<u32>(at + 8, w2);
  store<u32>(at + 12, w3);
}

// ---- SHA-1
function sha1Function(stage: u32, b: u32, c: u32, d: u32): u32 {
  if (stage == 0) return (b & c) ^ (~b & d);
  if (stage == 2) return (b & c) ^ (b & d) ^ (c & d);
  return b ^ c ^ d;
}

function sha1Constant(stage: u32): u32 {
  if (stage == 0) return 0x5a827999;
  if (stage == 1) return 0x6ed9eba1;
  if (stage == 2) return 0x8f1bbcdc;
  return 0xca62c1d6;
}

export function sha1rnds4(cpu: u32, destination: i64, source: i64, immediate: i64): void {
  const stage = <u32>immediate & 3;
  const k = sha1Constant(stage);
  let a = word(cpu, destination, 3);
  let b = word(cpu, destination, 2);
  let c = word(cpu, destination, 1);
  let d = word(cpu, destination, 0);
  let e: u32 = 0;
  // E is part of the source's highest word (SHA1NEXTE put it there).
  for (let i: u32 = 0; i < 4; i++) {
    const next = sha1Function(stage, b, c, d) + rotl<u32>(a, 5) + word(cpu, source, 3 - i) + e + k;
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  setWords(cpu, destination, d, c, b, a);
}

export function sha1nexte(cpu: u32, destination: i64, source: i64): void {
  const e = word(cpu, source, 3) + rotl<u32>(word(cpu, destination, 3), 30);
  setWords(cpu, destination, word(cpu, source, 0), word(cpu, source, 1), word(cpu, source, 2), e);
}

export function sha1msg1(cpu: u32, destination: i64, source: i64): void {
  const w0 = word(cpu, destination, 3);
  const w1 = word(cpu, destination, 2);
  const w2 = word(cpu, destination, 1);
  const w3 = word(cpu, destination, 0);
  const w4 = word(cpu, source, 3);
  const w5 = word(cpu, source, 2);
  setWords(cpu, destination, w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0);
}

export function sha1msg2(cpu: u32, destination: i64, source: i64): void {
  const w16 = rotl<u32>(word(cpu, destination, 3) ^ word(cpu, source, 2), 1);
  const w17 = rotl<u32>(word(cpu, destination, 2) ^ word(cpu, source, 1), 1);
  const w18 = rotl<u32>(word(cpu, destination, 1) ^ word(cpu, source, 0), 1);
  const w19 = rotl<u32>(word(cpu, destination, 0) ^ w16, 1);
  setWords(cpu, destination, w19, w18, w17, w16);
}

// ---- SHA-256
function sigma(x: u32, first: u32, second: u32, shift: u32): u32 {
  return rotr<u32>(x, first) ^ rotr<u32>(x, second) ^ (x >> shift);
}

/** Two rounds; their message words plus constants are in the low half of XMM0. */
export function sha256rnds2(cpu: u32, destination: i64, source: i64): void {
  let a = word(cpu, source, 3);
  let b = word(cpu, source, 2);
  let e = word(cpu, source, 1);
  let f = word(cpu, source, 0);
  let c = word(cpu, destination, 3);
  let d = word(cpu, destination, 2);
  let g = word(cpu, destination, 1);
  let h = word(cpu, destination, 0);
  for (let i: u32 = 0; i < 2; i++) {
    const choose = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const sum0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const sum1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t = h + sum1 + choose + word(cpu, S_XMM, i);
    h = g;
    g = f;
    f = e;
    e = d + t;
    d = c;
    c = b;
    b = a;
    a = t + sum0 + majority;
  }
  setWords(cpu, destination, f, e, b, a);
}

export function sha256msg1(cpu: u32, destination: i64, source: i64): void {
  const w0 = word(cpu, destination, 0);
  const w1 = word(cpu, destination, 1);
  const w2 = word(cpu, destination, 2);
  const w3 = word(cpu, destination, 3);
  const w4 = word(cpu, source, 0);
  const r0 = w0 + sigma(w1, 7, 18, 3);
  const r1 = w1 + sigma(w2, 7, 18, 3);
  const r2 = w2 + sigma(w3, 7, 18, 3);
  setWords(cpu, destination, r0, r1, r2, w3 + sigma(w4, 7, 18, 3));
}

export function sha256msg2(cpu: u32, destination: i64, source: i64): void {
  const w16 = word(cpu, destination, 0) + sigma(word(cpu, source, 2), 17, 19, 10);
  const w17 = word(cpu, destination, 1) + sigma(word(cpu, source, 3), 17, 19, 10);
  const w18 = word(cpu, destination, 2) + sigma(w16, 17, 19, 10);
  const w19 = word(cpu, destination, 3) + sigma(w17, 17, 19, 10);
  setWords(cpu, destination, w16, w17, w18, w19);
}
