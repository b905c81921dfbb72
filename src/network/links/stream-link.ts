/**
 * A wire that leads through a stream of bytes to another program, as QEMU's `-netdev stream` frames it: each frame behind its
 * length. The first frame says that it comes from here, in a way that other programs take for a frame of no meaning. Between two
 * of ours, frames then go with the work that is left to do on them, so that long ones stay whole: they begin with a byte of their
 * own, in records that are marked.
 *
 * When what comes from one of ours finds its port busy, it is told, as by pause frames (IEEE 802.3, annex 31B), and its card waits.
 * Not reading the socket would do that, too, but behind some MB that the host's kernel keeps: all else that this guest sends would
 * wait for these, for seconds. Other programs have no other way to hear of it.
 */
import type { Cable, Station } from '../../machine/cable.js';
import {
  Frame,
  MOST_FRAME_BYTES,
  NO_OFFLOAD,
  type Offload,
  type OffloadAbilities,
  type Segmentation,
} from '../../machine/frame.js';
import type { HostTcp, TcpEvents } from '../host-network.js';
import { RecordReader, RecordWriter } from './records.js';

/** What may wait for the other program, beyond what the host's kernel keeps; bytes. */
const MOST_WAITING = 2 ** 20;
/** Frames are written together up to so many bytes. */
const BATCH_BYTES = 2 ** 18;
const LEAST_FRAME = 14;

const ALL: OffloadAbilities = { checksum: true, tcp4: true, tcp6: true, udp: true };
const SEGMENTATIONS: readonly Segmentation[] = ['none', 'tcp4', 'tcp6', 'udp'];
/** Kind of segmentation, whether there is an offload, segment, checksum's start and offset. */
const OFFLOAD_BYTES = 8;
/** To all, of the type for local experiments (IEEE 802, 9.2.3), and what it says. */
const GREETING = Uint8Array.of(
  ...[255, 255, 255, 255, 255, 255],
  ...[0x52, 0x56, 0, 0, 0, 0],
  ...[0x88, 0xb5],
  ...new TextEncoder().encode('vivarium offloads 1'),
);
const SHORTEST = 60;
/** Marked records without a frame: send nothing; go on. */
const HOLD = Uint8Array.of(1);
const GO = Uint8Array.of(0);

export class StreamLink implements Station {
  /** The other end is one of ours. */
  private offloads = false;
  private socket: HostTcp | null = null;
  private readonly writer = new RecordWriter();
  /** A frame was not taken. */
  private full = false;
  /** The other end wants nothing for now; and has been told so. */
  private held = false;
  private holds = false;

  /** `onEnd`: the stream has ended, or makes no sense. */
  constructor(
    private readonly cable: Cable,
    private readonly onEnd: (why: string) => void,
  ) {
    cable.plug(this);
  }

  get abilities(): OffloadAbilities {
    return this.offloads ? ALL : NO_OFFLOAD;
  }

  /** What the socket that leads to the other end is to be given. */
  join(socket: HostTcp): Omit<TcpEvents, 'connected'> {
    this.socket = socket;
    this.offloads = this.holds = false;
    const greeting = new Uint8Array(SHORTEST);
    greeting.set(GREETING);
    this.writer.add([greeting]);
    this.flushed();
    const reader = new RecordReader(MOST_FRAME_BYTES + OFFLOAD_BYTES, (record, marked) =>
      this.deliver(record, marked),
    );
    const end = (why: string): void => {
      if (this.socket !== socket) return;
      this.socket = null;
      // As with a pulled cable, what is sent now is lost.
      this.held = false;
      this.makeRoom();
      this.onEnd(why);
    };
    return {
      data: (bytes) => {
        if (!reader.push(bytes)) {
          socket.reset();
          end('it sends what are no frames');
          return;
        }
        this.cable.flush();
      },
      ended: () => {
        socket.end();
        end('it has closed the connection');
      },
      drained: () => this.makeRoom(),
      closed: (failure) =>
        end(failure === null ? 'it has closed the connection' : `the connection was ${failure}`),
    };
  }

  /** A frame from the other end, in its record. */
  deliver(record: Uint8Array, marked: boolean): void {
    if (marked) {
      if (record.length >= OFFLOAD_BYTES + LEAST_FRAME)
        this.cable.send(Frame.of(record.subarray(OFFLOAD_BYTES), offloadFrom(record)));
      else if (record.length === HOLD.length) this.setHeld(record[0] === HOLD[0]);
    } else if (GREETING.every((byte, n) => record[n] === byte)) this.offloads = true;
    else if (record.length >= LEAST_FRAME) this.cable.send(Frame.of(record));
    if (this.cable.busy) this.hold(true);
  }

  ready(): void {
    this.hold(false);
  }
  private hold(holds: boolean): void {
    const { socket } = this;
    if (!socket || holds === this.holds) return;
    this.holds = holds;
    if (this.offloads) {
      this.writer.add([holds ? HOLD : GO], true);
      this.flushed();
    } else if (holds) socket.pause();
    else socket.resume();
  }

  /** What came together was delivered. */
  arrived(): void {
    this.cable.flush();
  }

  receive(frame: Frame): boolean {
    const { socket, writer } = this;
    if (!socket) return true;
    if (this.held || socket.waiting > MOST_WAITING) {
      this.full = true;
      return false;
    }
    if (this.offloads) writer.add([offloadBytes(frame.offload), ...frame.parts], true);
    else writer.add(frame.parts);
    if (writer.length >= BATCH_BYTES) this.flushed();
    return true;
  }

  flushed(): void {
    const { socket, writer } = this;
    if (socket && writer.length > 0) writer.flush((bytes) => socket.write(bytes));
  }

  private setHeld(held: boolean): void {
    this.held = held;
    this.makeRoom();
  }
  private makeRoom(): void {
    if (!this.full || this.held) return;
    this.full = false;
    this.cable.room();
    this.flushed();
  }

  close(): void {
    const { socket } = this;
    this.socket = null;
    socket?.end();
  }
}

function offloadBytes(offload: Offload | null): Uint8Array {
  const bytes = new Uint8Array(OFFLOAD_BYTES);
  if (!offload) return bytes;
  const view = new DataView(bytes.buffer);
  bytes[0] = SEGMENTATIONS.indexOf(offload.segmentation);
  bytes[1] = 1;
  view.setUint16(2, offload.segmentBytes);
  view.setUint16(4, offload.checksumStart);
  view.setUint16(6, offload.checksumOffset);
  return bytes;
}

function offloadFrom(record: Uint8Array): Offload | null {
  if (record[1] !== 1) return null;
  const view = new DataView(record.buffer, record.byteOffset, OFFLOAD_BYTES);
  return {
    segmentation: SEGMENTATIONS[record[0]!] ?? 'none',
    segmentBytes: view.getUint16(2),
    checksumStart: view.getUint16(4),
    checksumOffset: view.getUint16(6),
  };
}
