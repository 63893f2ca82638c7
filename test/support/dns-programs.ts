/** C programs for {@link copyProgram} that ask a name server, as resolvers do and as they don't. */

const common = String.raw`
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static unsigned char *labels(unsigned char *at, const char *from) {
  while (*from) {
    int length = strcspn(from, ".");
    *at++ = length;
    memcpy(at, from, length);
    at += length;
    from += length + (from[length] == '.');
  }
  return at;
}
/* A query for a name's addresses. Returns its length. */
static int query(unsigned char *packet, int id, const char *name) {
  memcpy(packet, (unsigned char[]){id >> 8, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 12);
  unsigned char *at = labels(packet + 12, name);
  memcpy(at, "\0\0\1\0\1", 5);
  return at + 5 - packet;
}
static int server(const char *address) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_aton(address, &to.sin_addr);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}`;

/**
 * `flood SERVER DOMAIN RATE`: asks for ever new names of the domain, RATE a second, until SIGTERM; then prints how many
 * it asked, how many were answered, and in how many seconds.
 */
export const flood = {
  name: 'flood',
  source: `${common}
static volatile sig_atomic_t ended;
static void end(int signal) { ended = 1; }
int main(int argc, char **argv) {
  int fd = server(argv[1]);
  signal(SIGTERM, end);
  double began = now(), rate = atof(argv[3]);
  long sent = 0, answered = 0;
  while (!ended) {
    for (long due = (now() - began) * rate; sent < due && !ended; sent++) {
      unsigned char packet[256], answer[512];
      char name[128];
      snprintf(name, sizeof name, "n%ld.%s", sent, argv[2]);
      send(fd, packet, query(packet, sent, name), 0);
      if (recv(fd, answer, sizeof answer, 0) > 0) answered++;
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
  }
  printf("%ld %ld %f\\n", sent, answered, now() - began);
}`,
};

/**
 * `ask SERVER TIMES NAME...`: looks up each name in turn, so many times, a tenth of a second apart. Asks again when there
 * is no answer for 2.5 s, as musl does, but not only once. Prints for each: NAME MS QUERIES ADDRESS
 */
export const ask = {
  name: 'ask',
  source: `${common}
int main(int argc, char **argv) {
  for (int i = 0; i < atoi(argv[2]); i++) {
    for (char **name = argv + 3; *name; name++) {
      unsigned char packet[256], answer[512] = {0};
      int fd = server(argv[1]), length = query(packet, i, *name), got = 0, tries = 0;
      double began = now();
      while (got <= 0 && tries < 12) {
        send(fd, packet, length, 0);
        tries++;
        if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2500) == 1) got = recv(fd, answer, sizeof answer, 0);
      }
      /* The address is the last of an answer that has one record. */
      unsigned char *at = got >= length + 16 && answer[7] ? answer + length + 12 : (unsigned char[4]){0};
      printf("%s %.1f %d %d.%d.%d.%d\\n", *name, (now() - began) * 1e3, tries, at[0], at[1], at[2], at[3]);
      close(fd);
      nanosleep(&(struct timespec){.tv_nsec = 100000000}, 0);
    }
  }
}`,
};
