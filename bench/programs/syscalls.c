/* System calls a second: the shortest there is, and reads and writes of one byte. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  long done = 0;
  char byte = 1;
  for (int i = 0; i < 1000000; i++) done += syscall(SYS_getppid) > 0;
  for (int i = 0; i < 400000; i++) done += read(zero, &byte, 1) + write(null, &byte, 1);
  printf("syscalls %ld\n", done);
}
