import type { Bits, Bool } from '../../isa/ops.js';
import type { Node } from '../wasm/code.js';

/** What is known of the arithmetic flags at a place in a block. */
export type FlagState =
  /** Only that they are in the frame. */
  | { readonly op: 'unknown' }
  /** Of a + b or a - b (with a carry unless `plain`), cut to `bits`. */
  | {
      readonly op: 'add' | 'sub';
      readonly bits: Bits;
      readonly a: Node;
      readonly b: Node;
      readonly r: Node;
      readonly plain: boolean;
    }
  /** Of a result without carries, sign-extended. */
  | { readonly op: 'logic'; readonly r: Node }
  /** The three words; the carries are made when they are needed. CF where it is known by itself. */
  | {
      readonly op: 'words';
      readonly z: Node;
      readonly s: Node;
      readonly c: () => Node;
      readonly cf?: () => Bool;
    };
