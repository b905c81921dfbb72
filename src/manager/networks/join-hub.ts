/** The wire of a machine to a switch that it shares with machines of other processes. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../../host/node/tcp-socket.js';
import { UserError } from '../../machine/user-error.js';
import type { Cable } from '../../machine/cable.js';
import type { HostTcp } from '../../network/host-network.js';
import { writeHello, type PortWish } from '../../network/links/hub-protocol.js';
import { RecordReader } from '../../network/links/records.js';
import { StreamLink } from '../../network/links/stream-link.js';
import { sendRecord } from '../ask-place.js';
import { readPlace } from '../places.js';

const START_MS = 10_000;
const RETRY_MS = 30;
const MOST_RECORD = 2 ** 17;

const COMMAND = fileURLToPath(new URL('../../cli/viv.js', import.meta.url));

export class HubMember {
  private socket: HostTcp | null = null;
  private readonly link: StreamLink;
  private left = false;

  private constructor(
    private readonly network: string,
    private readonly wish: Omit<PortWish, 'token'>,
    cable: Cable,
  ) {
    this.link = new StreamLink(cable, (why) => void this.rejoin(why));
  }

  /** Joins the switch, which is started if it does not run. A UserError says why it cannot. */
  static async join(network: string, wish: Omit<PortWish, 'token'>, cable: Cable): Promise<HubMember> {
    const member = new HubMember(network, wish, cable);
    await member.enter();
    return member;
  }

  private async enter(): Promise<void> {
    const deadline = performance.now() + START_MS;
    for (let started = false; performance.now() < deadline && !this.left;) {
      const answer = await this.tryOnce();
      if (answer === null) {
        if (!started) startHub(this.network, this.wish.settings);
        started = true;
        await sleep(RETRY_MS);
        continue;
      }
      if (answer.error !== undefined)
        throw new UserError(`--net: the network ${this.network}: ${answer.error}`);
      return;
    }
    if (!this.left)
      throw new UserError(
        `--net: the network ${this.network} does not start; try: viv net serve ${this.network}`,
      );
  }

  /** null: there is no switch. */
  private tryOnce(): Promise<{ error?: string } | null> {
    return new Promise((resolve) => {
      let events: ReturnType<StreamLink['join']> | null = null;
      const place = readPlace('net', this.network);
      if (!place) return resolve(null);
      const first = new RecordReader(MOST_RECORD, (record, marked) => {
        if (events) {
          this.link.deliver(record, marked);
          return;
        }
        const answer = JSON.parse(new TextDecoder().decode(record)) as { error?: string };
        if (answer.error === undefined) {
          this.socket = socket;
          events = this.link.join(socket);
        }
        resolve(answer);
      });
      const socket: HostTcp = connect(
        { address: '127.0.0.1', port: place.port },
        {
          connected: () => sendRecord(socket, writeHello({ ...this.wish, token: place.token })),
          data: (bytes) => {
            first.push(bytes);
            this.link.arrived();
          },
          ended: () => (events ? events.ended() : resolve(null)),
          drained: () => events?.drained(),
          closed: (failure) => (events ? events.closed(failure) : resolve(null)),
        },
      );
    });
  }

  /** The switch is gone: a machine whose cable was pulled for a moment. */
  private async rejoin(why: string): Promise<void> {
    if (this.left) return;
    process.stderr.write(`\r\nviv: the network ${this.network} is gone (${why}); it is joined again\r\n`);
    try {
      await this.enter();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`\r\nviv: ${error.message}\r\n`);
    }
  }

  leave(): void {
    this.left = true;
    this.link.close();
    this.socket?.end();
  }
}

/** Starts the switch in a process that lives on when this one ends. */
function startHub(name: string, settings: string): void {
  const child = spawn(process.execPath, [COMMAND, 'net', 'serve', name, '--settings', settings], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  });
  child.on('error', () => {});
  child.unref();
}
