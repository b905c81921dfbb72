/* A walk along pointers that visits 512 KiB, then 8 MiB, in random order. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned walk(size_t count, unsigned steps) {
  struct cell { struct cell *next; uint32_t number; } *cells = malloc(count * sizeof *cells);
  uint32_t seed = 1;
  for (size_t i = 0; i < count; i++) cells[i] = (struct cell){&cells[i], i};
  /* Sattolo's shuffle makes one cycle of all. */
  for (size_t i = count - 1; i > 0; i--) {
    seed = seed * 1664525 + 1013904223;
    size_t j = (uint64_t)seed * i >> 32;
    struct cell *next = cells[i].next;
    cells[i].next = cells[j].next;
    cells[j].next = next;
  }
  unsigned sum = 0;
  struct cell *at = cells;
  while (steps--) {
    sum += at->number;
    at = at->next;
  }
  free(cells);
  return sum;
}

int main(void) {
  unsigned near = walk((512 << 10) / 16, 60000000), far = walk((8 << 20) / 16, 5000000);
  printf("chase %u %u\n", near, far);
}
