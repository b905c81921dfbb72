/** Guests with the cards that network.test.ts leaves out. */
import { test } from 'node:test';
import { inside } from './network/namespaces.js';
import { withFolder } from './viv.js';

for (const card of ['e1000e', 'pcnet', 'rtl8139', 'ne2k', 'ne2k-isa'])
  test(`a guest talks to the host by its ${card}`, () =>
    withFolder(async (folder) => inside(folder, 'inside.js', 300, card)));
