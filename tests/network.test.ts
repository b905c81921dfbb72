/** Guests on a network, in namespaces that have nothing but loopback: what is in tests/network. Needs root, or user namespaces. */
import { test } from 'node:test';
import { inside } from './network/namespaces.js';
import { withFolder } from './viv.js';

test('guests talk to the host through the NAT', () =>
  withFolder(async (folder) => inside(folder, 'inside.js', 900)));

test("the host's kernel gets all its bytes through the NAT, whatever the link does to frames", () =>
  withFolder(async (folder) => inside(folder, 'kernel.js', 300)));

test('machines of several processes share a network', () =>
  withFolder(async (folder) => inside(folder, 'shared.js', 200)));
