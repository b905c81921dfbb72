/** Many CPUs under a load of all kinds for ten minutes (VIV_STRESS_SECONDS: another time). Needs Debian's stress-ng. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { archive } from './network/programs.js';
import { COMPLAINTS, viv, withFolder } from './viv.js';

const SECONDS = Number(process.env['VIV_STRESS_SECONDS'] ?? 600);
const CPUS = 4;
/** How many of each; those that can look whether what they did is right do. */
const WORK =
  '--cpu 2 --vm 2 --vm-bytes 48M --fork 2 --futex 2 --pipe 2 --switch 2 --mmap 1 --mmap-bytes 32M --sem 2 --mutex 2 --sigq 2 --timer 1 --yield 2 --atomic 2 --clone 1 --hdd 1 --hdd-bytes 16M --membarrier 1 --mprotect 1 --fault 1 --dentry 1 --sock 1 --unshare 1 --vfork 1 --wait 1';

test(`${CPUS} CPUs under load for ${SECONDS} s`, { timeout: (SECONDS + 240) * 1000 }, () =>
  withFolder(async (folder) => {
    const script = `cd /tmp && stress-ng ${WORK} --verify --timeout ${SECONDS}s --metrics-brief; echo "stress-ng ended with $?"; dmesg`;
    const { kernel, initrd, append } = await debianGuest({ script });
    const program = archive(folder, 'stress', { '/bin/stress-ng': { from: '/usr/bin/stress-ng' } });
    const { status, output, errors } = await viv(
      ...['run', '--kernel', kernel, '--initrd', `${initrd},${program}`, '--append', `${append} quiet`],
      ...['--memory', '1G', '--cpus', String(CPUS), '--timeout', String(SECONDS + 200)],
    );
    assert.equal(status, 0, output + errors);
    assert.doesNotMatch(output, COMPLAINTS);
    assert.match(output, /stress-ng ended with 0/, output);
    console.log(output.match(/^stress-ng: metrc.*$/gm)?.join('\n'));
  }),
);
