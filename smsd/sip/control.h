/* baresip's ctrl_tcp: JSON in netstrings ("12:{"a":"bcd"},"), commands out, events in. */
#ifndef SMSD_SIP_CONTROL_H
#define SMSD_SIP_CONTROL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_TEXT_MAX 512

struct control;

/* One thing that baresip said. */
struct control_word {
	bool response;                /* to a command; else an event of the call that we make */
	bool ok;                      /* of a response */
	char type[32];                /* of an event: CALL_RINGING ...; "": none that concerns us */
	char param[CONTROL_TEXT_MAX]; /* its text */
};

/* Connect; it may take until `deadline` (ticks) before baresip listens.
 * 0, MAG_ETIMEOUT, MAG_ENOMEM. */
int control_connect(
	const struct sockaddr_in *address, int64_t deadline, struct control **control_r);
void control_free(struct control **c);

/* 0 or MAG_EGONE. */
int control_send(struct control *c, const char *command, const char *params);

/* The next word, until `deadline`. 0, MAG_ETIMEOUT, MAG_EGONE, MAG_EPROTO. */
int control_next(struct control *c, int64_t deadline, struct control_word *word_r);

/* Take apart `len` bytes: the length of the netstring at their beginning with its first
 * character and its comma, and where its text lies. 0: not all of it is there yet;
 * negative: it is none. */
long control_netstring(const char *data, size_t len, size_t *text_r, size_t *text_len_r);
/* Understand the JSON text of a netstring. 0 or MAG_EPROTO. */
int control_parse(const char *text, size_t len, struct control_word *word_r);

#endif
