import { DecodeResult, Decoded, type Decoder } from '../../isa/decoder.js';
import type { BoardAccess } from '../cpu.js';
import * as L from '../layout.js';
import { Processor } from '../processor.js';
import type { RuntimeExports } from '../runtime-module.js';
import { Evaluator, GuestFault } from './evaluator.js';

const PAGE = 0x1000n;
const MAX_LENGTH = 15;
const UD = L.FAULT_VALID | 6;
const GP = L.FAULT_VALID | L.FAULT_HAS_ERROR | 13;

/** A CPU that decodes and evaluates every instruction anew. */
export class ReferenceProcessor extends Processor {
  private readonly evaluator: Evaluator;
  private readonly decoded = new Decoded();
  private readonly fetched = new Uint8Array(MAX_LENGTH);
  private readonly memoryBytes: Uint8Array;

  constructor(
    index: number,
    memory: WebAssembly.Memory,
    runtime: RuntimeExports,
    board: BoardAccess,
    private readonly decoder: Decoder,
  ) {
    super(index, memory, runtime, board);
    this.evaluator = new Evaluator(memory, this.pointer, runtime);
    this.memoryBytes = new Uint8Array(memory.buffer);
  }

  protected execute(): void {
    this.runtime.notice(this.pointer);
    while (this.i64(L.S_BUDGET) > 0 && this.u32(L.S_PENDING) === 0 && this.u32(L.S_FAULT) === 0) this.one();
  }

  protected executeExactly(count: number): void {
    for (let i = 0; i < count && this.u32(L.S_FAULT) === 0; i++) {
      this.one();
      if (this.u32(L.S_PENDING) !== 0) return;
    }
  }

  /** Fetches up to 15 bytes at S_RIP; fewer if the next page cannot be fetched from (its fault is not raised). -1: not even the first. */
  private fetch(): number {
    const { runtime, pointer } = this;
    const rip = this.view.getBigInt64(pointer + L.S_RIP, true);
    const first = runtime.fetchAddress(pointer, rip);
    if (first < 0n) return -1;
    const linear = this.view.getBigInt64(pointer + L.S_LOOKUP, true);
    const here = Math.min(MAX_LENGTH, Number(PAGE - (linear & (PAGE - 1n))));
    this.copy(first, 0, here);
    return here;
  }

  private fetchRest(have: number): boolean {
    const linear = this.view.getBigInt64(this.pointer + L.S_LOOKUP, true);
    const second = this.runtime.translateCode(this.pointer, (linear & ~(PAGE - 1n)) + PAGE);
    if (second < 0n) return false;
    this.copy(second, have, MAX_LENGTH);
    return true;
  }

  private copy(physical: bigint, from: number, to: number): void {
    const host = this.runtime.ramAddress(physical) >>> 0;
    for (let i = from; i < to; i++) {
      const offset = i - from;
      this.fetched[i] =
        host !== 0
          ? this.memoryBytes[host + offset]!
          : this.runtime.readPhysical8(this.pointer, physical + BigInt(offset));
    }
  }

  /** Whether the decoded instruction ends behind the limit of the code segment (SDM vol. 3, 5.3). */
  private runsOverLimit(mode: number): boolean {
    if (mode & L.MODE_LONG) return false;
    const limit = this.view.getBigUint64(this.pointer + L.S_SEG + L.SEG_BYTES * L.CS + L.SEG_LIMIT, true);
    const rip = this.view.getBigUint64(this.pointer + L.S_RIP, true);
    return rip + BigInt(this.decoded.length) > limit + 1n;
  }

  private one(): void {
    let have = this.fetch();
    if (have < 0) return;
    const mode = this.u32(L.S_MODE);
    const decoderMode = { long: (mode & L.MODE_LONG) !== 0, default32: (mode & L.MODE_CS32) !== 0 };
    let result = this.decoder.decode(this.fetched, 0, have, decoderMode, this.decoded);
    if (result === DecodeResult.NeedMore) {
      if (!this.fetchRest(have)) return;
      have = MAX_LENGTH;
      result = this.decoder.decode(this.fetched, 0, have, decoderMode, this.decoded);
    }
    try {
      const beyond = this.runsOverLimit(mode);
      if (result !== DecodeResult.Ok || beyond) {
        this.setU32(L.S_FAULT, result === DecodeResult.TooLong || beyond ? GP : UD);
        this.setU32(L.S_FAULT_ERROR, 0);
        throw new GuestFault();
      }
      this.evaluator.execute(this.decoded);
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.setI64(L.S_BUDGET, this.i64(L.S_BUDGET) - 1);
      this.runtime.deliver(this.pointer);
      this.runtime.notice(this.pointer);
      return;
    }
    this.setI64(L.S_BUDGET, this.i64(L.S_BUDGET) - 1);
    this.runtime.notice(this.pointer);
  }
}
