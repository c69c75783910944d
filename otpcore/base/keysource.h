/* How a master key's source is written: file:/PATH, tpm:/PATH, tpm:/PATH?tcti=HOW,
 * credential:NAME. */
#ifndef BASE_KEYSOURCE_H
#define BASE_KEYSOURCE_H

#include <stdbool.h>
#include <stddef.h>

/* The absolute path of the file that a source names, in path_r; false: it names none. */
bool keyfile_path(const char *source, char *path_r, size_t cap);
/* HOW, part of `source`. NULL: the usual device. */
const char *keyfile_tcti(const char *source);
/* The device of the TPM of a source, in path_r; false: it is none, or is not reached by a
 * device. */
bool keyfile_device(const char *source, char *path_r, size_t cap);

#endif
