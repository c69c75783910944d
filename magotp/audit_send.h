/* Records of the audit log to who collects logs, each value under a name of its own. */
#ifndef AUDIT_SEND_H
#define AUDIT_SEND_H

#include <stddef.h>

#define AUDIT_FIELDS_MAX 12

struct audit_field {
	const char *key; /* as in `magotpctl audit list --json` */
	const char *value;
};

struct audit_sender {
	const char *name;
	/* 0 or an errno: ENOTCONN, nobody collects there. */
	int (*send)(const struct audit_field *fields, size_t n);
};

/* NULL: there is none of this name in this build. */
const struct audit_sender *audit_sender_find(const char *name);

#endif
