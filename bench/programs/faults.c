/* Page faults: memory is mapped, touched once a page and given back; half of it by writes after a fork's copy. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4096
#define PAGE 4096

int main(void) {
  unsigned sum = 0;
  for (int round = 0; round < 60; round++) {
    unsigned char *area =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return 1;
    madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
    for (int page = 0; page < PAGES; page++) area[page * PAGE] += page + round;
    if (round % 8 == 0) {
      int status;
      if (fork() == 0) {
        for (int page = 0; page < PAGES; page++) area[page * PAGE + 1] = round;
        _exit(area[PAGE]);
      }
      wait(&status);
      sum += WEXITSTATUS(status);
    }
    sum += area[77 * PAGE];
    munmap(area, PAGES * PAGE);
  }
  printf("faults %u\n", sum);
}
