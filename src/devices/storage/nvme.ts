/** NVM Express controller with one namespace (NVM Express 1.4). */
import type { Drive } from '../../machine/drive.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { MmioDevice } from '../../machine/mmio-bus.js';
import { MSIX_BAR_BYTES, MsiX } from '../../machine/pci/msix.js';
import { PciFunction, type SavedPciFunction } from '../../machine/pci/pci-function.js';
import { CAPABILITY_MSIX } from '../../machine/pci/pci-registers.js';
import { Scatter } from '../../machine/scatter.js';
import { AdminCommands } from './nvme-admin.js';
import { inTurn } from './in-turn.js';
import * as N from './nvme-constants.js';

const REGISTERS_BAR = 0;
const MSIX_BAR = 4;
const REGISTERS_BYTES = 0x4000;
const DOORBELLS = 0x1000;

// Registers
const CAP = 0x00;
const VS = 0x08;
const INTMS = 0x0c;
const INTMC = 0x10;
const CC = 0x14;
const CSTS = 0x1c;
const AQA = 0x24;
const ASQ = 0x28;
const ACQ = 0x30;

/** Timeout 7.5 s, contiguous queues, as many entries as there can be; NVM commands; pages of 4 KiB. */
const CAP_LOW = (15 << 24) | (1 << 16) | (N.MOST_ENTRIES - 1);
const CAP_HIGH = 1 << 5;
const VERSION = 0x00010400;
const CC_ENABLE = 1;
const CC_SHUTDOWN = 0xc000;
const CSTS_READY = 1;
const CSTS_SHUT_DOWN = 0x8;
const CSTS_FATAL = 0x2;

const ENTRY_BYTES = 64;
const COMPLETION_BYTES = 16;
const PAGE = 0x1000;
const MOST_PAGES = 2 * (N.MOST_TRANSFER / PAGE) + 2;

interface SubmissionQueue {
  address: number;
  entries: number;
  completion: number;
  head: number;
  tail: number;
}
interface CompletionQueue {
  address: number;
  entries: number;
  /** Vector of its interrupts; -1: none. */
  vector: number;
  head: number;
  tail: number;
  phase: number;
}

/** A command as it stands in a queue. */
export interface Command {
  opcode: number;
  id: number;
  namespace: number;
  /** Where the data are: two pointers. */
  pointers: [number, number];
  words: number[];
}

export class Nvme extends PciFunction implements MmioDevice {
  private readonly msix: MsiX;
  private readonly msixCapability: number;
  private readonly admin: AdminCommands;
  private configuration = 0;
  private status = 0;
  private adminAttributes = 0;
  private readonly adminAddresses = [0, 0, 0, 0];
  private masked = 0;
  private submissions: (SubmissionQueue | undefined)[] = [];
  private completions: (CompletionQueue | undefined)[] = [];
  /** Completion queues whose entries the host has not seen. */
  private unseen = 0;
  private generation = 0;

  constructor(
    private readonly drive: Drive,
    private readonly ram: GuestRam,
    /** Pairs of queues for input and output. */
    private readonly pairs: number,
  ) {
    super({
      vendor: 0x1b36,
      device: 0x0010,
      revision: 2,
      classCode: 0x010802,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      interruptPin: 1,
    });
    this.msix = new MsiX(pairs + 1, this.sendMessage);
    this.addBar(REGISTERS_BAR, { kind: 'memory', bits: 64, bytes: REGISTERS_BYTES, device: this });
    this.addBar(MSIX_BAR, { kind: 'memory', bits: 32, bytes: MSIX_BAR_BYTES, device: this.msix });
    this.msixCapability = this.addCapability(CAPABILITY_MSIX, this.msix.capability(MSIX_BAR));
    this.allow(this.msixCapability + 2, 2, 0xc000);
    this.admin = new AdminCommands(drive, pairs);
  }

  protected override configWritten(): void {
    this.msix?.configure(this.get16(this.msixCapability + 2));
  }

  // ---- registers

  mmioRead(offset: number): number {
    switch (offset) {
      case CAP:
        return CAP_LOW >>> 0;
      case CAP + 4:
        return CAP_HIGH;
      case VS:
        return VERSION;
      case INTMS:
      case INTMC:
        return this.masked >>> 0;
      case CC:
        return this.configuration >>> 0;
      case CSTS:
        return this.status;
      case AQA:
        return this.adminAttributes >>> 0;
      case ASQ:
      case ASQ + 4:
      case ACQ:
      case ACQ + 4:
        return this.adminAddresses[(offset - ASQ) >> 2]!;
      default:
        return 0;
    }
  }

