/* Looking after the store's keys: reads them now and then, and ends what a tool that died has
 * left, or what had to wait. */
#include "otpcore/broker/keys.h"

#include <event2/event.h>
#include <stdlib.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/broker/parts.h"

#define LOOK_MS       5000   /* they are read so often */
#define AGE_MS        10000  /* and before a tick, if this was longer ago */
#define FREEZE_MS     300000 /* nothing is sealed by keys that were read so long ago */
#define PAGE_MS       10
#define BROKEN_MS     3600000
#define LEASE_SECONDS 120

_Static_assert(AGE_MS < KEYS_SETTLE * 1000, "a new key is read before it seals");
_Static_assert(KEYS_RETIRE > 2 * FREEZE_MS / 1000, "nobody seals by a key that is removed");

struct keys {
	struct broker *broker;
	struct event *timer;
	int64_t read_at, tried_at; /* mag_ticks_ms */
	bool wanted;
	int64_t pass_at;    /* no last pass before */
	int64_t broken;     /* of the pass under way */
	struct reseal pass; /* ending 0: none */
};

static int read_again(struct keys *k)
{
	struct keys_list list;
	int r;

	k->tried_at = mag_ticks_ms();
	k->wanted = false;
	r = keys_read(k->broker, &list);
	if (!r) {
		k->read_at = k->tried_at;
		(void)keyring_missed(k->broker->keyring);
	} else {
		mag_log(MAG_LOG_WARNING, "the keys of the store cannot be read: %s",
			mag_strerror(r));
	}
	keyring_freeze(k->broker->keyring, k->tried_at - k->read_at > FREEZE_MS);
	return r;
}

bool keys_again(struct keys *k)
{
	return k && mag_ticks_ms() - k->tried_at >= 1000 && read_again(k) == 0;
}

void keys_turn(struct keys *k)
{
	int64_t now = mag_ticks_ms();

	if (!k || (!k->wanted && now - k->tried_at < 1000))
		return;
	if (k->wanted || keyring_missed(k->broker->keyring) || now - k->read_at > AGE_MS)
		(void)read_again(k);
}

void keys_want(struct keys *k)
{
	if (k)
		k->wanted = true;
}

/* ---- now and then ---- */

static void again_in(struct keys *k, int64_t ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (event_add(k->timer, &tv))
		mag_log(MAG_LOG_ERROR, "no timer: old keys stay");
}

/* The pass has seen all rows, and none is under the key. */
static void end_pass(struct keys *k)
{
	int r = 0;

	if (k->broken) {
		mag_log(MAG_LOG_WARNING,
			"%lld rows cannot be opened by any key; the old key %08x stays",
			(long long)k->broken, k->pass.ending);
		k->pass_at = mag_ticks_ms() + BROKEN_MS;
	} else {
		r = keys_remove(k->broker, k->pass.ending);
		if (!r)
			mag_log(MAG_LOG_NOTICE, "the old key %08x is removed", k->pass.ending);
	}
	if (r)
		mag_log(MAG_LOG_WARNING, "the old key %08x stays for now: %s", k->pass.ending,
			mag_strerror(r));
	k->pass = (struct reseal){ .ending = 0 };
}

static void pass_page(struct keys *k)
{
	struct reseal_page page;

	/* Next time: from where it was. */
	if (reseal_page(k->broker, &k->pass, &page))
		return;
	k->broken += page.broken;
	if (k->pass.column == SEALED_COLUMNS)
		end_pass(k);
}

static bool our_turn(struct keys *k)
{
	struct store_lease lease = { "keys", k->broker->host, LEASE_SECONDS };

	return store_lease(k->broker->store, &lease, mag_now()) == 0;
}

/* What a tool that died has left, and what had to wait. */
static void step(struct keys *k)
{
	struct keys_list list;
	const struct data_key *row;

	if (keys_read(k->broker, &list))
		return;
	row = keys_in(&list, KEY_NEXT);
	if (row && keys_settled(k->broker, row) <= mag_now())
		(void)keys_promote(k->broker, &list);
	if (mag_ticks_ms() < k->pass_at)
		return;
	for (size_t i = 0; i < list.n && !k->pass.ending; i++) {
		row = &list.rows[i];
		if (row->kind == KEY_DATA && row->state >= KEY_OLD &&
			row->since + KEYS_RETIRE <= mag_now() && our_turn(k)) {
			k->pass = (struct reseal){ .mode = RESEAL_LAST,
				.ending = (uint32_t)row->row.id };
			k->broken = 0;
		}
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;

	(void)fd;
	(void)what;
	/* With a tick under way in a moment. */
	if (!ticker_idle(k->broker->ticker)) {
		again_in(k, PAGE_MS);
		return;
	}
	if (mag_ticks_ms() - k->tried_at >= LOOK_MS && read_again(k) == 0 && !k->pass.ending)
		step(k);
	if (k->pass.ending) {
		pass_page(k);
		if (!k->pass.ending)
			step(k); /* perhaps there is another one */
	}
	again_in(k, k->pass.ending ? PAGE_MS : LOOK_MS);
}

int keys_new(struct broker *b, struct keys **k_r)
{
	struct keys *k = calloc(1, sizeof *k);

	if (!k)
		return MAG_ENOMEM;
	k->broker = b;
	k->read_at = mag_ticks_ms();
	k->timer = event_new(b->base, -1, 0, on_timer, k);
	if (!k->timer) {
		free(k);
		return MAG_ENOMEM;
	}
	again_in(k, PAGE_MS);
	*k_r = k;
	return 0;
}

void keys_free(struct keys **k)
{
	if (!*k)
		return;
	event_free((*k)->timer);
	free(*k);
	*k = NULL;
}
