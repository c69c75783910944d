#include "otpcore/broker/party.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/decoy.h"

/* Periods of THROTTLE_ACCOUNT_SOURCE: ten days each, so that thirty days are
 * four rows to read and not thirty. */
#define SOURCE_PERIOD  10
#define SOURCE_PERIODS 4

int64_t party_source_period(int64_t now)
{
	return throttle_day(now) / SOURCE_PERIOD;
}

/* Parts are told apart by the NUL behind each: no name has one. */
static void part(struct mag_buf *b, const char *s)
{
	mag_buf_putn(b, s, strlen(s) + 1);
}

int party_chain(const struct broker *b, const struct wire_ticket *t, struct blob *chain_r)
{
	char text[1024];
	struct mag_buf s = MAG_BUF(text);

	part(&s, t->user);
	part(&s, t->service);
	part(&s, t->host);
	mag_buf_printf(&s, "%u", t->peer_uid);
	/* password,sms and password,123456 are two connections, through a proxy
	 * maybe: where from does not count (login.md). */
	part(&s, t->mode == MODE_COMBINED ? "" : t->rhost);
	if (mag_buf_error(&s))
		return MAG_ENOSPACE;
	chain_r->len = HASH_LEN;
	return seal_hash(b->keyring, PEPPER_CHAIN, text, s.len, chain_r->data);
}

bool party_by_verifier(const struct request *r)
{
	return r->peer.uid != 0 && !r->ticket.own;
}

static int subject(struct request *r, const struct mag_buf *s, int64_t *subject_r)
{
	int res = mag_buf_error(s);

	return res ? res
		   : seal_subject(r->broker->keyring, PEPPER_SOURCE, s->data, s->len, subject_r);
}

/* Where the try comes from. A verifier that is not root is the source itself:
 * its word about addresses counts for nothing (security.md 9). Without an
 * address it is this account on this host, so that nobody local can use up what
 * is everybody's. */
int party_sources(struct request *r, const char *account, struct party_sources *s_r)
{
	const struct wire_ticket *t = &r->ticket;
	struct party_sources sources = { .relay = 0 };
	char text[600];
	struct mag_buf s = MAG_BUF(text);
	int res = 0;

	/* A relay says what it likes about addresses: what it wastes is its own share. */
	if (r->through) {
		mag_buf_printf(&s, "relay:%s", r->host);
		res = subject(r, &s, &sources.relay);
		mag_buf_printf(&s, " ");
	}
	if (party_by_verifier(r))
		mag_buf_printf(&s, "verifier:%u", r->peer.uid);
	else if (*t->rhost)
		mag_buf_printf(&s, "host:%s", t->rhost);
	else
		mag_buf_printf(&s, "local:%s", account);
	if (!res)
		res = subject(r, &s, &sources.source);
	/* Of an account's thirty days all that one relay invents, addresses and users, has
	 * one share. */
	if (r->through) {
		s.len = 0;
		mag_buf_printf(&s, "relay:%s", r->host);
	}
	part(&s, "");
	part(&s, account);
	if (!res)
		res = subject(r, &s, &sources.at_account);
	if (!res)
		*s_r = sources;
	return res;
}

/* Who guesses at several connected accounts guesses at one (H11). */
static const char *whose(const struct wire_ticket *t)
{
	return *t->parent ? t->parent : t->user;
}

static bool sends(const struct request *r)
{
	return r->message &&
	       (r->message->id == WIRE_MSG_SEND || r->message->id == WIRE_MSG_ENROLL_PHONE);
}

/* Once a request: keyed hashes, asked for in each phase of the tick. */
static int origin(struct request *r)
{
	struct origin *o = &r->origin;
	int res = 0;

	if (o->known)
		return 0;
	res = party_chain(r->broker, &r->ticket, &o->chain);
	if (!res)
		res = party_sources(r, whose(&r->ticket), &o->sources);
	o->known = res == 0;
	return res;
}

