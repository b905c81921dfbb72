/* Records, strings, enumerations and calls, in the proportions that Dhrystone made usual. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FIRST, SECOND, THIRD, FOURTH };

struct record {
  struct record *peer;
  enum kind kind;
  int number;
  char name[31];
};

static int global_number;
static char global_letter;
static int table[50], square[50][50];

static __attribute__((noinline)) enum kind next_kind(enum kind kind, int limit) {
  switch (kind) {
    case FIRST: return global_number > limit ? FIRST : FOURTH;
    case SECOND: return THIRD;
    case THIRD: return SECOND;
    default: return FIRST;
  }
}

static __attribute__((noinline)) int later(const char *one, const char *other) {
  int at = 2;
  while (at <= 2 && one[at] != other[at + 1]) at++;
  if (strcmp(one, other) > 0) {
    global_number = at + 7;
    return 1;
  }
  return 0;
}

static __attribute__((noinline)) void fill(int *row, int (*rows)[50], int index, int value) {
  int at = index + 5;
  row[at] = value;
  row[at + 1] = row[at];
  for (int i = at; i <= at + 1; i++) rows[at][i] = at;
  rows[at][at - 1]++;
  global_number = 5;
}

static __attribute__((noinline)) void copy(struct record *from) {
  struct record *to = from->peer;
  *to = *from;
  from->number = 5;
  to->number = from->number;
  to->peer = from->peer;
  to->kind = next_kind(from->kind, to->number);
}

int main(void) {
  struct record *one = malloc(sizeof *one), *other = malloc(sizeof *other);
  *one = (struct record){other, SECOND, 40, "a record with a name, no more"};
  *other = *one;
  char here[31], there[31];
  unsigned sum = 0;
  strcpy(here, "a string, the first of some");
  for (int i = 1; i <= 6000000; i++) {
    strcpy(there, "a string, the second of some");
    there[27] = 'a' + i % 26;
    int same = !later(here, there);
    fill(table, square, i & 31, i);
    one->kind = i & 3;
    copy(one);
    for (char c = 'A'; c <= global_letter; c++) sum += c;
    global_letter = 'A' + (i & 1);
    sum = sum * 3 + same + other->kind + global_number + table[7] / (i % 7 + 1);
    here[26] = 'a' + (sum & 15);
  }
  printf("records %u\n", sum);
}
