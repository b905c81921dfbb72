import type { Done } from '../../machine/drive.js';

/** Does something with each of a list, the next when the one before is done, whether that is at once or later; ends with the first that fails. */
export function inTurn<T>(items: readonly T[], act: (item: T, done: Done) => void, done: Done): void {
  let next = 0;
  const go = (): void => {
    while (next < items.length) {
      let atOnce: boolean | null = null;
      let returned = false;
      act(items[next++]!, (ok) => {
        if (!returned) atOnce = ok;
        else if (ok) go();
        else done(false);
      });
      returned = true;
      if (atOnce === null) return;
      if (!atOnce) return done(false);
    }
    done(true);
  };
  go();
}
