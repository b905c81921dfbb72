import { connect } from '../../host/node/tcp-socket.js';
import type { HostTcp } from '../../network/host-network.js';
import { writeStatusRequest } from '../../network/links/hub-protocol.js';
import { RecordReader, RecordWriter } from '../../network/links/records.js';
import type { HubStatus } from './hub.js';

const MOST_RECORD = 2 ** 20;

/** What a shared switch says of itself; null: nobody is there. */
export function hubStatus(path: string): Promise<HubStatus | null> {
  return new Promise((resolve) => {
    const reader = new RecordReader(MOST_RECORD, (record) =>
      resolve(JSON.parse(new TextDecoder().decode(record)) as HubStatus),
    );
    const socket: HostTcp = connect(
      { path },
      {
        connected: () => {
          const writer = new RecordWriter();
          writer.add([writeStatusRequest()]);
          socket.write(writer.take());
        },
        data: (bytes) => void reader.push(bytes),
        ended: () => socket.end(),
        drained: () => {},
        closed: () => resolve(null),
      },
    );
  });
}
