import { connect } from '../../host/node/tcp-socket.js';
import type { HostTcp } from '../../network/host-network.js';
import { writeStatusRequest } from '../../network/links/hub-protocol.js';
import { RecordReader, RecordWriter } from '../../network/links/records.js';
import { readHubPlace, type HubStatus } from './hub.js';

const MOST_RECORD = 2 ** 20;

/** What a shared switch says of itself; null: nobody is there. */
export function hubStatus(name: string): Promise<HubStatus | null> {
  const place = readHubPlace(name);
  if (!place) return Promise.resolve(null);
  return new Promise((resolve) => {
    const reader = new RecordReader(MOST_RECORD, (record) =>
      resolve(JSON.parse(new TextDecoder().decode(record)) as HubStatus),
    );
    const socket: HostTcp = connect(
      { address: '127.0.0.1', port: place.port },
      {
        connected: () => {
          const writer = new RecordWriter();
          writer.add([writeStatusRequest(place.token)]);
          writer.flush((bytes) => socket.write(bytes));
        },
        data: (bytes) => void reader.push(bytes),
        ended: () => socket.end(),
        drained: () => {},
        closed: () => resolve(null),
      },
    );
  });
}
