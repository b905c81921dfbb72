import { UserError } from '../../machine/user-error.js';
import { askPlace, jsonRecord } from '../ask-place.js';
import { placeNames, readPlace } from '../places.js';
import type { Wish } from './actions.js';
import type { ControlAnswer, ControlRequest } from './serve-control.js';

/** Has a machine do something; gives what it says. A UserError says why not. */
export async function askMachine(name: string, action: string, wish: Wish): Promise<string> {
  const answer = await ask(name, action, wish);
  if (!answer) throw new UserError(`no machine "${name}" runs; viv list tells which do`);
  if (answer.error !== undefined) throw new UserError(`${name}: ${answer.error}`);
  return answer.text ?? '';
}

async function ask(name: string, action: string, wish: Wish): Promise<ControlAnswer | null> {
  const place = readPlace('machine', name);
  if (!place) return null;
  const request: ControlRequest = { ...wish, token: place.token, action };
  return askPlace<ControlAnswer>(place, jsonRecord(request));
}

/** This user's machines that run now, each with what its status says first. */
export async function runningMachines(): Promise<{ name: string; title: string }[]> {
  const found: { name: string; title: string }[] = [];
  for (const name of placeNames('machine').sort()) {
    const answer = await ask(name, 'status', { arguments: [], folder: '/', force: false });
    if (answer) found.push({ name, title: answer.text?.split('\n')[0] ?? '' });
  }
  return found;
}
