/** A limit: bits a second, with bursts of so many bytes; and frames a second. */
export interface Rate {
  readonly bitsPerSecond: number;
  readonly burstBytes: number;
  /** Infinity: any number. */
  readonly framesPerSecond: number;
}

/** How far frames a second may run ahead. */
const FRAME_BURST_S = 0.01;

export class TokenBucket {
  readonly bytesPerSecond: number;
  private bytes: number;
  private frames: number;
  private readonly mostFrames: number;
  private last: number;

  constructor(
    private readonly rate: Rate,
    now: number,
  ) {
    this.bytesPerSecond = rate.bitsPerSecond / 8;
    this.bytes = rate.burstBytes;
    this.mostFrames = Math.max(1, rate.framesPerSecond * FRAME_BURST_S);
    this.frames = this.mostFrames;
    this.last = now;
  }

  /** Milliseconds until a frame of so many bytes may go; 0: now. One that is longer than a burst may go when the bucket is full. */
  wait(bytes: number, now: number): number {
    const seconds = (now - this.last) / 1000;
    this.last = now;
    this.bytes = Math.min(this.rate.burstBytes, this.bytes + seconds * this.bytesPerSecond);
    if (this.rate.framesPerSecond !== Infinity)
      this.frames = Math.min(this.mostFrames, this.frames + seconds * this.rate.framesPerSecond);
    const missing = Math.min(bytes, this.rate.burstBytes) - this.bytes;
    const forBytes = missing > 0 ? missing / this.bytesPerSecond : 0;
    const forFrame = this.frames < 1 ? (1 - this.frames) / this.rate.framesPerSecond : 0;
    return Math.max(forBytes, forFrame) * 1000;
  }

  take(bytes: number): void {
    this.bytes -= bytes;
    if (this.rate.framesPerSecond !== Infinity) this.frames -= 1;
  }
}
