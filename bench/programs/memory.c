/* memcpy and memset of the C library: short, of a page, of a megabyte, aligned and not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES (4 << 20)

int main(void) {
  static const size_t sizes[] = {24, 100, 700, 4096, 65536, 1 << 20};
  unsigned char *from = malloc(BYTES), *to = malloc(BYTES);
  for (size_t i = 0; i < BYTES; i++) from[i] = i * 2654435761u >> 24;
  unsigned sum = 0;
  for (unsigned round = 0; round < 6; round++)
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      size_t size = sizes[s], at = round * 3;
      for (size_t moved = 0; moved < 64 << 20; moved += size) {
        memcpy(to + at, from + (at ^ 5), size);
        if (at % 3 == 0) memset(from + at, round + s, size);
        at += size + 11;
        if (at + size + 16 > BYTES) at = round;
      }
      sum = sum * 31 + to[at + 7] + from[at + 3];
    }
  printf("memory %u\n", sum);
}
