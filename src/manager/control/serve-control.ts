import { listen } from '../../host/node/tcp-socket.js';
import { UserError } from '../../machine/user-error.js';
import type { HostTcp, TcpEvents } from '../../network/host-network.js';
import { RecordReader } from '../../network/links/records.js';
import { jsonRecord, sendRecord } from '../ask-place.js';
import { TakenPlace } from '../places.js';
import { ACTIONS, type Controlled, type Wish } from './actions.js';

const MOST_REQUEST = 2 ** 16;

export interface ControlRequest extends Wish {
  readonly token: string;
  readonly action: string;
}

export interface ControlAnswer {
  readonly error?: string;
  readonly text?: string;
}

/** Takes a name: this one, or the first free of pc1, pc2, ... */
export function takeName(wanted: string | null): TakenPlace {
  if (wanted !== null) {
    const place = TakenPlace.take('machine', wanted);
    if (!place) throw new UserError(`--name ${wanted}: a machine of this name runs already`);
    return place;
  }
  for (let n = 1; ; n++) {
    const place = TakenPlace.take('machine', `pc${n}`);
    if (place) return place;
  }
}

/** Lets other processes of this user control the machine; gives what ends that. */
export async function serveControl(place: TakenPlace, controlled: Controlled): Promise<() => void> {
  const listener = await listen({ address: '127.0.0.1', port: 0 }, (socket) => {
    const events = serveOne(socket, place.token, controlled);
    socket.resume();
    return events;
  });
  await place.tell(listener.port);
  return () => listener.close();
}

function serveOne(socket: HostTcp, token: string, controlled: Controlled): TcpEvents {
  const reader = new RecordReader(MOST_REQUEST, (record) => {
    const request = readRequest(record);
    if (request?.token !== token) return socket.reset();
    void perform(controlled, request).then((answer) => {
      sendRecord(socket, jsonRecord(answer));
      socket.end();
    });
  });
  return {
    connected() {},
    data(bytes) {
      if (!reader.push(bytes)) socket.reset();
    },
    ended: () => socket.end(),
    drained() {},
    closed() {},
  };
}

function readRequest(record: Uint8Array): ControlRequest | null {
  try {
    const request = JSON.parse(new TextDecoder().decode(record)) as ControlRequest;
    return Array.isArray(request.arguments) ? request : null;
  } catch {
    return null;
  }
}

async function perform(controlled: Controlled, request: ControlRequest): Promise<ControlAnswer> {
  const action = Object.hasOwn(ACTIONS, request.action) ? ACTIONS[request.action] : undefined;
  if (!action || request.arguments.length !== action.takes.length)
    return { error: `this machine runs with another version, which knows no such "${request.action}"` };
  try {
    const text = await action.act(controlled, request);
    return text === undefined ? {} : { text };
  } catch (error) {
    // Whatever goes wrong here, the machine goes on.
    return { error: error instanceof UserError ? error.message : String(error) };
  }
}
