#include "otpcore/broker/restore_say.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "otpcore/base/text.h"

/* Rows that are not good any more, by what they are. */
static const struct {
	enum journal_about about;
	const char *key, *words;
} kinds[] = {
	{ JOURNAL_TOKEN, "tokens_revoked", "tokens and apps revoked" },
	{ JOURNAL_RECOVERY, "recovery_codes_used",
		"recovery and break-glass codes used up or void" },
	{ JOURNAL_LICENCE, "licences_used",
		"licence keys used up or void: what they paid for is gone, see who has to be "
		"renewed" },
	{ JOURNAL_PROOFING, "activation_codes_used", "activation codes used up or void" },
	{ JOURNAL_PHONE, "phones_deleted", "phones deleted" },
	{ JOURNAL_CERTIFICATE, "certificates_deleted", "certificates deleted" },
	{ JOURNAL_SUBSCRIPTION, "subscriptions_revoked", "subscriptions revoked" },
	{ JOURNAL_ACCOUNT, "accounts_deleted", "accounts deleted" },
	{ JOURNAL_HOST, "hosts_removed",
		"relays refused that are removed, revoked, or not what they were since: enroll "
		"them again" },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void line(int64_t n, const char *words)
{
	if (n > 0)
		fprintf(stderr, "  %8" PRId64 "  %s\n", n, words);
}

static void say_journals(const struct replay *p)
{
	fprintf(stderr, "From the journals:\n");
	line(p->counters, "counters of tokens raised; their next codes may be refused as used, a "
			  "few times");
	for (size_t i = 0; i < KINDS; i++)
		line(p->spent[kinds[i].about], kinds[i].words);
	line(p->states, "accounts and tokens locked, suspended, or with less rights, as they were");
}

static void say_void(const struct replay *p)
{
	fprintf(stderr,
		"%s. So nobody knows what was used or revoked since then, and this is void:\n",
		p->why);
	line(p->voided.tokens, "counting tokens (HOTP) suspended; \"magotpctl resume USER ID CODE1 "
			       "CODE2\" takes one up with two codes that it shows now");
	line(p->voided.waiting, "counting tokens that waited for approval revoked");
	line(p->voided.recoveries, "recovery and break-glass codes; people make new ones");
	line(p->voided.licences, "licence keys that nobody had used");
	line(p->voided.proofings, "activation codes");
	fprintf(stderr, "What was revoked or deleted since is good again; the audit log names it: "
			"magotpctl "
			"audit list\n");
}

static void say_people(
	const struct replay *p, const struct restore_orders *o, const char *url, int64_t backup_at)
{
	char at[32];

	if (o->file)
		fprintf(stderr, "%s, of %s, %s %s.\n", o->file,
			backup_at ? mag_time_minute(backup_at, at, sizeof at) : "an unknown time",
			o->dry ? "would be restored to" : "is restored to", url);
	else
		fprintf(stderr, "%s %s.\n", url,
			o->dry ? "would be put right in its place" : "is put right in its place");
	if (p->n_journals > 0)
		say_journals(p);
	if (!p->covered)
		say_void(p);
	fprintf(stderr, "Ended: %" PRId64 " sessions, %" PRId64 " logins, %" PRId64 " codes.\n",
		p->ended.sessions, p->ended.logins, p->ended.challenges);
	if (o->dry)
		fprintf(stderr, "Nothing was changed.\n");
	else if (o->to)
		fprintf(stderr,
			"Next: start an otpcored whose [store] url is %s. The store of this "
			"magotp.conf was not touched.\n",
			url);
	else
		fprintf(stderr, "Next: start otpcored, then magotpctl doctor.\n");
}

static void say_json(const struct replay *p, const struct restore_orders *o, int64_t backup_at)
{
	char at[32];

	mag_time_rfc3339(backup_at, at, sizeof at);
	printf("{\"changed\":%s,\"backup_at\":%s%s%s,\"covered\":%s,\"why\":\"",
		o->dry ? "false" : "true", backup_at > 0 ? "\"" : "", backup_at > 0 ? at : "null",
		backup_at > 0 ? "\"" : "", p->covered ? "true" : "false");
	for (const char *c = p->covered ? "" : p->why; *c; c++)
		if ((unsigned char)*c >= 0x20 && *c != '"' && *c != '\\')
			putchar(*c);
	printf("\",\"counters\":%" PRId64 ",\"states\":%" PRId64, p->counters, p->states);
	for (size_t i = 0; i < KINDS; i++)
		printf(",\"%s\":%" PRId64, kinds[i].key, p->spent[kinds[i].about]);
	printf(",\"tokens_suspended\":%" PRId64 ",\"tokens_void\":%" PRId64
	       ",\"recovery_codes_void\":%" PRId64 ",\"licences_void\":%" PRId64
	       ",\"activation_codes_void\":%" PRId64,
		p->voided.tokens, p->voided.waiting, p->voided.recoveries, p->voided.licences,
		p->voided.proofings);
	printf(",\"sessions_ended\":%" PRId64 ",\"logins_ended\":%" PRId64 "}\n", p->ended.sessions,
		p->ended.logins);
}

void restore_say(
	const struct replay *p, const struct restore_orders *o, const char *url, int64_t backup_at)
{
	if (o->json)
		say_json(p, o, backup_at);
	else
		say_people(p, o, url, backup_at);
}

void restore_audit_text(
	const struct replay *p, int64_t backup_at, bool in_place, char *text, size_t cap)
{
	char at[32];
	int64_t spent = 0;

	for (size_t i = 0; i < KINDS; i++)
		spent += p->spent[kinds[i].about];
	snprintf(text, cap,
		"restore account=- service=- from=- peer=%u/%d %s of %s: %" PRId64
		" counters raised, %" PRId64 " spent again, %s",
		(unsigned)getuid(), (int)getpid(), in_place ? "in place" : "backup",
		backup_at ? mag_time_rfc3339(backup_at, at, sizeof at) : "an unknown time",
		p->counters, spent,
		p->covered ? "all of it known" : "counting tokens and one-time secrets void");
}
