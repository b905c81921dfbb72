/** A wire through UDP, a datagram for each frame, as QEMU's `-netdev dgram` and VirtualBox's UDP tunnel have it. */
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import type { Endpoint, HostNetwork, HostUdp } from '../host-network.js';

const LEAST_FRAME = 14;

export class DatagramLink implements Station {
  readonly abilities = NO_OFFLOAD;

  private constructor(
    private readonly socket: HostUdp,
    private readonly to: Endpoint,
  ) {}

  /** Frames go from the port of `at` to that of `to`, and come only from there. */
  static async open(cable: Cable, host: HostNetwork, at: Endpoint, to: Endpoint): Promise<DatagramLink> {
    const socket = await host.bindUdp(at, {
      message(bytes, from) {
        if (from.port !== to.port || from.address !== to.address || bytes.length < LEAST_FRAME) return;
        cable.send(Frame.of(bytes));
        cable.flush();
      },
      failed: () => {},
    });
    const link = new DatagramLink(socket, to);
    cable.plug(link);
    return link;
  }

  receive(frame: Frame): boolean {
    this.socket.send(frame.bytes, this.to);
    return true;
  }

  close(): void {
    this.socket.close();
  }
}
