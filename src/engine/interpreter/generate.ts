import type { Instruction } from '../../isa/definition.js';
import { enumerateForms, type Form } from '../../isa/forms.js';
import { helpers, transferHelpers } from '../../isa/helpers.js';
import {
  bindingImports,
  CALL,
  HANDLER,
  helperSignature,
  FRAME_SLOTS,
  MOST_SLOTS,
  REGION,
  REGION_LEFT,
} from '../imports.js';
import * as L from '../layout.js';
import { Bytes, FunctionBody, unsignedBytes as u } from '../wasm/bytes.js';
import { Code, Label, Locals } from '../wasm/code.js';
import { ModuleWriter, type Signature } from '../wasm/module.js';
import { FENCE } from '../wasm/opcodes.js';
import { InterpreterOps, STATUS_FAULT, STATUS_NEXT } from './binding.js';
import * as R from './record.js';

const LOOKUP: Signature = { params: ['i32'], results: ['i32'] };
const AT_RECORD: Signature = { params: ['i32', 'i32'], results: [] };
const RUN: Signature = { params: ['i32', 'i32'], results: [] };
const HEAT: Signature = { params: ['i32', 'i32'], results: [] };
const CPU_ONLY: Signature = { params: ['i32'], results: [] };

/** Forms whose handlers are cases of the main loop; the others are functions called from it, which keeps the loop small enough to compile well. */
function isInline(form: Form): boolean {
  const { attributes, operands, map, cpuid } = form.encoding;
  if (map >= 2 || cpuid !== '' || form.locked || form.rep !== 'none' || form.asize !== 0) return false;
  for (const name of ['rare', 'x87', 'x87nw', 'mmx', 'sse', 'end', 'cpl0', 'no64', 'rep'])
    if (attributes.has(name)) return false;
  return !operands.some((o) => 'VWUPQNTCDSAXYO'.includes(o.kind));
}

export interface HandlerPlan {
  /** Handler number of each form, by form id. */
  readonly handlers: Uint16Array;
  readonly inline: readonly Form[];
  readonly outOfLine: readonly Form[];
  readonly firstOutOfLine: number;
}

/** Numbers the handlers: those of the main loop first. */
export function planHandlers(forms: readonly Form[]): HandlerPlan {
  const inline = forms.filter(isInline);
  const outOfLine = forms.filter((form) => !isInline(form));
  const handlers = new Uint16Array(forms.length);
  inline.forEach((form, i) => (handlers[form.id] = R.FIRST_FORM_HANDLER + i));
  outOfLine.forEach((form, i) => (handlers[form.id] = R.FIRST_FORM_HANDLER + inline.length + i));
  return { handlers, inline, outOfLine, firstOutOfLine: R.FIRST_FORM_HANDLER + inline.length };
}

/**
 * The interpreter as a module: `run(cpu, record)` executes from `record` (0: looked up at S_RIP) until the budget is used
 * up or something is pending; S_RIP then tells where it goes on. `ordered`: as in ModuleWriter.
 */
