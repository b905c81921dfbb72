// Reads or writes a disk by direct I/O and says how long that took: io NAME DEVICE read|write seq|random BLOCK COUNT.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  const int writes = !strcmp(argv[3], "write"), random = !strcmp(argv[4], "random");
  const long block = atol(argv[5]), count = atol(argv[6]);
  const int disk = open(argv[2], O_RDWR | O_DIRECT);
  if (disk < 0) return perror(argv[2]), 1;
  const off_t blocks = lseek(disk, 0, SEEK_END) / block;
  char *buffer;
  if (posix_memalign((void **)&buffer, 4096, block)) return 1;
  memset(buffer, 0x5a, block);
  unsigned long long state = 88172645463325252ull;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long n = 0; n < count; n++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const off_t at = (random ? (off_t)(state % blocks) : n % blocks) * block;
    const ssize_t done = writes ? pwrite(disk, buffer, block, at) : pread(disk, buffer, block, at);
    if (done != block) return perror("io"), 1;
  }
  if (writes && fsync(disk)) return perror("fsync"), 1;
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("took %s %.4f\n", argv[1], end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
  return 0;
}
