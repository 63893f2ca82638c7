/*
 * netns-worker: does in containers' network namespaces what the daemon asks for. To fork the daemon costs milliseconds,
 * to fork this costs a tenth of one, and most of what there is to do takes neither a program nor a shell.
 *
 * A request, on standard input, is some lines and an empty one. The first line is its number and the path of a network
 * namespace; each of the others is one of
 *
 *   sysctl <path below /proc/sys/net> <value>      left out where this kernel has not that setting, or won't have it set
 *   quiet <link>                                   it makes itself no IPv6 address, and sends nothing for that
 *   conf <link> <setting> <value>...               of IPv4: arp_notify, promote_secondaries; no sysctl, for which the kernel
 *                                                  looks through the folders of all namespaces
 *   probes <link> <setting> <value>...             how IPv4 neighbours are asked whether they are there: ucast_probes,
 *                                                  base_reachable_ms, delay_probe_ms
 *   up <link>
 *   mac <link> <MAC>                               set if it has another
 *   announce <bridge> <MAC> <address>              to all ports of a bridge of the host, and to the host's neighbours
 *   addr <link> <address>/<length>                 added, or as it was, with its broadcast address
 *   neigh <link> <address> <MAC>                   permanent
 *   route <link> <address>/<length>                of scope link
 *   restore                                        iptables-restore, with all lines after it as its input
 *
 * Each request has a process of its own, so all run at once; the first line that fails ends it. The answer, on standard
 * output, is `<number> <exit code>`, and before it `<number>! <what failed and why>` if there is anything to say.
 * It ends with its standard input. Freestanding, like the shim: one file for every distribution.
 */
#include "../shim/kernel.h"

enum { SIGPIPE = 13, SIGCHLD = 17, WNOHANG = 1, ITIMER_REAL = 0, O_WRONLY = 1, CLONE_NEWNET = 0x40000000, SOCK_DGRAM = 2, AF_PACKET = 17, SIOCGIFHWADDR = 0x8927 };
enum { NLM_F_ACK = 4, NLM_F_REPLACE = 0x100, NLM_F_CREATE = 0x400, RTM_NEWNEIGH = 28, IFLA_ADDRESS = 1, IFLA_AF_SPEC = 26, IFLA_INET_CONF = 1 };
enum { RTM_SETNEIGHTBL = 67, NDTA_NAME = 1, NDTA_PARMS = 6, NDTPA_IFINDEX = 1 };
enum { IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_BROADCAST = 4, NDA_DST = 1, NDA_LLADDR = 2, NUD_PERMANENT = 0x80, NUD_STALE = 4 };
enum { AF_INET6 = 10, IFLA_INET6_ADDR_GEN_MODE = 8, IN6_ADDR_GEN_MODE_NONE = 1, EAFNOSUPPORT = 97 };
enum { RTPROT_BOOT = 3, RT_SCOPE_LINK = 253, RTN_UNICAST = 1, EINVAL = 22 };
/* Seconds after which what a request runs is ended: the daemon waits a little longer. */
enum { PATIENCE = 25 };

struct neighbour { u8 family, pad; u16 pad2; int index; u16 state; u8 flags, type; };

static const char *number; /* of the request that this process carries out */
static char **environment;

/* The compiler calls these by itself. Bytes one by one: loops that it knew for what they are would call themselves. */
void *memset(void *to, int value, u64 size) {
  for (volatile u8 *byte = to; size > 0; size--) *byte++ = value;
  return to;
}

void *memcpy(void *to, const void *from, u64 size) {
  const u8 *source = from;
  for (volatile u8 *byte = to; size > 0; size--) *byte++ = *source++;
  return to;
}

static u64 copy(char *to, const char *from) {
  u64 n = 0;
  for (; from[n]; n++) to[n] = from[n];
  return n;
}