  mmioWrite(offset: number, value: number, size: number): void {
    if (size !== 4) return;
    if (offset >= DOORBELLS) return this.doorbell((offset - DOORBELLS) >> 2, value);
    switch (offset) {
      case INTMS:
        this.masked |= value;
        return this.updatePin();
      case INTMC:
        this.masked &= ~value;
        return this.updatePin();
      case CC:
        return this.configure(value >>> 0);
      case AQA:
        this.adminAttributes = value;
        return;
      case ASQ:
      case ASQ + 4:
      case ACQ:
      case ACQ + 4:
        this.adminAddresses[(offset - ASQ) >> 2] = (offset & 4 ? value : value & ~0xfff) >>> 0;
    }
  }

  private configure(value: number): void {
    const was = this.configuration;
    this.configuration = value;
    if (value & CC_ENABLE && !(was & CC_ENABLE)) this.enable();
    else if (!(value & CC_ENABLE) && was & CC_ENABLE) this.disable();
    if (value & CC_SHUTDOWN && !(was & CC_SHUTDOWN)) this.drive.flush(() => (this.status |= CSTS_SHUT_DOWN));
  }

  private enable(): void {
    const [submissionLow, submissionHigh, completionLow, completionHigh] = this.adminAddresses as [
      number,
      number,
      number,
      number,
    ];
    const submission = submissionLow + submissionHigh * 2 ** 32;
    const completion = completionLow + completionHigh * 2 ** 32;
    const entries = (this.adminAttributes & 0xfff) + 1;
    const answers = ((this.adminAttributes >>> 16) & 0xfff) + 1;
    const fits =
      this.ram.contains(submission, entries * ENTRY_BYTES) &&
      this.ram.contains(completion, answers * COMPLETION_BYTES);
    if (!fits || entries < 2 || answers < 2) {
      this.status = CSTS_FATAL;
      return;
    }
    this.submissions = [{ address: submission, entries, completion: 0, head: 0, tail: 0 }];
    this.completions = [{ address: completion, entries: answers, vector: 0, head: 0, tail: 0, phase: 1 }];
    this.status = CSTS_READY;
  }

  private disable(): void {
    this.generation++;
    this.submissions = [];
    this.completions = [];
    this.status = 0;
    this.unseen = 0;
    this.admin.reset();
    this.updatePin();
  }

  // ---- queues

  private doorbell(index: number, value: number): void {
    const number = index >> 1;
    if (index & 1) {
      const queue = this.completions[number];
      if (!queue || value >= queue.entries) return;
      queue.head = value;
      if (queue.head === queue.tail) this.unseen &= ~(1 << number);
      this.updatePin();
      // There is room for more answers.
      this.submissions.forEach((submission, n) => submission?.completion === number && this.fetch(n));
      return;
    }
    const queue = this.submissions[number];
    if (!queue || value >= queue.entries) return;
    queue.tail = value;
    this.fetch(number);
  }

  private fetch(number: number): void {
    const queue = this.submissions[number];
    while (
      queue &&
      this.submissions[number] === queue &&
      queue.head !== queue.tail &&
      this.hasRoom(queue.completion)
    ) {
      const at = queue.address + queue.head * ENTRY_BYTES;
      queue.head = (queue.head + 1) % queue.entries;
      this.execute(number, queue, this.command(at));
    }
  }

  private hasRoom(number: number): boolean {
    const queue = this.completions[number];
    return queue !== undefined && (queue.tail + 1) % queue.entries !== queue.head;
  }

  private command(at: number): Command {
    const { ram } = this;
    const first = ram.readU32(at);
    return {
      opcode: first & 0xff,
      id: first >>> 16,
      namespace: ram.readU32(at + 4),
      pointers: [Number(ram.readU64(at + 24)), Number(ram.readU64(at + 32))],
      words: Array.from({ length: 6 }, (_, n) => ram.readU32(at + 40 + 4 * n)),
    };
  }

  private execute(number: number, queue: SubmissionQueue, command: Command): void {
    const { generation } = this;
    const end = (status: number, result = 0): void => {
      if (generation === this.generation) this.complete(number, queue, command.id, status, result);
    };
    if (number === 0) this.executeAdmin(command, end);
    else this.transfer(command, end);
  }

  private complete(
    number: number,
    submission: SubmissionQueue,
    id: number,
    status: number,
    result: number,
  ): void {
    const queue = this.completions[submission.completion];
    if (!queue) return;
    const at = queue.address + queue.tail * COMPLETION_BYTES;
    const { ram } = this;
    ram.writeU32(at, result >>> 0);
    ram.writeU32(at + 4, 0);
    ram.writeU32(at + 8, (submission.head | (number << 16)) >>> 0);
    ram.writeU32(at + 12, (id | (queue.phase << 16) | (status << 17)) >>> 0);
    queue.tail = (queue.tail + 1) % queue.entries;
    if (queue.tail === 0) queue.phase ^= 1;
    this.unseen |= 1 << submission.completion;
    if (queue.vector < 0) return;
    if (this.msix.enabled) this.msix.notify(queue.vector);
    else this.updatePin();
  }

