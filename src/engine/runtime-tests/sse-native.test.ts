import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nativeResults } from './sse-native-results.js';
import { DESTINATION, SOURCE, SseRig, slotOf } from './sse-rig.js';

const XM = 19;
/** CVTPD2DQ is written with the helper of CVTPD2PI. */
const PAIR_HELPERS: Record<string, string> = { cvtpd2dq: 'cvtpd2pi', cvttpd2dq: 'cvttpd2pi' };

const lines = nativeResults.trim().split('\n');
const names = [...new Set(lines.map((line) => line.split(' ')[0]!))];
const rig = new SseRig();

for (const name of names)
  test(`${name} as a processor does it`, () => {
    for (const line of lines.filter((l) => l.startsWith(`${name} `))) {
      const [, argument = '', before = '', destination = '', source = '', result = '', after = ''] =
        line.split(' ');
      rig.mxcsr = parseInt(before, 16);
      rig.setXmm(DESTINATION, BigInt(`0x${destination}`));
      rig.setXmm(SOURCE, BigInt(`0x${source}`));
      let found: bigint;
      if (/^cvtt?s[sd]2si$/.test(name))
        found = BigInt.asUintN(Number(argument), rig.call(name, slotOf(SOURCE), BigInt(argument)));
      else if (name in PAIR_HELPERS) found = rig.call(PAIR_HELPERS[name]!, slotOf(SOURCE));
      else if (name.includes('comis')) found = rig.call(name, slotOf(DESTINATION), slotOf(SOURCE));
      else {
        rig.onSlots(name, ...(argument === '-' ? [] : [BigInt(`0x${argument}`)]));
        found = rig.xmm(DESTINATION);
      }
      const fault = rig.fault();
      if (result === '#XM') {
        assert.equal(fault, XM, line);
        assert.equal(rig.xmm(DESTINATION), BigInt(`0x${destination}`), line);
      } else {
        assert.equal(fault, null, line);
        assert.equal(found.toString(16), BigInt(`0x${result}`).toString(16), line);
      }
      assert.equal(rig.mxcsr.toString(16), after, line);
    }
  });
