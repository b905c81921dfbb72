/** What a command to a drive asks of the controller that it came through, which alone knows how data get to the guest. */
export type Work =
  /** It is done. */
  | { kind: 'end' }
  /** It failed: error register of ATA. */
  | { kind: 'error'; error: number }
  /** It failed: sense key, additional sense code and its qualifier of SCSI. */
  | { kind: 'check'; sense: Sense }
  /** The guest gets these bytes, or as many as it has room for. */
  | { kind: 'answer'; bytes: Uint8Array }
  /** The guest sends so many bytes, then there is more to do. */
  | { kind: 'take'; length: number; next: (bytes: Uint8Array) => Work }
  /** Between the medium and the guest, both in bytes; `flush`: what was written is to be safe before it is done. */
  | { kind: 'read' | 'write'; position: number; length: number; flush?: boolean }
  /** The drive has to do something first. */
  | { kind: 'wait'; start: (done: (ok: boolean) => void) => void };

export type Sense = readonly [key: number, code: number, qualifier: number];

export const END: Work = { kind: 'end' };
