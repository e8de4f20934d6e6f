/*
 * Faults of one node's clock and disk, laid between an unchanged program and the C library
 * (LD_PRELOAD). What to do is read from a file that the chaos runner writes and this maps:
 * eight-byte little-endian numbers, in the order of `struct control`. All zero: nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  int64_t wall_offset_ns;  /* added to the wall clock */
  int64_t rate_ppm;        /* clocks run faster (or slower) by so many millionths */
  int64_t sync_error;      /* errno that fsync and fdatasync of data files fail with */
  int64_t sync_delay_us;   /* each of them takes so much longer */
  int64_t audit_error;     /* errno that writes to an audit log fail with */
  int64_t audit_hang;      /* writes to an audit log wait until this is zero again */
  int64_t calls;           /* counted here: how often a fault was given; for tests */
};

static const struct control idle;
static volatile struct control *control = (volatile struct control *)&idle;
static char folder[4096];
static size_t folder_length;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);

static pthread_once_t resolved = PTHREAD_ONCE_INIT;

static void resolve(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
}

static void ready(void) { pthread_once(&resolved, resolve); }

__attribute__((constructor)) static void start(void) {
  ready();
  const char *path = getenv("STRONGROOM_CHAOS_CONTROL");
  const char *data = getenv("STRONGROOM_CHAOS_FILES");
  if (path == NULL || data == NULL || strlen(data) >= sizeof folder) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) return;
  folder_length = strlen(data);
  memcpy(folder, data, folder_length);
  control = mapped;
}

static void counted(void) {
  if (control != (volatile struct control *)&idle)
    __atomic_add_fetch(&control->calls, 1, __ATOMIC_RELAXED);
}

/* ---- clocks ---- */

#define BILLION 1000000000LL

static pthread_mutex_t skew_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t skew_rate;  /* in effect since `skew_since` */
static int64_t skew_since; /* real monotonic time */
static int64_t skew_kept;  /* what the monotonic clock has gained before: it cannot give it back */
static int64_t skew_first; /* of that, what it had gained before this fault: the wall clock's zero */

/* How far the node's monotonic clock is ahead; `*wall` gets what the wall clock is ahead by. */
static int64_t gained(int64_t now, int64_t *wall) {
  int64_t rate = control->rate_ppm;
  if (rate == 0 && __atomic_load_n(&skew_rate, __ATOMIC_ACQUIRE) == 0) {
    *wall = 0;
    return __atomic_load_n(&skew_kept, __ATOMIC_ACQUIRE);
  }
  pthread_mutex_lock(&skew_lock);
  int64_t ran = now > skew_since ? now - skew_since : 0;
  int64_t total = skew_kept + (int64_t)((__int128)ran * skew_rate / 1000000);
  if (rate != skew_rate) {
    if (skew_rate == 0) skew_first = total;
    skew_since = now;
    __atomic_store_n(&skew_kept, total, __ATOMIC_RELEASE);
    __atomic_store_n(&skew_rate, rate, __ATOMIC_RELEASE);
  }
  *wall = rate == 0 ? 0 : total - skew_first;
  pthread_mutex_unlock(&skew_lock);
  return total;
}

static int64_t nanoseconds(const struct timespec *time) {
  return time->tv_sec * BILLION + time->tv_nsec;
}

static void to_timespec(int64_t ns, struct timespec *time) {
  time->tv_sec = ns / BILLION;
  time->tv_nsec = ns % BILLION;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  ready();
  int result = real_clock_gettime(id, time);
  if (result != 0) return result;
  int is_wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
  int is_monotonic = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
  if (!is_wall && !is_monotonic) return 0;
  struct timespec monotonic = *time;
  if (is_wall) real_clock_gettime(CLOCK_MONOTONIC, &monotonic);
  int64_t wall;
  int64_t ahead = gained(nanoseconds(&monotonic), &wall);
  if (is_wall) ahead = wall + control->wall_offset_ns;
  if (ahead != 0) to_timespec(nanoseconds(time) + ahead, time);
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (to != NULL) *to = now.tv_sec;
  return now.tv_sec;
}

/* ---- files ---- */

static void wait_us(int64_t us) {
  struct timespec time = {us / 1000000, us % 1000000 * 1000};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
}

/* Whether it is a file of the node's data, or (`audit`) one of its audit logs. */
static int is_of_node(int file, int audit) {
  char link[64], path[4096];
  if (folder_length == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)folder_length) return 0;
  path[length] = 0;
  if (strncmp(path, folder, folder_length) != 0) return 0;
  const char *name = strrchr(path, '/');
  int is_audit = name != NULL && strncmp(name, "/audit", 6) == 0;
  return is_audit == audit;
}

static int sync_fault(int file) {
  int64_t error = control->sync_error, delay = control->sync_delay_us;
  if ((error == 0 && delay == 0) || !is_of_node(file, 0)) return 0;
  counted();
  if (delay > 0) wait_us(delay);
  return (int)error;
}

#define SYNC(name)                      \
  int name(int file) {                  \
    ready();                            \
    int error = sync_fault(file);       \
    if (error == 0) return real_##name(file); \
    errno = error;                      \
    return -1;                          \
  }
SYNC(fsync)
SYNC(fdatasync)

static int write_fault(int file) {
  if ((control->audit_error == 0 && control->audit_hang == 0) || !is_of_node(file, 1)) return 0;
  counted();
  while (control->audit_hang != 0) wait_us(10000);
  return (int)control->audit_error;
}

#define WRITE(name, real, parameters, arguments) \
  ssize_t name parameters {                      \
    ready();                                     \
    int error = write_fault(file);               \
    if (error == 0) return real arguments;       \
    errno = error;                               \
    return -1;                                   \
  }
WRITE(write, real_write, (int file, const void *bytes, size_t length), (file, bytes, length))
WRITE(pwrite, real_pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at))
WRITE(pwrite64, real_pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at))
WRITE(writev, real_writev, (int file, const struct iovec *parts, int count), (file, parts, count))
WRITE(pwritev, real_pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
WRITE(pwritev64, real_pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
