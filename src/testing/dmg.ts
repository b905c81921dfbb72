import { zlibSync } from 'fflate';

const SECTOR = 512;
const RUN_SECTORS = 128;

/** A UDIF image of these bytes, in two partitions: runs of zeros, plain ones and packed ones, each where it suits. */
export function makeDmg(disk: Uint8Array): Uint8Array {
  const sectors = disk.length / SECTOR;
  const half = Math.floor(sectors / 2);
  const data: Uint8Array[] = [];
  let dataBytes = 0;
  const table = (first: number, count: number): string => {
    const runs: Uint8Array[] = [];
    const run = (kind: number, at: number, length: number, offset: number, stored: number): void => {
      const view = new DataView(new ArrayBuffer(40));
      view.setUint32(0, kind);
      [at, length, offset, stored].forEach((value, n) => view.setBigUint64(8 + 8 * n, BigInt(value)));
      runs.push(new Uint8Array(view.buffer));
    };
    for (let at = 0; at < count; at += RUN_SECTORS) {
      const length = Math.min(RUN_SECTORS, count - at);
      const bytes = disk.subarray((first + at) * SECTOR, (first + at + length) * SECTOR);
      const isZero = bytes.every((byte) => byte === 0);
      const plain = (at / RUN_SECTORS) % 3 === 0;
      const stored = isZero ? new Uint8Array() : plain ? bytes : zlibSync(bytes);
      run(isZero ? (plain ? 0 : 2) : plain ? 1 : 0x80000005, at, length, dataBytes, stored.length);
      data.push(stored);
      dataBytes += stored.length;
    }
    run(0xffffffff, count, 0, dataBytes, 0);
    const head = new DataView(new ArrayBuffer(204));
    head.setUint32(0, 0x6d697368);
    head.setUint32(4, 1);
    head.setBigUint64(8, BigInt(first));
    head.setBigUint64(16, BigInt(count));
    head.setUint32(32, RUN_SECTORS + 8);
    head.setUint32(200, runs.length);
    return Buffer.concat([new Uint8Array(head.buffer), ...runs]).toString('base64');
  };
  const dictionaries = [table(0, half), table(half, sectors - half)].map(
    (encoded, n) =>
      `<dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>\n${encoded.replace(/.{64}/g, '$&\n')}\n</data><key>ID</key><string>${n}</string></dict>`,
  );
  const list = new TextEncoder().encode(
    `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0"><dict><key>resource-fork</key><dict><key>blkx</key><array>${dictionaries.join('')}</array><key>plst</key><array><dict><key>Data</key><data>AAAA</data></dict></array></dict></dict></plist>\n`,
  );
  const trailer = new DataView(new ArrayBuffer(512));
  trailer.setUint32(0, 0x6b6f6c79);
  trailer.setUint32(4, 4);
  trailer.setUint32(8, 512);
  trailer.setUint32(12, 1);
  trailer.setBigUint64(0x20, BigInt(dataBytes));
  trailer.setBigUint64(0xd8, BigInt(dataBytes));
  trailer.setBigUint64(0xe0, BigInt(list.length));
  trailer.setUint32(0x1e8, 1);
  trailer.setBigUint64(0x1ec, BigInt(sectors));
  return Uint8Array.from(Buffer.concat([...data, list, new Uint8Array(trailer.buffer)]));
}
