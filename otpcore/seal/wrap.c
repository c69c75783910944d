/* The keys of a store: random bytes, wrapped by the master key. A wrapping is AES-256-GCM as
 * seal.h has it, with the master key's id in front; associated data: "data_key.wrapped", NUL,
 * the row's id. A data key's clear bytes are one key for rows and one for tickets. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/seal/keyring.h"

#define KEY_LEN (SEALING_N * MASTER_LEN)

static const char where[] = "data_key.wrapped";

_Static_assert(PEPPERS_LEN + SEAL_OVERHEAD <= SEALED_MAX, "a wrapping fits a blob");

struct context {
	unsigned char data[sizeof(where) + 8];
	struct aead aead;
};

static void context_make(const struct keyring *k, int64_t id, struct context *c_r)
{
	memcpy(c_r->data, where, sizeof(where));
	for (size_t i = 0; i < 8; i++)
		c_r->data[sizeof(where) + i] = (unsigned char)((uint64_t)id >> (56 - 8 * i));
	c_r->aead = (struct aead){ k, &k->wrap, k->master, c_r->data, sizeof(c_r->data) };
}

static int wrap(
	const struct keyring *k, int64_t id, const struct mag_secret *clear, struct blob *wrapped_r)
{
	struct blob b = { .len = clear->len + SEAL_OVERHEAD };
	struct context c;
	int r;

	if (b.len > sizeof(b.data))
		return MAG_ENOSPACE;
	context_make(k, id, &c);
	r = aead_encrypt(&c.aead, clear->data, clear->len, b.data);
	if (r == 0)
		*wrapped_r = b;
	return r;
}

bool keyring_wraps(const struct keyring *k, const struct blob *wrapped)
{
	return seal_key_of(wrapped->data, wrapped->len) == k->master;
}

/* From either of its wrappings. */
static int unwrap(const struct keyring *k, const struct data_key *row, struct mag_secret *clear_r)
{
	const struct blob *b = keyring_wraps(k, &row->wrapped)     ? &row->wrapped
			       : keyring_wraps(k, &row->rewrapped) ? &row->rewrapped
								   : NULL;
	struct context c;

	if (!b)
		return MAG_ENOTFOUND;
	context_make(k, row->row.id, &c);
	return aead_decrypt(&c.aead, b->data, b->len, clear_r);
}

/* ---- reading ---- */

static int take_key(struct ring *ring, const struct data_key *row, const struct mag_secret *clear)
{
	struct ring_key *key = &ring->keys[ring->n];
	int r = clear->len == KEY_LEN && row->row.id > 0 && row->row.id <= UINT32_MAX ? 0
										      : MAG_ECRYPTO;

	key->id = (uint32_t)row->row.id;
	for (int i = 0; r == 0 && i < SEALING_N; i++)
		r = mag_secret_set(&key->key[i], clear->data + i * MASTER_LEN, MASTER_LEN);
	if (row->state == KEY_CURRENT)
		ring->current = ring->n;
	ring->n++; /* for ring_free(), too */
	return r;
}

static int take(const struct keyring *k, struct ring *ring, const struct data_key *row)
{
	struct mag_secret clear = { 0 };
	int r = unwrap(k, row, &clear);

	if (r == 0 && row->kind == KEY_PEPPERS)
		r = mag_secret_set(&ring->peppers, clear.data, clear.len);
	else if (r == 0)
		r = take_key(ring, row, &clear);
	mag_secret_free(&clear);
	return r;
}

/* One row of peppers with its own id, one current key, room for all. */
static bool sound(const struct data_key *rows, size_t n)
{
	size_t peppers = 0, current = 0;

	for (size_t i = 0; i < n; i++) {
		bool is = rows[i].kind == KEY_PEPPERS;

		if (is != (rows[i].row.id == KEY_ID_PEPPERS))
			return false;
		peppers += is;
		current += !is && rows[i].state == KEY_CURRENT;
	}
	return peppers == 1 && current == 1 && n - peppers <= KEYS_MAX;
}

int keyring_load(struct keyring *k, const struct data_key *rows, size_t n)
{
	struct ring ring = { 0 };
	int r = sound(rows, n) ? 0 : MAG_ESTORE;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take(k, &ring, &rows[i]);
	if (r == 0)
		r = ring_pepper(k, &ring);
	if (r == 0) {
		ring_free(&k->ring);
		k->ring = ring;
	} else {
		ring_free(&ring);
	}
	return r;
}

/* ---- writing ---- */

static struct data_key row_of(int64_t id, enum key_kind kind)
{
	return (struct data_key){ .row.id = id, .kind = kind, .state = KEY_CURRENT };
}

int keyring_keep(const struct keyring *k, struct data_key rows_r[2])
{
	const struct ring_key *key = &k->ring.keys[k->ring.current];
	struct data_key rows[2] = { row_of(KEY_ID_PEPPERS, KEY_PEPPERS),
		row_of(key->id, KEY_DATA) };
	struct mag_secret clear = { 0 };
	int r = wrap(k, KEY_ID_PEPPERS, &k->ring.peppers, &rows[0].wrapped);

	for (int i = 0; r == 0 && i < SEALING_N; i++)
		r = mag_secret_append(&clear, key->key[i].data, key->key[i].len);
	if (r == 0)
		r = wrap(k, key->id, &clear, &rows[1].wrapped);
	mag_secret_free(&clear);
	if (r == 0)
		memcpy(rows_r, rows, sizeof(rows));
	return r;
}

/* New random bytes under a row's id. */
static int make(const struct keyring *k, size_t len, struct data_key *row)
{
	unsigned char bytes[PEPPERS_LEN];
	struct mag_secret clear = { 0 };
	int r = len <= sizeof(bytes) ? mag_random(bytes, len) : MAG_EINVAL;

	if (r == 0)
		r = mag_secret_set(&clear, bytes, len);
	if (r == 0)
		r = wrap(k, row->row.id, &clear, &row->wrapped);
	mag_wipe(bytes, sizeof(bytes));
	mag_secret_free(&clear);
	return r;
}

int keyring_make_next(const struct keyring *k, struct data_key *row_r)
{
	uint32_t id = 0;
	struct data_key row;
	int r = mag_random(&id, sizeof(id));

	for (size_t i = 0; r == 0 && i < k->ring.n; i++)
		if (id == 0 || id == k->master || id == k->ring.keys[i].id)
			r = MAG_EEXISTS; /* once in a billion: again */
	if (r < 0)
		return r;
	row = row_of(id, KEY_DATA);
	row.state = KEY_NEXT;
	r = make(k, KEY_LEN, &row);
	if (r == 0)
		*row_r = row;
	return r;
}

int keyring_make(const struct keyring *k, struct data_key rows_r[2])
{
	struct data_key rows[2] = { row_of(KEY_ID_PEPPERS, KEY_PEPPERS) };
	int r = make(k, PEPPERS_LEN, &rows[0]);

	if (r == 0)
		r = keyring_make_next(k, &rows[1]);
	rows[1].state = KEY_CURRENT;
	if (r == 0)
		memcpy(rows_r, rows, sizeof(rows));
	return r;
}

int keyring_rewrap(const struct keyring *from, const struct keyring *to, struct data_key *row)
{
	struct mag_secret clear = { 0 };
	int r = unwrap(from, row, &clear);

	if (r == 0)
		r = wrap(to, row->row.id, &clear, &row->rewrapped);
	mag_secret_free(&clear);
	return r;
}