export function generateInterpreter(
  instructions: readonly Instruction[],
  ordered = false,
): Uint8Array<ArrayBuffer> {
  const { forms } = enumerateForms(instructions);
  const plan = planHandlers(forms);
  const module = new ModuleWriter(ordered);
  const lookup = module.import('runtime', 'lookup', LOOKUP);
  const faultAt = module.import('runtime', 'faultAt', AT_RECORD);
  const staleAt = module.import('runtime', 'staleAt', AT_RECORD);
  const notice = module.import('runtime', 'notice', CPU_ONLY);
  const settleFlags = module.import('runtime', 'settleFlags', CPU_ONLY);
  const heat = module.import('translator', 'heat', HEAT);
  for (const [name, signature] of Object.entries(bindingImports)) module.import('runtime', name, signature);
  for (const [name, { args, result }] of Object.entries({ ...helpers, ...transferHelpers }) as [
    string,
    { args: number; result: boolean },
  ][])
    module.import('runtime', name, helperSignature(args, result));

  const functions = plan.outOfLine.map((form) => {
    const code = new Code();
    new InterpreterOps(form, code, module, { inline: null }).bind();
    const body = new FunctionBody();
    const locals = new Locals(2);
    code.emit(body, 0, locals);
    body.raw([0x41, STATUS_NEXT]);
    return module.define(HANDLER, locals.types, body);
  });
  module.table(functions);
  module.exportTable('table');

  const call = defineCall(module, module.import('runtime', 'bindSite', bindingImports['bindSite']!));
  const body = new FunctionBody();
  const locals = new Locals(2);
  const status = locals.take('i32');
  const own = new Locals(3);
  const next = new Label();
  const resolve = new Label();
  const fault = new Label();
  next.level = 1;
  resolve.level = 2;
  fault.level = 3;
  const PENDING_CASES = plan.firstOutOfLine;
  const branch = (level: number, label: Label): void => void body.u8(0x0c).unsigned(level - label.level);
  const getCpu = [0x20, 0];
  const getRecord = [0x20, 1];
  const s = (value: number): ArrayLike<number> => new Bytes().signed(value).view();
  const advance = (): void =>
    void body
      .raw([...getRecord, 0x41])
      .raw(s(R.RECORD_BYTES))
      .raw([0x6a, 0x21, 1]);
  /** S_RIP = S_PAGE_BASE + R_NEXT */
  const storeNextRip = (): void => {
    body.raw(getCpu).raw(getCpu).raw([0x29, 3]).raw(u(L.S_PAGE_BASE));
    body.raw(getRecord).raw([0x2f, 1]).raw(u(R.R_NEXT)).raw([0xad, 0x7c, 0x37, 3]).raw(u(L.S_RIP));
  };

  const findRecord = (): void => {
    body.raw(getCpu).u8(0x10).unsigned(lookup).raw([0x21, 1]);
    body.raw(getRecord).raw([0x45, 0x04, 0x40, 0x0f, 0x0b]);
  };
  body.raw(getRecord).raw([0x45, 0x04, 0x40]);
  findRecord();
  body.u8(0x0b);
  body.raw([0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40]);
  for (let i = 0; i < PENDING_CASES; i++) body.raw([0x02, 0x40]);
  body.raw(getRecord).raw([0x2f, 1]).raw(u(R.R_HANDLER)).u8(0x0e).unsigned(PENDING_CASES);
  for (let i = 0; i < PENDING_CASES; i++) body.unsigned(i);
  body.unsigned(PENDING_CASES);

  const caseLevel = (i: number): number => 4 + (PENDING_CASES - 1 - i);
  const own64 = own.take('i64');
  const rip64 = own.take('i64');
  const left = own.take('i64');
  const startBlock = (level: number): void => {
    // if (budget - count < 0 || pending) stop
    const budget = own64;
    body.raw(getCpu).raw([0x29, 3]).raw(u(L.S_BUDGET));
    body.raw(getRecord).raw([0x33, 1]).raw(u(R.B_COUNT)).raw([0x7d]);
    body.raw([0x22]).unsigned(budget).raw([0x42, 0, 0x53]);
    body.raw(getCpu).raw([0xfe, 0x10, 2]).raw(u(L.S_PENDING)).raw([0x72, 0x04, 0x40]);
    storeNextRip();
    body.raw([0x0f, 0x0b]);
    body.raw(getCpu).raw([0x20]).unsigned(budget).raw([0x37, 3]).raw(u(L.S_BUDGET));
    advance();
    branch(level, next);
  };
  /** The region of the record (parameter 1), from the entry that it names, and what is translated behind it; leaves the rest of the budget. */
  const callRegion = (budget: number, rip: number): void => {
    body.raw(getCpu).raw(getRecord).raw([0x2f, 1]).raw(u(R.B_ENTRY));
    body.raw(getCpu).raw([0x29, 3]).raw(u(L.S_PAGE_BASE)).raw([0x20]).unsigned(budget).raw([0x41, 0]);
    body.raw(getRecord).raw([0x2f, 1]).raw(u(R.B_REGION)).u8(0x11).unsigned(module.type(REGION)).u8(0);
    body.raw([0x21]).unsigned(left).raw([0x21]).unsigned(rip);
    body.raw(getCpu).raw([0x20]).unsigned(rip).raw([0x42]).signed64(REGION_LEFT).raw([0x20]).unsigned(left);
    body.raw([0x41, 0, 0x41, 0, 0x10]).unsigned(call).raw([0x21]).unsigned(left).raw([0x1a]);
  };
  const special: Record<number, (level: number) => void> = {
    [R.HANDLER_BLOCK]: (level) => {
      body.raw(getRecord).raw(getRecord).raw([0x2f, 1]).raw(u(R.B_HEAT)).raw([0x41, 1, 0x6b]);
      body.raw([0x22]).unsigned(status).raw([0x3b, 1]).raw(u(R.B_HEAT));
      body.raw([0x20]).unsigned(status).raw([0x45, 0x04, 0x40]);
      body.raw(getCpu).raw(getRecord).u8(0x10).unsigned(heat).u8(0x0b);
      startBlock(level);
    },
    [R.HANDLER_REGION]: (level) => {
      const budget = own64;
      // Which region it is was written before the handler's number.
      if (module.ordered) body.raw(FENCE);
      body.raw(getCpu).raw([0x29, 3]).raw(u(L.S_BUDGET)).raw([0x21]).unsigned(budget);
      callRegion(budget, rip64);
      body.raw(getCpu).raw([0x20]).unsigned(left).raw([0x37, 3]).raw(u(L.S_BUDGET));
      // what it retired, for the statistics
      body.raw(getCpu).raw(getCpu).raw([0x29, 3]).raw(u(L.S_TRANSLATED)).raw([0x20]).unsigned(budget);
      body.raw([0x20]).unsigned(left).raw([0x7d, 0x7c, 0x37, 3]).raw(u(L.S_TRANSLATED));
      body.raw(getCpu).raw([0x28, 2]).raw(u(L.S_FLAG_KIND)).raw([0x04, 0x40]);
      body.raw(getCpu).u8(0x10).unsigned(settleFlags).u8(0x0b);
      // Nothing done: its first instruction needs the interpreter.
      body.raw([0x20]).unsigned(budget).raw([0x20]).unsigned(left).raw([0x52, 0x04, 0x40]);
      branch(level + 1, resolve);
      body.u8(0x0b);
      startBlock(level);
    },
    [R.HANDLER_STALE]: (level) => {
      body.raw(getCpu).raw(getRecord).u8(0x10).unsigned(staleAt);
      branch(level, resolve);
    },
    [R.HANDLER_FALL]: (level) => {
      body.raw(getRecord).raw([0x28, 2]).raw(u(R.R_LINK_NEXT)).raw([0x22]).unsigned(status).raw([0x04, 0x40]);
      body.raw([0x20]).unsigned(status).raw([0x21, 1]);
      branch(level + 1, next);
      body.u8(0x0b);
      body
        .raw(getCpu)
        .raw(getRecord)
        .u8(0x41)
        .raw(s(R.R_LINK_NEXT))
        .raw([0x6a, 0x36, 2])
        .raw(u(L.S_LINK_FROM));
      storeNextRip();
      branch(level, resolve);
    },
    [R.HANDLER_RAISE]: (level) => {
      body.raw(getCpu).raw(getRecord).raw([0x28, 2]).raw(u(R.R_IMM)).raw([0x36, 2]).raw(u(L.S_FAULT));
      body.raw(getCpu).raw(getRecord).raw([0x28, 2]).raw(u(R.R_IMM2)).raw([0x36, 2]).raw(u(L.S_FAULT_ERROR));
      branch(level, fault);
    },
  };
  for (let i = 0; i < PENDING_CASES; i++) {
    body.u8(0x0b);
    const level = caseLevel(i);
    const emitSpecial = special[i];
    if (emitSpecial) {
      emitSpecial(level);
      continue;
    }
    const code = new Code();
    new InterpreterOps(plan.inline[i - R.FIRST_FORM_HANDLER]!, code, module, {
      inline: { next, fault, resolve },
    }).bind();
    own.reset();
    code.emit(body, level, own);
  }
  // default: a handler out of line
  body.u8(0x0b);
  body.raw(getCpu).raw(getRecord);
  body.raw(getRecord).raw([0x2f, 1]).raw(u(R.R_HANDLER)).u8(0x41).raw(s(PENDING_CASES)).u8(0x6b);
  body.u8(0x11).unsigned(module.type(HANDLER)).u8(0).u8(0x22).unsigned(status).u8(0x45).raw([0x04, 0x40]);
  advance();
  branch(4, next);
  body.u8(0x0b);
  body
    .u8(0x20)
    .unsigned(status)
    .u8(0x41)
    .signed(STATUS_FAULT)
    .u8(0x47)
    .u8(0x0d)
    .unsigned(3 - resolve.level);
  body.u8(0x0b); // fault
  body.raw(getCpu).raw(getRecord).u8(0x10).unsigned(faultAt);
  body.u8(0x0b); // resolve
  findRecord();
  branch(1, next);
  body.u8(0x0b);

  module.export('instruction', defineInstruction(module, PENDING_CASES, faultAt, notice));
  module.export('call', call);
  const run = module.define(RUN, ['i32', ...own.types], body);
  module.export('run', run);
  return module.finish();
}

