import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CpioArchive } from './cpio.js';
import { filesOfPackage } from './deb.js';
import type { OnProgress } from './package-source.js';

export interface Package {
  name: string;
  archive: Uint8Array;
}

/** What modules are for. Those for drives, which have the mouse's too, take longer to load. */
export type ModuleSet = 'network' | 'drives';

const NETWORK = [
  'drivers/(virtio/virtio(_ring|_pci.*)?|net/(mii|virtio_net|net_failover))',
  'drivers/net/ethernet/(intel/(e1000|e1000e)/.*|amd/pcnet32|realtek/8139(cp|too)|8390/(ne2k-pci|ne|8390|8390p))',
  'net/core/failover|drivers/ptp/ptp|drivers/pps/pps_core|net/packet/af_packet|lib/crc32',
];
const DRIVES = [
  'drivers/ata/(libata|ata_piix|ahci|libahci|ata_generic)',
  'drivers/(block/(virtio_blk|floppy|loop)|cdrom/cdrom|nvme/host/nvme(-core)?)',
  'drivers/scsi/(scsi_mod|scsi_common|sd_mod|sr_mod|sg|virtio_scsi)',
  'fs/(ext4/ext4|jbd2/jbd2|mbcache|isofs/isofs|fat/(fat|vfat)|nls/nls_(cp437|iso8859-1|ascii|utf8)|udf/udf)',
  'drivers/input/(evdev|mouse/psmouse)',
  'lib/.*crc.*|crypto/.*crc.*|arch/x86/crypto/crc.*|block/t10-pi',
];

/** Paths of drivers of what a machine here can have, file systems, and all that those need. */
function wanted(set: ModuleSet): RegExp {
  const parts = set === 'network' ? NETWORK : [...NETWORK, ...DRIVES];
  return new RegExp(`^(usr/)?lib/modules/[^/]+/kernel/(${parts.join('|')})\\.ko$`);
}

/** Name of the file that a set is kept in: one of its own for each list. */
export function modulesFile(set: ModuleSet): string {
  return `modules-${set}-${createHash('sha256').update(wanted(set).source).digest('hex').slice(0, 8)}`;
}

/** What a module says of itself (modinfo): all values of a key. */
function modinfo(bytes: Buffer, key: string): string[] {
  const found: string[] = [];
  const mark = Buffer.from(`\0${key}=`);
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1))
    found.push(bytes.toString('latin1', at + mark.length, bytes.indexOf(0, at + mark.length)));
  return found;
}

const moduleName = (path: string): string => basename(path, '.ko').replaceAll('-', '_');

/** A second initial RAM disk: modules, and what modprobe reads of them. */
export function modulesArchive({ name, archive }: Package, set: ModuleSet, onProgress: OnProgress): Buffer {
  const cpio = new CpioArchive();
  const directories = new Set<string>();
  const paths = new Map<string, string>();
  const depends = new Map<string, string[]>();
  const aliases: string[] = [];
  let root = '';
  onProgress({ phase: `unpacking modules of ${name}`, done: 0, total: 0 });
  for (const { path, bytes } of filesOfPackage(name, archive, wanted(set))) {
    const place = path.replace(/^usr\//, '');
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const folders = place.split('/').slice(0, -1);
    folders.forEach((_, n) => {
      const folder = folders.slice(0, n + 1).join('/');
      if (!directories.has(folder)) cpio.directory(folder);
      directories.add(folder);
    });
    root = folders.slice(0, 3).join('/');
    cpio.file(place, bytes);
    const own = moduleName(place);
    paths.set(own, place.slice(root.length + 1));
    depends.set(own, (modinfo(buffer, 'depends')[0] ?? '').split(',').filter(Boolean).map(moduleName));
    for (const alias of modinfo(buffer, 'alias')) aliases.push(`alias ${alias} ${own}`);
  }
  /** All that a module needs, after what those need themselves. */
  const needs = (own: string, before = new Set<string>()): Set<string> => {
    for (const other of depends.get(own) ?? [])
      if (paths.has(other) && !before.has(other)) {
        needs(other, before);
        before.add(other);
      }
    return before;
  };
  // modprobe loads what it reads from the last to the first.
  const line = (own: string): string =>
    `${paths.get(own)!}: ${[...needs(own)]
      .reverse()
      .map((other) => paths.get(other)!)
      .join(' ')}`;
  if (root !== '') {
    cpio.file(`${root}/modules.dep`, Buffer.from([...paths.keys()].map(line).join('\n') + '\n'));
    cpio.file(`${root}/modules.alias`, Buffer.from(aliases.join('\n') + '\n'));
    cpio.file(`${root}/modules.symbols`, Buffer.alloc(0));
  }
  return gzipSync(cpio.finish(), { level: 6 });
}
