/* Load for networks, run in a guest: "load connect ADDRESS PORT COUNT AT_ONCE", "load flood ADDRESS PORT SECONDS" (UDP),
 * "load send ADDRESS PORT SECONDS FLOWS" (TCP): it says what it did. "load fetch ADDRESS PORT" writes what comes to its output,
 * "load put ADDRESS PORT" sends its input and waits for the end: as nc, but not a KiB at a time. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 256

static struct addrinfo *target;
static char buffer[65536];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int open_socket(int type) {
  int fd = socket(target->ai_family, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, target->ai_addr, target->ai_addrlen) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Each connection sends 64 bytes, and wants the same back. */
static void connections(int count, int most) {
  struct pollfd polls[MOST];
  int sent[MOST] = {0}, numbers[MOST], open = 0, begun = 0, good = 0, bad = 0;
  double start = now();
  while (begun < count || open > 0) {
    while (open < most && begun < count) {
      int fd = open_socket(SOCK_STREAM);
      if (fd < 0) {
        bad++, begun++;
        continue;
      }
      polls[open] = (struct pollfd){.fd = fd, .events = POLLOUT};
      sent[open] = 0;
      numbers[open++] = begun++;
    }
    if (poll(polls, open, 20000) <= 0) break;
    for (int n = open - 1; n >= 0; n--) {
      if (polls[n].revents == 0) continue;
      char text[64], got[128];
      memset(text, ' ', sizeof text);
      snprintf(text, sizeof text, "connection %d", numbers[n]);
      int ok = 0;
      if (!sent[n]) {
        ok = send(polls[n].fd, text, sizeof text, MSG_NOSIGNAL) == sizeof text;
        sent[n] = 1;
        polls[n].events = POLLIN;
        if (ok) continue;
      } else
        ok = recv(polls[n].fd, got, sizeof got, 0) == sizeof text && memcmp(got, text, sizeof text) == 0;
      close(polls[n].fd);
      ok ? good++ : bad++;
      open--;
      polls[n] = polls[open];
      sent[n] = sent[open];
      numbers[n] = numbers[open];
    }
  }
  printf("connections: %d good, %d bad, %.1f s\n", good, count - good, now() - start);
}

static void flood(double seconds) {
  int fd = open_socket(SOCK_DGRAM);
  double end = now() + seconds;
  long count = 0;
  while (now() < end)
    for (int n = 0; n < 50; n++) {
      if (send(fd, buffer, 1400, 0) == 1400) count++;
      else poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 10);
    }
  printf("flood: %ld datagrams\n", count);
}

static void flows(double seconds, int count) {
  struct pollfd polls[MOST];
  double end = now() + seconds;
  long long total = 0;
  for (int n = 0; n < count; n++) polls[n] = (struct pollfd){.fd = open_socket(SOCK_STREAM), .events = POLLOUT};
  while (now() < end) {
    poll(polls, count, 100);
    for (int n = 0; n < count; n++) {
      if (!(polls[n].revents & POLLOUT)) continue;
      ssize_t done = send(polls[n].fd, buffer, sizeof buffer, MSG_NOSIGNAL);
      if (done > 0) total += done;
    }
  }
  printf("flows: %lld bytes\n", total);
}

static int copy(int from, int to) {
  for (;;) {
    ssize_t count = read(from, buffer, sizeof buffer);
    if (count <= 0) return count == 0;
    for (ssize_t done = 0; done < count;) {
      ssize_t n = write(to, buffer + done, count - done);
      if (n < 0) return 0;
      done += n;
    }
  }
}

static int whole(int put) {
  int fd = open_socket(SOCK_STREAM);
  fcntl(fd, F_SETFL, 0);
  poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 10000);
  int ok = put ? copy(0, fd) && shutdown(fd, SHUT_WR) == 0 && read(fd, buffer, 1) == 0 : copy(fd, 1);
  return ok ? 0 : 1;
}

int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  if (argc < 4 || getaddrinfo(argv[2], argv[3], &hints, &target) != 0) {
    fprintf(stderr, "load: what to do, address and port are needed\n");
    return 2;
  }
  if (strcmp(argv[1], "fetch") == 0 || strcmp(argv[1], "put") == 0) return whole(argv[1][0] == 'p');
  int amount = argc > 4 ? atoi(argv[4]) : 0, most = argc > 5 ? atoi(argv[5]) : 1;
  if (most > MOST) most = MOST;
  if (strcmp(argv[1], "connect") == 0) connections(amount, most);
  else if (strcmp(argv[1], "flood") == 0) flood(amount);
  else flows(amount, most);
  return 0;
}
