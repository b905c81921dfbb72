import type { Form } from './forms.js';
import { operandWidth } from './encoding.js';
import type { Ops } from './ops.js';

const LEAVING = new Set(['jump', 'jumpRelative', 'branch', 'transfer']);

/**
 * Whether executing the form can leave the straight line of code: found by running its effect on operations that only
 * watch what is called (all sides of every condition).
 */
export function leavesStraightLine(form: Form): boolean {
  if (form.encoding.attributes.has('end')) return true;
  let leaves = false;
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
          if (LEAVING.has(name)) leaves = true;
          for (const arg of args) if (typeof arg === 'function') (arg as (v: unknown) => void)(value);
          return value;
        };
      },
    },
  ) as Ops;
  form.encoding.instruction.effect(watcher);
  return leaves;
}
