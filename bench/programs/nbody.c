/* Planets and their sun under gravity, in doubles. Compiled for SSE2, and a second time for the x87. */
#include <math.h>
#include <stdio.h>

#define BODIES 5
#ifndef STEPS
#define STEPS 1500000
#endif

static double x[BODIES] = {0, 4.84, 8.34, 12.89, 15.38}, y[BODIES] = {0, -1.16, 4.12, -15.11, -25.92},
              z[BODIES] = {0, -0.10, -0.40, -0.22, 0.18}, vx[BODIES] = {0, 0.61, -1.01, 1.08, 0.98},
              vy[BODIES] = {0, 2.81, 1.83, 0.87, 0.59}, vz[BODIES] = {0, -0.02, 0.01, -0.01, -0.03},
              mass[BODIES] = {39.48, 0.0377, 0.0113, 0.0017, 0.0020};

static void step(double dt) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      double dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
      double square = dx * dx + dy * dy + dz * dz;
      double pull = dt / (square * sqrt(square));
      vx[i] -= dx * mass[j] * pull, vy[i] -= dy * mass[j] * pull, vz[i] -= dz * mass[j] * pull;
      vx[j] += dx * mass[i] * pull, vy[j] += dy * mass[i] * pull, vz[j] += dz * mass[i] * pull;
    }
  for (int i = 0; i < BODIES; i++) x[i] += dt * vx[i], y[i] += dt * vy[i], z[i] += dt * vz[i];
}

int main(void) {
  for (int i = 0; i < STEPS; i++) step(0.001);
  printf("nbody %.9f %.9f %.9f\n", x[0], y[1], z[2]);
}
