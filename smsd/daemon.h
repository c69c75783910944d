/* The running daemon: settings, queue, socket and drivers on one event loop. */
#ifndef SMSD_DAEMON_H
#define SMSD_DAEMON_H

#include "otpcore/base/option.h"

struct daemon;
struct gateway;
struct smsd_settings;

/* Read the settings (as root: secrets that only root can read are read now).
 * 0 or an error with err. */
int daemon_new(const char *config, struct daemon **daemon_r, char err[OPT_ERROR_MAX]);
const struct smsd_settings *daemon_settings(const struct daemon *d);

/* `fd` leads to the process that runs the programs of one gateway, or (NULL) of all
 * that have none of their own; taken over. */
int daemon_attach_helper(struct daemon *d, const struct gateway *g, int fd);
/* The same for the process that listens for receipts, once it was forked. */
int daemon_attach_receipts(struct daemon *d, int fd);
/* For those processes, which were forked off: the settings are the caller's, of the
 * daemon nothing else may be used. */
struct smsd_settings *daemon_take_settings(struct daemon *d);

/* Take the listening socket over; begin to serve on daemon_run. */
int daemon_listen(struct daemon *d, int fd, char err[OPT_ERROR_MAX]);

/* Until SIGTERM or SIGINT, and then until the messages are done or `drain` is
 * over. SIGHUP reads the settings anew; a fault leaves the old ones.
 * `ready` is called once when requests are served. */
int daemon_run(struct daemon *d, void (*ready)(void *arg), void *arg);
void daemon_free(struct daemon **daemon);

#endif
