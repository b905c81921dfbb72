// What several processors must agree on: litmus tests of the memory order (Intel SDM vol. 3, 9.2; names as in the
// literature on x86-TSO), and locks. Linked statically, run as a user's program in a guest with at least two CPUs.
//
//   smp litmus ROUNDS     prints "NAME forbidden N allowed M"
//   smp locks ROUNDS      prints "NAME ok" or "NAME WRONG ..."
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELLS 2000   // instances of a test that run back to back, so that the processors are in it together
#define MOST_THREADS 4

typedef volatile long cell __attribute__((aligned(64)));
static cell x[CELLS][8], y[CELLS][8];
static long seen[MOST_THREADS][CELLS][2];
static long rounds;

#define FENCE() __asm__ volatile("mfence" ::: "memory")
#define LOCKED() __asm__ volatile("lock; addq $0, (%%rsp)" ::: "memory", "cc")
#define COMPILER() __asm__ volatile("" ::: "memory")

typedef void (*body)(int i);

// ---- litmus tests: what each processor does with instance i
#define X x[i][0]
#define Y y[i][0]
#define SEE(thread, n, value) seen[thread][i][n] = (value)

static void sb0(int i) { X = 1; COMPILER(); SEE(0, 0, Y); }
static void sb1(int i) { Y = 1; COMPILER(); SEE(1, 0, X); }
static void sb_fence0(int i) { X = 1; FENCE(); SEE(0, 0, Y); }
static void sb_fence1(int i) { Y = 1; FENCE(); SEE(1, 0, X); }
static void sb_lock0(int i) { X = 1; LOCKED(); SEE(0, 0, Y); }
static void sb_lock1(int i) { Y = 1; LOCKED(); SEE(1, 0, X); }
static void sb_xchg0(int i) { __atomic_exchange_n(&X, 1, __ATOMIC_SEQ_CST); SEE(0, 0, Y); }
static void sb_xchg1(int i) { __atomic_exchange_n(&Y, 1, __ATOMIC_SEQ_CST); SEE(1, 0, X); }
static int both_zero(int i) { return seen[0][i][0] == 0 && seen[1][i][0] == 0; }

static void mp0(int i) { X = 1; COMPILER(); Y = 1; }
static void mp1(int i) { SEE(1, 0, Y); COMPILER(); SEE(1, 1, X); }
static int flag_before_data(int i) { return seen[1][i][0] == 1 && seen[1][i][1] == 0; }

static void lb0(int i) { SEE(0, 0, X); COMPILER(); Y = 1; }
static void lb1(int i) { SEE(1, 0, Y); COMPILER(); X = 1; }
static int both_one(int i) { return seen[0][i][0] == 1 && seen[1][i][0] == 1; }

static void w22_0(int i) { X = 1; COMPILER(); Y = 2; }
static void w22_1(int i) { Y = 1; COMPILER(); X = 2; }
static int both_first(int i) { return X == 1 && Y == 1; }

static void r0(int i) { X = 1; COMPILER(); Y = 1; }
static void r1(int i) { Y = 2; COMPILER(); SEE(1, 0, X); }
static void r_fence1(int i) { Y = 2; FENCE(); SEE(1, 0, X); }
static int overtaken(int i) { return Y == 2 && seen[1][i][0] == 0; }

static void corr0(int i) { X = 1; }
static void corr1(int i) { SEE(1, 0, X); COMPILER(); SEE(1, 1, X); }
static int backwards(int i) { return seen[1][i][0] == 1 && seen[1][i][1] == 0; }

static void iriw0(int i) { X = 1; }
static void iriw1(int i) { Y = 1; }
static void iriw2(int i) { SEE(2, 0, X); COMPILER(); SEE(2, 1, Y); }
static void iriw3(int i) { SEE(3, 0, Y); COMPILER(); SEE(3, 1, X); }
static int disagree(int i) {
  return seen[2][i][0] == 1 && seen[2][i][1] == 0 && seen[3][i][0] == 1 && seen[3][i][1] == 0;
}

static const struct litmus {
  const char *name;
  int threads;
  body run[MOST_THREADS];
  int (*outcome)(int i);
  int allowed; // x86 allows the outcome
} litmuses[] = {
  { "SB", 2, { sb0, sb1 }, both_zero, 1 },
  { "SB+mfences", 2, { sb_fence0, sb_fence1 }, both_zero, 0 },
  { "SB+locks", 2, { sb_lock0, sb_lock1 }, both_zero, 0 },
  { "SB+xchgs", 2, { sb_xchg0, sb_xchg1 }, both_zero, 0 },
  { "MP", 2, { mp0, mp1 }, flag_before_data, 0 },
  { "LB", 2, { lb0, lb1 }, both_one, 0 },
  { "2+2W", 2, { w22_0, w22_1 }, both_first, 0 },
  { "R", 2, { r0, r1 }, overtaken, 1 },
  { "R+mfence", 2, { r0, r_fence1 }, overtaken, 0 },
  { "CoRR", 2, { corr0, corr1 }, backwards, 0 },
  { "IRIW", 4, { iriw0, iriw1, iriw2, iriw3 }, disagree, 0 },
};

static const struct litmus *current;

static void pin(int thread) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(thread % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
  sched_setaffinity(0, sizeof set, &set);
}

static volatile int arrived, round_of_all;

/** All begin within some nanoseconds, not within the scheduler's wake-ups. */
static void meet(int threads, int round) {
  if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == threads) {
    arrived = 0;
    __atomic_store_n(&round_of_all, round, __ATOMIC_SEQ_CST);
  }
  while (round_of_all < round) __builtin_ia32_pause();
}

