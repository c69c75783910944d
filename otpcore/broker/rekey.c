/* otpcored --rekey: the keys of the store under another master key (magotpctl key rotate
 * --master). As root, beside the broker: it reads what the broker may not. Until the broker has
 * been started with the new one, either opens the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/parts.h"
#include "otpcore/seal/keyfile.h"
#include "otpcore/store/fault.h"

static int fail(int r, const char *what, const char *why)
{
	fprintf(stderr, "otpcored: %s: %s\n", what,
		why && *why     ? why
		: r == MAG_ESYS ? strerror(errno)
				: mag_strerror(r));
	return r;
}

/* The one that comes: what its file holds, or a new one. */
static int next_ring(const char *source, struct keyring **k_r)
{
	int r = keyring_create_source(source);

	if (!r)
		fprintf(stderr, "made %s\n", source);
	else if (r == MAG_EEXISTS)
		fprintf(stderr, "kept %s\n", source);
	if (!r || r == MAG_EEXISTS)
		r = keyring_open(source, k_r);
	return r;
}

static int rewrap(struct broker *b, const struct keyring *next)
{
	struct keys_list list;
	int r = keys_read(b, &list);

	for (size_t i = 0; !r && i < list.n; i++) {
		r = keyring_rewrap(b->keyring, next, &list.rows[i]);
		list.rows[i].row.fate = ROW_CHANGED;
	}
	if (!r && FAULT("rekey.change"))
		r = MAG_ESTORE;
	return r ? r : store_change_keys(b->store, list.rows, list.n);
}

/* The master key that the settings name is the one that opens the store alone? Else a
 * half-done change would be thrown away. */
static int look(struct broker *b)
{
	struct keys_list list;
	int r = keys_read(b, &list);

	for (size_t i = 0; !r && i < list.n; i++)
		if (!keyring_wraps(b->keyring, &list.rows[i].wrapped))
			r = fail(MAG_EBUSY, "nothing was changed",
				"another change of the master key waits for magotpctl key finish");
	return r;
}

static int change(struct broker *b, const struct keyring *next)
{
	int r;

	/* A broker may be at the keys, too. */
	for (int i = 0; (r = rewrap(b, next)) == MAG_ECONFLICT && i < 5; i++)
		usleep(20000);
	return r ? fail(r, "nothing was changed", NULL) : 0;
}

static void say_next(const char *source)
{
	char path[512];

	fprintf(stderr,
		"Either master key opens the store now. Next:\n"
		"  [store] master_key = %s\n"
		"in magotp.conf, and restart otpcored (several on one PostgreSQL: all of them, "
		"then\n"
		"magotpctl key finish). From then on the old one is needed only for backups that\n"
		"were made under it.\n",
		source);
	if (keyfile_path(source, path, sizeof path))
		fprintf(stderr,
			"Where systemd starts otpcored, it lends it the key; before the restart:\n"
			"  systemctl edit otpcored\n"
			"  [Service]\n"
			"  LoadCredential=master.key:%s\n",
			path);
}

static int open_all(struct broker *b, const char *source, bool dry, struct keyring **next_r)
{
	char err[STORE_ERROR_MAX] = "";
	int r = keyring_open(b->settings->master_key, &b->keyring);

	if (r)
		return fail(r, b->settings->master_key, NULL);
	if (!dry && (r = next_ring(source, next_r)))
		return fail(
			r, source, r == MAG_ESYNTAX ? "expected file:/FILE or tpm:/FILE" : NULL);
	if (*next_r && keyring_current(*next_r) == keyring_current(b->keyring))
		return fail(MAG_EINVAL, source, "that is the master key already");
	if ((r = priv_drop(b->settings->user)))
		return fail(r, b->settings->user, NULL);
	r = store_open(b->settings->url, &b->store, err);
	return r ? fail(r, b->settings->url, err) : keys_open(b);
}

int rekey_run(struct settings *s, const char *source, bool dry)
{
	struct broker b = { .settings = s };
	struct keyring *next = NULL;
	int r = open_all(&b, source, dry, &next);

	if (!r)
		r = look(&b);
	if (!r && dry)
		fprintf(stderr, "The keys of the store would be wrapped by %s as well.\n", source);
	else if (!r)
		r = change(&b, next);
	if (!r && !dry)
		say_next(source);
	store_close(&b.store);
	keyring_free(&next);
	keyring_free(&b.keyring);
	return r;
}
