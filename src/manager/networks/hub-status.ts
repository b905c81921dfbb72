import { writeStatusRequest } from '../../network/links/hub-protocol.js';
import { askPlace } from '../ask-place.js';
import { readPlace } from '../places.js';
import type { HubStatus } from './hub.js';

/** What a shared switch says of itself; null: nobody is there. */
export async function hubStatus(name: string): Promise<HubStatus | null> {
  const place = readPlace('net', name);
  return place && askPlace<HubStatus>(place, writeStatusRequest(place.token));
}
