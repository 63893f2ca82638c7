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
 * though it seemed so, 128 + signal ended while waiting, 2 no command given. Below an init, as inits have it, 1 instead
 * of 128 and 255, and for a path through a file.
 */
#define NOWAIT 0
#define WAIT 1
#define MULTICAST 2

#include "kernel.h"

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
  if (message->type == RTM_NEWADDR) {
    const struct address *address = (const void *)(message + 1);
    if (address->index == view->index) view->has_address = 1;
  } else if (message->type == RTM_NEWROUTE) {
    if (is_multicast_route(message, view->index)) view->has_multicast_route = 1;
  }
}

/*
 * Looks for the link. Returns 0 or -errno. By ioctl: rtnetlink's answer waits for the kernel's lock of links, and spins
 * meanwhile where many containers start at once.
 */
static long find_link(int fd, struct view *view) {
  struct interface question = {.name = "ethwe"};
  long result = CALL(ioctl, fd, SIOCGIFINDEX, &question);
  if (result < 0) return result;
  view->index = question.index;
  result = CALL(ioctl, fd, SIOCGIFFLAGS, &question);
  view->flags = question.flags;
  return result;
}

/*
 * Asks for all IPv4 addresses or for all IPv4 routes, and notes the answer in `view`.
 * Returns 0 or -errno. The kernel has the answer ready when the request returns: nothing here waits.
 */
static long ask(int fd, u16 type, struct view *view) {
  /* Of the body a dump needs the family only. */
  struct { struct message message; u8 family, pad[3]; } request = {
    .message = {sizeof request, type, NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
    .family = AF_INET,
  };
  long result = CALL(sendto, fd, &request, request.message.length, 0, 0, 0);
  /* The kernel fits a dump to the size of the reader's buffer, up to 32 KiB. */
  _Alignas(8) u8 buffer[32768];
  while (result >= 0) {
    result = CALL(recvfrom, fd, buffer, sizeof buffer, MSG_DONTWAIT, 0, 0);
    const struct message *message = (const void *)buffer;
    for (long left = result; left >= (long)sizeof *message && message->length >= sizeof *message;) {
      if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) return *(const int *)(message + 1);
      note(message, view);
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

static long look_by(int fd, struct view *view) {
  long result = find_link(fd, view);
  if (result < 0) return result == -ENODEV ? NO_LINK : result;
  /* Up alone is too early: without a carrier, known as RUNNING, the kernel throws away what is sent. */
  if ((view->flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) return NOT_UP;
  result = ask(fd, RTM_GETADDR, view);
  if (result < 0) return result;
  if (!view->has_address) return NO_ADDRESS;
  if (MODE != MULTICAST) return READY;
  result = ask(fd, RTM_GETROUTE, view);
  if (result < 0) return result;
  return view->has_multicast_route ? READY : NO_ROUTE;
}

/* What is missing now: one of the above, or -errno. A socket for each look: half-read answers die with it. */
static long look(void) {
  struct view view = {0};
  int fd = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fd;
  long result = look_by(fd, &view);
  CALL(close, fd);
  return result;
}

/* ---- waiting ---- */

enum { SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTERM = 15, SIG_IGN = 1 };

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

enum { X_OK = 1, TYPE_OF_FILE = 0170000, DIRECTORY = 0040000, ANY_EXECUTE = 0111, PR_SET_NAME = 15 };

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

/* True below an init of the container's own, whose way of running a command is then the right one. */
static int is_below_init(void) {
  return CALL(getppid, 0) == 1;
}

/* Finds the command; `*path` is what to execute, which may be `file`, the first of PATH that seems good. */
static struct finding find(const char *name, char **environment, char file[4096], const char **path) {
  *path = name;
  for (const char *c = name; *c; c++) {
    if (*c == '/') return look_at(name);
  }
  u64 name_size = length(name) + 1;
  int denied = 0;
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
      struct finding found = look_at(file);
      if (!found.letter) return found;
      if (found.error == EACCES || found.error == EISDIR) denied = 1;
    }
    if (!*folder) break;
  }
  /* As execvp, by which inits run commands, says of the last resort. */
  return denied && is_below_init() ? (struct finding){'a', EACCES} : (struct finding){'p', 0};
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
  int init = is_below_init();
  if (found.letter == 'p' || found.error == ENOENT || (found.error == ENOTDIR && !init)) return 127;
  if (found.error == EACCES || found.error == EISDIR) return 126;
  return init ? 1 : 128;
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
    /* Below an init the container has started, as it does without us. */
    else if (!is_below_init()) wait_to_be_stopped(code_of(found));
  }
  if (found.letter) fail(name, found);
  long error = CALL(execve, path, arguments + 1, environment);
  int init = is_below_init();
  if (init && error == -ENOEXEC) {
    /* As execvp does. */
    arguments[0] = "/bin/sh";
    arguments[1] = (char *)path;
    error = CALL(execve, arguments[0], arguments, environment);
  }
  /* In runc's words: it, too, has nobody left to tell by now. */
  SAY("exec ", path, ": ", reason(-error, number), "\n");
  end(init ? code_of((struct finding){'a', -error}) : 255);
}
