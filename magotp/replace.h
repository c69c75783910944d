/* Files of others, and our notes about them: whole and durable, or not at all. */
#ifndef REPLACE_H
#define REPLACE_H

#include <stddef.h>
#include <sys/types.h>

/* The file as a text. NULL: errno (also EFBIG: longer than 256 KiB, EILSEQ: with
 * a NUL inside). *len_r may be NULL. */
char *file_read(const char *path, size_t *len_r);
/* Put `text` where `path` is (behind links, too), by a new file beside it and a
 * rename; owner, mode and extended attributes stay. 0 or MAG_ESYS (errno). */
int file_replace(const char *path, const char *text);
/* The same for a file that may not be there yet, root's, with this mode. */
int file_write(const char *path, const char *text, mode_t mode);

#endif
