import { lockFile } from '../host/node/file-lock.js';
import { FileStorage } from '../host/node/file-storage.js';
import { UserError } from '../machine/user-error.js';
import { FIRMWARE_UNIT, type PackagedFirmware } from '../vm/packaged-firmware.js';
import type { FirmwareChoice } from './drive-options.js';
import { readNamedFile } from './read-file.js';

const MOST_FIRMWARE = 16 * 2 ** 20;

/** Firmware that the user named, with the file that UEFI firmware keeps its variables in. */
export function openFirmware(choice: FirmwareChoice): { firmware: PackagedFirmware; close: () => void } {
  const { path, variables: file } = choice;
  const bytes = readNamedFile('--bios', path);
  if (bytes.length === 0 || bytes.length % FIRMWARE_UNIT !== 0 || bytes.length > MOST_FIRMWARE)
    throw new UserError(
      `--bios ${path}: has ${bytes.length} bytes; firmware has a multiple of ${FIRMWARE_UNIT}, and ${MOST_FIRMWARE} at most`,
    );
  if (file === null) return { firmware: { bytes }, close: () => {} };
  const unlock = lockFile('--bios vars', file);
  const storage = FileStorage.open('--bios vars', file, 'write');
  const variables = new Uint8Array(storage.size);
  if (variables.length === 0 || variables.length % FIRMWARE_UNIT !== 0 || variables.length > MOST_FIRMWARE)
    throw new UserError(
      `--bios vars=${file}: has ${variables.length} bytes, and is no flash of variables; copy OVMF_VARS_4M.fd for one`,
    );
  storage.read(0, variables);
  const changed = (offset: number, length: number): void =>
    storage.write(offset, variables.subarray(offset, offset + length));
  const close = (): void => {
    storage.flush();
    storage.close();
    unlock();
  };
  return { firmware: { bytes, variables: { bytes: variables, changed } }, close };
}
