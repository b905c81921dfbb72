import { operandWidth } from './encoding.js';
import type { Form } from './forms.js';
import type { Ops } from './ops.js';

/** How executing a form can leave the straight line of code. */
export interface ControlFlow {
  /** `none`; to operand J always or on a condition; to a computed address; by the processor itself (interrupt, far transfer). */
  readonly kind: 'none' | 'relative' | 'branch' | 'computed' | 'transfer';
  /** A near CALL: the address behind it is pushed. */
  readonly isCall: boolean;
  /** A string instruction that may be executed again. */
  readonly repeats: boolean;
}

const KINDS = { transfer: 'transfer', branch: 'branch', jumpRelative: 'relative', jump: 'computed' } as const;

const known = new WeakMap<Form, ControlFlow>();

/** Found by running the form's effect on operations that only watch what is called (all sides of every condition). */
export function controlFlowOf(form: Form): ControlFlow {
  const before = known.get(form);
  if (before) return before;
  const called = new Set<string>();
  const value = {};
  const facts: Record<string, unknown> = {
    bits: form.bits,
    asize: form.asize || 64,
    long: form.long,
    locked: form.locked,
    rep: form.rep,
    width: (i: number) => operandWidth(form.encoding.operands[i]!, form.bits) || form.bits,
    isMemory: (i: number) => {
      const kind = form.encoding.operands[i]!.kind;
      return kind === 'M' || kind === 'O' || ('EWQ'.includes(kind) && form.memory);
    },
  };
  const watcher = new Proxy(
    {},
    {
      get(_target, name: string) {
        if (name in facts) return facts[name];
        return (...args: unknown[]) => {
          called.add(name);
          for (const arg of args) if (typeof arg === 'function') (arg as (v: unknown) => void)(value);
          return value;
        };
      },
    },
  ) as Ops;
  form.encoding.instruction.effect(watcher);
  const leaving = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((name) => called.has(name));
  const flow: ControlFlow = {
    kind: leaving ? KINDS[leaving] : 'none',
    isCall: called.has('push') && (leaving === 'jumpRelative' || leaving === 'jump'),
    repeats: called.has('repeat'),
  };
  known.set(form, flow);
  return flow;
}

/** Whether the form ends a block: it leaves the straight line, or changes what the code behind it depends on. */
export function leavesStraightLine(form: Form): boolean {
  return form.encoding.attributes.has('end') || controlFlowOf(form).kind !== 'none';
}
