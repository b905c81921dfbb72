/* The C library's qsort with a comparison of ours, and a quicksort and a heap of our own. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT 1000000

static uint32_t seed = 7, numbers[COUNT];

static void refill(void) {
  for (int i = 0; i < COUNT; i++) numbers[i] = (seed = seed * 1664525 + 1013904223) >> 3;
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void quick(uint32_t *low, uint32_t *high) {
  while (low < high) {
    uint32_t pivot = low[(high - low) / 2], *i = low, *j = high;
    while (i <= j) {
      while (*i < pivot) i++;
      while (*j > pivot) j--;
      if (i <= j) {
        uint32_t t = *i;
        *i++ = *j;
        *j-- = t;
      }
    }
    quick(low, j);
    low = i;
  }
}

static void sift(uint32_t root, uint32_t end) {
  for (uint32_t child; (child = 2 * root + 1) < end; root = child) {
    if (child + 1 < end && numbers[child] < numbers[child + 1]) child++;
    if (numbers[root] >= numbers[child]) return;
    uint32_t t = numbers[root];
    numbers[root] = numbers[child];
    numbers[child] = t;
  }
}

int main(void) {
  uint32_t sum = 0;
  refill();
  qsort(numbers, COUNT, sizeof *numbers, compare);
  for (int i = 0; i < COUNT; i += 1000) sum = sum * 31 + numbers[i];
  for (int round = 0; round < 4; round++) {
    refill();
    quick(numbers, numbers + COUNT - 1);
    for (int i = 0; i < COUNT; i += 1000) sum = sum * 31 + numbers[i];
  }
  refill();
  for (int i = COUNT / 2; i-- > 0;) sift(i, COUNT);
  for (uint32_t end = COUNT; --end > 0;) {
    uint32_t t = numbers[0];
    numbers[0] = numbers[end];
    numbers[end] = t;
    sift(0, end);
  }
  for (int i = 0; i < COUNT; i += 1000) sum = sum * 31 + numbers[i];
  printf("sort %u\n", sum);
}
