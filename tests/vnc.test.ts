/** The screen as VNC clients have it: the password, what is shown, keys, and a pointer that is where the client's is. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { decode } from 'fast-png';
import { createWebSocketStream, WebSocket } from 'ws';
import { Running, viv, withFolder } from './viv.js';

const NAME = `vnc-test-${process.pid}`;
const PASSWORD = 'open it';

/** A client that speaks as much of RFB 3.8 as is asked here, in RFB's own pixels. */
class Client {
  private input = Buffer.alloc(0);
  private notice: () => void = () => {};
  private closed = false;
  width = 0;
  height = 0;

  private constructor(private readonly socket: Duplex) {
    socket.on('data', (data: Buffer) => {
      this.input = Buffer.concat([this.input, data]);
      this.notice();
    });
    socket.on('close', () => {
      this.closed = true;
      this.notice();
    });
  }

  static async open(port: number, password: string): Promise<Client> {
    return Client.over(createConnection(port, '127.0.0.1'), password);
  }

  static async over(socket: Duplex, password: string | null): Promise<Client> {
    const client = new Client(socket);
    assert.equal((await client.take(12)).toString(), 'RFB 003.008\n');
    client.socket.write('RFB 003.008\n');
    assert.deepEqual([...(await client.take(2))], [1, password === null ? 1 : 2], 'what is needed to get in');
    if (password === null) {
      client.socket.write(Uint8Array.of(1));
      return client;
    }
    client.socket.write(Uint8Array.of(2));
    // Each byte of the key is mirrored.
    const key = Buffer.alloc(8);
    [...password.slice(0, 8)].forEach((letter, n) => {
      const bits = letter.charCodeAt(0).toString(2).padStart(8, '0');
      key[n] = parseInt([...bits].reverse().join(''), 2);
    });
    const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null).setAutoPadding(false);
    client.socket.write(Buffer.concat([cipher.update(await client.take(16)), cipher.final()]));
    return client;
  }

  async take(count: number): Promise<Buffer> {
    while (this.input.length < count) {
      assert.ok(!this.closed, `closed with ${this.input.length} of ${count} bytes`);
      await new Promise<void>((resolve) => (this.notice = resolve));
    }
    const taken = this.input.subarray(0, count);
    this.input = this.input.subarray(count);
    return taken;
  }

  async begin(): Promise<void> {
    assert.equal((await this.take(4)).readUInt32BE(), 0, 'let in');
    this.socket.write(Uint8Array.of(1));
    const head = await this.take(24);
    this.width = head.readUInt16BE(0);
    this.height = head.readUInt16BE(2);
    await this.take(head.readUInt32BE(20));
  }

  /** All of the screen: red, green and blue of each pixel. */
  async picture(): Promise<Uint8Array> {
    const request = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    request.writeUInt16BE(this.width, 6);
    request.writeUInt16BE(this.height, 8);
    this.socket.write(request);
    const rgb = new Uint8Array(this.width * this.height * 3);
    const count = (await this.take(4)).readUInt16BE(2);
    for (let n = 0; n < count; n++) {
      const head = await this.take(12);
      const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.readUInt16BE(at)) as [
        number,
        number,
        number,
        number,
      ];
      assert.equal(head.readInt32BE(8), 0, 'raw, as nothing else was asked for');
      const pixels = await this.take(width * height * 4);
      for (let at = 0; at < width * height; at++) {
        const place = ((y + Math.floor(at / width)) * this.width + x + (at % width)) * 3;
        for (let part = 0; part < 3; part++) rgb[place + part] = pixels[at * 4 + 2 - part]!;
      }
    }
    return rgb;
  }

  pointer(x: number, y: number, buttons: number): void {
    this.socket.write(Uint8Array.of(5, buttons, x >> 8, x & 0xff, y >> 8, y & 0xff));
  }

  /** A key by its X keysym, pressed and released. */
  key(symbol: number): void {
    for (const down of [true, false]) this.press(symbol, down);
  }
  press(symbol: number, down: boolean): void {
    this.socket.write(Uint8Array.of(4, down ? 1 : 0, 0, 0, 0, 0, symbol >> 8, symbol & 0xff));
  }

  close(): void {
    this.socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Of an input event of 64-bit Linux. */
const EVENT_BYTES = 24;
const [KEY, RELATIVE, ABSOLUTE] = [1, 2, 3];
const [LEFT, WHEEL, Y] = [0x110, 8, 1];

test('a VNC client sees the screen, types, and points', { timeout: 150_000 }, () =>
  withFolder(async (folder) => {
    const disk = join(folder, 'disk.img');
    writeFileSync(disk, Buffer.alloc(2 ** 20));
    const steps = [
      'exec >/dev/ttyS0 2>&1',
      'modprobe -a psmouse evdev',
      'until grep -q VMMouse /proc/bus/input/devices; do sleep 0.2; done',
      'cd /dev/input; for e in event*; do cat $e >/tmp/$e & done',
      'echo point',
      // Six events of the pointer at least, then those of the wheel.
      'until cat /tmp/event* | hexdump -v -C | wc -l | grep -qE ^[2-9][0-9]; do sleep 0.2; done; sleep 1',
      'echo begin; cat /tmp/event* | hexdump -v -C; echo end',
      'read line </dev/tty0; echo typed $line',
    ];
    const port = await freePort();
    process.env['VIV_VNC_PASSWORD'] = PASSWORD;
    const guest = new Running(
      ...['debian', '--name', NAME, '--disk', disk, '--display', `vnc=127.0.0.1:${port}`],
      ...['--append', `quiet viv.run="${steps.join('; ')}"`],
    );
    await guest.says('point');

    const stranger = await Client.open(port, 'guess');
    assert.equal((await stranger.take(4)).readUInt32BE(), 1, 'refused');
    stranger.close();

    const client = await Client.open(port, PASSWORD);
    await client.begin();
    const seen = await client.picture();
    const file = join(folder, 'screen.png');
    assert.equal((await viv('control', 'screenshot', NAME, file)).status, 0);
    const shown = decode(readFileSync(file));
    assert.deepEqual([shown.width, shown.height], [client.width, client.height]);
    let different = 0;
    for (let at = 0; at < shown.width * shown.height; at++)
      if ([0, 1, 2].some((part) => shown.data[at * shown.channels + part] !== seen[at * 3 + part]))
        different++;
    // The cursor blinks.
    assert.ok(different <= 64, `${different} pixels differ`);
    assert.ok(
      seen.some((value) => value > 100),
      'there is something to see',
    );

    const right = client.width - 1;
    const bottom = client.height - 1;
    for (const [x, y, buttons] of [
      [right, 0, 0],
      [0, bottom, 0],
      [0, bottom, 1],
      [0, bottom, 0],
      [0, bottom, 16],
      [0, 0, 0],
    ] as const)
      client.pointer(x, y, buttons);
    await guest.says('end\r\n');
    const dump = guest.output.slice(guest.output.indexOf('begin'));
    const bytes = [...dump.matchAll(/^[0-9a-f]{8} {2}((?:[0-9a-f]{2} +)+)/gm)].flatMap(([, line]) =>
      line!.trim().split(/ +/),
    );
    const events = Buffer.from(bytes.join(''), 'hex');
    const found: string[] = [];
    for (let at = 0; at + EVENT_BYTES <= events.length; at += EVENT_BYTES) {
      const [type, code] = [events.readUInt16LE(at + 16), events.readUInt16LE(at + 18)];
      found.push(`${type} ${code} ${events.readInt32LE(at + 20)}`);
    }
    for (const [what, event] of Object.entries({
      right: `${ABSOLUTE} 0 65535`,
      left: `${ABSOLUTE} 0 0`,
      bottom: `${ABSOLUTE} ${Y} 65535`,
      pressed: `${KEY} ${LEFT} 1`,
      released: `${KEY} ${LEFT} 0`,
      wheel: `${RELATIVE} ${WHEEL} -1`,
    }))
      assert.ok(found.includes(event), `${what}: ${found.join('; ')}`);

    for (const letter of 'Hello') client.key(letter.charCodeAt(0));
    // Return
    client.key(0xff0d);
    await guest.says('typed');
    assert.match(guest.output, /typed [Hh]ello/);
    client.close();
    assert.equal(await guest.ended, 0);
  }),
);

test('F12 held while a machine starts anew has its BIOS ask', { timeout: 60_000 }, () =>
  withFolder(async (folder) => {
    const floppy = join(folder, 'floppy.img');
    // mov dx, 3F8h; mov al, "B"; out dx, al; mov al, "!"; out dx, al; hlt; jmp
    const program = [0xba, 0xf8, 0x03, 0xb0, 0x42, 0xee, 0xb0, 0x21, 0xee, 0xf4, 0xeb, 0xfd];
    const bytes = Buffer.alloc(1440 * 1024);
    bytes.set(program);
    bytes.set([0x55, 0xaa], 510);
    writeFileSync(floppy, bytes);
    const port = await freePort();
    process.env['VIV_VNC_PASSWORD'] = PASSWORD;
    const machine = new Running('--name', NAME, '--floppy', floppy, '--display', `vnc=127.0.0.1:${port}`);
    await machine.says('B!');
    const client = await Client.open(port, PASSWORD);
    await client.begin();
    const F12 = 0xffc9;
    client.press(F12, true);
    await client.picture();
    assert.equal((await viv('control', 'reset', NAME)).status, 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.doesNotMatch(machine.output, /B!B!/, 'it waits for an answer');
    client.press(F12, false);
    client.key('1'.charCodeAt(0));
    await machine.says('B!B!');
    client.close();
    assert.equal((await viv('control', 'poweroff', NAME)).status, 0);
    assert.equal(await machine.ended, 4);
  }),
);

test(
  'clients in pages come by WebSocket; without a password only those of this host',
  { timeout: 60_000 },
  async () => {
    const port = await freePort();
    const webSocket = await freePort();
    delete process.env['VIV_VNC_PASSWORD'];
    const machine = new Running(
      ...['--name', NAME, '--cdrom', 'empty', '--display', `vnc=127.0.0.1:${port},websocket=${webSocket}`],
    );
    const connect = (origin: string): Promise<Duplex> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${webSocket}/websockify`, ['binary'], { origin });
        // What comes first must find its reader.
        const stream = createWebSocketStream(socket);
        stream.on('error', () => {});
        socket.on('open', () => resolve(stream));
        socket.on('error', reject);
      });
    let socket: Duplex | null = null;
    while (!socket) {
      // It is not there yet.
      socket = await connect('http://localhost:6080').catch((error: Error) => {
        if (!/ECONNREFUSED/.test(error.message)) throw error;
        return null;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const client = await Client.over(socket, null);
    await client.begin();
    const picture = await client.picture();
    assert.equal(picture.length, client.width * client.height * 3);
    client.close();
    await assert.rejects(connect('https://elsewhere.example'), /401/);
    assert.equal((await viv('control', 'poweroff', NAME)).status, 0);
    assert.equal(await machine.ended, 4);
  },
);
