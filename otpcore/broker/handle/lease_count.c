#include "otpcore/broker/handle/lease_count.h"

#include <stdio.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/broker/books.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/party.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/throttle.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int lease_want(struct request *r, const char *account)
{
	struct party_sources s;
	int res;

	if (r->through != THROUGH_HOST)
		return 0; /* it is refused */
	res = party_sources(r, account, &s);
	if (!res)
		res = store_want_throttle(r->tick, THROTTLE_RELAY, s.relay, throttle_hour(r->now));
	return res ? res : party_want_account_source(r, s.at_account);
}

/* What all the wrong codes of this relay may yet cost the account: it has one share. */
static int64_t share_left(struct request *r, struct aggregate *a)
{
	const struct settings *s = r->broker->settings;
	int64_t share = s->total_30d > 1 ? s->total_30d / 2 : s->total_30d;
	struct books books = { r, a, false };
	struct party_sources sources;

	if (party_sources(r, a->account.name, &sources))
		return 0;
	return share - party_account_source(&books, sources.at_account);
}

/* Each token of the account gets its part of what the account has left: its holder counts
 * them apart. More may have been told than there were. */
struct lease_tries lease_tries(
	struct request *r, struct aggregate *a, const struct token *t, size_t n)
{
	const struct settings *s = r->broker->settings;
	const struct books books = { r, a, false };
	int64_t run = s->lock_after - books_count(&books, THROTTLE_TOKEN, t->row.id, 0);
	int64_t total = throttle_total(a, THROTTLE_ACCOUNT, a->account.row.id, r->now);
	int64_t rest = least(s->total_30d - total, share_left(r, a));

	if (n > 1)
		rest /= (int64_t)n;
	return (struct lease_tries){ run > 0 ? run : 0, rest > 0 ? rest : 0 };
}

void lease_moved(struct request *r, const struct token *t, int64_t from)
{
	if (t->type == TOKEN_HOTP && t->moving > from)
		store_charge(r->tick, r->index, THROTTLE_LEASED, t->row.id, throttle_day(r->now),
			t->moving - from);
}

bool lease_worn(struct request *r, struct aggregate *a, const struct token *t)
{
	const struct books books = { r, a, false };

	return books_count(&books, THROTTLE_LEASED, t->row.id, throttle_day(r->now)) >= LEASE_MOVES;
}

/* The same as at a login, where its last try is its owner's affair. */
static void lock(struct request *r, struct aggregate *a, struct token *t)
{
	char name[32], more[200];
	struct mag_buf b = MAG_BUF(more);

	if (lifecycle_move(t, LIFE_LOCK, ACTOR_BROKER, 0, r->now) != VERDICT_OK)
		return;
	mag_buf_printf(&b, "credential=%s\nfrom=%s\n", token_name(t, name, sizeof name), r->host);
	token_mail(r, a, "locked", more);
}

/* All of them `failed`, the last `run` in a row. */
static void charge(struct request *r, const struct aggregate *a, const struct token *t,
	const struct lease_wrong *w, const struct party_sources *from)
{
	int64_t n = w->failed;
	int64_t day = throttle_day(r->now);
	const struct throttle list[] = {
		{ THROTTLE_TOKEN, t->row.id, 0, w->run, 0 },
		{ THROTTLE_CREDENTIAL, t->row.id, day, n, 0 },
		{ THROTTLE_ACCOUNT, a->account.row.id, day, n, 0 },
		{ THROTTLE_ACCOUNT_SOURCE, from->at_account, party_source_period(r->now), n, 0 },
		{ THROTTLE_RELAY, from->relay, throttle_hour(r->now), n, 0 },
	};

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (list[i].count)
			store_charge(r->tick, r->index, (enum throttle_kind)list[i].kind,
				list[i].subject, list[i].period, list[i].count);
}

int lease_charge(
	struct request *r, struct aggregate *a, struct token *t, const struct lease_wrong *w)
{
	const struct settings *s = r->broker->settings;
	const struct books books = { r, a, false };
	int64_t n = w->failed - t->lease_failed;
	int64_t run = books_count(&books, THROTTLE_TOKEN, t->row.id, 0);
	struct lease_wrong fresh;
	struct party_sources from;
	int res;

	if (n <= 0)
		return 0;
	res = party_sources(r, a->account.name, &from);
	if (res)
		return res;
	t->lease_failed = w->failed;
	n = least(n, share_left(r, a));
	if (n <= 0)
		return 0;
	fresh = (struct lease_wrong){ n, least(least(w->run, n), s->lock_after) };
	charge(r, a, t, &fresh, &from);
	if (fresh.run > 0 && run + fresh.run >= s->lock_after)
		lock(r, a, t);
	return 0;
}
