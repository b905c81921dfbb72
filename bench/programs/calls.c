/* Recursive calls: Fibonacci numbers, and Ackermann's function for depth. */
#include <stdio.h>
#include <stdlib.h>

static __attribute__((noinline)) unsigned fibonacci(unsigned n) {
  if (n < 2) return n;
  unsigned one = fibonacci(n - 1);
  return one + fibonacci(n - 2);
}

static __attribute__((noinline)) unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv) {
  unsigned n = argc > 1 ? atoi(argv[1]) : 39;
  printf("calls %u %u\n", fibonacci(n), ackermann(3, 9));
}
