/* Bytes that must not outlive their use: codes, keys, seeds, tickets.
 *
 * A secret owns its memory. It is wiped when freed, when replaced and when it
 * grows, compared in constant time, and never printed. The bytes are followed
 * by a NUL that is not counted, so a secret that holds text can be handed to a
 * function that takes a string. An all-zero struct is an empty secret. */
#ifndef MAG_SECRET_H
#define MAG_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct mag_secret {
	unsigned char *data; /* NULL when empty */
	size_t len;
	size_t cap;
};

/* Replace the content. 0 or MAG_ENOMEM. */
int mag_secret_set(struct mag_secret *s, const void *data, size_t len);
int mag_secret_set_text(struct mag_secret *s, const char *text);
int mag_secret_append(struct mag_secret *s, const void *data, size_t len);

/* The content as a string; "" when empty. Borrowed. */
const char *mag_secret_text(const struct mag_secret *s);

/* Equal in length and bytes; the time depends on the lengths only. */
bool mag_secret_equal(const struct mag_secret *a, const struct mag_secret *b);

/* Constant-time comparison of `len` raw bytes. */
bool mag_equal(const void *a, const void *b, size_t len);

/* Wipe and free; the secret is empty afterwards. Safe on an empty one. */
void mag_secret_free(struct mag_secret *s);

/* From now on the secrets of this process lie in `size` bytes (1 MiB is plenty; 4 MiB at
 * most) that are never swapped nor written into a core; what finds no room there, or is
 * longer than 4096 bytes, lies where all memory does. Once, by the main() of a daemon, in
 * the process that will serve; `children`: it will fork others that use secrets.
 * HIDDEN: the kernel cannot read them either by mistake (memfd_secret(2)). ORDINARY: as
 * little as is needed could not be locked; nothing has changed. */
enum secret_memory { SECRET_ORDINARY, SECRET_LOCKED, SECRET_HIDDEN };
enum secret_memory mag_secret_lock(size_t size, bool children);

/* Wipe memory that is not in a secret. */
void mag_wipe(void *p, size_t len);

/* `len` bytes from the kernel. 0 or MAG_ESYS; never short. */
int mag_random(void *p, size_t len);

#endif
