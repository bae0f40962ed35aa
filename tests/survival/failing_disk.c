/* A disk that fails: preloaded, it makes the n-th write, fsync, rename, link or creation of a file below a folder
   fail, and all that follow. Built by test_failing_disk.py with the machine's C compiler. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096

static char folder[4096];
static long left = -1, happened = 0;
static int code = 0;
static char ours[FILES];

/* Called through ctypes: fail the n-th operation (from 1; 0 for none) below `path` with `error`. */
void fail(const char *path, long n, int error) {
    strncpy(folder, path, sizeof folder - 1);
    left = n;
    code = error;
    happened = 0;
}

/* How many operations there were since `fail`. */
long operations(void) { return happened; }

static int below(const char *path) {
    return left >= 0 && folder[0] && path && strncmp(path, folder, strlen(folder)) == 0;
}

/* Count an operation; whether it fails. */
static int fails(void) {
    happened++;
    if (left > 0 && happened >= left) {
        errno = code;
        return 1;
    }
    return 0;
}

#define NEXT(type, name, ...) type (*next)(__VA_ARGS__) = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int note(int fd, const char *path, int flags) {
    if (fd >= 0 && fd < FILES) ours[fd] = below(path) && (flags & (O_WRONLY | O_RDWR));
    return fd;
}

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        va_list list;                                                     \
        va_start(list, flags);                                            \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
        va_end(list);                                                     \
        NEXT(int, #name, const char *, int, ...);                         \
        if (below(path) && (flags & O_CREAT) && fails()) return -1;       \
        return note(next(path, flags, mode), path, flags);                \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                      \
    int name(int at, const char *path, int flags, ...) {                  \
        va_list list;                                                     \
        va_start(list, flags);                                            \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
        va_end(list);                                                     \
        NEXT(int, #name, int, const char *, int, ...);                    \
        if (below(path) && (flags & O_CREAT) && fails()) return -1;       \
        return note(next(at, path, flags, mode), path, flags);            \
    }
OPENAT(openat)
OPENAT(openat64)

#define OURS(fd) ((fd) >= 0 && (fd) < FILES && ours[fd] && left >= 0)

ssize_t write(int fd, const void *data, size_t n) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    if (OURS(fd) && fails()) return -1;
    return next(fd, data, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    if (OURS(fd) && fails()) return -1;
    return next(fd, parts, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t place) {
    NEXT(ssize_t, "pwrite", int, const void *, size_t, off_t);
    if (OURS(fd) && fails()) return -1;
    return next(fd, data, n, place);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t place) {
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (OURS(fd) && fails()) return -1;
    return next(fd, data, n, place);
}

/* Whether an open file is below the folder, also by a copy of its descriptor. */
static int opened_below(int fd) {
    if (left < 0 || fd < 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return below(path);
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *file) {
    NEXT(size_t, "fwrite", const void *, size_t, size_t, FILE *);
    if (opened_below(fileno(file)) && fails()) return 0;
    return next(data, size, n, file);
}

int fsync(int fd) {
    NEXT(int, "fsync", int);
    if (opened_below(fd) && fails()) return -1;
    return next(fd);
}

int link(const char *from, const char *to) {
    NEXT(int, "link", const char *, const char *);
    if (below(to) && fails()) return -1;
    return next(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    NEXT(int, "linkat", int, const char *, int, const char *, int);
    if (below(to) && fails()) return -1;
    return next(a, from, b, to, flags);
}

int rename(const char *from, const char *to) {
    NEXT(int, "rename", const char *, const char *);
    if (below(to) && fails()) return -1;
    return next(from, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    NEXT(int, "renameat", int, const char *, int, const char *);
    if (below(to) && fails()) return -1;
    return next(a, from, b, to);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(int, "mkdir", const char *, mode_t);
    if (below(path) && fails()) return -1;
    return next(path, mode);
}
