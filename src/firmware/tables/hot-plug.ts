/** What of the DSDT tells the system of PCI devices that come and go (ACPI 5.1, 5.6.4 and 6.3); registers: machine/pci/pci-hot-plug.ts. */
import { FIRST_FREE_SLOT, SLOTS } from '../../machine/pci/pci-bus.js';
import { HOT_PLUG_BYTES, HOT_PLUG_PORT } from '../../machine/pci/pci-hot-plug.js';
import {
  and,
  device,
  dwordFields,
  ifTrue,
  integer,
  local0,
  method,
  name,
  notify,
  operationRegion,
  path,
  scope,
  store,
  SYSTEM_IO,
  type Aml,
} from './aml.js';

const DEVICE_CHECK = 1;
const EJECT_REQUEST = 3;

const slotName = (slot: number): string => `S${slot.toString(16).toUpperCase().padStart(3, '0')}`;
const slots = Array.from({ length: SLOTS - FIRST_FREE_SLOT }, (_, n) => FIRST_FREE_SLOT + n);

/** In the PCI root: the registers, and a device for each slot, which the system may give up. */
export function hotPlugSlots(): Aml[] {
  return [
    operationRegion('HPLG', SYSTEM_IO, HOT_PLUG_PORT, HOT_PLUG_BYTES),
    dwordFields('HPLG', 'CAME', 'LEAV', 'EJCT'),
    ...slots.map((slot) =>
      device(
        slotName(slot),
        name('_ADR', integer(slot * 0x10000)),
        name('_SUN', integer(slot)),
        method('_EJ0', 1, store(integer(2 ** slot), path('\\_SB.PCI0.EJCT'))),
      ),
    ),
  ];
}

/** The event's method: tells the system of each slot where something is to be looked at or given up. */
export function hotPlugEvent(): Aml {
  const tell = (register: string, what: number): Aml[] => [
    store(path(`\\_SB.PCI0.${register}`), local0),
    ...slots.map((slot) =>
      ifTrue(and(local0, integer(2 ** slot)), notify(path(`\\_SB.PCI0.${slotName(slot)}`), what)),
    ),
  ];
  return scope('\\_GPE', method('_E01', 0, ...tell('CAME', DEVICE_CHECK), ...tell('LEAV', EJECT_REQUEST)));
}
