/*
 * w: runs before the user's command in a container. It waits until the container has its network, then becomes the
 * command: same arguments, environment, file descriptors, signal mask and dispositions.
 *
 * Freestanding, because it is bound into images that have nothing: no libc, no headers, no /proc, no /etc, no writable
 * data, any user, no capabilities. The numbers and structs below are the kernel's ABI for 64-bit Linux.
 *
 * -DMODE=MULTICAST  waits until ethwe is up, has an IPv4 address and the route 224.0.0.0/4
 * -DMODE=WAIT       the same without the route
 * -DMODE=NOWAIT     does not wait
 *
 * Whether the command can be run is looked at first, as runc does without a shim; what it finds then is an error of
 * the engine's start call, and the container never runs. Here it does: so the shim says in its own name (/proc/<pid>/comm)
 * what it found, and waits for the daemon to read that, to answer in the engine's place, and to stop the container.
 *
 *   w        not looked yet
 *   w:ok     the command can be run
 *   w:p0     no folder of PATH has it
 *   w:s<n>   there is nothing to be seen at that path, errno n
 *   w:d21    it is a directory
 *   w:a<n>   it must not be run, errno n
 *
 * Exit codes: 127 command not found, 126 it must not be run, 128 other failures to look at it, 255 it could not be run
 * though it seemed so, 128 + signal ended while waiting, 2 no command given.
 */
#define NOWAIT 0
#define WAIT 1
#define MULTICAST 2

#if defined __x86_64__ && defined __LP64__
enum {
  SYS_write_vector = 20, SYS_close = 3, SYS_read = 0, SYS_sigaction = 13, SYS_sigprocmask = 14, SYS_socket = 41,
  SYS_sendto = 44, SYS_recvfrom = 45, SYS_bind = 49, SYS_execve = 59, SYS_getppid = 110, SYS_prctl = 157, SYS_exit_group = 231,
  SYS_stat_at = 262, SYS_access_at = 269, SYS_ppoll = 271, SYS_signalfd = 289,
};
enum { STAT_MODE_AT = 24 };

/* The kernel leaves argc, argv and envp on the stack; a C function wants it aligned. */
__asm__(".text\n.globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall enter\n");

static long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined __aarch64__ && defined __LP64__ && !defined __AARCH64EB__
enum {
  SYS_write_vector = 66, SYS_close = 57, SYS_read = 63, SYS_sigaction = 134, SYS_sigprocmask = 135, SYS_socket = 198,
  SYS_sendto = 206, SYS_recvfrom = 207, SYS_bind = 200, SYS_execve = 221, SYS_getppid = 173, SYS_prctl = 167, SYS_exit_group = 94,
  SYS_stat_at = 79, SYS_access_at = 48, SYS_ppoll = 73, SYS_signalfd = 74,
};
enum { STAT_MODE_AT = 16 };

__asm__(".text\n.globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tb enter\n");

static long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "the shim is written for 64-bit x86 and 64-bit little-endian ARM only"
#endif

/* CALL(name, up to six arguments): the system call's result, or -errno. */
#define CALL(name, ...) CALL_(SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...) \
  syscall6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum {
  EPERM = 1, ENOENT = 2, EINTR = 4, E2BIG = 7, ENOEXEC = 8, EAGAIN = 11, ENOMEM = 12, EACCES = 13, ENODEV = 19,
  ENOTDIR = 20, EISDIR = 21, ETXTBSY = 26, ENAMETOOLONG = 36, ENOSYS = 38, ELOOP = 40, ENOBUFS = 105,
};

static u64 length(const char *text) {
  u64 n = 0;
  while (text[n]) n++;
  return n;
}

/* Writes the parts, at most 8, as one piece on stderr, so that lines of several processes don't mix. */
#define SAY(...) say((const char *const[]){__VA_ARGS__, 0})
static void say(const char *const *parts) {
  struct { const char *base; u64 length; } pieces[8];
  int n = 0;
  for (; parts[n]; n++) {
    pieces[n].base = parts[n];
    pieces[n].length = length(parts[n]);
  }
  CALL(write_vector, 2, pieces, n);
}

static _Noreturn void end(int code) {
  for (;;) CALL(exit_group, code);
}

/* ---- what there is of the network: questions to the kernel ---- */

enum { AF_INET = 2, AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 02000000, NETLINK_ROUTE = 0, MSG_DONTWAIT = 0x40 };
enum { NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_REQUEST = 1, NLM_F_MULTI = 2, NLM_F_DUMP = 0x300 };
enum { RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_NEWADDR = 20, RTM_GETADDR = 22, RTM_NEWROUTE = 24, RTM_GETROUTE = 26 };
enum { RTMGRP_LINK = 1, RTMGRP_IPV4_IFADDR = 0x10, RTMGRP_IPV4_ROUTE = 0x40 };
enum { IFLA_IFNAME = 3, IFF_UP = 1, IFF_RUNNING = 0x40, RT_TABLE_MAIN = 254, RTA_DST = 1, RTA_OIF = 4 };

