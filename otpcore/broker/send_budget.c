/* How many messages there may be: to an account and a number; and from whoever only says
 * that the password came first, a verifier or a relay: for all accounts, made-up ones too,
 * and half of what an account may be sent, so that the owner's is not theirs to use up
 * (security.md 9, 18, 40). */
#include "otpcore/base/err.h"
#include "otpcore/broker/party.h"
#include "otpcore/broker/send.h"

#define LINES  7
#define CHARGE (sizeof((struct request *)0)->charge / sizeof(int) - LINES) /* request.charge */

struct line {
	enum throttle_kind kind;
	bool daily;
	int64_t cap;
	int64_t subject;
};

static int64_t half(int64_t cap)
{
	return cap > 1 ? cap / 2 : 1;
}

/* Those that hold for this request; the subjects are added by subjects(). */
static size_t lines_of(const struct request *r, struct line list_r[LINES])
{
	const struct settings *s = r->broker->settings;
	bool verifier = r->has_ticket && party_by_verifier(r), relay = r->through == THROUGH_HOST;
	bool hearsay = verifier || relay;
	const struct {
		bool holds;
		struct line line;
	} all[LINES] = {
		{ true, { THROTTLE_SEND_ACCOUNT, false, s->sends_per_hour, 0 } },
		{ true, { THROTTLE_SEND_DAY, true, s->sends_per_day, 0 } },
		{ true, { THROTTLE_SEND_NUMBER, false, s->sends_per_hour, 0 } },
		{ hearsay, { THROTTLE_SEND_SHARE, false, half(s->sends_per_hour), 0 } },
		{ hearsay, { THROTTLE_SEND_SHARE_DAY, true, half(s->sends_per_day), 0 } },
		{ verifier, { THROTTLE_SEND_VERIFIER, false, s->per_verifier, 0 } },
		{ relay, { THROTTLE_SEND_RELAY, false, s->per_relay, 0 } },
	};
	size_t n = 0;

	for (size_t i = 0; i < LINES; i++)
		if (all[i].holds)
			list_r[n++] = all[i].line;
	return n;
}

static int64_t period(const struct line *l, int64_t now)
{
	return l->daily ? throttle_day(now) : throttle_hour(now);
}

static int64_t subject(enum throttle_kind kind, const struct party_sources *s)
{
	switch (kind) {
	case THROTTLE_SEND_SHARE:
	case THROTTLE_SEND_SHARE_DAY:
		return s->at_account;
	case THROTTLE_SEND_VERIFIER:
		return s->source;
	case THROTTLE_SEND_RELAY:
		return s->relay;
	default:
		return 0; /* the account's, or the number's */
	}
}

int send_want(struct request *r, const char *account)
{
	struct line list[LINES];
	struct party_sources sources;
	size_t n = lines_of(r, list);
	int res = party_sources(r, account, &sources);

	for (size_t i = 0; !res && i < n; i++) {
		int64_t of = subject(list[i].kind, &sources);

		if (of)
			res = store_want_throttle(
				r->tick, list[i].kind, of, period(&list[i], r->now));
	}
	return res;
}

static int subjects(const struct books *b, int64_t phone, struct line *list, size_t n)
{
	struct party_sources sources;
	int res = party_sources(b->r, b->a->account.name, &sources);

	for (size_t i = 0; !res && i < n; i++) {
		list[i].subject = subject(list[i].kind, &sources);
		if (list[i].kind == THROTTLE_SEND_NUMBER)
			list[i].subject = phone;
		else if (!list[i].subject)
			list[i].subject = b->a->account.row.id;
	}
	return res;
}

enum verdict send_budget_allows(const struct books *b, int64_t phone)
{
	struct request *r = b->r;
	struct throttle_budget budgets[LINES];
	struct line list[LINES];
	size_t n = lines_of(r, list);
	int64_t wait = 0;
	enum verdict v;

	if (subjects(b, phone, list, n))
		return VERDICT_SEND_FAILED;
	for (size_t i = 0; i < n; i++)
		budgets[i] = (struct throttle_budget){ books_count(b, list[i].kind, list[i].subject,
							       period(&list[i], r->now)),
			list[i].cap, list[i].daily };
	v = throttle_send(budgets, n, r->now, &wait);
	r->result.seconds = (uint32_t)wait;
	return v;
}

int send_budget_charge(const struct books *b, int64_t phone)
{
	struct request *r = b->r;
	struct line list[LINES];
	size_t n = lines_of(r, list);
	int res = subjects(b, phone, list, n);

	for (size_t i = 0; !res && i < n; i++)
		r->charge[CHARGE + i] =
			books_charge(b, list[i].kind, list[i].subject, period(&list[i], r->now), 1);
	return res;
}

bool send_within_budget(struct request *r, bool decoy)
{
	struct line list[LINES];
	size_t n = lines_of(r, list);

	for (size_t i = 0; i < n; i++) {
		int handle = r->charge[CHARGE + i];

		if (decoy && !books_shared(list[i].kind))
			continue;
		if (handle < 0 || store_charged(r->tick, handle) > list[i].cap) {
			r->sms.wanted = false;
			return false;
		}
	}
	return true;
}
