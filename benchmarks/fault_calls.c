/* Counts the calls that write to a disk, below a folder, and at one of them does what a disk or a system may do.

   Preloaded (LD_PRELOAD), so that it stands between a program, its libraries and the C library. `fault_arm` begins the
   count; until then every call goes through untouched. Each call below the folder is written down on `log`:
   whether the fault is done at it, its bytes, function and path. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, TEAR, FAIL, FAIL_ON, FILL, STOP, SLEEP, CLOCK, MOMENT };

static char watched[PATH_MAX];              /* the folder below which calls count, absolute */
static char place[40], pattern[PATH_MAX];   /* function and path of the calls one of which goes wrong; "" for any */
static int armed, mode, log_file = -1;
static long number, value;   /* of the call, or microseconds, or bytes that still fit; an errno, seconds or a signal */
static long calls, filled, set_back;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void at_moment(int caught) { (void)caught; kill(getpid(), value); }

/* Begin to count. The fault `kind`, one of the enum, is done at call number `at` of those of `function` to a path that
   fits the pattern `name` ("" and "*" for all); FILL: once `at` bytes are written; MOMENT: after `at` microseconds of
   processor time, when the signal `worth` is sent. */
void fault_arm(const char *folder, const char *function, const char *name, long at, int kind, long worth, int log)
{
    snprintf(watched, sizeof watched, "%s", folder);
    snprintf(place, sizeof place, "%s", function);
    snprintf(pattern, sizeof pattern, "%s", name);
    number = at, mode = kind, value = worth, log_file = log, calls = filled = set_back = 0;
    armed = 1;
    if (mode == MOMENT) {
        struct itimerval until = {{0, 0}, {at / 1000000, at % 1000000}};
        signal(SIGPROF, at_moment);
        setitimer(ITIMER_PROF, &until, NULL);
    }
}

static int below(const char *path)
{
    size_t length = strlen(watched);
    return !strncmp(path, watched, length) && (path[length] == '/' || !path[length]);
}

/* The path of a file that is open; "" where it is none below the folders. */
static const char *path_of(int file, char *path)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

static const char *absolute(int folder, const char *name, char *path)
{
    char base[PATH_MAX];
    if (name[0] == '/')
        return name;
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base))
            base[0] = 0;
    } else
        path_of(folder, base);
    snprintf(path, PATH_MAX, "%.2000s/%.2000s", base, name);
    return path;
}

