// Writes to an image until it is killed, with an odd seed beside this thread: "w SECTOR STEP" before each write, "f STEP" when the
// step is flushed. Arguments: file, seed.
import { sequence } from '../dist/testing/sequence.js';
import { openFile } from '../dist/manager/media/open-file.js';

const [path, seed] = process.argv.slice(2);
const image = openFile({ option: 'kill', path, format: null, write: true, anywhere: false });
const next = sequence(Number(seed));
const beside = Number(seed) % 2 === 1;
for (let step = 1; ; step++) {
  const writes = [];
  for (let n = 1 + next(5); n > 0; n--) {
    const sector = next(image.bytes / 4096);
    // What a place must have at least: the step in which it was written.
    const bytes = new Uint8Array(4096);
    new DataView(bytes.buffer).setUint32(0, step);
    // Said before it is done: nothing is written that was not told of.
    process.stdout.write(`w ${sector} ${step}\n`);
    if (beside) writes.push(image.writeBeside(sector * 4096, bytes));
    else image.write(sector * 4096, bytes);
  }
  await Promise.all(writes);
  if (beside) await image.flushBeside();
  else image.flush();
  process.stdout.write(`f ${step}\n`);
}
