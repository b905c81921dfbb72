import { UserError } from './user-error.js';

/** What can be saved: `save` gives plain data (JSON can hold it) that `load` takes, in this process or another. */
export interface Saveable {
  save(): object;
  load(state: object): void;
}

/** Refuses a state that was saved in a form this program does not know. */
export function checkVersion(what: string, state: { version: number }, known: number): void {
  if (state.version === known) return;
  throw new UserError(
    `the saved state of ${what} has version ${state.version}, but this program reads version ${known}: ` +
      `load it with the program that saved it`,
  );
}
