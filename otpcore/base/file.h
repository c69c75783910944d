/* Files that must be whole and stay. */
#ifndef MAG_FILE_H
#define MAG_FILE_H

#include <stddef.h>

/* All of it, whatever the kernel takes at once. 0 or MAG_ESYS with errno. */
int mag_write_all(int fd, const void *data, size_t len);

/* Makes a new name durable: syncs the folder of `path`. 0 or MAG_ESYS with errno. */
int mag_sync_folder(const char *path);

#endif
