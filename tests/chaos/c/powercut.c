/*
 * Takes the power from an ext4 file system: whatever was not synced is gone once it is unmounted.
 * Usage: powercut MOUNT_POINT
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define EXT4_GOING_FLAGS_NOLOGFLUSH 2

int main(int argc, char **argv) {
    uint32_t how = EXT4_GOING_FLAGS_NOLOGFLUSH;
    if (argc != 2) {
        fprintf(stderr, "usage: powercut MOUNT_POINT\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    if (ioctl(fd, EXT4_IOC_SHUTDOWN, &how) != 0) {
        perror("EXT4_IOC_SHUTDOWN");
        return 1;
    }
    close(fd);
    return 0;
}