  private updatePin(): void {
    const wanted = this.completions.some(
      (queue, n) =>
        queue && queue.vector >= 0 && this.unseen & (1 << n) && !(this.masked & (1 << queue.vector)),
    );
    this.setInterrupt(wanted && !this.msix.enabled);
  }

  // ---- data

  /** What the two pointers of a command name (4.3); null: it is not RAM. */
  private buffer([first, second]: [number, number], length: number): Scatter | null {
    const { ram } = this;
    const segments: { address: number; length: number }[] = [];
    let left = length;
    const add = (address: number): boolean => {
      const count = Math.min(left, PAGE - (address % PAGE));
      if (!ram.contains(address, count)) return false;
      segments.push({ address, length: count });
      left -= count;
      return true;
    };
    if (!add(first)) return null;
    if (left > 0 && left <= PAGE) {
      if (!add(second)) return null;
    } else if (left > 0) {
      let list = second;
      for (let n = 0; left > 0 && n < MOST_PAGES; n++) {
        if (!ram.contains(list, 8)) return null;
        const page = Number(ram.readU64(list));
        // The last entry of a page of the list names the next, if more are needed.
        if (list % PAGE === PAGE - 8 && left > PAGE) {
          list = page;
          continue;
        }
        if (!add(page)) return null;
        list += 8;
      }
    }
    return left > 0 ? null : new Scatter(ram, segments);
  }

  private transfer(command: Command, end: (status: number) => void): void {
    const { drive } = this;
    if (
      command.namespace !== N.NAMESPACE &&
      !(command.namespace === 0xffffffff && command.opcode === N.FLUSH)
    )
      return end(N.INVALID_NAMESPACE);
    if (command.opcode === N.FLUSH) return drive.flush((ok) => end(ok ? N.SUCCESS : N.INTERNAL_ERROR));
    if (command.opcode === N.DATASET_MANAGEMENT) return this.deallocate(command, end);
    const first = command.words[0]! + command.words[1]! * 2 ** 32;
    const count = (command.words[2]! & 0xffff) + 1;
    const [position, length] = [first * N.SECTOR, count * N.SECTOR];
    if (first + count > drive.sectors) return end(N.LBA_OUT_OF_RANGE);
    const writes = command.opcode === N.WRITE || command.opcode === N.WRITE_ZEROES;
    if (writes && drive.readOnly) return end(N.WRITE_PROTECTED);
    const safely = (ok: boolean): void => {
      if (!ok || !(command.words[2]! & N.FORCE_UNIT_ACCESS)) return end(ok ? N.SUCCESS : N.WRITE_FAULT);
      drive.flush((flushed) => end(flushed ? N.SUCCESS : N.WRITE_FAULT));
    };
    if (command.opcode === N.WRITE_ZEROES) {
      const give = (command.words[2]! & N.DEALLOCATE) !== 0;
      return drive[give ? 'discard' : 'zero'](position, length, safely);
    }
    if (command.opcode !== N.READ && command.opcode !== N.WRITE) return end(N.INVALID_OPCODE);
    const buffer = length <= N.MOST_TRANSFER ? this.buffer(command.pointers, length) : null;
    if (!buffer) return end(N.INVALID_FIELD);
    if (command.opcode === N.WRITE) return drive.write(position, buffer.parts(), safely);
    drive.read(position, buffer.parts(), (ok) => {
      if (ok) buffer.written();
      end(ok ? N.SUCCESS : N.READ_ERROR);
    });
  }

  /** Ranges of 16 bytes: attributes, count, first sector. */
  private deallocate(command: Command, end: (status: number) => void): void {
    const { drive } = this;
    const count = (command.words[0]! & 0xff) + 1;
    const list = this.buffer(command.pointers, count * 16)?.read();
    if (!list) return end(N.INVALID_FIELD);
    if (!(command.words[1]! & 4)) return end(N.SUCCESS);
    if (drive.readOnly) return end(N.WRITE_PROTECTED);
    const view = new DataView(list.buffer);
    const ranges = Array.from({ length: count }, (_, n) => ({
      sectors: view.getUint32(n * 16 + 4, true),
      first: Number(view.getBigUint64(n * 16 + 8, true)),
    }));
    if (ranges.some(({ first, sectors }) => first + sectors > drive.sectors)) return end(N.LBA_OUT_OF_RANGE);
    inTurn(
      ranges,
      ({ first, sectors }, next) => drive.discard(first * N.SECTOR, sectors * N.SECTOR, next),
      (ok) => end(ok ? N.SUCCESS : N.WRITE_FAULT),
    );
  }

