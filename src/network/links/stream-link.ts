/**
 * A wire that leads through a stream of bytes to another program: as QEMU's `-netdev stream` frames it, each frame behind its
 * length; or between programs of ours, with the work that is left to do on a frame, so that long ones stay whole.
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

/** What may wait for the other program, bytes. */
const MOST_WAITING = 4 * 2 ** 20;
/** Frames are written together up to so many bytes. */
const BATCH_BYTES = 2 ** 18;
const LEAST_FRAME = 14;

const ALL: OffloadAbilities = { checksum: true, tcp4: true, tcp6: true, udp: true };
const SEGMENTATIONS: readonly Segmentation[] = ['none', 'tcp4', 'tcp6', 'udp'];
/** Kind of segmentation, whether there is an offload, segment, checksum's start and offset. */
const OFFLOAD_BYTES = 8;

export class StreamLink implements Station {
  readonly abilities: OffloadAbilities;
  private socket: HostTcp | null = null;
  private readonly writer = new RecordWriter();
  private full = false;

  /** `offloads`: the other end is one of ours. `onEnd`: the stream has ended, or makes no sense. */
  constructor(
    private readonly cable: Cable,
    private readonly offloads: boolean,
    private readonly onEnd: (why: string) => void,
  ) {
    this.abilities = offloads ? ALL : NO_OFFLOAD;
    cable.plug(this);
  }

  /** What the socket that leads to the other end is to be given. */
  join(socket: HostTcp): Omit<TcpEvents, 'connected'> {
    this.socket = socket;
    const reader = new RecordReader(MOST_FRAME_BYTES + OFFLOAD_BYTES, (record) => this.deliver(record));
    const end = (why: string): void => {
      if (this.socket !== socket) return;
      this.socket = null;
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
      drained: () => this.drained(),
      closed: (failure) =>
        end(failure === null ? 'it has closed the connection' : `the connection was ${failure}`),
    };
  }

  /** A frame from the other end, in its record. */
  deliver(record: Uint8Array): void {
    if (!this.offloads) {
      if (record.length >= LEAST_FRAME) this.cable.send(Frame.of(record));
      return;
    }
    if (record.length < OFFLOAD_BYTES + LEAST_FRAME) return;
    this.cable.send(Frame.of(record.subarray(OFFLOAD_BYTES), offloadFrom(record)));
  }

  /** What came together was delivered. */
  arrived(): void {
    this.cable.flush();
  }

  receive(frame: Frame): boolean {
    const { socket, writer } = this;
    if (!socket) return true;
    if (socket.waiting > MOST_WAITING) {
      this.full = true;
      return false;
    }
    // Copied, as it may wait for others.
    const bytes = frame.copy().bytes;
    writer.add(this.offloads ? [offloadBytes(frame.offload), bytes] : [bytes]);
    if (writer.length >= BATCH_BYTES) this.flushed();
    return true;
  }

  flushed(): void {
    if (this.writer.length > 0) this.socket?.write(this.writer.take());
  }

  private drained(): void {
    if (!this.full) return;
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
