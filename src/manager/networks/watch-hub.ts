/** All that passes a switch that machines of several processes share, into a file for Wireshark and tcpdump. */
import { closeSync, writeSync } from 'node:fs';
import { connect } from '../../host/node/tcp-socket.js';
import { UserError } from '../../machine/user-error.js';
import type { HostTcp } from '../../network/host-network.js';
import { writeWatchRequest } from '../../network/links/hub-protocol.js';
import { RecordReader } from '../../network/links/records.js';
import { pcapRecord } from '../../network/pcap.js';
import { sendRecord } from '../ask-place.js';
import { readPlace } from '../places.js';
import { openCapture } from './capture.js';

const MOST_RECORD = 2 ** 17;

/** Writes frames until `stop` resolves or the switch ends; gives how many. `began`: the switch sends them now. */
export async function watchHub(
  name: string,
  path: string,
  stop: Promise<void>,
  began: () => void,
): Promise<number> {
  const place = readPlace('net', name);
  if (!place) throw new UserError(`no network ${name} runs; viv net list tells which do`);
  const file = openCapture(path, path);
  let frames = -1;
  try {
    await new Promise<void>((resolve, reject) => {
      const reader = new RecordReader(MOST_RECORD, (record) => {
        // The first one says that it listens.
        if (frames < 0) began();
        else writeSync(file, pcapRecord(record, Date.now()));
        frames++;
      });
      const socket: HostTcp = connect(
        { address: '127.0.0.1', port: place.port },
        {
          connected: () => sendRecord(socket, writeWatchRequest(place.token)),
          data: (bytes) => {
            try {
              reader.push(bytes);
            } catch (error) {
              reject(new UserError(`${path} cannot be written: ${(error as Error).message}`));
            }
          },
          ended: () => socket.end(),
          drained: () => {},
          closed: () => resolve(),
        },
      );
      void stop.then(() => {
        socket.reset();
        resolve();
      });
    });
  } finally {
    closeSync(file);
  }
  if (frames < 0) throw new UserError(`the network ${name} does not answer`);
  return frames;
}
