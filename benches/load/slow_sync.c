/*
 * Every sync takes SLOW_SYNC_MS milliseconds longer. Loaded into the relay with LD_PRELOAD; slow_sync.rs says why.
 *
 * The time passes before the sync, so that nothing is on the disk earlier than it would be on a slower one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec longer;

__attribute__((constructor)) static void begin(void)
{
    const char *ms = getenv("SLOW_SYNC_MS");
    long wanted = ms ? atol(ms) : 0;
    longer.tv_sec = wanted / 1000;
    longer.tv_nsec = wanted % 1000 * 1000000;
}

static void wait_longer(void)
{
    struct timespec left = longer;
    /* As exactly as the kernel can; by default it may wake up 50 microseconds late. */
    prctl(PR_SET_TIMERSLACK, 1);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    prctl(PR_SET_TIMERSLACK, 0);
}

int fsync(int fd)
{
    wait_longer();
    return syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    wait_longer();
    return syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)
{
    wait_longer();
    return syscall(SYS_sync_file_range, fd, offset, length, flags);
}

int msync(void *address, size_t length, int flags)
{
    wait_longer();
    return syscall(SYS_msync, address, length, flags);
}
