/* The process that runs the programs of gateways. It is forked before the sandbox
 * closes, knows the commands of the settings of then, and runs nothing else:
 * whoever takes smsd over gets no further than what its administrator has set up
 * (security.md 25). The two speak in datagrams over a socket pair. A gateway whose
 * program runs as somebody else, or in another network, has such a process of its own,
 * forked while the daemon is root; it gives that up before it hears the first order. */
#ifndef SMSD_EXEC_HELPER_H
#define SMSD_EXEC_HELPER_H

#include "smsd/settings.h"

#define EXEC_COMMAND_MAX 512
#define EXEC_INPUT_MAX   3072 /* a pipe holds it, so nobody waits for a program to read */

/* To the helper; `input` is what the program reads, `len` bytes of it are sent. */
struct exec_order {
	uint32_t serial;
	uint32_t len;
	int64_t timeout_ms;
	char gateway[33];
	char command[EXEC_COMMAND_MAX]; /* must be the gateway's at the start */
	char input[EXEC_INPUT_MAX];
};

/* From it: one when it is ready (its serial is 0), and one for each order. */
struct exec_word {
	uint32_t serial;
	enum exec_end { EXEC_EXITED, EXEC_SIGNALLED, EXEC_LATE, EXEC_NOT_RUN, EXEC_CHANGED } end;
	int value; /* exit status, signal, or errno */
};

/* Does a gateway of `s` need the one that runs where the daemon does? */
bool exec_helper_wanted(const struct smsd_settings *s);

/* The life of the helper of gateway `only`, or (NULL) of all that have none of their own:
 * until the other end of `fd` closes. Closes every other descriptor; `s` is freed.
 * The caller exits afterwards. 0 or a negative error. */
int exec_helper_serve(int fd, struct smsd_settings *s, const struct gateway *only);

#endif
