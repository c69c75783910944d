/* Finding a want, or a row among the loaded ones, by its key. */
#include <string.h>

#include "otpcore/store/tick.h"

static uint64_t mix_bytes(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u; /* FNV-1a */
	return h;
}

static uint64_t mix_word(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

uint64_t want_mix(const struct want_key *k)
{
	uint64_t h = mix_word(0xcbf29ce484222325u, (uint64_t)k->kind);

	for (size_t i = 0; i < 3; i++)
		h = mix_word(h, (uint64_t)k->i[i]);
	h = mix_bytes(h, k->text, strlen(k->text) + 1);
	h = mix_bytes(h, k->text2, strlen(k->text2));
	if (k->hash != NULL)
		h = mix_bytes(h, k->hash, HASH_LEN);
	return h ^ (h >> 32);
}

static bool equal(const struct want_key *a, const struct want_key *b)
{
	if (a->kind != b->kind || memcmp(a->i, b->i, sizeof a->i) != 0)
		return false;
	if (strcmp(a->text, b->text) != 0 || strcmp(a->text2, b->text2) != 0)
		return false;
	if (a->hash == NULL || b->hash == NULL)
		return a->hash == b->hash;
	return memcmp(a->hash, b->hash, HASH_LEN) == 0;
}

struct want *want_find(struct want_index *x, const struct want_key *k)
{
	uint64_t mixed = want_mix(k);
	struct want *w = x->buckets[mixed % INDEX_BUCKETS];

	while (w != NULL && !(w->mixed == mixed && equal(&w->key, k)))
		w = w->chain;
	return w;
}

void want_insert(struct want_index *x, struct want *w)
{
	struct want **bucket = NULL;

	w->mixed = want_mix(&w->key);
	bucket = &x->buckets[w->mixed % INDEX_BUCKETS];
	w->chain = *bucket;
	*bucket = w;
}

void want_index_clear(struct want_index *x)
{
	arena_reset(&x->arena);
	memset(x->buckets, 0, sizeof x->buckets);
}