/**
 * `instruction(cpu, record)`: for translated code, one instruction whose handler is out of line. Not 0: the next one
 * follows it, and nothing is pending; else S_RIP tells where it goes on.
 */
function defineInstruction(
  module: ModuleWriter,
  firstOutOfLine: number,
  faultAt: number,
  notice: number,
): number {
  const STATUS = 2;
  const KEY = 3;
  const cpu = [0x20, 0];
  const record = [0x20, 1];
  const nextIp = (): void => {
    body.raw(cpu).raw([0x29, 3]).raw(u(L.S_PAGE_BASE));
    body.raw(record).raw([0x2f, 1]).raw(u(R.R_NEXT)).raw([0xad, 0x7c]);
  };
  const body = new FunctionBody();
  body.raw(cpu).raw([0x28, 2]).raw(u(L.S_JUMP_KEY)).raw([0x21, KEY]);
  body.raw(cpu).raw(record);
  body.raw(record).raw([0x2f, 1]).raw(u(R.R_HANDLER)).u8(0x41).signed(firstOutOfLine).u8(0x6b);
  body.u8(0x11).unsigned(module.type(HANDLER)).u8(0).raw([0x21, STATUS]);
  body.raw([0x20, STATUS, 0x45, 0x04, 0x40]).raw(cpu);
  nextIp();
  body.raw([0x37, 3]).raw(u(L.S_RIP)).u8(0x0b);
  body.raw([0x20, STATUS, 0x41, STATUS_FAULT, 0x46, 0x04, 0x40]);
  body.raw(cpu).raw(record).u8(0x10).unsigned(faultAt).raw([0x41, 0, 0x0f, 0x0b]);
  body.raw(cpu).u8(0x10).unsigned(notice);
  body.raw(cpu).raw([0x29, 3]).raw(u(L.S_RIP));
  nextIp();
  body.raw([0x51]);
  body.raw(cpu).raw([0x28, 2]).raw(u(L.S_JUMP_KEY)).raw([0x20, KEY, 0x46, 0x71]);
  body.raw(cpu).raw([0xfe, 0x10, 2]).raw(u(L.S_PENDING)).raw([0x45, 0x71]);
  return module.define(HANDLER, ['i32', 'i32'], body);
}

