/* What processes that smsd forks off have in common. */
#ifndef SMSD_CHILD_H
#define SMSD_CHILD_H

#include <stddef.h>

/* Nothing of smsd's stays open: no listening socket, no log, no terminal. fds[0..n) are
 * kept, under numbers that may be others. 0 or MAG_ESYS. */
int child_let_go(int *fds, size_t n);

/* From root to `user`, for good; another user stays what it is. 0, MAG_ENOTFOUND,
 * MAG_ESYS (logged). `key` is the option that names the user. */
int child_become(const char *user, const char *key);

#endif
