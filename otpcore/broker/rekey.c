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
#include "otpcore/engine/crypto.h"
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

struct rekey {
	struct broker broker;
	const struct rekey_orders *orders;
	struct keyring *next; /* NULL: dry, and there is none yet */
	bool made, back;      /* back: to the one that the settings name */
};

/* The one that comes: what its file holds, or a new one. */
static int next_ring(struct rekey *k)
{
	const char *source = k->orders->source;
	char path[512];
	int r;

	if (!keyfile_path(source, path, sizeof path))
		return fail(MAG_ESYNTAX, source,
			"expected file:/FILE or tpm:/FILE, with the whole path");
	r = k->orders->dry ? keyfile_try(source) : keyring_create_source(source);
	k->made = !r && !k->orders->dry;
	if (k->made || r == MAG_EEXISTS)
		r = keyring_open(source, &k->next);
	if (r == MAG_ESYS)
		return fail(r, path, NULL);
	if (r)
		return key_complain(r, source);
	if (k->next && !k->orders->json)
		fprintf(stderr, "%s %s: the master key %08x\n", k->made ? "made" : "kept", source,
			keyring_current(k->next));
	return 0;
}

/* next NULL: a change is given up. */
static int rewrap(struct broker *b, const struct keyring *next)
{
	struct keys_list list;
	int r = keys_read(b, &list);

	for (size_t i = 0; !r && i < list.n; i++) {
		if (next)
			r = keyring_rewrap(b->keyring, next, &list.rows[i]);
		else
			list.rows[i].rewrapped.len = 0;
		list.rows[i].row.fate = ROW_CHANGED;
	}
	if (!r && FAULT("rekey.change"))
		r = MAG_ESTORE;
	return r ? r : store_change_keys(b->store, list.rows, list.n);
}

/* Not keys_open(): the store is not to change when somebody only looks. But for one that an
 * older version wrote, which has no keys yet. */
static int read_keys(struct broker *b, struct keys_list *list_r)
{
	int r = store_keys(b->store, list_r->rows, KEYS_MAX + 1, &list_r->n);

	if (!r && list_r->n == 0)
		return fail(MAG_ENOTFOUND, "nothing was changed",
			"the store has no keys yet; start otpcored once");
	if (!r)
		r = keys_read(b, list_r);
	return r ? fail(r, "nothing was changed",
			   r == MAG_ENOTFOUND
				   ? "the master key that the settings name does not open the store"
				   : NULL)
		 : 0;
}

static int waits(const struct rekey *k, const struct blob *other)
{
	fprintf(stderr,
		"otpcored: nothing was changed: a change to the master key %08x waits\n"
		"  go on with it: put its source into [store] master_key, restart otpcored\n"
		"  give it up:    magotpctl key rotate --master %s\n",
		seal_key_of(other->data, other->len), k->broker.settings->master_key);
	if (k->made)
		fprintf(stderr, "%s was made for nothing: remove it.\n", k->orders->source);
	return MAG_EBUSY;
}

/* The master key that the settings name is the one that opens the store alone? Else a
 * half-done change would be thrown away. The same one again is none. */
static int look(struct rekey *k)
{
	struct keys_list list;
	int r = read_keys(&k->broker, &list);
	size_t n = 0;

	for (size_t i = 0; !r && i < list.n; i++) {
		const struct blob *second = &list.rows[i].rewrapped;

		n += second->len > 0;
		if (!keyring_wraps(k->broker.keyring, &list.rows[i].wrapped))
			r = fail(MAG_EBUSY, "nothing was changed",
				"a change to this master key waits: restart otpcored, or magotpctl "
				"key finish");
		else if (second->len && !k->back && !(k->next && keyring_wraps(k->next, second)))
			r = waits(k, second);
	}
	if (!r && k->back && !n)
		r = fail(MAG_EINVAL, k->orders->source, "that is the master key already");
	return r;
}

static int change(struct rekey *k)
{
	struct broker *b = &k->broker;
	int r;

	/* A broker may be at the keys, too. */
	for (int i = 0; (r = rewrap(b, k->back ? NULL : k->next)) == MAG_ECONFLICT && i < 5; i++)
		usleep(20000);
	if (!r && k->back)
		store_forget(b->store);
	return r ? fail(r, "nothing was changed", NULL) : 0;
}

/* ---- what it says ---- */

static void say_unit(const char *source)
{
	char path[512], device[512];

	if (!keyfile_path(source, path, sizeof path))
		return;
	fprintf(stderr,
		"Where systemd starts otpcored, it lends it the key; before the restart:\n"
		"  systemctl edit otpcored\n"
		"  [Service]\n"
		"  LoadCredential=\n"
		"  LoadCredential=master.key:%s\n",
		path);
	if (keyfile_device(source, device, sizeof device))
		fprintf(stderr,
			"  PrivateDevices=no\n"
			"  DeviceAllow=%s rw\n"
			"  SupplementaryGroups=tss\n"
			"as in examples/otpcored-tpm.conf: else otpcored has no TPM there.\n",
			device);
}

static void say_next(const char *source)
{
	fprintf(stderr,
		"Either master key opens the store now. Next:\n"
		"  [store] master_key = %s\n"
		"in magotp.conf, and restart otpcored (several on one PostgreSQL: all of them, "
		"then\n"
		"magotpctl key finish). From then on the old one is needed only for backups that\n"
		"were made under it.\n",
		source);
	say_unit(source);
}

static void say(const struct rekey *k)
{
	const struct rekey_orders *o = k->orders;
	char id[16] = "null";

	if (k->next)
		snprintf(id, sizeof id, "\"%08x\"", keyring_current(k->next));
	if (o->json)
		printf("{\"master\":%s,\"made\":%s,\"changed\":%s}\n", id,
			k->made ? "true" : "false", o->dry ? "false" : "true");
	else if (o->dry && k->back)
		fprintf(stderr, "The change of the master key that waits would be given up.\n");
	else if (o->dry)
		fprintf(stderr, "The keys of the store would be wrapped by %s%s as well.\n",
			o->source, k->next ? "" : ", which would be made,");
	else if (k->back)
		fprintf(stderr, "The change of the master key was given up: this one alone opens "
				"the store.\n");
	else
		say_next(o->source);
}

static int open_all(struct rekey *k)
{
	struct broker *b = &k->broker;
	char err[STORE_ERROR_MAX] = "";
	int r = crypto_set_properties(b->settings->crypto);

	if (!r)
		r = keyring_open(b->settings->master_key, &b->keyring);
	if (r)
		return key_complain(r, b->settings->master_key);
	if ((r = next_ring(k)))
		return r;
	k->back = k->next && keyring_current(k->next) == keyring_current(b->keyring);
	if ((r = priv_drop(b->settings->user)))
		return fail(r, b->settings->user, NULL);
	r = store_open(b->settings->url, &b->store, err);
	return r ? fail(r, b->settings->url, err) : 0;
}

int rekey_run(struct settings *s, const struct rekey_orders *o)
{
	struct rekey k = { .broker.settings = s, .orders = o };
	int r = open_all(&k);

	if (!r)
		r = look(&k);
	if (!r && !o->dry)
		r = change(&k);
	if (!r)
		say(&k);
	store_close(&k.broker.store);
	keyring_free(&k.next);
	keyring_free(&k.broker.keyring);
	return r;
}
