/* Context switches: two processes send each other one byte through pipes. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  int there[2], back[2];
  char byte = 0;
  if (pipe(there) || pipe(back)) return 1;
  if (fork() == 0) {
    close(there[1]);
    while (read(there[0], &byte, 1) == 1) {
      byte++;
      if (write(back[1], &byte, 1) != 1) return 1;
    }
    return 0;
  }
  for (int i = 0; i < 100000; i++)
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) return 1;
  close(there[1]);
  wait(NULL);
  printf("switches %d\n", (unsigned char)byte);
}
