/* Blocking requests to a daemon's socket: one connection, one request, one
 * datagram each way, one deadline. Used by the module, the tools and by
 * libotpcore. Keeps nothing between calls: safe after fork.
 *
 * In other people's processes: descriptors are CLOEXEC and >= 3, MSG_NOSIGNAL,
 * no signal, no thread, no name look-up (security.md 3, services.md). */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdint.h>

#include "otpcore/wire/wire.h"

#define OTPCORED_SOCKET "/run/magotp/otpcored.sock"
#define SMSD_SOCKET     "/run/magotp-smsd/smsd.sock"

struct client {
	const char *socket;  /* path; NULL: OTPCORED_SOCKET */
	int timeout_ms;      /* for the whole call; 0: 10 s */
	uint32_t server_uid; /* accepted beside uid 0; 0: root only. The tools and
				the module pass the socket directory's owner, see
				client_server_uid */
};

/* Who may answer on this socket beside root: the owner of the socket's
 * directory if that directory is not writable by group or others, else 0. */
uint32_t client_server_uid(const char *socket);

/* One request. `reply` points at a zeroed reply struct of the message (NULL if
 * the caller does not want it). Returns 0 when an answer came; result_r->error
 * is then the server's word.
 *
 * The request was certainly not served:
 *   MAG_EDOWN     nobody listens (ENOENT, ECONNREFUSED)
 *   MAG_EBUSY     the backlog is full; said at once
 *   MAG_ESERVER   not the server that is configured; nothing was sent
 *   MAG_ERANGE    the request does not encode (too long, not UTF-8, NUL)
 *   MAG_EINVAL    no such message, or the path is empty or too long
 *   MAG_ENOMEM
 * It may have been served; a message with a seq can be sent again:
 *   MAG_ETIMEOUT  silence until the deadline
 *   MAG_EGONE     the connection ended before the answer (restart, a cap)
 *   MAG_EPROTO, MAG_EVERSION, MAG_ESYS (also: no descriptor, EACCES) */
int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply);

#endif
