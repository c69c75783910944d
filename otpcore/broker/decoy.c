#include "otpcore/broker/decoy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define DECOYS 256 /* logins of this kind under way at once */
#define YEAR   (365 * 86400)

/* The keys apart: looking one up touches no account. */
struct decoys {
	uint64_t turn; /* counts up: several fall into one second */
	struct key {
		uint64_t turn; /* when it was asked for last; 0: never */
		unsigned char chain[HASH_LEN];
	} keys[DECOYS];
	struct decoy all[DECOYS];
};

int decoys_new(struct decoys **d_r)
{
	struct decoys *d = calloc(1, sizeof *d);

	if (!d)
		return MAG_ENOMEM;
	*d_r = d;
	return 0;
}

void decoys_free(struct decoys **d)
{
	free(*d);
	*d = NULL;
}

static int64_t number_in(const unsigned char *p)
{
	int64_t n = 0;

	for (int i = 0; i < 7; i++)
		n = n << 8 | p[i];
	return n | 1; /* no row id is 0 */
}

/* Some were never used, as some real ones: these are told of the charge (P12). */
static void make_phone(
	struct aggregate *a, const unsigned char *salt, int64_t now, struct phone *p_r)
{
	*p_r = (struct phone){ .account = a->account.row.id,
		.subscription = a->subscriptions[0].row.id,
		.channel = CHANNEL_SMS,
		.state = PHONE_ACTIVE,
		.state_since = now,
		.created_at = now };
	p_r->last_used_at = salt[9] % 4 == 0 ? 0 : now;
	p_r->row.id = number_in(salt);
	p_r->slot = (int64_t)a->n_phones + 1;
	p_r->is_default = a->n_phones == 0;
	snprintf(p_r->masked, sizeof p_r->masked, "%04u", (salt[7] << 8 | salt[8]) % 10000u);
	mag_copy(p_r->country, sizeof p_r->country, "US");
	a->n_phones++;
}

void decoy_fill(const struct keyring *k, const char *user, int64_t now, struct aggregate *a_r)
{
	unsigned char h[HASH_LEN] = { 0 };
	struct subscription *s = &a_r->subscriptions[0];

	/* A failing hash leaves zeros: still one phone, the same for all. */
	(void)seal_hash(k, PEPPER_DECOY, user, strlen(user), h);
	memset(a_r, 0, sizeof *a_r);
	a_r->exists = true;
	a_r->account.row.id = number_in(h);
	mag_copy(a_r->account.name, sizeof a_r->account.name, user);
	a_r->account.uid = WIRE_UID_UNKNOWN;
	a_r->account.state = ACCOUNT_ACTIVE;
	a_r->account.role = ROLE_USER;
	a_r->n_subscriptions = 1;
	*s = (struct subscription){ .account = a_r->account.row.id,
		.product = PRODUCT_PHONE_US,
		.state = SUBSCRIPTION_ACTIVE,
		.level = 2,
		.started_at = now,
		.purchased_at = now,
		.expires_at = now + YEAR };
	s->row.id = number_in(h + 1);
	make_phone(a_r, h + 8, now, &a_r->phones[0]);
	if (h[31] % 4 == 0) /* as many have a second one */
		make_phone(a_r, h + 17, now, &a_r->phones[1]);
}

struct decoy *decoy_of(struct request *r, const unsigned char chain[HASH_LEN], const char *user)
{
	struct decoys *d = r->broker->decoys;
	size_t oldest = 0;
	struct decoy *new;

	d->turn++;
	for (size_t i = 0; i < DECOYS; i++) {
		struct key *k = &d->keys[i];

		if (k->turn && memcmp(k->chain, chain, HASH_LEN) == 0) {
			k->turn = d->turn;
			return &d->all[i];
		}
		if (k->turn < d->keys[oldest].turn)
			oldest = i;
	}
	d->keys[oldest].turn = d->turn;
	memcpy(d->keys[oldest].chain, chain, HASH_LEN);
	new = &d->all[oldest];
	memset(new, 0, sizeof *new);
	decoy_fill(r->broker->keyring, user, r->now, &new->account);
	return new;
}
