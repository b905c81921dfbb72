import type { Progress } from '../manager/guests/debian.js';

/** Shows how far a long preparation is: one line that changes on a terminal, a line per phase elsewhere. */
export function progressDisplay(stream: NodeJS.WriteStream): (progress: Progress) => void {
  let phase = '';
  return ({ phase: current, done, total, note }) => {
    if (note) stream.write(`${stream.isTTY && phase ? '\n' : ''}${note}\n`);
    if (!stream.isTTY) {
      if (current !== phase) stream.write(`${current} ...\n`);
    } else {
      const part = total > 0 ? ` ${Math.floor((100 * done) / total)} %` : ' ...';
      stream.write(`\r\x1b[K${current}${part}`);
      if (total > 0 && done >= total) stream.write('\r\x1b[K');
    }
    phase = current;
  };
}
