/* One line per decision: who, where, what. Never a code, a number or a key. */
#include "otpcore/broker/audit_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"

/* One word of a record: names have no blanks, and what only looks like a record's next
 * word is none. */
struct word {
	char text[257];
};

static struct word word(const char *s)
{
	struct word w;

	mag_clean(w.text, sizeof w.text, s && *s ? s : "-");
	for (char *p = w.text; *p; p++)
		if (*p == ' ' || *p == '=')
			*p = '?';
	return w;
}

static struct word word_of(const struct request *r, enum wire_type type, const char *ticket)
{
	const struct wire_lease_report_req *report = r->body;
	const char *s = wire_text_of_type(&r->message->request, r->body, type);

	/* A login that nobody was asked about; no service that is asked for now. */
	if (type == WIRE_SERVICE && r->message->id == WIRE_MSG_LEASE_REPORT)
		s = report->service;
	return word(!s && r->has_ticket ? ticket : s);
}

/* Where the login comes from: from the ticket, or, before there is one, as the
 * service says. */
static struct word from_of(const struct request *r)
{
	const struct wire_begin_req *begin = r->body;

	const struct wire_lease_report_req *report = r->body;

	if (r->has_ticket && *r->ticket.rhost)
		return word(r->ticket.rhost);
	if (r->message->id == WIRE_MSG_LEASE_REPORT)
		return word(report->rhost);
	return word(r->message->id == WIRE_MSG_BEGIN ? begin->rhost : NULL);
}

/* What an administrator gave as the reason; at the end, since it has blanks. */
struct reason {
	char text[160];
};

static struct reason reason_of(const struct request *r)
{
	const struct wire_lease_end_req *q = r->body;
	struct reason reason = { "" };
	char text[129];

	if (r->message->id != WIRE_MSG_LEASE_END)
		return reason;
	mag_clean(text, sizeof text, q->reason);
	for (char *p = text; *p; p++)
		if (*p == '"')
			*p = '?';
	(void)snprintf(reason.text, sizeof reason.text, " reason=\"%s\"", text);
	return reason;
}

/* Questions that decide nothing. */
static bool idle_question(const struct request *r)
{
	static const uint16_t questions[] = { WIRE_MSG_PING, WIRE_MSG_STATUS, WIRE_MSG_STATS,
		WIRE_MSG_KEY_PAGE };

	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (r->message->id == questions[i])
			return r->result.error == 0;
	return false;
}

/* ---- refusals that come by the thousand ---- */

/* Whose refusals are counted; false: this one is written in any case. */
static bool thins(const struct request *r, struct thin_who *who_r)
{
	struct thin_who who = { .kind = THIN_UID, .uid = r->peer.uid };

	if (!r->result.error || r->weighed || (r->through == THROUGH_SOCKET && r->peer.uid == 0))
		return false;
	/* Which of its users it is a relay may say as it likes. */
	if (r->through != THROUGH_SOCKET)
		who = (struct thin_who){ .kind = r->through == THROUGH_HOST ? THIN_HOST
									    : THIN_STRANGERS };
	if (r->through == THROUGH_HOST)
		mag_copy(who.host, sizeof who.host, r->host);
	*who_r = who;
	return true;
}

/* As a record of those that are written, so that who lists or exports them sees it. */
static int tell_more(struct broker *b, const struct thin_row *row)
{
	bool one = row->who.kind == THIN_HOST;
	char text[512], uid[16] = "-";

	if (row->who.kind == THIN_LINKS || row->who.kind == THIN_ENDS) {
		mag_log(MAG_LOG_NOTICE, "links of %s: and %" PRId64 " more lines like these",
			*row->who.host ? row->who.host : "(strangers)", row->more);
		return 0;
	}
	if (row->who.kind == THIN_UID)
		(void)snprintf(uid, sizeof uid, "%" PRIu32, row->who.uid);
	(void)snprintf(text, sizeof text,
		"refused account=- service=- from=- peer=%s%s%s and %" PRId64
		" more were refused%s",
		uid, one ? " host=" : "", one ? word(row->who.host).text : "", row->more,
		row->who.kind == THIN_OTHERS ? ", of many peers" : "");
	mag_log(MAG_LOG_NOTICE, "%s", text);
	return b->audit ? audit_log_write(b->audit, text) : 0;
}

void audit_more(struct broker *b, int64_t now)
{
	struct thin_row *row;

	while ((row = thin_due(&b->thin, now)) && tell_more(b, row) == 0)
		thin_told(row);
}

bool audit_refusal(struct broker *b, const struct thin_who *who)
{
	int64_t now = mag_ticks_ms();

	audit_more(b, now);
	return thin_take(&b->thin, who, now);
}

/* ---- one record ---- */

void audit(struct request *r)
{
	struct thin_who who;
	char text[1024];
	int n;

	/* A question to the relay comes first. A host that is none of ours writes nothing:
	 * its link ends, which the log says once. */
	if (!r->message || r->look || r->unknown)
		return;
	if (thins(r, &who) && !audit_refusal(r->broker, &who))
		return;
	n = snprintf(text, sizeof text,
		"%s account=%s service=%s from=%s peer=%" PRIu32 "/%" PRId64 "%s%s %s%s%s%s",
		r->message->name, word_of(r, WIRE_ACCOUNT, r->ticket.user).text,
		word_of(r, WIRE_SERVICE, r->ticket.service).text, from_of(r).text, r->peer.uid,
		r->peer.pid, r->through ? " host=" : "", r->through ? r->host : "",
		r->result.error ? "error: " : "",
		r->result.error ? mag_strerror(r->result.error) : verdict_id(r->result.verdict),
		r->result.seconds ? " (wait)" : "", reason_of(r).text);
	if (idle_question(r)) {
		mag_log(MAG_LOG_DEBUG, "%s", text);
		return;
	}
	mag_log(MAG_LOG_NOTICE, "%s", text);
	if (n > 0 && r->broker->audit && audit_log_write(r->broker->audit, text)) {
		request_reset(r);
		request_error(r, MAG_ESTORE);
	}
}
