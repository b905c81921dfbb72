import { setTimeout as sleep } from 'node:timers/promises';
import { connect, listen } from '../../host/node/tcp-socket.js';
import { UserError } from '../../machine/user-error.js';
import type { ListenPlace } from '../../network/host-network.js';
import { StreamLink } from '../../network/links/stream-link.js';
import type { SwitchPort } from '../../network/switch/switch.js';

const RETRY_MS = 1000;

const placeText = (place: ListenPlace): string =>
  'path' in place ? `unix:${place.path}` : `${place.address}:${place.port}`;

/** A wire to a program that listens, which is tried again and again: it may start later. */
export async function connectSocket(place: ListenPlace, port: SwitchPort): Promise<() => void> {
  let closed = false;
  const link = new StreamLink(port, () => void again());
  const attempt = (): Promise<boolean> =>
    new Promise((resolve) => {
      let events: ReturnType<StreamLink['join']> | null = null;
      const socket = connect(place, {
        connected: () => {
          events = link.join(socket);
          resolve(true);
        },
        data: (bytes) => events?.data(bytes),
        ended: () => events?.ended(),
        drained: () => events?.drained(),
        closed: (failure) => {
          events?.closed(failure);
          resolve(false);
        },
      });
    });
  const again = async (): Promise<void> => {
    for (let told = false; !closed && !(await attempt()); told = true) {
      if (!told)
        process.stderr.write(
          `\r\nviv: --net socket: nobody listens at ${placeText(place)}; it is tried again\r\n`,
        );
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  };
  // The machine starts, whether or not the other end is there.
  void again();
  return () => {
    closed = true;
    link.close();
  };
}

/** A wire to whoever connects: several may. */
export async function listenSocket(place: ListenPlace, addPort: () => SwitchPort): Promise<() => void> {
  const links = new Set<StreamLink>();
  const listener = await listen(place, (socket) => {
    const port = addPort();
    const link = new StreamLink(port, () => {
      links.delete(link);
      port.close();
    });
    links.add(link);
    const events = link.join(socket);
    socket.resume();
    return { connected() {}, ...events };
  }).catch((error: Error) => {
    throw new UserError(`--net socket,listen: ${error.message}`);
  });
  return () => {
    listener.close();
    for (const link of links) link.close();
  };
}
