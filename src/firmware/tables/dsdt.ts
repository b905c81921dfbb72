import { FIRST_PIRQ_GSI, PIRQS, pirqOf } from '../../machine/interrupts/interrupt-router.js';
import { HPET_BASE, IO_APIC_BASE, LOCAL_APIC_BASE, type RamLayout } from '../../machine/memory-map.js';
import { SLOTS } from '../../machine/pci/pci-bus.js';
import { PIRQRC } from '../../machine/pci/piix3.js';
import { GPE0_BYTES, GPE0_PORT, HOT_PLUG_BYTES, HOT_PLUG_PORT } from '../../machine/pci/pci-hot-plug.js';
import { PM_BASE, SMBUS_BASE } from '../../machine/pci/piix4-pm.js';
import {
  arg0,
  and,
  byteFields,
  createDWordField,
  device,
  eisaId,
  give,
  ifTrue,
  integer,
  join,
  local0,
  method,
  name,
  operationRegion,
  or,
  otherwise,
  packageOf,
  path,
  PCI_CONFIG,
  processor,
  scope,
  store,
  text,
  type Aml,
} from './aml.js';
import { hotPlugEvent, hotPlugSlots } from './hot-plug.js';
import { PCI_MEMORY, PM_BYTES, SLP_TYP_S0, SLP_TYP_S5, SMBUS_BYTES, pciMemory64 } from './board.js';
import { FIRST_X2APIC_ID } from './madt.js';
import {
  INTERRUPT_NUMBER_OFFSET,
  busRange,
  ioRange,
  irq,
  levelInterrupts,
  memory32,
  memoryRange,
  memoryRange64,
  ports,
  resources,
  type Resource,
} from './resources.js';
import { systemDescriptionTable } from './sdt.js';

/** Revision 2: integers have 64 bits. */
const DSDT_REVISION = 2;

/** Differentiated System Description Table: the devices of the board that cannot be found by looking. */
export function dsdt(cpuCount: number, memory: RamLayout): Uint8Array {
  const body = join(
    name('\\_S0', packageOf(integer(SLP_TYP_S0), integer(SLP_TYP_S0), integer(0), integer(0))),
    name('\\_S5', packageOf(integer(SLP_TYP_S5), integer(SLP_TYP_S5), integer(0), integer(0))),
    // The system tells its interrupt model: 0 the 8259 pair, 1 the I/O APIC.
    name('\\PICF', integer(0)),
    method('\\_PIC', 1, store(arg0, path('\\PICF'))),
    hotPlugEvent(),
    scope('\\_SB', pciRoot(memory), boardMemory(), hpet(), ...links(), ...processors(cpuCount)),
  );
  return systemDescriptionTable('DSDT', DSDT_REVISION, body);
}

function pnp(at: string, id: string, ...descriptors: Resource[]): Aml {
  return device(at, name('_HID', eisaId(id)), name('_CRS', resources(...descriptors)));
}

function pciRoot(memory: RamLayout): Aml {
  const windows = resources(
    busRange(0, 0xff),
    ports(0xcf8, 8),
    ioRange(0, 0xcf7),
    ioRange(0xd00, 0xffff),
    memoryRange({ first: 0xa0000, last: 0xbffff }, true),
    memoryRange(PCI_MEMORY),
    memoryRange64(pciMemory64(memory)),
  );
  return device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_CRS', windows),
    name(
      'PRTP',
      routing((pirq) => [path(linkName(pirq)), integer(0)]),
    ),
    name(
      'PRTA',
      routing((pirq) => [integer(0), integer(FIRST_PIRQ_GSI + pirq)]),
    ),
    method('_PRT', 0, ifTrue(path('\\PICF'), give(path('PRTA'))), otherwise(give(path('PRTP')))),
    isaBridge(),
    ...hotPlugSlots(),
  );
}

const PINS = 4;
const ALL_FUNCTIONS = 0xffff;

/** PCI Routing Table (ACPI 5.1, 6.2.13): for every slot and pin, the link device, or the fixed interrupt, it is wired to. */
function routing(source: (pirq: number) => [Aml, Aml]): Aml {
  const entries: Aml[] = [];
  // A package holds 255 elements at most; slot 0 is the host bridge, which has no interrupt.
  for (let slot = 1; slot < SLOTS; slot++) {
    for (let pin = 0; pin < PINS; pin++) {
      const address = integer(slot * 0x10000 + ALL_FUNCTIONS);
      entries.push(packageOf(address, integer(pin), ...source(pirqOf(slot, pin))));
    }
  }
  return packageOf(...entries);
}

