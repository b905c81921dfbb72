/* Integer work as in embedded code: a linked list, 16-bit matrices, a state machine over text, CRC-16 of all results. */
#include <stdint.h>
#include <stdio.h>

#define NODES 200
#define SIZE 24

struct node {
  struct node *next;
  int16_t key, value;
};

static struct node nodes[NODES];
static int16_t a[SIZE][SIZE], b[SIZE][SIZE];
static int32_t product[SIZE][SIZE];
static const char text[] = "12,-7,0x1f,3.25e4,abc,,99,+4,1e,-0.5,77,hello,0xzz,5.,6,-,1234567,.5,e9,42";

static uint16_t crc16(uint32_t value, uint16_t crc) {
  for (int bit = 0; bit < 32; bit++) {
    uint16_t low = (value ^ crc) & 1;
    crc >>= 1;
    value >>= 1;
    if (low) crc ^= 0xa001;
  }
  return crc;
}

static struct node *merge_sort(struct node *list, int length) {
  if (length < 2) {
    list->next = NULL;
    return list;
  }
  struct node *right = list;
  for (int i = 0; i < length / 2; i++) right = right->next;
  right = merge_sort(right, length - length / 2);
  struct node *left = merge_sort(list, length / 2), head, *tail = &head;
  while (left && right) {
    struct node **first = left->key <= right->key ? &left : &right;
    tail = tail->next = *first;
    *first = (*first)->next;
  }
  tail->next = left ? left : right;
  return head.next;
}

static uint32_t lists(uint32_t seed) {
  for (int i = 0; i < NODES; i++) {
    seed = seed * 1664525 + 1013904223;
    nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, seed >> 17, i};
  }
  uint32_t sum = 0;
  int at = 0;
  for (struct node *n = merge_sort(nodes, NODES); n; n = n->next) sum += ++at * n->value ^ n->key;
  return sum;
}

static uint32_t matrices(int16_t seed) {
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) a[i][j] = seed + i * j, b[i][j] = (seed ^ i) - j;
  uint32_t sum = 0;
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      int32_t cell = 0;
      for (int k = 0; k < SIZE; k++) cell += a[i][k] * b[k][j];
      product[i][j] = cell;
      sum += (cell >> 2 & 15) * (cell >> 5 & 127);
    }
  return sum;
}

static uint32_t states(void) {
  enum { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, HEX, INVALID, STATES } state = START;
  uint32_t count[STATES] = {0};
  for (const char *p = text; *p; p++) {
    char c = *p;
    int digit = c >= '0' && c <= '9';
    if (c == ',') {
      count[state]++;
      state = START;
      continue;
    }
    switch (state) {
      case START: state = digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID; break;
      case SIGN: state = digit ? INTEGER : c == '.' ? POINT : INVALID; break;
      case INTEGER:
        if (!digit) state = c == '.' ? FRACTION : c == 'e' ? EXPONENT : c == 'x' ? HEX : INVALID;
        break;
      case POINT:
      case FRACTION: state = digit ? FRACTION : c == 'e' ? EXPONENT : INVALID; break;
      case EXPONENT: if (!digit) state = INVALID; break;
      case HEX: if (!digit && (c < 'a' || c > 'f')) state = INVALID; break;
      default: break;
    }
  }
  uint32_t sum = 0;
  for (int i = 0; i < STATES; i++) sum = sum * 31 + count[i];
  return sum;
}

int main(void) {
  uint16_t crc = 0;
  for (uint32_t i = 0; i < 9000; i++) {
    crc = crc16(lists(i), crc);
    crc = crc16(matrices(i), crc);
    for (int j = 0; j < 8; j++) crc = crc16(states() + j, crc);
  }
  printf("mix %04x\n", crc);
}