/**
 * `call` (imports.ts): for translated code, runs what is translated from `rip` on, until it comes to `back`; or gives
 * REGION_LEFT, with S_RIP where the interpreter goes on. A site remembers the region that its target led to.
 */
function defineCall(module: ModuleWriter, bindSite: number): number {
  const [RIP, BACK, BUDGET, SLOTS, SITE, JUMP, FOUND, KEY, PLACE] = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  const cpu = [0x20, 0];
  const body = new FunctionBody();
  const region = module.type(REGION);
  /** region(cpu, entry, page of rip, budget, slots); returns if it came back. */
  const enter = (entry: readonly number[], slot: readonly number[]): void => {
    body.raw(cpu).raw(entry);
    body
      .raw([0x20, RIP, 0x42])
      .signed64(~0xfffn)
      .raw([0x83, 0x20, BUDGET, 0x20, SLOTS, 0x41, FRAME_SLOTS, 0x6a]);
    body.raw(slot).u8(0x11).unsigned(region).u8(0);
    body.raw([0x21, BUDGET, 0x22, RIP, 0x20, BACK, 0x51, 0x04, 0x40]);
    body.raw([0x20, RIP, 0x20, BUDGET, 0x0f, 0x0b]);
    body.raw([0x41, 0, 0x21, SITE]);
  };
  const half = (local: number, offset: number): number[] => [0x20, local, 0x2f, 1, ...u(offset)];
  const key = (of: number, bits: 32 | 64): void =>
    void body
      .raw(cpu)
      .raw(bits === 64 ? [0x29, 3] : [0x28, 2])
      .raw(u(of));

  // The site's region, if it is known: nothing is at address 0, where a site that is none looks.
  body.raw([0x02, 0x40, 0x20, SLOTS, 0x41]).signed(MOST_SLOTS).raw([0x4f, 0x0d, 0]);
  body.raw([0x20, SITE, 0x29, 3]).raw(u(R.SITE_TARGET)).raw([0x20, RIP, 0x52, 0x0d, 0]);
  body.raw([0x20, SITE, 0x29, 3]).raw(u(R.SITE_KEY)).raw([0x22, KEY]);
  key(L.S_JUMP_KEY, 64);
  body.raw([0x52, 0x04, 0x40, 0x20, KEY]);
  key(L.S_GLOBAL_KEY, 64);
  body.raw([0x52, 0x0d, 1, 0x0b]);
  enter(half(SITE, R.SITE_ENTRY), half(SITE, R.SITE_REGION));
  body.u8(0x0b);

  body.raw([0x02, 0x40, 0x03, 0x40]);
  body.raw([0x20, SLOTS, 0x41]).signed(MOST_SLOTS).raw([0x49, 0x45, 0x0d, 1]);
  // jump = cpu + S_JUMPS + ((rip ^ rip >> 12) & (JUMP_ENTRIES - 1)) * 16
  body.raw([0x20, RIP, 0x20, RIP, 0x42, 12, 0x88, 0x85, 0xa7, 0x41]).signed(L.JUMP_ENTRIES - 1);
  body.raw([0x71, 0x41, 4, 0x74]).raw(cpu).raw([0x6a, 0x21, JUMP]);
  const isHere = (): void => void body.raw([0x20, JUMP, 0x29, 3]).raw(u(L.S_JUMPS)).raw([0x20, RIP, 0x51]);
  isHere();
  body.raw([0x45, 0x04, 0x40, 0x20, JUMP, 0x41]).signed(L.JUMP_OTHER).raw([0x73, 0x21, JUMP]);
  isHere();
  body.raw([0x45, 0x0d, 2, 0x0b]);
  const entryKey = (): void => void body.raw([0x20, JUMP, 0x28, 2]).raw(u(L.S_JUMPS + 8));
  entryKey();
  key(L.S_JUMP_KEY, 32);
  body.raw([0x47, 0x04, 0x40]);
  entryKey();
  key(L.S_GLOBAL_KEY, 32);
  body.raw([0x47, 0x0d, 2, 0x0b]);
  // Its region: S_JUMP_REGIONS, else by the record.
  body.raw([0x20, JUMP]).raw(cpu).raw([0x6b, 0x41, 2, 0x76]).raw(cpu).raw([0x6a, 0x22, PLACE]);
  body.raw([0x28, 2]).raw(u(L.S_JUMP_REGIONS)).raw([0x22, FOUND, 0x45, 0x04, 0x40]);
  body
    .raw([0x20, JUMP, 0x28, 2])
    .raw(u(L.S_JUMPS + 12))
    .raw([0x22, FOUND]);
  body.raw([0x2f, 1]).raw(u(R.R_HANDLER)).u8(0x41).signed(R.HANDLER_REGION).raw([0x47, 0x0d, 2]);
  // As above.
  if (module.ordered) body.raw(FENCE);
  body.raw([0x20, PLACE, 0x20, FOUND, 0x28, 2]).raw(u(R.B_REGION)).raw([0x22, FOUND, 0x36, 2]);
  body.raw(u(L.S_JUMP_REGIONS)).u8(0x0b);
  body.raw([0x20, SITE, 0x04, 0x40]);
  body.raw(cpu).raw([0x20, SITE, 0x20, RIP, 0x10]).unsigned(bindSite).u8(0x1a);
  body.u8(0x0b);
  enter([0x20, FOUND, 0x41, 16, 0x76], [0x20, FOUND, 0x41, ...new Bytes().signed(0xffff).view(), 0x71]);
  body.raw([0x0c, 0, 0x0b, 0x0b]);
  body.raw([0x20, RIP, 0x42]).signed64(REGION_LEFT).raw([0x52, 0x04, 0x40]);
  body.raw(cpu).raw([0x20, RIP, 0x37, 3]).raw(u(L.S_RIP)).u8(0x0b);
  body.raw([0x42]).signed64(REGION_LEFT).raw([0x20, BUDGET]);
  return module.define(CALL, ['i32', 'i32', 'i64', 'i32'], body);
}