struct netlink_address { u16 family, pad; u32 port, groups; };
struct message { u32 length; u16 type, flags; u32 sequence, port; };
struct link { u8 family, pad; u16 type; int index; u32 flags, change; };
struct address { u8 family, prefix, flags, scope; int index; };
struct route { u8 family, dst_length, src_length, tos, table, protocol, scope, type; u32 flags; };
struct attribute { u16 length, type; };

#define ALIGN4(n) (((n) + 3) & ~3u)

/* What the kernel has told of ethwe. */
struct view {
  int index;
  u32 flags;
  int has_address, has_multicast_route;
};

static int is_multicast_route(const struct message *message, int index) {
  const struct route *route = (const void *)(message + 1);
  if (route->table != RT_TABLE_MAIN || route->dst_length != 4) return 0;
  int to_multicast = 0, through = 0;
  const u8 *end = (const u8 *)message + message->length;
  const struct attribute *a = (const void *)(route + 1);
  while ((const u8 *)(a + 1) <= end && a->length >= sizeof *a) {
    const u8 *value = (const void *)(a + 1);
    if (a->type == RTA_DST) to_multicast = value[0] == 224;
    if (a->type == RTA_OIF) through = *(const int *)value;
    a = (const void *)((const u8 *)a + ALIGN4(a->length));
  }
  return to_multicast && through == index;
}

static void note(const struct message *message, struct view *view) {
  if (message->type == RTM_NEWLINK) {
    const struct link *link = (const void *)(message + 1);
    view->index = link->index;
    view->flags = link->flags;
  } else if (message->type == RTM_NEWADDR) {
    const struct address *address = (const void *)(message + 1);
    if (address->index == view->index) view->has_address = 1;
  } else if (message->type == RTM_NEWROUTE) {
    if (is_multicast_route(message, view->index)) view->has_multicast_route = 1;
  }
}

/*
 * Asks for the link ethwe, for all IPv4 addresses or for all IPv4 routes, and notes the answer in `view`.
 * Returns 0 or -errno. The kernel has the answer ready when the request returns: nothing here waits.
 */
static long ask(int fd, u16 type, struct view *view) {
  struct {
    struct message message;
    struct link body;
    struct attribute name;
    char text[8];
  } request = {
    .message = {sizeof request, type, NLM_F_REQUEST, 0, 0},
    .name = {sizeof(struct attribute) + 6, IFLA_IFNAME},
    .text = "ethwe",
  };
  if (type != RTM_GETLINK) {
    request.message.length = sizeof request.message + 4; /* of the body a dump needs the family only */
    request.message.flags |= NLM_F_DUMP;
    request.body.family = AF_INET;
  }
  long result = CALL(sendto, fd, &request, request.message.length, 0, 0, 0);
  /* The kernel fits a dump to the size of the reader's buffer, up to 32 KiB. */
  _Alignas(8) u8 buffer[32768];
  while (result >= 0) {
    result = CALL(recvfrom, fd, buffer, sizeof buffer, MSG_DONTWAIT, 0, 0);
    const struct message *message = (const void *)buffer;
    for (long left = result; left >= (long)sizeof *message && message->length >= sizeof *message;) {
      if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) return *(const int *)(message + 1);
      note(message, view);
      if (!(message->flags & NLM_F_MULTI)) return 0;
      left -= ALIGN4(message->length);
      message = (const void *)((const u8 *)message + ALIGN4(message->length));
    }
  }
  return result;
}

enum { READY, NO_LINK, NOT_UP, NO_ADDRESS, NO_ROUTE };
static const char *const lacks[] = {
  [NO_LINK] = "interface ethwe is not there yet",
  [NOT_UP] = "interface ethwe is not up",
  [NO_ADDRESS] = "interface ethwe has no address",
  [NO_ROUTE] = "interface ethwe has no multicast route",
};

