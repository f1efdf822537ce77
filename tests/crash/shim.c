/*
 * A disk that keeps a journal of itself and fails when it is told to. Loaded into the relay with LD_PRELOAD;
 * shim.rs says what it is for, disk.rs makes disks out of the journal.
 *
 * CRASHTEST_FOLDER   the folder that is the disk, with what is below it; everything else is left alone
 * CRASHTEST_JOURNAL  where the journal goes
 * CRASHTEST_FAULT    KIND:N, KIND one of write, sync, read: the Nth of them fails with EIO, once
 * CRASHTEST_LIES     syncs succeed and sync nothing
 *
 * A write is noted before it is done, a sync after: a process that is killed in between has then written perhaps
 * less, and synced perhaps more, than the journal says, which makes no promise out of nothing. One lock around the
 * noting and the doing makes the order of the journal the order of what happened. Nothing is really synced: what
 * counts as synced is what the journal says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    OPENED = 1,
    WRITTEN,
    TRUNCATED,
    SYNCED,
    FOLDER_SYNCED,
    UNLINKED,
    RENAMED,
    SYNC_FAILED,
    FAILED,
    FOLDER_MADE
};
enum { FAULT_NONE, FAULT_WRITE, FAULT_SYNC, FAULT_READ };
enum { FDS_MAX = 4096, FOLDERS_MAX = 16 };

struct note {
    uint64_t kind, inode, offset, length;
};

/* What a descriptor is: 0 nothing of ours, a file by its inode, or FOLDER and the place of a folder in the list. */
static uint64_t inode_of[FDS_MAX];
static const uint64_t FOLDER = UINT64_C(1) << 63;
static char folders[FOLDERS_MAX][256];
static int folders_known;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[4096];
static size_t folder_length;
static int journal = -1;
static int lies, fault;
static long fault_in;

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("CRASHTEST_FOLDER"), *path = getenv("CRASHTEST_JOURNAL");
    const char *wanted = getenv("CRASHTEST_FAULT");
    if (!where || !path || strlen(where) >= sizeof folder)
        return;
    strcpy(folder, where);
    folder_length = strlen(folder);
    lies = getenv("CRASHTEST_LIES") != NULL;
    if (wanted) {
        fault = strncmp(wanted, "write:", 6) == 0  ? FAULT_WRITE
                : strncmp(wanted, "sync:", 5) == 0 ? FAULT_SYNC
                                                   : FAULT_READ;
        fault_in = atol(strchr(wanted, ':') + 1);
    }
    journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0)
        _exit(70);
}