/* Ends this request: one write, so that it stays in one piece between those of others. */
static _Noreturn void fail(const char *what, const char *why, long error) {
  char text[1024], digits[24];
  u64 n = copy(text, number);
  n += copy(text + n, "! ");
  for (u64 i = 0; what[i] && n < 400; i++) text[n++] = what[i];
  n += copy(text + n, ": ");
  for (u64 i = 0; why[i] && n < 980; i++) text[n++] = why[i] < ' ' ? ' ' : why[i];
  if (error) n += copy(text + n, decimal(digits, error));
  text[n++] = '\n';
  CALL(write, 1, text, n);
  end(1);
}

/* ---- words ---- */

/* Takes the next word off the line; empty at its end. */
static char *word(char **line) {
  char *start = *line, *c = start;
  while (*c && *c != ' ') c++;
  *line = *c ? c + 1 : c;
  *c = 0;
  return start;
}

static int is(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* A decimal number up to `most`; -1 if there is none. */
static int digits(const char **text, int most) {
  int value = 0;
  const char *start = *text;
  for (; **text >= '0' && **text <= '9' && value <= most; (*text)++) value = value * 10 + (**text - '0');
  return *text == start || value > most ? -1 : value;
}

/* Reads `a.b.c.d`, and `/length` where `prefix` is not 0. Returns 0 if it is none. */
static int read_address(const char *text, u8 address[4], int *prefix) {
  for (int i = 0; i < 4; i++) {
    int value = digits(&text, 255);
    if (value < 0 || (i < 3 && *text++ != '.')) return 0;
    address[i] = value;
  }
  if (!prefix) return !*text;
  if (*text++ != '/') return 0;
  *prefix = digits(&text, 32);
  return *prefix >= 0 && !*text;
}

static int nibble(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_mac(const char *text, u8 mac[6]) {
  for (int i = 0; i < 6; i++, text += 3) {
    int high = nibble(text[0]), low = high < 0 ? -1 : nibble(text[1]);
    if (low < 0 || text[2] != (i < 5 ? ':' : 0)) return 0;
    mac[i] = high << 4 | low;
  }
  return 1;
}

/* ---- rtnetlink ---- */

struct request { struct message message; u8 body[96]; };

static void put(struct request *request, const void *data, u64 size) {
  u8 *to = (u8 *)request + request->message.length;
  for (u64 i = 0; i < size; i++) to[i] = ((const u8 *)data)[i];
  request->message.length += ALIGN4(size);
}

static void put_attribute(struct request *request, u16 type, const void *value, u16 size) {
  struct attribute attribute = {sizeof attribute + size, type};
  put(request, &attribute, sizeof attribute);
  put(request, value, size);
}

/* Begins an attribute of attributes. */
static struct attribute *nest(struct request *request, u16 type) {
  put_attribute(request, type, 0, 0);
  return (struct attribute *)((u8 *)request + request->message.length) - 1;
}

static void end_nest(struct request *request, struct attribute *nested) {
  nested->length = (u8 *)request + request->message.length - (u8 *)nested;
}

static struct request request_of(u16 type, u16 flags, const void *body, u64 size) {
  struct request request = {.message = {sizeof(struct message), type, NLM_F_REQUEST | NLM_F_ACK | flags, 0, 0}};
  put(&request, body, size);
  return request;
}

/* Returns 0 or -errno: the kernel has done it when it answers. */
static long talk(const struct request *request) {
  static int fd = -1;
  if (fd < 0) fd = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fd;
  long result = CALL(sendto, fd, request, request->message.length, 0, 0, 0);
  if (result < 0) return result;
  _Alignas(8) u8 answer[1024];
  result = CALL(recvfrom, fd, answer, sizeof answer, 0, 0, 0);
  if (result < 0) return result;
  return ((const struct message *)answer)->type == NLMSG_ERROR ? *(const int *)((const struct message *)answer + 1) : -EINVAL;
}

/* Index of a link in a socket's namespace, or -errno. */
static long index_by(int fd, const char *link) {
  struct interface question = {0};
  if (length(link) >= sizeof question.name) return -ENODEV;
  copy(question.name, link);
  long result = CALL(ioctl, fd, SIOCGIFINDEX, &question);
  return result < 0 ? result : question.index;
}

static long index_of(const char *link) {
  int fd = CALL(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = index_by(fd, link);
  CALL(close, fd);
  return result;
}

/* disable_ipv6 in /proc/sys would do as well, but its writer spins while others hold the kernel's lock of links. */
static long set_quiet(int link) {
  struct link body = {.index = link};
  struct request request = request_of(RTM_NEWLINK, 0, &body, sizeof body);
  struct attribute *spec = nest(&request, IFLA_AF_SPEC), *family = nest(&request, AF_INET6);
  const u8 mode = IN6_ADDR_GEN_MODE_NONE;
  put_attribute(&request, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  end_nest(&request, family);
  end_nest(&request, spec);
  long result = talk(&request);
  return result == -EAFNOSUPPORT ? 0 : result;
}

/* What can be set, its number in rtnetlink, and the bytes of its value. */
struct setting { const char *name; u16 type, size; };
static const struct setting confs[] = {{"promote_secondaries", 20, 4}, {"arp_notify", 22, 4}, {0, 0, 0}};
static const struct setting probes[] = {{"base_reachable_ms", 4, 8}, {"delay_probe_ms", 7, 8}, {"ucast_probes", 10, 4}, {0, 0, 0}};

/* Puts those of a line. Returns 0 if it has another, a value that is none, or too many. */
static int put_settings(struct request *request, const struct setting *known, char *rest) {
  while (*rest) {
    const char *name = word(&rest), *text = word(&rest);
    const struct setting *setting = known;
    while (setting->name && !is(setting->name, name)) setting++;
    long value = digits(&text, 1 << 20);
    if (!setting->name || value < 0 || *text) return 0;
    if (request->message.length + sizeof(struct attribute) + setting->size > sizeof *request) return 0;
    put_attribute(request, setting->type, &value, setting->size);
  }
  return 1;
}

static long set_conf(int link, char *rest) {
  struct link body = {.index = link};
  struct request request = request_of(RTM_NEWLINK, 0, &body, sizeof body);
  struct attribute *spec = nest(&request, IFLA_AF_SPEC), *family = nest(&request, AF_INET), *conf = nest(&request, IFLA_INET_CONF);
  if (!put_settings(&request, confs, rest)) return -EINVAL;
  end_nest(&request, conf);
  end_nest(&request, family);
  end_nest(&request, spec);
  return talk(&request);
}

static long set_probes(int link, char *rest) {
  const u8 body[4] = {AF_INET};
  struct request request = request_of(RTM_SETNEIGHTBL, 0, body, sizeof body);
  static const char table[] = "arp_cache";
  put_attribute(&request, NDTA_NAME, table, sizeof table);
  struct attribute *parameters = nest(&request, NDTA_PARMS);
  put_attribute(&request, NDTPA_IFINDEX, &link, sizeof link);
  if (!put_settings(&request, probes, rest)) return -EINVAL;
  end_nest(&request, parameters);
  return talk(&request);
}

static long set_up(int link) {
  struct link body = {.index = link, .flags = IFF_UP, .change = IFF_UP};
  struct request request = request_of(RTM_NEWLINK, 0, &body, sizeof body);
  return talk(&request);
}

/* To set the one that it has would be announced to all as well. */
static long set_mac(const char *name, int link, const u8 mac[6]) {
  struct interface question = {0};
  copy(question.name, name); /* short enough: it has an index */
  int fd = CALL(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  long result = fd < 0 ? fd : CALL(ioctl, fd, SIOCGIFHWADDR, &question);
  CALL(close, fd);
  if (result < 0) return result;
  int same = 1;
  /* It comes as a struct sockaddr: two bytes of family first. */
  for (int i = 0; i < 6; i++) same &= question.all[2 + i] == mac[i];
  if (same) return 0;
  struct link body = {.index = link};
  struct request request = request_of(RTM_NEWLINK, 0, &body, sizeof body);
  put_attribute(&request, IFLA_ADDRESS, mac, 6);
  return talk(&request);
}

static long add_address(int link, const u8 address[4], int prefix) {
  struct address body = {AF_INET, prefix, 0, 0, link};
  struct request request = request_of(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
  put_attribute(&request, IFA_LOCAL, address, 4);
  put_attribute(&request, IFA_ADDRESS, address, 4);
  u8 broadcast[4];
  for (int i = 0; i < 4; i++) {
    int bits = prefix - 8 * i;
    broadcast[i] = address[i] | (bits >= 8 ? 0 : bits <= 0 ? 255 : 255 >> bits);
  }
  /* A subnet of two has none. */
  if (prefix <= 30) put_attribute(&request, IFA_BROADCAST, broadcast, 4);
  return talk(&request);
}

static long add_neighbour(int link, const u8 address[4], const u8 mac[6]) {
  struct neighbour body = {.family = AF_INET, .index = link, .state = NUD_PERMANENT};
  struct request request = request_of(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
  put_attribute(&request, NDA_DST, address, 4);
  put_attribute(&request, NDA_LLADDR, mac, 6);
  return talk(&request);
}

static long add_route(int link, const u8 address[4], int prefix) {
  struct route body = {AF_INET, prefix, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST, 0};
  struct request request = request_of(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
  put_attribute(&request, RTA_DST, address, 4);
  put_attribute(&request, RTA_OIF, &link, sizeof link);
  return talk(&request);
}

/* ---- announcing ---- */

/* Of the host's namespace, for all this program's life: to close a packet socket waits for all processors. */
static int host_packets, host_routes;

/*
 * Tells who has an address by now, in place of who had it. The kernel's own announcement, by arp_notify, comes in at one
 * port of the bridge: each other port's firewall is asked, and each container looks a route up, which takes thrice as long.
 * What can't be told now is found out by those who ask.
 */
static void announce(const char *bridge, const u8 mac[6], const u8 address[4]) {
  long index = index_by(host_packets, bridge);
  if (index < 0) return;
  /* From <MAC> to all: ARP, Ethernet, IPv4, a reply: <MAC> has <address>; the same for its target. */
  u8 frame[60] = {255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2};
  for (int i = 0; i < 6; i++) frame[6 + i] = frame[22 + i] = frame[32 + i] = mac[i];
  for (int i = 0; i < 4; i++) frame[28 + i] = frame[38 + i] = address[i];
  struct { u16 family; u8 protocol[2]; int index; u8 rest[12]; } where = {AF_PACKET, {8, 6}, index, {0}};
  CALL(sendto, host_packets, frame, sizeof frame, 0, &where, sizeof where);
  /* The host is no port. Only if it knows the address: it is not told to make an entry. */
  struct neighbour body = {.family = AF_INET, .index = index, .state = NUD_STALE};
  struct request request = request_of(RTM_NEWNEIGH, NLM_F_REPLACE, &body, sizeof body);
  put_attribute(&request, NDA_DST, address, 4);
  put_attribute(&request, NDA_LLADDR, mac, 6);
  CALL(sendto, host_routes, &request, request.message.length, 0, 0, 0);
  /* The answer, or that of another request: nobody waits for it. */
  u8 answer[512];
  CALL(recvfrom, host_routes, answer, sizeof answer, MSG_DONTWAIT, 0, 0);
}

/* ---- the lines of a request ---- */

static void set_sysctl(const char *name, const char *value) {
  char path[256];
  if (length(name) > 200) return;
  u64 n = copy(path, "/proc/sys/net/");
  n += copy(path + n, name);
  path[n] = 0;
  int fd = CALL(open_at, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  CALL(write, fd, value, length(value));
  CALL(close, fd);
}

static long announce_line(char *rest) {
  const char *bridge = word(&rest);
  u8 mac[6], address[4];
  if (!read_mac(word(&rest), mac) || !read_address(word(&rest), address, 0)) return -EINVAL;
  announce(bridge, mac, address);
  return 0;
}

static long link_line(const char *verb, char *rest) {
  const char *name = word(&rest);
  long link = index_of(name);
  if (link < 0) return link;
  if (is(verb, "conf")) return set_conf(link, rest);
  if (is(verb, "probes")) return set_probes(link, rest);
  const char *first = word(&rest), *second = word(&rest);
  u8 address[4], mac[6];
  int prefix;
  if (is(verb, "quiet")) return set_quiet(link);
  if (is(verb, "up")) return set_up(link);
  if (is(verb, "mac") && read_mac(first, mac)) return set_mac(name, link, mac);
  if (is(verb, "addr") && read_address(first, address, &prefix)) return add_address(link, address, prefix);
  if (is(verb, "route") && read_address(first, address, &prefix)) return add_route(link, address, prefix);
  if (is(verb, "neigh") && read_address(first, address, 0) && read_mac(second, mac)) return add_neighbour(link, address, mac);
  return -EINVAL;
}

/* Ends this process, and what it runs, if that takes too long. A program keeps the timer, a child does not have it. */
static void be_patient(void) {
  struct { long every, every_us, first, first_us; } timer = {0, 0, PATIENCE, 0};
  CALL(setitimer, ITIMER_REAL, &timer, 0);
}

/* Becomes the program, from the first folder of PATH that has it. */
static _Noreturn void become(char *program) {
  char *arguments[] = {program, "--noflush", "--wait", 0}, file[4096];
  for (const char *folder = search_path(environment); *folder;) {
    u64 n = 0;
    for (; *folder && *folder != ':'; folder++) {
      if (n < sizeof file - 64) file[n++] = *folder;
    }
    if (*folder) folder++;
    file[n++] = '/';
    n += copy(file + n, program);
    file[n] = 0;
    CALL(execve, file, arguments, environment);
  }
  end(127);
}

static long restore(char *input) {
  char *program = "iptables-restore";
  int in[2], errors[2];
  long result = CALL(pipe2, in, O_CLOEXEC);
  if (result == 0) result = CALL(pipe2, errors, O_CLOEXEC);
  if (result < 0) return result;
  long pid = CALL(clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) return pid;
  if (pid == 0) {
    be_patient();
    CALL(dup3, in[0], 0, 0);
    CALL(dup3, errors[1], 1, 0);
    CALL(dup3, errors[1], 2, 0);
    become(program);
  }
  CALL(close, in[0]);
  CALL(close, errors[1]);
  /* A program that has ended has its reasons, in its exit code. */
  u64 broken_pipe = 1ul << (SIGPIPE - 1);
  CALL(sigprocmask, SIG_BLOCK, &broken_pipe, 0, 8);
  for (u64 left = length(input); left > 0; input += result, left -= result) {
    result = CALL(write, in[1], input, left);
    if (result <= 0) break;
  }
  CALL(close, in[1]);
  char said[600];
  u64 n = 0;
  while (n < sizeof said - 1 && (result = CALL(read, errors[0], said + n, sizeof said - 1 - n)) > 0) n += result;
  while (n > 0 && said[n - 1] <= ' ') n--;
  said[n] = 0;
  int status = 0;
  do result = CALL(wait4, pid, &status, 0, 0);
  while (result == -EINTR);
  if (status) fail(program, n ? said : "it ended with status ", n ? 0 : status & 0x7f ? status & 0x7f : status >> 8);
  return 0;
}

/* Cuts the first line off. */
static char *line_of(char **text) {
  char *start = *text, *c = start;
  while (*c && *c != '\n') c++;
  *text = *c ? c + 1 : c;
  *c = 0;
  return start;
}

/* What a request's own process does: `text` has no empty line. */
static _Noreturn void carry_out(char *text) {
  char *path = line_of(&text);
  number = word(&path);
  be_patient();
  int netns = CALL(open_at, AT_FDCWD, path, O_CLOEXEC, 0);
  long result = netns < 0 ? netns : CALL(setns, netns, CLONE_NEWNET);
  if (result < 0) fail(path, "errno ", -result);
  while (*text) {
    char *rest = line_of(&text), whole[256];
    u64 n = 0;
    for (; rest[n] && n < sizeof whole - 1; n++) whole[n] = rest[n];
    whole[n] = 0;
    const char *verb = word(&rest);
    if (is(verb, "restore")) {
      result = restore(text);
      text += length(text);
    } else if (is(verb, "sysctl")) {
      const char *name = word(&rest);
      set_sysctl(name, rest);
    } else {
      result = is(verb, "announce") ? announce_line(rest) : link_line(verb, rest);
    }
    if (result < 0) fail(whole, "errno ", -result);
  }
  end(0);
}

/* ---- requests ---- */

static struct { long pid; char number[24]; } running[256];
enum { PLACES = sizeof running / sizeof running[0] };
static char input[1 << 18];
static u64 filled;

static int free_place(void) {
  for (int i = 0; i < PLACES; i++) {
    if (!running[i].pid) return i;
  }
  return -1;
}

static void answer(const char *number, int code) {
  char text[64], digits[24];
  u64 n = copy(text, number);
  text[n++] = ' ';
  n += copy(text + n, decimal(digits, code));
  text[n++] = '\n';
  CALL(write, 1, text, n);
}

/* Begins the first request of the input, if it is whole. Returns 0 if it is not. */
static int begin(int place) {
  u64 size = 0;
  while (size + 1 < filled && !(input[size] == '\n' && input[size + 1] == '\n')) size++;
  if (size + 1 >= filled) return 0;
  u64 n = 0;
  for (; n < sizeof running[place].number - 1 && input[n] > ' '; n++) running[place].number[n] = input[n];
  running[place].number[n] = 0;
  input[size + 1] = 0;
  long pid = CALL(clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    u64 none = 0;
    CALL(sigprocmask, SIG_SETMASK, &none, 0, 8);
    carry_out(input);
  }
  if (pid < 0) answer(running[place].number, 125);
  else running[place].pid = pid;
  size += 2;
  for (u64 i = size; i < filled; i++) input[i - size] = input[i];
  filled -= size;
  return 1;
}

static void reap(void) {
  int status = 0;
  for (long pid; (pid = CALL(wait4, -1, &status, WNOHANG, 0)) > 0;) {
    for (int i = 0; i < PLACES; i++) {
      if (running[i].pid != pid) continue;
      running[i].pid = 0;
      answer(running[i].number, status & 0x7f ? 128 + (status & 0x7f) : status >> 8);
    }
  }
}

__attribute__((used)) _Noreturn void enter(long *stack) {
  environment = (char **)(stack + 1) + stack[0] + 1;
  u64 ended = 1ul << (SIGCHLD - 1);
  CALL(sigprocmask, SIG_BLOCK, &ended, 0, 8);
  host_packets = CALL(socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  host_routes = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  int signals = CALL(signalfd, -1, &ended, 8, O_CLOEXEC | O_NONBLOCK);
  if (signals < 0) end(1);
  for (;;) {
    int place = free_place();
    while (place >= 0 && begin(place)) place = free_place();
    /* No whole request fits where this is full. */
    if (place >= 0 && filled == sizeof input) end(1);
    /* Without a place for another, nothing is read: the daemon's writing waits. */
    struct { int fd; short events, seen; } polled[] = {{signals, POLLIN, 0}, {place < 0 ? -1 : 0, POLLIN, 0}};
    CALL(ppoll, polled, 2, 0, 0, 0);
    if (polled[0].seen) {
      u8 which[128];
      while (CALL(read, signals, which, sizeof which) > 0);
      reap();
    }
    if (polled[1].seen) {
      long result = CALL(read, 0, input + filled, sizeof input - filled);
      if (result == 0) end(0);
      if (result < 0 && result != -EINTR && result != -EAGAIN) end(1);
      if (result > 0) filled += result;
    }
  }
}
