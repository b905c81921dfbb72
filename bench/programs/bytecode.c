/* An interpreter of a small byte code, one switch in a loop: it counts the primes below a limit by trial division. */
#include <stdint.h>
#include <stdio.h>

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, MOD, LESS, ZERO, JUMP, IF, HALT };

static int64_t run(int64_t limit) {
  static const int8_t code[] = {
      /*  0 */ PUSH, 3, STORE, 0, PUSH, 1, STORE, 2,
      /*  8 */ LOAD, 3, LOAD, 0, LESS, IF, 64,
      /* 15 */ PUSH, 3, STORE, 1,
      /* 19 */ LOAD, 0, LOAD, 1, LOAD, 1, MUL, LESS, IF, 48,
      /* 29 */ LOAD, 0, LOAD, 1, MOD, ZERO, IF, 55,
      /* 37 */ LOAD, 1, PUSH, 2, ADD, STORE, 1, JUMP, 19,
      /* 46 */ HALT, HALT,
      /* 48 */ LOAD, 2, PUSH, 1, ADD, STORE, 2,
      /* 55 */ LOAD, 0, PUSH, 2, ADD, STORE, 0, JUMP, 8,
      /* 64 */ HALT,
  };
  int64_t stack[16], *top = stack, variables[4] = {0, 0, 0, limit};
  for (const int8_t *at = code;;) {
    switch (*at++) {
      case PUSH: *top++ = *at++; break;
      case LOAD: *top++ = variables[*at++]; break;
      case STORE: variables[*at++] = *--top; break;
      case ADD: top--, top[-1] += *top; break;
      case SUB: top--, top[-1] -= *top; break;
      case MUL: top--, top[-1] *= *top; break;
      case MOD: top--, top[-1] = (int32_t)top[-1] % (int32_t)*top; break;
      case LESS: top--, top[-1] = top[-1] < *top; break;
      case ZERO: top[-1] = !top[-1]; break;
      case JUMP: at = code + *at; break;
      case IF: at = *--top ? code + *at : at + 1; break;
      default: return variables[2];
    }
  }
}

int main(void) { printf("bytecode %d\n", (int)run(400000)); }