static void note(uint64_t kind, uint64_t inode, uint64_t offset, const void *data, size_t length)
{
    struct note head = {kind, inode, offset, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    ssize_t done = syscall(SYS_writev, journal, parts, length ? 2 : 1);
    /* A journal with a hole in it would prove nothing. */
    if (done != (ssize_t)(sizeof head + length))
        _exit(70);
}

/* A note of a file by its inode, or of a folder by its name. */
static void note_of(uint64_t kind, uint64_t inode, uint64_t offset)
{
    if (inode & FOLDER) {
        const char *name = folders[inode & ~FOLDER];
        note(kind, 0, 0, name, strlen(name));
    } else {
        note(kind, inode, offset, NULL, 0);
    }
}

/* Whether this is the operation that is to fail. */
static int fails(int kind, uint64_t inode, uint64_t offset)
{
    if (fault != kind || --fault_in != 0)
        return 0;
    note_of(kind == FAULT_SYNC ? SYNC_FAILED : FAILED, inode, offset);
    errno = EIO;
    return 1;
}

/* What a folder is called in the list; the disk itself is "". */
static uint64_t folder_by(const char *name)
{
    int index = 0;
    while (index < folders_known && strcmp(folders[index], name) != 0)
        index++;
    if (index == FOLDERS_MAX || strlen(name) >= sizeof folders[0])
        _exit(70);
    if (index == folders_known) {
        strcpy(folders[index], name);
        folders_known++;
    }
    return FOLDER | (uint64_t)index;
}

/* The name on the disk, or NULL for what is not journalled: other places, and what no crash needs. */
static const char *name_of(const char *path)
{
    const char *name;
    size_t length;
    if (journal < 0 || strncmp(path, folder, folder_length) != 0)
        return NULL;
    name = path + folder_length;
    if (*name == 0)
        return name;
    if (*name++ != '/')
        return NULL;
    length = strlen(name);
    /* Shared memory is made anew by whoever opens the store first; nothing is ever written to the lock. */
    if ((length > 4 && strcmp(name + length - 4, "-shm") == 0) ||
        (length > 5 && strcmp(name + length - 5, ".lock") == 0))
        return NULL;
    return name;
}

static uint64_t inode_at(int fd)
{
    return journal >= 0 && fd >= 0 && fd < FDS_MAX ? inode_of[fd] : 0;
}

static int opened(int at, const char *path, int flags, mode_t mode)
{
    const char *name = name_of(path);
    struct stat found;
    int fd, fresh, kept;
    if (!name) {
        fd = syscall(SYS_openat, at, path, flags, mode);
        if (fd >= 0 && fd < FDS_MAX && journal >= 0)
            inode_of[fd] = 0;
        return fd;
    }
    pthread_mutex_lock(&lock);
    fresh = stat(path, &found) != 0;
    fd = syscall(SYS_openat, at, path, flags, mode);
    kept = errno;
    if (fd >= FDS_MAX)
        _exit(70);
    if (fd >= 0 && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) {
        inode_of[fd] = folder_by(name);
    } else if (fd >= 0) {
        inode_of[fd] = found.st_ino;
        note(OPENED, found.st_ino, fresh, name, strlen(name));
        if ((flags & O_TRUNC) && !fresh)
            note(TRUNCATED, found.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

static mode_t mode_in(int flags, va_list list)
{
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(list, int) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_in(flags, list);
    va_end(list);
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_in(flags, list);
    va_end(list);
    return opened(AT_FDCWD, path, flags, mode);
}

int close(int fd)
{
    if (fd == journal && journal >= 0) {
        errno = EBADF;
        return -1;
    }
    if (inode_at(fd))
        inode_of[fd] = 0;
    return syscall(SYS_close, fd);
}

static ssize_t written(int fd, const void *data, size_t length, off_t offset, int moves)
{
    uint64_t inode = inode_at(fd);
    ssize_t done = -1;
    pthread_mutex_lock(&lock);
    if (moves)
        offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if (!fails(FAULT_WRITE, inode, offset)) {
        note(WRITTEN, inode, offset, data, length);
        done = moves ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, offset);
        /* The journal says that all of it was written. */
        if (done != (ssize_t)length)
            _exit(70);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t length)
{
    return inode_at(fd) ? written(fd, data, length, 0, 1) : syscall(SYS_write, fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return inode_at(fd) ? written(fd, data, length, offset, 0) : syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    /* Nobody does, so that it need not be told. */
    if (inode_at(fd))
        _exit(70);
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
    return pwrite(fd, data, length, offset);
}

static int read_fails(int fd)
{
    int failed;
    if (!inode_at(fd) || fault != FAULT_READ)
        return 0;
    pthread_mutex_lock(&lock);
    failed = fails(FAULT_READ, inode_at(fd), 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

ssize_t read(int fd, void *data, size_t length)
{
    return read_fails(fd) ? -1 : syscall(SYS_read, fd, data, length);
}

ssize_t pread(int fd, void *data, size_t length, off_t offset)
{
    return read_fails(fd) ? -1 : syscall(SYS_pread64, fd, data, length, offset);
}

ssize_t pread64(int fd, void *data, size_t length, off_t offset)
{
    return pread(fd, data, length, offset);
}

int ftruncate(int fd, off_t size)
{
    uint64_t inode = inode_at(fd);
    int done = -1;
    if (!inode)
        return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    if (!fails(FAULT_WRITE, inode, size)) {
        note(TRUNCATED, inode, size, NULL, 0);
        done = syscall(SYS_ftruncate, fd, size);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

static int synced(int fd)
{
    uint64_t inode = inode_at(fd);
    int done = 0;
    if (!inode)
        return syscall(SYS_fdatasync, fd);
    pthread_mutex_lock(&lock);
    if (fails(FAULT_SYNC, inode, 0))
        done = -1;
    else if (!lies)
        note_of(inode & FOLDER ? FOLDER_SYNCED : SYNCED, inode, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd)
{
    return synced(fd);
}

int fdatasync(int fd)
{
    return synced(fd);
}

int unlink(const char *path)
{
    const char *name = name_of(path);
    int done;
    if (!name)
        return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (done == 0)
        note(UNLINKED, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    const char *name = name_of(path);
    int done;
    if (!name)
        return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    pthread_mutex_lock(&lock);
    done = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (done == 0)
        note(FOLDER_MADE, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to)
{
    const char *old = name_of(from), *new = name_of(to);
    char both[8192];
    int done, length;
    if (!old && !new)
        return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    /* In and out of the disk is more than the journal can tell. */
    if (!old || !new)
        _exit(70);
    pthread_mutex_lock(&lock);
    done = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    length = snprintf(both, sizeof both, "%s\n%s", old, new);
    if (done == 0)
        note(RENAMED, 0, 0, both, length);
    pthread_mutex_unlock(&lock);
    return done;
}
