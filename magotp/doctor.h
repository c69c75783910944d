/* magotpctl doctor: what the parts of it share. A check is a function that says what
 * it found, once for each thing it looked at, also when that is right. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "magotp/cli.h"

enum severity { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor {
	struct cli *c;
	const char *pam_dir;
	bool ours; /* /etc/pam.d itself: sshd's files belong to it */
	const char *user;
	const char *service; /* that is looked at now; "" for the host */
	bool broker;         /* it answered */
	bool bare_asked;     /* accounts without a second factor were counted already */
	struct table *t;
	size_t n[3]; /* of each severity */
};

struct finding {
	const char *id; /* as in magotp-doctor(7) */
	enum severity severity;
	const char *subject; /* the file, account, gateway it is about; may be NULL */
	const char *file;    /* and where that stands; may be NULL */
	int line;
	const char *fix; /* a command, or what to do; NULL: nothing */
};

void doctor_found(struct doctor *d, const struct finding *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The usual forms of it. */
void doctor_ok(struct doctor *d, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The message as it is. */
void doctor_error(struct doctor *d, const char *id, const char *fix, const char *message);
void doctor_warning(struct doctor *d, const char *id, const char *fix, const char *message);

struct doctor_check {
	const char *id; /* the first of those that it uses */
	void (*run)(struct doctor *d);
};
/* Ended by run NULL; the second are run for each service. */
/* doctor_gateway.c: magotp-smsd, its settings, the gateways. */
void doctor_gateways(struct doctor *d);
/* doctor_files.c: what otpcored has on disk, and whether there is room. */
void doctor_files(struct doctor *d);
/* doctor_password.c: the service that prompt_password asks. */
void doctor_password(struct doctor *d);
/* doctor_sshd.c: sshd's own settings. */
void doctor_sshd(struct doctor *d);
extern const struct doctor_check doctor_host[], doctor_daemons[], doctor_service[];

/* Its auth hosts have what a relay has not: store, key, gateways. */
bool doctor_relay(const struct doctor *d);
/* Owned by root or ourselves, and nobody else may write (or, private, read). */
bool doctor_safe(const char *path, bool private);

#endif
