import { UserError } from '../machine/user-error.js';
import type { ImageDrive } from './image-drive.js';

const IDE_PLACES = 4;
/** CD drives are looked for on the second channel. */
const FIRST_CD_PLACE = 2;

/** Where the drives on IDE are: primary master and slave, secondary master and slave. */
export function idePlaces(drives: readonly ImageDrive[]): (ImageDrive | undefined)[] {
  const places: (ImageDrive | undefined)[] = new Array<undefined>(IDE_PLACES).fill(undefined);
  const order = [0, 1, 2, 3];
  for (const drive of drives.filter(({ bus, kind }) => bus === 'ide' && kind !== 'floppy')) {
    const preferred =
      drive.kind === 'cdrom' ? [...order.slice(FIRST_CD_PLACE), ...order.slice(0, FIRST_CD_PLACE)] : order;
    const place = preferred.find((n) => places[n] === undefined);
    if (place === undefined)
      throw new UserError(
        `${drive.name}: an IDE controller has places for ${IDE_PLACES} drives; give it another bus`,
      );
    places[place] = drive;
  }
  return places;
}
