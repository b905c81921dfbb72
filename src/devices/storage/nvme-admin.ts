/** Administration commands that concern no queue (NVM Express 1.4, chapter 5). */
import type { Drive } from '../../machine/drive.js';
import type { Command } from './nvme.js';
import * as N from './nvme-constants.js';
import { padded } from './scsi.js';

const PAGE = 4096;

// Identify: what is asked for
const IDENTIFY_NAMESPACE = 0x00;
const IDENTIFY_CONTROLLER = 0x01;
const IDENTIFY_LIST = 0x02;
const IDENTIFY_DESCRIPTORS = 0x03;

// Features
const NUMBER_OF_QUEUES = 0x07;
const WRITE_CACHE = 0x06;
/** Arbitration, power, temperature, error recovery, write cache, coalescing, vectors, atomicity, events. */
const FEATURES = [0x01, 0x02, 0x04, 0x05, WRITE_CACHE, NUMBER_OF_QUEUES, 0x08, 0x09, 0x0a, 0x0b];

const ROOM_KELVIN = 300;

export interface Answer {
  status: number;
  result?: number;
  data?: Uint8Array;
}

export class AdminCommands {
  private features = new Map<number, number>();

  constructor(
    private readonly drive: Drive,
    private readonly pairs: number,
  ) {
    this.reset();
  }

  reset(): void {
    this.features = new Map(FEATURES.map((feature) => [feature, 0]));
    this.features.set(WRITE_CACHE, 1);
    this.features.set(NUMBER_OF_QUEUES, (this.pairs - 1) | ((this.pairs - 1) << 16));
  }

  execute(command: Command): Answer {
    const [word10, word11] = command.words as [number, number];
    switch (command.opcode) {
      case N.IDENTIFY:
        return this.identify(word10 & 0xff, command.namespace);
      case N.GET_LOG_PAGE:
        return this.logPage(word10 & 0xff, ((word10 >>> 16) | (word11 << 16)) >>> 0);
      case N.SET_FEATURES: {
        const feature = word10 & 0xff;
        if (!this.features.has(feature)) return { status: N.INVALID_FIELD };
        if (feature !== NUMBER_OF_QUEUES) this.features.set(feature, word11);
        return { status: N.SUCCESS, result: this.features.get(feature)! };
      }
      case N.GET_FEATURES: {
        const value = this.features.get(word10 & 0xff);
        return value === undefined ? { status: N.INVALID_FIELD } : { status: N.SUCCESS, result: value };
      }
      case N.ABORT:
        // It was not aborted.
        return { status: N.SUCCESS, result: 1 };
      default:
        return { status: N.INVALID_OPCODE };
    }
  }

  private identify(what: number, namespace: number): Answer {
    switch (what) {
      case IDENTIFY_CONTROLLER:
        return { status: N.SUCCESS, data: this.controller() };
      case IDENTIFY_NAMESPACE:
        if (namespace !== N.NAMESPACE && namespace !== 0xffffffff) return { status: N.INVALID_NAMESPACE };
        return { status: N.SUCCESS, data: this.namespace() };
      case IDENTIFY_LIST: {
        const list = new DataView(new ArrayBuffer(PAGE));
        if (namespace < N.NAMESPACE) list.setUint32(0, N.NAMESPACE, true);
        return { status: N.SUCCESS, data: new Uint8Array(list.buffer) };
      }
      case IDENTIFY_DESCRIPTORS: {
        if (namespace !== N.NAMESPACE) return { status: N.INVALID_NAMESPACE };
        // An NGUID of the serial number.
        const list = new Uint8Array(PAGE);
        list.set([2, 16, 0, 0, ...padded(this.drive.serial, 16)]);
        return { status: N.SUCCESS, data: list };
      }
      default:
        return { status: N.INVALID_FIELD };
    }
  }

  private controller(): Uint8Array {
    const data = new Uint8Array(PAGE);
    const view = new DataView(data.buffer);
    view.setUint16(0, 0x1b36, true);
    view.setUint16(2, 0x1af4, true);
    data.set(padded(this.drive.serial, 20), 4);
    data.set(padded(this.drive.model, 40), 24);
    data.set(padded('1.0', 8), 64);
    data[72] = 6;
    data[77] = N.MOST_TRANSFER_SHIFT;
    view.setUint32(80, 0x00010400, true);
    // Four aborts and events at once; one firmware slot, read only; no errors are logged.
    data.set([3, 3, 0x03], 258);
    view.setUint16(266, ROOM_KELVIN + 43, true);
    view.setUint16(268, ROOM_KELVIN + 57, true);
    // Sizes of entries in the queues: 64 and 16 bytes.
    data[512] = 0x66;
    data[513] = 0x44;
    view.setUint32(516, 1, true);
    // Dataset management, write zeroes.
    view.setUint16(520, this.drive.readOnly ? 0 : 0x0c, true);
    // A write cache that can be flushed.
    data[525] = 1;
    const name = `nqn.2026-11.org.vivarium:${this.drive.serial}`;
    data.set(padded(name, name.length), 768);
    return data;
  }

  private namespace(): Uint8Array {
    const data = new Uint8Array(PAGE);
    const view = new DataView(data.buffer);
    for (const at of [0, 8, 16]) view.setBigUint64(at, BigInt(this.drive.sectors), true);
    // What is given back reads as zeros.
    data[33] = 1;
    data[24] = 0x04;
    data[104] = 0;
    data.set(padded(this.drive.serial, 16), 104);
    // One format: sectors of 512 bytes.
    data[130] = 9;
    return data;
  }

  /** `count`: 32-bit words less one. */
  private logPage(page: number, count: number): Answer {
    const length = Math.min((count + 1) * 4, PAGE);
    const data = new Uint8Array(length);
    switch (page) {
      case 0x01:
      case 0x03:
      case 0x05:
        return { status: N.SUCCESS, data };
      case 0x02: {
        const health = new DataView(new ArrayBuffer(512));
        health.setUint16(1, ROOM_KELVIN, true);
        health.setUint8(3, 100);
        health.setUint8(4, 10);
        data.set(new Uint8Array(health.buffer).subarray(0, length));
        return { status: N.SUCCESS, data };
      }
      default:
        return { status: N.INVALID_LOG_PAGE };
    }
  }

  save(): object {
    return { features: [...this.features] };
  }
  load(state: object): void {
    this.features = new Map((state as { features: [number, number][] }).features);
  }
}
