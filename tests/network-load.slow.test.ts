/** Guests under load. Needs gcc, and Debian's dropbear-bin and openssh-client. */
import { test } from 'node:test';
import { inside } from './network/namespaces.js';
import { withFolder } from './viv.js';

test('guests bear load', () => withFolder(async (folder) => inside(folder, 'load.js', 1800)));

test('apt-get fetches from many servers', () => withFolder(async (folder) => inside(folder, 'apt.js', 320)));