/* Whether a call may need room on the disk: removing, locking and naming do not. */
static int takes_room(const char *function)
{
    static const char *none[] = {"unlink", "unlinkat", "rmdir", "flock", "fcntl-lock", "chmod", "fchmod", "utimensat"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (!strcmp(function, none[i]))
            return 0;
    return 1;
}

/* Count a call, and do the fault where it is its turn: 0 lets the call through, -1 (with errno) refuses it, 1 tears it.
   size: bytes that it writes. */
static int counted(const char *function, const char *path, size_t size)
{
    char line[PATH_MAX + 100];
    if (!armed || !below(path))
        return 0;
    int fits = (!place[0] || !strcmp(place, function)) && !fnmatch(pattern, path, 0);
    pthread_mutex_lock(&gate);
    long before = calls;
    calls += fits;
    filled += size;
    int full = mode == FILL && size && filled > number, now = fits && calls == number;
    int length = snprintf(line, sizeof line, "%d %zu %s %s\n", now, size, function, path);
    if (log_file >= 0)
        syscall(SYS_write, log_file, line, length);
    pthread_mutex_unlock(&gate);
    if (!full && !now && !(mode == FAIL_ON && before >= number && takes_room(function)))
        return 0;
    switch (mode) {
    case KILL: kill(getpid(), SIGKILL); for (;;) pause();
    case FAIL: case FAIL_ON: errno = value; return -1;
    case FILL: errno = ENOSPC; return -1;
    case TEAR: return 1;
    case STOP: kill(getpid(), SIGSTOP); return 0;
    case CLOCK: set_back = value; return 0;
    case SLEEP: sleep(value); return 0;
    }
    return 0;
}

static int counted_file(const char *function, int file, size_t size)
{
    char path[PATH_MAX];
    int before = errno;
    if (!armed || file == log_file)
        return 0;
    path_of(file, path);
    errno = before;
    return counted(function, path, size);
}

static int counted_path(const char *function, int folder, const char *name)
{
    char path[PATH_MAX];
    return armed && name ? counted(function, absolute(folder, name, path), 0) : 0;
}

static void torn(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* --- writing ---------------------------------------------------------------------------------------------------- */

ssize_t write(int file, const void *data, size_t size)
{
    REAL(write);
    switch (counted_file("write", file, size)) {
    case -1: return -1;
    case 1: real(file, data, size / 2); torn();
    }
    return real(file, data, size);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *data, size_t size, offset_type at) \
    { \
        REAL(name); \
        switch (counted_file(#name, file, size)) { \
        case -1: return -1; \
        case 1: real(file, data, size / 2, at); torn(); \
        } \
        return real(file, data, size, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count)
{
    REAL(writev);
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    switch (counted_file("writev", file, size)) {
    case -1: return -1;
    case 1: real(file, parts, (count + 1) / 2); torn();
    }
    return real(file, parts, count);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file)
{
    REAL(fwrite);
    switch (armed ? counted_file("fwrite", fileno(file), size * count) : 0) {
    case -1: return 0;
    case 1: real(data, size, count / 2, file); fflush(file); torn();
    }
    return real(data, size, count, file);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    REAL(sendfile);
    switch (counted_file("sendfile", out, size > 1 << 20 ? 1 << 20 : size)) {
    case -1: return -1;
    case 1: real(out, in, offset, 1); torn();
    }
    return real(out, in, offset, size);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
    REAL(copy_file_range);
    switch (counted_file("copy_file_range", out, size > 1 << 20 ? 1 << 20 : size)) {
    case -1: return -1;
    case 1: real(in, from, out, to, 1, flags); torn();
    }
    return real(in, from, out, to, size, flags);
}

#define ON_FILE(name, parameters, arguments) \
    int name parameters \
    { \
        REAL(name); \
        return counted_file(#name, file, 0) < 0 ? -1 : real arguments; \
    }
ON_FILE(fsync, (int file), (file))
ON_FILE(fdatasync, (int file), (file))
ON_FILE(ftruncate, (int file, off_t size), (file, size))
ON_FILE(ftruncate64, (int file, off64_t size), (file, size))
ON_FILE(fchmod, (int file, mode_t mode), (file, mode))
ON_FILE(flock, (int file, int operation), (file, operation))

#define LOCK(name) \
    int name(int file, int command, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW) \
            if (counted_file("fcntl-lock", file, 0) < 0) \
                return -1; \
        return real(file, command, argument); \
    }
LOCK(fcntl)
LOCK(fcntl64)

/* --- names ------------------------------------------------------------------------------------------------------ */

#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t rights = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return WRITES(flags) && counted_path(#name, AT_FDCWD, path) < 0 ? -1 : real(path, flags, rights); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t rights = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return WRITES(flags) && counted_path(#name, folder, path) < 0 ? -1 : real(folder, path, flags, rights); \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name) \
    FILE *name(const char *path, const char *how) \
    { \
        REAL(name); \
        return strpbrk(how, "wa+") && counted_path(#name, AT_FDCWD, path) < 0 ? NULL : real(path, how); \
    }
FOPEN(fopen)
FOPEN(fopen64)

#define ON_PATH(name, folder, path, parameters, arguments) \
    int name parameters \
    { \
        REAL(name); \
        return counted_path(#name, folder, path) < 0 ? -1 : real arguments; \
    }
ON_PATH(rename, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(renameat, in, to, (int at, const char *from, int in, const char *to), (at, from, in, to))
ON_PATH(renameat2, in, to, (int at, const char *from, int in, const char *to, unsigned flags), (at, from, in, to, flags))
ON_PATH(link, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(symlink, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(unlink, AT_FDCWD, path, (const char *path), (path))
ON_PATH(unlinkat, folder, path, (int folder, const char *path, int flags), (folder, path, flags))
ON_PATH(mkdir, AT_FDCWD, path, (const char *path, mode_t rights), (path, rights))
ON_PATH(rmdir, AT_FDCWD, path, (const char *path), (path))
ON_PATH(chmod, AT_FDCWD, path, (const char *path, mode_t rights), (path, rights))
ON_PATH(truncate, AT_FDCWD, path, (const char *path, off_t size), (path, size))
ON_PATH(utimensat, folder, path, (int folder, const char *path, const struct timespec times[2], int flags),
        (folder, path, times, flags))

/* --- the clock -------------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME)
        now->tv_sec -= set_back;
    return failed;
}
