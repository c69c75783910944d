/* Where secrets lie: between secret.c and its memory. */
#ifndef MAG_SECRET_PAGES_H
#define MAG_SECRET_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* NULL: there are none, none is free, or `len` is too long for them. */
void *secret_pages_take(size_t len);
/* False: `p` is not of these pages. Must have been wiped. */
bool secret_pages_give(void *p);

#endif
