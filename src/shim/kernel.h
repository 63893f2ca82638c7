/*
 * What w.c and the daemon's netns-worker.c share: system calls of 64-bit Linux, and the structs and numbers of its
 * rtnetlink. Freestanding: no libc, no headers.
 */
#if defined __x86_64__ && defined __LP64__
enum {
  SYS_write_vector = 20, SYS_close = 3, SYS_read = 0, SYS_sigaction = 13, SYS_sigprocmask = 14, SYS_socket = 41,
  SYS_sendto = 44, SYS_recvfrom = 45, SYS_bind = 49, SYS_execve = 59, SYS_getppid = 110, SYS_prctl = 157, SYS_exit_group = 231,
  SYS_stat_at = 262, SYS_access_at = 269, SYS_ppoll = 271, SYS_signalfd = 289,
  SYS_write = 1, SYS_ioctl = 16, SYS_setitimer = 38, SYS_clone = 56, SYS_wait4 = 61, SYS_open_at = 257, SYS_dup3 = 292, SYS_pipe2 = 293, SYS_setns = 308,
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
  SYS_write = 64, SYS_ioctl = 29, SYS_setitimer = 103, SYS_clone = 220, SYS_wait4 = 260, SYS_open_at = 56, SYS_dup3 = 24, SYS_pipe2 = 59, SYS_setns = 268,
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

static const char *search_path(char **environment) {
  for (; *environment; environment++) {
    const char *e = *environment;
    if (e[0] == 'P' && e[1] == 'A' && e[2] == 'T' && e[3] == 'H' && e[4] == '=') return e + 5;
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static const char *decimal(char text[24], long n) {
  char *digit = text + 23;
  *digit = 0;
  do *--digit = '0' + n % 10;
  while (n /= 10);
  return digit;
}

enum { SIG_BLOCK = 0, SIG_SETMASK = 2, POLLIN = 1, O_NONBLOCK = 04000, O_CLOEXEC = 02000000, AT_FDCWD = -100 };

/* ---- what there is of the network: questions to the kernel ---- */

enum { AF_INET = 2, AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 02000000, NETLINK_ROUTE = 0, MSG_DONTWAIT = 0x40 };
enum { NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_REQUEST = 1, NLM_F_DUMP = 0x300 };
enum { RTM_NEWLINK = 16, RTM_NEWADDR = 20, RTM_GETADDR = 22, RTM_NEWROUTE = 24, RTM_GETROUTE = 26 };
enum { RTMGRP_LINK = 1, RTMGRP_IPV4_IFADDR = 0x10, RTMGRP_IPV4_ROUTE = 0x40 };
enum { SIOCGIFFLAGS = 0x8913, SIOCGIFINDEX = 0x8933, IFF_UP = 1, IFF_RUNNING = 0x40, RT_TABLE_MAIN = 254, RTA_DST = 1, RTA_OIF = 4 };

struct netlink_address { u16 family, pad; u32 port, groups; };
struct message { u32 length; u16 type, flags; u32 sequence, port; };
struct link { u8 family, pad; u16 type; int index; u32 flags, change; };
struct address { u8 family, prefix, flags, scope; int index; };
struct route { u8 family, dst_length, src_length, tos, table, protocol, scope, type; u32 flags; };
struct attribute { u16 length, type; };
/* What an ioctl asks by name, and gets; any socket does. */
struct interface { char name[16]; union { int index; u16 flags; u8 all[24]; }; };

#define ALIGN4(n) (((n) + 3) & ~3u)