/* What is missing now: one of the above, or -errno. A socket for each look: half-read answers die with it. */
static long look(void) {
  struct view view = {0};
  int fd = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fd;
  long result = ask(fd, RTM_GETLINK, &view);
  if (result == 0) result = ask(fd, RTM_GETADDR, &view);
  if (result == 0 && MODE == MULTICAST) result = ask(fd, RTM_GETROUTE, &view);
  CALL(close, fd);
  if (result < 0) return result == -ENODEV ? NO_LINK : result;
  /* Up alone is too early: without a carrier, known as RUNNING, the kernel throws away what is sent. */
  if ((view.flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) return NOT_UP;
  if (!view.has_address) return NO_ADDRESS;
  if (MODE == MULTICAST && !view.has_multicast_route) return NO_ROUTE;
  return READY;
}

/* ---- waiting ---- */

enum { SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTERM = 15, SIG_IGN = 1, SIG_BLOCK = 0, SIG_SETMASK = 2 };
enum { POLLIN = 1, O_NONBLOCK = 04000, O_CLOEXEC = 02000000 };

/* The signals that end the wait: those of terminals and of images' STOPSIGNAL that the caller does not ignore. */
static u64 ending_signals(void) {
  static const u8 numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  u64 set = 0;
  for (u64 i = 0; i < sizeof numbers; i++) {
    u64 action[4]; /* handler, flags, restorer, mask */
    CALL(sigaction, numbers[i], 0, action, 8);
    if (action[0] != SIG_IGN) set |= 1ul << (numbers[i] - 1);
  }
  return set;
}

/*
 * Returns 0 when the network is ready, or -errno if it can't be watched; ends the process on a signal in `signals`, by
 * `code` if that is not 0.
 * The events are a bell only, what is true comes from a new look: so lost events (ENOBUFS) and an ethwe that goes
 * and comes again need no code. The bell is there before the first look, so nothing falls between the two.
 */
static long wait_for_network(int signals, int code) {
  if (signals < 0) return signals;
  int bell = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | O_NONBLOCK, NETLINK_ROUTE);
  if (bell < 0) return bell;
  struct netlink_address groups = {AF_NETLINK, 0, 0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
  long result = CALL(bind, bell, &groups, sizeof groups);
  if (result < 0) return result;

  struct { long seconds, nanoseconds; } until_notice = {10, 0}, *timeout = &until_notice;
  for (;;) {
    long lack = look();
    if (lack == -ENOBUFS) continue; /* the kernel was short of memory for the answer */
    if (lack <= READY) return lack;

    struct { int fd; short events, seen; } polled[] = {{signals, POLLIN, 0}, {bell, POLLIN, 0}};
    /* The kernel takes the time that went by off `timeout`. */
    result = CALL(ppoll, polled, 2, timeout, 0, 0);
    if (result < 0 && result != -EINTR) return result;
    if (result == 0) {
      timeout = 0;
      SAY("w: waiting for the network: ", lacks[lack],
          ". On the host, `weavets ps --why` and `weavets status` tell more.\n");
    }

    u32 signal[32];
    if (CALL(read, signals, signal, sizeof signal) > 0) end(code ? code : 128 + (int)signal[0]);
    u8 rung;
    do result = CALL(recvfrom, bell, &rung, sizeof rung, 0, 0, 0);
    while (result >= 0 || result == -ENOBUFS);
    if (result != -EAGAIN && result != -EINTR) return result;
  }
}

static const char *decimal(char text[24], long n) {
  char *digit = text + 23;
  *digit = 0;
  do *--digit = '0' + n % 10;
  while (n /= 10);
  return digit;
}

/* Waits for the network, or says why it can't; only the signal mask changes meanwhile. */
static void wait(void) {
  u64 before, ending = ending_signals();
  /* The kernel throws away signals to PID 1 that nothing handles; blocked ones it keeps, for the signalfd. */
  CALL(sigprocmask, SIG_BLOCK, &ending, &before, 8);
  ending &= ~before;
  long result = wait_for_network(CALL(signalfd, -1, &ending, 8, O_CLOEXEC | O_NONBLOCK), 0);
  CALL(sigprocmask, SIG_SETMASK, &before, 0, 8);
  char number[24];
  if (result < 0) {
    SAY("w: the network can't be watched from here (errno ", decimal(number, -result),
        "): starting without waiting for it\n");
  }
}

/*
 * Waits until the daemon, which makes the network ready, has had time to read what there is to say, and to stop the
 * container: by whichever signal, which the user may have chosen.
 */
static void wait_to_be_stopped(int code) {
  u64 all = ~0ul;
  CALL(sigprocmask, SIG_BLOCK, &all, 0, 8);
  int signals = CALL(signalfd, -1, &all, 8, O_CLOEXEC | O_NONBLOCK);
  if (wait_for_network(signals, code) < 0) return;
  struct { long seconds, nanoseconds; } patience = {10, 0};
  struct { int fd; short events, seen; } polled = {signals, POLLIN, 0};
  if (CALL(ppoll, &polled, 1, &patience, 0, 0) > 0) end(code);
}

/* ---- the command ---- */

/* What looking for the command found: a letter and an errno, as above; letter 0 when it can be run. */
struct finding { char letter; int error; };

enum { AT_FDCWD = -100, X_OK = 1, TYPE_OF_FILE = 0170000, DIRECTORY = 0040000, ANY_EXECUTE = 0111, PR_SET_NAME = 15 };

/* As Go's exec.LookPath looks at one path. */
static struct finding look_at(const char *file) {
  _Alignas(8) u8 status[256];
  long result = CALL(stat_at, AT_FDCWD, file, status, 0);
  if (result < 0) return (struct finding){'s', -result};
  u32 mode = *(const u32 *)(status + STAT_MODE_AT);
  if ((mode & TYPE_OF_FILE) == DIRECTORY) return (struct finding){'d', EISDIR};
  result = CALL(access_at, AT_FDCWD, file, X_OK);
  /* Where a sandbox forbids to ask, the mode has to do. */
  if (result == -ENOSYS || result == -EPERM) result = mode & ANY_EXECUTE ? 0 : -EACCES;
  return result < 0 ? (struct finding){'a', -result} : (struct finding){0, 0};
}

static const char *search_path(char **environment) {
  for (; *environment; environment++) {
    const char *e = *environment;
    if (e[0] == 'P' && e[1] == 'A' && e[2] == 'T' && e[3] == 'H' && e[4] == '=') return e + 5;
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Finds the command; `*path` is what to execute, which may be `file`, the first of PATH that seems good. */
static struct finding find(const char *name, char **environment, char file[4096], const char **path) {
  *path = name;
  for (const char *c = name; *c; c++) {
    if (*c == '/') return look_at(name);
  }
  u64 name_size = length(name) + 1;
  for (const char *folder = search_path(environment); *name; folder++) {
    u64 n = 0;
    const char *start = folder;
    while (*folder && *folder != ':') folder++;
    u64 folder_length = folder - start;
    if (folder_length + 1 + name_size <= 4096) {
      for (; n < folder_length; n++) file[n] = start[n];
      if (n) file[n++] = '/'; /* an empty entry is the working directory */
      for (u64 i = 0; i < name_size; i++) file[n++] = name[i];
      *path = file;
      if (look_at(file).letter == 0) return (struct finding){0, 0};
    }
    if (!*folder) break;
  }
  return (struct finding){'p', 0};
}

/* Says in the process's name what was found. */
static void tell(struct finding found) {
  char name[16] = {'w', ':', 'o', 'k'}, number[24];
  if (found.letter) {
    const char *digits = decimal(number, found.error);
    name[2] = found.letter;
    for (u64 i = 0; i <= length(digits) && i < 12; i++) name[3 + i] = digits[i];
  }
  CALL(prctl, PR_SET_NAME, name);
}

static const char *reason(int error, char number[24]) {
  switch (error) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case ENOTDIR: return "not a directory";
    case EISDIR: return "is a directory";
    case ELOOP: return "too many levels of symbolic links";
    case ENAMETOOLONG: return "file name too long";
    case ENOEXEC: return "exec format error";
    case E2BIG: return "argument list too long";
    case ETXTBSY: return "text file busy";
  }
  const char *digits = decimal(number, error);
  number = (char *)digits - 6;
  for (int i = 0; i < 6; i++) number[i] = "errno "[i];
  return number;
}

static int code_of(struct finding found) {
  if (found.letter == 'p' || found.error == ENOENT || found.error == ENOTDIR) return 127;
  return found.error == EACCES || found.error == EISDIR ? 126 : 128;
}

static _Noreturn void fail(const char *name, struct finding found) {
  char number[24];
  const char *why = reason(found.error, number);
  if (found.letter == 'p') SAY("w: exec: \"", name, "\": executable file not found in $PATH\n");
  else if (found.letter == 's') SAY("w: exec: \"", name, "\": stat ", name, ": ", why, "\n");
  else SAY("w: exec: \"", name, "\": ", why, "\n");
  end(code_of(found));
}

__attribute__((used)) _Noreturn void enter(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  if (count < 2) {
    SAY("usage: w COMMAND [ARGUMENT...]: runs COMMAND when the container's network is there\n");
    end(2);
  }
  const char *name = arguments[1], *path;
  char **environment = arguments + count + 1, file[4096], number[24];
  struct finding found = find(name, environment, file, &path);
  if (MODE != NOWAIT) {
    tell(found);
    if (!found.letter) wait();
    /* Below an init of its own the container has started, as it does without us. */
    else if (CALL(getppid, 0) != 1) wait_to_be_stopped(code_of(found));
  }
  if (found.letter) fail(name, found);
  /* In runc's words: it, too, has nobody left to tell by now. */
  long error = CALL(execve, path, arguments + 1, environment);
  SAY("exec ", path, ": ", reason(-error, number), "\n");
  end(255);
}