int party_want_account_source(struct request *r, int64_t subject)
{
	int res = 0;

	for (int64_t i = 0; !res && i < SOURCE_PERIODS; i++)
		res = store_want_throttle(
			r->tick, THROTTLE_ACCOUNT_SOURCE, subject, party_source_period(r->now) - i);
	return res;
}

int party_want(struct request *r)
{
	const struct party_sources *s = &r->origin.sources;
	int64_t hour = throttle_hour(r->now);
	int res;

	if (!r->has_ticket)
		return 0; /* the gate refuses it */
	res = origin(r);
	if (!res)
		res = store_want_throttle(r->tick, THROTTLE_SOURCE, s->source, hour);
	if (!res && s->relay)
		res = store_want_throttle(r->tick, THROTTLE_RELAY, s->relay, hour);
	if (!res)
		res = store_want_throttle(r->tick, THROTTLE_STREAK, s->at_account, 0);
	if (!res)
		res = party_want_account_source(r, s->at_account);
	return res || !sends(r) ? res : send_want(r, whose(&r->ticket));
}

int party_make(struct request *r, struct party *p_r)
{
	struct party p = { .r = r, .decoy = r->ticket.account == 0 };
	int res;

	if (!r->has_ticket)
		return MAG_ESTALE;
	res = origin(r);
	if (res)
		return res;
	p.chain = r->origin.chain;
	p.source = r->origin.sources.source;
	p.account_source = r->origin.sources.at_account;
	p.relay = r->origin.sources.relay;
	if (p.decoy) {
		struct decoy *d = decoy_of(r, p.chain.data, r->ticket.user);

		if (d->login.row.id != r->ticket.login)
			memset(&d->login, 0, sizeof d->login);
		p.a = p.own = &d->account;
		p.login = &d->login;
	} else {
		p.own = request_account(r);
		p.a = request_credentials(r);
		p.login = store_login(r->tick, r->ticket.login);
		if (p.login->row.id && p.login->account != r->ticket.account)
			return MAG_ESTALE;
	}
	p.books = (struct books){ r, p.a, p.decoy };
	*p_r = p;
	return 0;
}

int64_t party_account_source(const struct books *b, int64_t subject)
{
	int64_t sum = 0;

	for (int64_t i = 0; i < SOURCE_PERIODS; i++)
		sum += books_count(
			b, THROTTLE_ACCOUNT_SOURCE, subject, party_source_period(b->r->now) - i);
	return sum;
}

int64_t party_source_total(const struct party *p)
{
	return party_account_source(&p->books, p->account_source);
}

void party_policy(const struct party *p, struct policy *p_r)
{
	const struct wire_ticket *t = &p->r->ticket;

	*p_r = (struct policy){ .require = strength_from_id(t->require),
		.level = t->level,
		.mode = (int)t->mode,
		.host = p->r->host,
		.skip = t->skip != 0 };
	p_r->known = p_r->require != STRENGTH_NONE;
}

struct phone *party_phone(const struct party *p, int64_t slot)
{
	struct offer offers[OFFERS_MAX];
	struct policy policy;
	size_t n;

	party_policy(p, &policy);
	n = policy_offers(p->a, &policy, p->r->broker->settings, p->r->now, offers, OFFERS_MAX);
	for (size_t i = 0; i < n; i++)
		if (!offers[i].excluded && offers[i].phone && offers[i].phone->slot == slot)
			return offers[i].phone;
	return NULL;
}

struct phone *party_phone_by_id(const struct party *p, int64_t id)
{
	for (size_t i = 0; i < p->a->n_phones; i++)
		if (p->a->phones[i].row.id == id)
			return party_phone(p, p->a->phones[i].slot);
	return NULL;
}

int64_t party_tried(const struct party *p, int64_t chain_id)
{
	return chain_id ? books_count(&p->books, THROTTLE_CHAIN, chain_id, 0) : 0;
}

