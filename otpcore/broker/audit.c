/* One line per decision: who, where, what. Never a code, a number or a key. */
#include "otpcore/broker/parts.h"

#include <inttypes.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"

static const char *text_of(const struct request *r, enum wire_type type, const char *ticket)
{
	const char *s = wire_text_of_type(r->message->request, r->body, type);

	if (!s && r->has_ticket)
		s = ticket;
	return s && *s ? s : "-";
}

/* Where the login comes from: from the ticket, or, before there is one, as the
 * service says. */
static const char *from_of(const struct request *r)
{
	const struct wire_begin_req *begin = r->body;

	if (r->has_ticket && *r->ticket.rhost)
		return r->ticket.rhost;
	return r->message->id == WIRE_MSG_BEGIN && *begin->rhost ? begin->rhost : "-";
}

void audit(const struct request *r)
{
	enum mag_log_level level = MAG_LOG_NOTICE;

	if (!r->message || r->look) /* a question to the relay comes first */
		return;
	/* Questions that decide nothing fill no log. */
	if (r->result.error == 0 &&
		(r->message->id == WIRE_MSG_PING || r->message->id == WIRE_MSG_STATUS ||
			r->message->id == WIRE_MSG_STATS))
		level = MAG_LOG_DEBUG;
	mag_log(level, "%s account=%s service=%s from=%s peer=%" PRIu32 "/%" PRId64 "%s%s %s%s%s",
		r->message->name, text_of(r, WIRE_ACCOUNT, r->ticket.user),
		text_of(r, WIRE_SERVICE, r->ticket.service), from_of(r), r->peer.uid, r->peer.pid,
		r->through ? " host=" : "", r->through ? r->host : "",
		r->result.error ? "error: " : "",
		r->result.error ? mag_strerror(r->result.error) : verdict_id(r->result.verdict),
		r->result.seconds ? " (wait)" : "");
}