function linkName(pirq: number): string {
  return `\\_SB.LNK${'ABCD'[pirq]}`;
}

function isaBridge(): Aml {
  return device(
    'ISA',
    name('_ADR', integer(0x00010000)),
    operationRegion('PIRQ', PCI_CONFIG, PIRQRC, PIRQS),
    byteFields('PIRQ', 'PIRA', 'PIRB', 'PIRC', 'PIRD'),
    pnp('PIC', 'PNP0000', ports(0x20, 2), ports(0xa0, 2), ports(0x4d0, 2), irq(2)),
    pnp('PIT', 'PNP0100', ports(0x40, 4), irq(0)),
    pnp('DMA', 'PNP0200', ports(0x00, 16), ports(0x81, 15), ports(0xc0, 32)),
    pnp('SPKR', 'PNP0800', ports(0x61, 1)),
    pnp('RTC', 'PNP0B00', ports(0x70, 2), irq(8)),
    pnp('KBD', 'PNP0303', ports(0x60, 1), ports(0x64, 1), irq(1)),
    pnp('MOU', 'PNP0F13', irq(12)),
    serial('COM1', 1, 0x3f8, 4),
    serial('COM2', 2, 0x2f8, 3),
  );
}

function serial(at: string, id: number, first: number, line: number): Aml {
  return device(
    at,
    name('_HID', eisaId('PNP0501')),
    name('_UID', integer(id)),
    name('_CRS', resources(ports(first, 8), irq(line))),
  );
}

/** Bit of PIRQRC: the line drives no ISA interrupt. */
const NOT_ROUTED = 0x80;
const POSSIBLE_IRQS = [5, 10, 11];
const STA_PRESENT_DISABLED = 0x09;
const STA_PRESENT_ENABLED = 0x0b;

/** Interrupt link devices: PIRQA-PIRQD, routed to ISA interrupts by the PIIX3's PIRQRC registers. */
function links(): Aml[] {
  return ['A', 'B', 'C', 'D'].map((letter, index) => {
    const register = path(`\\_SB.PCI0.ISA.PIR${letter}`);
    const notRouted = and(register, integer(NOT_ROUTED));
    return device(
      `LNK${letter}`,
      name('_HID', eisaId('PNP0C0F')),
      name('_UID', integer(index + 1)),
      name('_PRS', resources(levelInterrupts(...POSSIBLE_IRQS))),
      method(
        '_STA',
        0,
        ifTrue(notRouted, give(integer(STA_PRESENT_DISABLED))),
        give(integer(STA_PRESENT_ENABLED)),
      ),
      method('_DIS', 0, or(register, integer(NOT_ROUTED), register)),
      method(
        '_CRS',
        0,
        store(resources(levelInterrupts(0)), local0),
        createDWordField(local0, INTERRUPT_NUMBER_OFFSET, 'LINE'),
        ifTrue(notRouted, give(local0)),
        store(register, path('LINE')),
        give(local0),
      ),
      method(
        '_SRS',
        1,
        createDWordField(arg0, INTERRUPT_NUMBER_OFFSET, 'LINE'),
        store(path('LINE'), register),
      ),
    );
  });
}

/** Linux claims this much for itself; a larger range of ours could not be reserved. */
const IO_APIC_BYTES = 0x400;

/** Addresses that belong to the board itself, kept from being given to others. */
function boardMemory(): Aml {
  return pnp(
    'MBRD',
    'PNP0C02',
    ports(PM_BASE, PM_BYTES),
    ports(SMBUS_BASE, SMBUS_BYTES),
    ports(HOT_PLUG_PORT, HOT_PLUG_BYTES),
    ports(GPE0_PORT, GPE0_BYTES),
    memory32(IO_APIC_BASE, IO_APIC_BYTES),
    memory32(LOCAL_APIC_BASE, 0x1000),
  );
}

function hpet(): Aml {
  return device(
    'HPET',
    name('_HID', eisaId('PNP0103')),
    name('_UID', integer(0)),
    name('_CRS', resources(memory32(HPET_BASE, 0x400))),
  );
}

/** Processor objects hold 8-bit ids; those above are devices whose _UID is the id. */
function processors(cpuCount: number): Aml[] {
  return Array.from({ length: cpuCount }, (_, id) => {
    const at = `C${id.toString(16).toUpperCase().padStart(3, '0')}`;
    if (id < FIRST_X2APIC_ID) return processor(at, id);
    return device(at, name('_HID', text('ACPI0007')), name('_UID', integer(id)));
  });
}
