/* The process that listens for receipts: forked before the sandbox closes, a user of
 * its own, no file, no way out. It reads HTTP and passes what it read to smsd, which
 * alone knows which paths are right; whoever takes it over can keep receipts back or
 * repeat those that came, and no more (security.md 24). */
#ifndef SMSD_RECEIPT_HTTP_H
#define SMSD_RECEIPT_HTTP_H

#include "smsd/settings.h"

/* A listening socket at "127.0.0.1:8090" or "[::1]:8090": the descriptor, or a
 * negative error. */
int receipt_http_open(const char *address);

/* Is it an address with a port? */
bool receipt_http_is_address(const char *address);

/* The life of the process: until the other end of `fd` closes. Closes every other
 * descriptor but `listen_fd`; becomes `s->receipts.user` if it is root; `s` is freed.
 * The caller exits afterwards. 0 or a negative error, which is logged. */
int receipt_http_serve(int listen_fd, int fd, struct smsd_settings *s);

#endif
