/* What a restore tells. */
#ifndef BROKER_RESTORE_SAY_H
#define BROKER_RESTORE_SAY_H

#include "otpcore/broker/parts.h"
#include "otpcore/broker/replay.h"

/* To people on stderr, or as JSON on stdout. backup_at 0: not known. */
void restore_say(
	const struct replay *p, const struct restore_orders *o, const char *url, int64_t backup_at);
/* For the audit log. */
void restore_audit_text(
	const struct replay *p, int64_t backup_at, bool in_place, char *text, size_t cap);

#endif