static long found;

static void *litmus_thread(void *argument) {
  int me = (int)(intptr_t)argument;
  body run = current->run[me];
  pin(me);
  for (long r = 0; r < rounds; r++) {
    if (me == 0)
      for (int i = 0; i < CELLS; i++) X = Y = 0;
    meet(current->threads, (int)(3 * r + 1));
    for (int i = 0; i < CELLS; i++) run(i);
    meet(current->threads, (int)(3 * r + 2));
    if (me == 0)
      for (int i = 0; i < CELLS; i++) found += current->outcome(i);
    meet(current->threads, (int)(3 * r + 3));
  }
  return NULL;
}

static void start(int threads, void *(*thread)(void *)) {
  pthread_t all[64];
  for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, thread, (void *)(intptr_t)i);
  for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
}

static void litmus(void) {
  for (size_t t = 0; t < sizeof litmuses / sizeof *litmuses; t++) {
    current = &litmuses[t];
    found = 0;
    arrived = round_of_all = 0;
    start(current->threads, litmus_thread);
    printf("%s %s %ld of %ld\n", current->name, current->allowed ? "allowed" : "forbidden", found, rounds * CELLS);
    fflush(stdout);
  }
}

// ---- locks
static int workers;
static volatile long counter, second;
static volatile int spin;
static volatile unsigned ticket, serving;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned __int128 pair __attribute__((aligned(16)));
static volatile unsigned sequence;
static volatile long torn;
static char bytes[64] __attribute__((aligned(64)));

static void critical(void) {
  counter = counter + 1;
  second = second + 1;
  if (counter != second) torn = torn + 1;
}

static void *with_spinlock(void *unused) {
  for (long i = 0; i < rounds; i++) {
    while (__atomic_exchange_n(&spin, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
    critical();
    __atomic_store_n(&spin, 0, __ATOMIC_RELEASE);
  }
  return unused;
}
static void *with_tickets(void *unused) {
  for (long i = 0; i < rounds; i++) {
    unsigned mine = __atomic_fetch_add(&ticket, 1, __ATOMIC_ACQUIRE);
    while (serving != mine) __builtin_ia32_pause();
    critical();
    __atomic_store_n(&serving, mine + 1, __ATOMIC_RELEASE);
  }
  return unused;
}
static void *with_futex(void *unused) {
  for (long i = 0; i < rounds; i++) {
    pthread_mutex_lock(&mutex);
    critical();
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}
/** Both halves count; they must never be seen apart. */
static void *with_pair(void *unused) {
  for (long i = 0; i < rounds; i++) {
    uint64_t low = 0, high = 0, new_low, new_high;
    unsigned char done;
    do {
      new_low = low + 1;
      new_high = high + 3;
      __asm__ volatile("lock; cmpxchg16b %1"
                       : "=@ccz"(done), "+m"(pair), "+a"(low), "+d"(high)
                       : "b"(new_low), "c"(new_high)
                       : "memory");
      if (!done && high != 3 * low) torn = torn + 1;
    } while (!done);
  }
  return unused;
}
static void *with_sequence(void *argument) {
  if ((intptr_t)argument == 0) {
    for (long i = 0; i < rounds; i++) {
      sequence = sequence + 1;
      COMPILER();
      critical();
      COMPILER();
      sequence = sequence + 1;
    }
    return NULL;
  }
  for (long i = 0; i < rounds; i++) {
    unsigned before;
    long a, b;
    do {
      before = sequence;
      COMPILER();
      a = counter;
      b = second;
      COMPILER();
    } while ((before & 1) || sequence != before);
    if (a != b) torn = torn + 1;
  }
  return NULL;
}
/** Bytes of one word, each by one thread, and locked additions to all of it elsewhere: nobody's store is lost. */
static void *with_bytes(void *argument) {
  volatile char *mine = &bytes[(intptr_t)argument % 8];
  for (long i = 0; i < rounds; i++) {
    char was = *mine;
    *mine = was + 1;
    if (*mine != (char)(was + 1)) torn = torn + 1;
    __atomic_fetch_add((int *)&bytes[32], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add((short *)&bytes[40], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&bytes[48], 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

static void verdict(const char *name, int right) {
  if (right && torn == 0) printf("%s ok\n", name);
  else printf("%s WRONG: counter %ld, second %ld, torn %ld\n", name, counter, second, torn);
  fflush(stdout);
  counter = second = torn = 0;
}

static void locks(void) {
  long all = rounds * workers;
  start(workers, with_spinlock);
  verdict("spinlock", counter == all && second == all);
  start(workers, with_tickets);
  verdict("ticket lock", counter == all && second == all);
  start(workers, with_futex);
  verdict("futex", counter == all && second == all);
  start(workers, with_pair);
  verdict("cmpxchg16b", (uint64_t)pair == (uint64_t)all && (uint64_t)(pair >> 64) == 3 * (uint64_t)all);
  start(workers, with_sequence);
  verdict("seqlock", counter == rounds);
  start(workers, with_bytes);
  int word;
  short half;
  memcpy(&word, &bytes[32], sizeof word);
  memcpy(&half, &bytes[40], sizeof half);
  verdict("bytes and words", word == (int)all && half == (short)all && bytes[48] == (char)all);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  rounds = atol(arguments[2]);
  workers = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (workers > 8) workers = 8;
  if (strcmp(arguments[1], "litmus") == 0) litmus();
  else locks();
  return 0;
}
