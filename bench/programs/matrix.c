/* Product of two matrices of doubles; the compiler makes vectors of the inner loop. */
#include <stdio.h>

#define SIZE 256

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

int main(void) {
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) a[i][j] = ((i * 7 + j) % 11 - 5) * 0.1, b[i][j] = (i + j * 3) % 13 * 0.3;
  for (int round = 0; round < 24; round++) {
    for (int i = 0; i < SIZE; i++)
      for (int k = 0; k < SIZE; k++) {
        double factor = a[i][k];
        for (int j = 0; j < SIZE; j++) c[i][j] += factor * b[k][j];
      }
    a[round][round] += 1;
  }
  double sum = 0;
  for (int i = 0; i < SIZE; i++) sum += c[i][(i * 5) % SIZE];
  printf("matrix %.3f\n", sum);
}
