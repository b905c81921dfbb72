import assert from 'node:assert/strict';
import { debianGuest } from '../../dist/manager/guests/debian.js';
import { COMPLAINTS, viv, type Ended } from '../viv.js';
import { archive, type Content } from './programs.js';

const FOLDER = process.env['XDG_RUNTIME_DIR']!;
let archives = 0;

/** A guest that runs a script as soon as it has its addresses. */
export async function runGuest(
  script: string,
  net: string,
  seconds: number,
  files: Record<string, Content>,
): Promise<Ended> {
  const wait = `
for try in $(seq 50); do grep -q nameserver /etc/resolv.conf 2>/dev/null && break; sleep 0.1; done
for try in $(seq 50); do ip -6 addr show dev eth0 | grep fd56 | grep -qv tentative && break; sleep 0.1; done
`;
  const made = await debianGuest({ script: wait + script, modules: 'network' });
  const more = archive(FOLDER, `files-${archives++}`, files);
  const ended = await viv(
    'run',
    ...['--kernel', made.kernel, '--initrd', `${made.initrd},${made.modules!},${more}`],
    ...['--append', `${made.append} quiet`, '--net', net, '--timeout', String(seconds)],
  );
  assert.equal(ended.status, 0, ended.output + ended.errors);
  assert.doesNotMatch(ended.output, COMPLAINTS);
  return ended;
}
