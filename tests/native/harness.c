/*
 * Runs small pieces of user-mode code on this machine's own processor, for comparison with Vivarium's.
 *
 *   harness CASES RESULTS      both are files of fixed-size records, see below
 *
 * Each case is entered by returning from a signal handler with all registers as the case says, and left by whatever
 * signal its code ends in (INT3 at the end, or a fault); the handler notes the state and enters the next case.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define CODE_ADDRESS 0x10000000ul
#define DATA_ADDRESS 0x20000000ul
#define DATA_BYTES 4096
#define CODE_BYTES 128
#define MEMORY_BYTES 4096 /* a case sets all of the data page, and all of it is compared */
#define MEMORY_OFFSET 0

/* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
struct state {
  uint64_t gpr[16];
  uint64_t rip, rflags;
  uint64_t vector, error, cr2;
  uint64_t code32; /* run as 32-bit code */
  uint8_t fx[512];
  uint8_t memory[MEMORY_BYTES];
};
struct test_case {
  struct state in;
  uint8_t code[CODE_BYTES];
};

static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
static struct test_case *cases;
static struct state *results;
static size_t count, current;
static int started;

static void on_signal(int signal_number, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  greg_t *regs = uc->uc_mcontext.gregs;
  (void)signal_number;
  if (started) {
    struct state *out = &results[current];
    for (int i = 0; i < 16; i++) out->gpr[i] = regs[order[i]];
    out->rip = regs[REG_RIP];
    out->rflags = regs[REG_EFL];
    out->vector = regs[REG_TRAPNO];
    out->error = regs[REG_ERR];
    out->cr2 = regs[REG_TRAPNO] == 14 ? (uint64_t)regs[REG_CR2] : 0;
    memcpy(out->fx, uc->uc_mcontext.fpregs, 512);
    memcpy(out->memory, (void *)(DATA_ADDRESS + MEMORY_OFFSET), MEMORY_BYTES);
    current++;
  }
  started = 1;
  if (current == count) {
    msync(results, count * sizeof(struct state), MS_SYNC);
    _exit(0);
  }
  (void)info;
  struct test_case *next = &cases[current];
  memcpy((void *)CODE_ADDRESS, next->code, CODE_BYTES);
  memcpy((void *)(DATA_ADDRESS + MEMORY_OFFSET), next->in.memory, MEMORY_BYTES);
  for (int i = 0; i < 16; i++) regs[order[i]] = next->in.gpr[i];
  regs[REG_RIP] = CODE_ADDRESS;
  regs[REG_EFL] = next->in.rflags;
  /* the selectors of 64-bit and 32-bit user code under Linux */
  regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xfffful) | (next->in.code32 ? 0x23 : 0x33);
  /* bytes 464..511 of the area say how much extended state follows: they stay */
  memcpy(uc->uc_mcontext.fpregs, next->in.fx, 416);
}

static void *map_file(const char *path, size_t bytes, int create) {
  int fd = open(path, create ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR, 0600);
  if (fd < 0 || (create && ftruncate(fd, bytes))) { perror(path); exit(1); }
  void *at = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) { perror(path); exit(1); }
  close(fd);
  return at;
}

int main(int argc, char **argv) {
  struct stat st;
  if (argc != 3) { fprintf(stderr, "usage: harness CASES RESULTS\n"); return 2; }
  if (stat(argv[1], &st)) { perror(argv[1]); return 1; }
  count = st.st_size / sizeof(struct test_case);
  if (count == 0) return 0;
  cases = map_file(argv[1], st.st_size, 0);
  results = map_file(argv[2], count * sizeof(struct state), 1);
  void *code = mmap((void *)CODE_ADDRESS, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  void *data = mmap((void *)DATA_ADDRESS, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (code == MAP_FAILED || data == MAP_FAILED) { perror("mmap"); return 1; }

  stack_t stack = {.ss_size = 1 << 16};
  stack.ss_sp = mmap(0, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  sigaltstack(&stack, 0);
  struct sigaction action = {0};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, 0);
  alarm(300);
  /* 64-bit processes start with null data segments, which 32-bit code cannot use */
  __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(0x2b));
  __asm__ volatile("int3");
  return 1;
}
