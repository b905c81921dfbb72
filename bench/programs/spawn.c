/* fork, exec of this program again, and wait: with an argument it only ends. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc > 1) return argv[1][0] & 15;
  int sum = 0, status;
  for (int i = 0; i < 1500; i++) {
    pid_t child = fork();
    if (child == 0) {
      execl(argv[0], argv[0], i & 1 ? "a" : "b", NULL);
      _exit(99);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    sum += WEXITSTATUS(status);
  }
  printf("spawn %d\n", sum);
}
