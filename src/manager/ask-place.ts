import { connect } from '../host/node/tcp-socket.js';
import type { HostTcp } from '../network/host-network.js';
import { RecordReader, RecordWriter } from '../network/links/records.js';
import type { Place } from './places.js';

const MOST_ANSWER = 2 ** 20;

/** JSON as a record. */
export function jsonRecord(content: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(content));
}

/** Sends one record; gives the JSON of the one that comes back, or null when nobody is there any more. */
export function askPlace<Answer>(place: Place, record: Uint8Array): Promise<Answer | null> {
  return new Promise((resolve) => {
    const reader = new RecordReader(MOST_ANSWER, (answer) => {
      resolve(JSON.parse(new TextDecoder().decode(answer)) as Answer);
      socket.end();
    });
    const socket: HostTcp = connect(
      { address: '127.0.0.1', port: place.port },
      {
        connected: () => sendRecord(socket, record),
        data: (bytes) => void reader.push(bytes),
        ended: () => socket.end(),
        drained: () => {},
        closed: () => resolve(null),
      },
    );
  });
}

export function sendRecord(socket: HostTcp, record: Uint8Array): void {
  const writer = new RecordWriter();
  writer.add([record]);
  writer.flush((bytes) => socket.write(bytes));
}