bool party_shows_digits(const struct request *r)
{
	return r->standing.root || r->standing.own || r->standing.admin;
}

uint32_t party_delivery(const struct request *r, const struct challenge *c)
{
	if (c->delivery == DELIVERY_UNDELIVERED && !party_shows_digits(r))
		return DELIVERY_ACCEPTED;
	return (uint32_t)c->delivery;
}

/* ---- stored answers ----
 * The blob: u16 message, u32 seconds, u32 failures of this login, and the reply, sealed
 * as tickets are (so many would use up a row's key): it may hold a number. */

#define HEAD PARTY_ANSWER_HEAD

static void put32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t party_failures(const struct party *p)
{
	return p->login->row.id && p->login->answer.len >= HEAD ? get32(p->login->answer.data + 6)
								: 0;
}

static const char *where(const struct request *r, char buf[40])
{
	snprintf(buf, 40, "login.answer %" PRId64, r->ticket.login);
	return buf;
}

static int open_reply(struct request *r, const struct login *l)
{
	struct mag_secret clear = { 0 };
	char at[40];
	int res = seal_open_bytes(r->broker->keyring, where(r, at), l->answer.data + HEAD,
		l->answer.len - HEAD, &clear);

	if (!res)
		res = wire_decode_struct(&r->message->reply, clear.data, clear.len, r->reply);
	mag_secret_free(&clear);
	return res;
}

static int seal_reply(struct request *r, struct login *l)
{
	unsigned char clear[sizeof l->answer.data];
	char at[40];
	size_t len = 0;
	int res = wire_encode_struct(&r->message->reply, r->reply, clear, sizeof clear, &len);

	if (!res)
		res = seal_bytes(r->broker->keyring, where(r, at), clear, len,
			l->answer.data + HEAD, sizeof l->answer.data - HEAD, &len);
	mag_wipe(clear, sizeof clear);
	if (!res)
		l->answer.len = HEAD + len;
	return res;
}

enum party_seq party_seq(struct party *p, uint32_t seq)
{
	const struct login *l = p->login;
	struct request *r = p->r;
	const unsigned char *d = l->answer.data;

	if (seq == 0 || (l->row.id && seq < l->last_seq))
		return SEQ_STALE;
	if (!l->row.id || seq > l->last_seq)
		return SEQ_NEW;
	if (l->answer.len < HEAD || (d[0] << 8 | d[1]) != r->message->id || open_reply(r, l))
		return SEQ_STALE;
	request_verdict(r, (enum verdict)l->verdict);
	r->result.seconds = get32(d + 2);
	return SEQ_REPEAT;
}

void party_keep(struct party *p, uint32_t seq, uint32_t failures)
{
	const struct wire_ticket *t = &p->r->ticket;
	struct request *r = p->r;
	struct login *l = p->login;
	bool new = !l->row.id;
	int res = seal_reply(r, l);

	if (res) {
		request_error(r, res);
		return;
	}
	l->answer.data[0] = (unsigned char)(r->message->id >> 8);
	l->answer.data[1] = (unsigned char)r->message->id;
	put32(l->answer.data + 2, r->result.seconds);
	put32(l->answer.data + 6, failures);
	l->last_seq = seq;
	l->verdict = r->result.verdict;
	if (new) {
		l->row.id = t->login;
		l->account = t->account;
		mag_copy(l->service, sizeof l->service, t->service);
		mag_copy(l->host, sizeof l->host, t->host);
		mag_copy(l->rhost, sizeof l->rhost, t->rhost);
		l->peer_uid = t->peer_uid;
		l->state = LOGIN_AUTH;
		l->started_at = t->started_at;
	}
	if (p->decoy)
		books_charge(&p->books, THROTTLE_DECOY, 0, 0, 1);
	else
		store_mark_login(r->tick, r->index, l, new ? ROW_NEW : ROW_CHANGED);
}