  // ---- administration

  private executeAdmin(command: Command, end: (status: number, result?: number) => void): void {
    switch (command.opcode) {
      case N.CREATE_COMPLETION_QUEUE:
        return end(this.createCompletionQueue(command));
      case N.CREATE_SUBMISSION_QUEUE:
        return end(this.createSubmissionQueue(command));
      case N.DELETE_SUBMISSION_QUEUE:
      case N.DELETE_COMPLETION_QUEUE: {
        const number = command.words[0]! & 0xffff;
        const queues = command.opcode === N.DELETE_SUBMISSION_QUEUE ? this.submissions : this.completions;
        if (number === 0 || !queues[number]) return end(N.INVALID_QUEUE);
        if (queues === this.completions && this.submissions.some((queue) => queue?.completion === number))
          return end(N.INVALID_QUEUE_DELETION);
        queues[number] = undefined;
        return end(N.SUCCESS);
      }
      // The host may have to be told something, some time: the request stays.
      case N.ASYNC_EVENT_REQUEST:
        return;
    }
    const answer = this.admin.execute(command);
    if (!answer.data) return end(answer.status, answer.result);
    const buffer = this.buffer(command.pointers, answer.data.length);
    if (!buffer) return end(N.INVALID_FIELD);
    buffer.write(answer.data);
    end(answer.status, answer.result);
  }

  private createCompletionQueue({ words, pointers }: Command): number {
    const number = words[0]! & 0xffff;
    const entries = (words[0]! >>> 16) + 1;
    const [attributes, vector] = [words[1]! & 0xffff, words[1]! >>> 16];
    if (number === 0 || number > this.pairs || this.completions[number]) return N.INVALID_QUEUE;
    if (entries < 2 || entries > N.MOST_ENTRIES) return N.INVALID_QUEUE_SIZE;
    if (!(attributes & 1) || !this.ram.contains(pointers[0], entries * COMPLETION_BYTES))
      return N.INVALID_FIELD;
    if (attributes & 2 && vector >= this.msix.count) return N.INVALID_VECTOR;
    const queue = { address: pointers[0], entries, head: 0, tail: 0, phase: 1 };
    this.completions[number] = { ...queue, vector: attributes & 2 ? vector : -1 };
    return N.SUCCESS;
  }

  private createSubmissionQueue({ words, pointers }: Command): number {
    const number = words[0]! & 0xffff;
    const entries = (words[0]! >>> 16) + 1;
    const completion = words[1]! >>> 16;
    if (number === 0 || number > this.pairs || this.submissions[number]) return N.INVALID_QUEUE;
    if (completion === 0 || !this.completions[completion]) return N.INVALID_COMPLETION_QUEUE;
    if (entries < 2 || entries > N.MOST_ENTRIES) return N.INVALID_QUEUE_SIZE;
    if (!(words[1]! & 1) || !this.ram.contains(pointers[0], entries * ENTRY_BYTES)) return N.INVALID_FIELD;
    this.submissions[number] = { address: pointers[0], entries, completion, head: 0, tail: 0 };
    return N.SUCCESS;
  }

  // ---- state

  override reset(): void {
    super.reset();
    this.msix.reset();
    this.configuration = this.adminAttributes = this.masked = 0;
    this.adminAddresses.fill(0);
    this.disable();
  }

  override save(): SavedPciFunction {
    const { configuration, status, adminAttributes, masked, unseen } = this;
    return {
      ...super.save(),
      own: { configuration, status, adminAttributes, masked, unseen },
      adminAddresses: [...this.adminAddresses],
      submissions: structuredClone(this.submissions.map((queue) => queue ?? null)),
      completions: structuredClone(this.completions.map((queue) => queue ?? null)),
      msix: this.msix.save(),
      admin: this.admin.save(),
    } as SavedPciFunction;
  }

  override load(state: SavedPciFunction): void {
    super.load(state);
    const saved = state as SavedPciFunction & {
      own: object;
      adminAddresses: number[];
      submissions: (SubmissionQueue | null)[];
      completions: (CompletionQueue | null)[];
      msix: ReturnType<MsiX['save']>;
      admin: object;
    };
    Object.assign(this, saved.own);
    saved.adminAddresses.forEach((value, n) => (this.adminAddresses[n] = value));
    this.submissions = structuredClone(saved.submissions).map((queue) => queue ?? undefined);
    this.completions = structuredClone(saved.completions).map((queue) => queue ?? undefined);
    this.msix.load(saved.msix);
    this.admin.load(saved.admin);
  }
}
