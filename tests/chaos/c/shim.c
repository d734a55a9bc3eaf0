/*
 * Preloaded into nodes and gateways: their clock and their disk as a control file wants them.
 *
 * The control file is mapped; its first words are written by the test, the counters behind them by this
 * file (see src/shim.rs, which knows the same order). Without a control file nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

struct control {
    _Atomic uint64_t sequence; /* odd while the clock is being set */
    _Atomic int64_t wall_offset_ns;
    _Atomic int64_t real_base_ns;  /* of CLOCK_MONOTONIC, when the rate was set */
    _Atomic int64_t shown_base_ns; /* what was shown then; 0 and 0: never set */
    _Atomic int64_t rate_ppm;      /* beyond the real rate */
    _Atomic int64_t sync_delay_us;
    _Atomic int64_t sync_errno;
    /* Counters. */
    _Atomic uint64_t wall_reads_off;       /* of the clock on the wall, while it is set off */
    _Atomic uint64_t steady_reads_drifted; /* of the steady clock, while it runs wrong */
    _Atomic uint64_t syncs_delayed;
    _Atomic uint64_t syncs_failed;
};

static struct control *control;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t,
                                  const struct timespec *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_sync_file_range)(int, off64_t, off64_t, unsigned int);

static void load(void) {
    /* Of the two versions of this function the old one has another idea of a condition. */
    real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real_cond_timedwait)
        real_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real_cond_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_sync_file_range = dlsym(RTLD_NEXT, "sync_file_range");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

__attribute__((constructor)) static void begin(void) {
    load();
    const char *path = getenv("QUORATE_CHAOS_CONTROL");
    if (!path)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        control = at;
}

static void ready(void) {
    if (!real_clock_gettime)
        load();
}

static int64_t nanoseconds(const struct timespec *at) {
    return (int64_t)at->tv_sec * SECOND + at->tv_nsec;
}

static void set(struct timespec *at, int64_t ns) {
    if (ns < 0)
        ns = 0;
    at->tv_sec = ns / SECOND;
    at->tv_nsec = ns % SECOND;
}

/* How far the clocks are from the real ones, and whether they are being kept wrong now. */
struct deviations {
    int64_t steady_ns;
    int64_t wall_ns;
    int is_set_off;
    int drifts;
};

static struct deviations deviations(void) {
    struct deviations now_off = {0, 0, 0, 0};
    if (!control)
        return now_off;
    struct timespec now;
    real_clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t real = nanoseconds(&now);
    for (;;) {
        uint64_t before = atomic_load(&control->sequence);
        int64_t real_base = atomic_load(&control->real_base_ns);
        int64_t shown_base = atomic_load(&control->shown_base_ns);
        int64_t rate = atomic_load(&control->rate_ppm);
        int64_t offset = atomic_load(&control->wall_offset_ns);
        if (before % 2 || atomic_load(&control->sequence) != before)
            continue;
        if (shown_base) {
            int64_t since = real - real_base;
            int64_t shown = shown_base + since + since / 1000000 * rate;
            now_off.steady_ns = shown - real;
        }
        now_off.wall_ns = offset + now_off.steady_ns;
        now_off.is_set_off = offset != 0;
        now_off.drifts = rate != 0;
        return now_off;
    }
}

/* What a drift has left stays when it is over, and is not counted: no clock jumps back by itself. */
int clock_gettime(clockid_t clock, struct timespec *at) {
    ready();
    int result = real_clock_gettime(clock, at);
    if (result != 0 || !control)
        return result;
    struct deviations off = deviations();
    int64_t change = 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        change = off.wall_ns;
        if (off.is_set_off)
            atomic_fetch_add(&control->wall_reads_off, 1);
    } else if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
               clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME) {
        change = off.steady_ns;
        if (off.drifts && change)
            atomic_fetch_add(&control->steady_reads_drifted, 1);
    }
    if (change)
        set(at, nanoseconds(at) + change);
    return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    if (result == 0) {
        at->tv_sec = now.tv_sec;
        at->tv_usec = now.tv_nsec / 1000;
    }
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* A deadline was reckoned by the clock that is shown; the kernel waits by the real one. */
static struct timespec real_deadline(const struct timespec *shown) {
    struct deviations off = deviations();
    /* The clock on the wall counts from 1970, the steady one from the start of the machine. */
    int64_t change = shown->tv_sec > 1000000000 ? off.wall_ns : off.steady_ns;
    struct timespec real;
    set(&real, nanoseconds(shown) - change);
    return real;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *until) {
    ready();
    struct timespec real = real_deadline(until);
    return real_cond_timedwait(condition, mutex, &real);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
    ready();
    struct timespec real = real_deadline(until);
    return real_cond_clockwait(condition, mutex, clock, &real);
}

/* Before every sync: waits, or says that it failed. */
static int sync_may_go_on(void) {
    ready();
    if (!control)
        return 1;
    int64_t failure = atomic_load(&control->sync_errno);
    if (failure) {
        atomic_fetch_add(&control->syncs_failed, 1);
        errno = (int)failure;
        return 0;
    }
    int64_t delay = atomic_load(&control->sync_delay_us);
    if (delay) {
        atomic_fetch_add(&control->syncs_delayed, 1);
        struct timespec pause = {delay / 1000000, delay % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
    return 1;
}

int fsync(int fd) { return sync_may_go_on() ? real_fsync(fd) : -1; }

int fdatasync(int fd) { return sync_may_go_on() ? real_fdatasync(fd) : -1; }

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags) {
    return sync_may_go_on() ? real_sync_file_range(fd, offset, count, flags) : -1;
}
