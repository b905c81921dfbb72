// What a guest should not do: "storm spin" has all CPUs loop with interrupts off; "storm ipi" has each interrupt all others
// without end (membarrier, and page tables that change under running threads).
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int spins;
static volatile int ready;

static void *storm(void *argument) {
  const long cpu = (long)argument;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
  char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (spins && iopl(3)) return perror("iopl"), NULL;
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  if (spins) {
    if (cpu == 0) {
      // Once all others stand still for the kernel, this one says so, and joins them.
      while (ready < sysconf(_SC_NPROCESSORS_ONLN)) sched_yield();
      sleep(1);
      printf("storm begins\n");
      fflush(stdout);
      sleep(1);
    } else
      while (ready < sysconf(_SC_NPROCESSORS_ONLN)) sched_yield();
    __asm__ volatile("cli");
    for (;;) __asm__ volatile("");
  }
  for (;;) {
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
    mprotect(page, 4096, PROT_READ);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    *page = 1;
  }
}

int main(int argc, char **argv) {
  spins = argc > 1 && !strcmp(argv[1], "spin");
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
  for (long cpu = 0; cpu < cpus; cpu++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, storm, (void *)cpu)) return 1;
  }
  while (ready < cpus) usleep(1000);
  if (!spins) printf("storm begins\n"), fflush(stdout);
  for (;;) pause();
}
