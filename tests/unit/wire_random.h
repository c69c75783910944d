/* Random objects of any wire struct, by walking its descriptors: tests that use
 * this cover messages that are added later. */
#ifndef WIRE_RANDOM_H
#define WIRE_RANDOM_H

#include <stdint.h>
#include <string.h>

#include "otpcore/wire/wire.h"

/* xorshift64*: the same numbers on every run and machine. */
struct dice {
	uint64_t state; /* not 0 */
};

static inline uint64_t dice_roll(struct dice *d)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return d->state * 2685821657736338717u;
}

static inline size_t dice_below(struct dice *d, size_t n)
{
	return (size_t)((dice_roll(d) >> 16) % n);
}

/* How long the next text, or list, is. */
enum fill { FILL_EMPTY, FILL_RANDOM, FILL_FULL };

static inline size_t random_count(struct dice *d, enum fill fill, size_t max)
{
	return fill == FILL_EMPTY ? 0 : fill == FILL_FULL ? max : dice_below(d, max + 1);
}

static inline void random_text(struct dice *d, char *p, size_t len)
{
	static const char *const wide[] = { "", "a", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x94\x91" };
	size_t at = 0;

	while (at < len) {
		size_t n = 1 + dice_below(d, len - at < 4 ? len - at : 4);

		memcpy(p + at, wide[n], n);
		at += n;
	}
	p[len] = '\0';
}

/* `object` is zeroed before; wire_clear it afterwards. */
static inline void random_struct(
	struct dice *d, const struct wire_struct *s, void *object, enum fill fill)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);
		unsigned char *p = (unsigned char *)object + f->offset;
		size_t n = random_count(d, fill, f->max);
		uint64_t number = fill == FILL_EMPTY ? 0 : dice_roll(d);
		char text[65536];

		switch (f->type) {
		case WIRE_U32:
			memcpy(p, &number, 4);
			break;
		case WIRE_I64:
			memcpy(p, &number, 8);
			break;
		case WIRE_TEXT:
		case WIRE_ACCOUNT:
		case WIRE_SERVICE:
			random_text(d, (char *)p, n);
			break;
		case WIRE_BYTES:
			memcpy(p, &n, sizeof n);
			for (size_t k = 0; k < n; k++)
				p[sizeof n + k] = (unsigned char)dice_roll(d);
			break;
		case WIRE_SECRET:
			random_text(d, text, n);
			if (n > 0)
				mag_secret_set((void *)p, text, n);
			break;
		case WIRE_SEALED:
			for (size_t k = 0; k < n; k++)
				text[k] = (char)dice_roll(d);
			if (n > 0)
				mag_secret_set((void *)p, text, n);
			break;
		case WIRE_LIST:
			memcpy((unsigned char *)object + f->count_offset, &n, sizeof n);
			for (size_t k = 0; k < n; k++)
				random_struct(d, &f->row, p + k * f->row.size, fill);
			break;
		}
	}
}

/* Equal as values: what lies behind the end of a text or list does not count. */
static inline int same_struct(const struct wire_struct *s, const void *a, const void *b)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);
		const unsigned char *p = (const unsigned char *)a + f->offset;
		const unsigned char *q = (const unsigned char *)b + f->offset;
		const struct mag_secret *x = (const void *)p, *y = (const void *)q;
		size_t n, m;
		int same = 1;

		switch (f->type) {
		case WIRE_U32:
			same = memcmp(p, q, 4) == 0;
			break;
		case WIRE_I64:
			same = memcmp(p, q, 8) == 0;
			break;
		case WIRE_TEXT:
		case WIRE_ACCOUNT:
		case WIRE_SERVICE:
			same = strcmp((const char *)p, (const char *)q) == 0;
			break;
		case WIRE_BYTES:
			memcpy(&n, p, sizeof n);
			same = memcmp(p, q, sizeof n + n) == 0;
			break;
		case WIRE_SECRET:
		case WIRE_SEALED:
			same = x->len == y->len &&
			       (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
			break;
		case WIRE_LIST:
			memcpy(&n, (const unsigned char *)a + f->count_offset, sizeof n);
			memcpy(&m, (const unsigned char *)b + f->count_offset, sizeof m);
			same = n == m;
			for (size_t k = 0; same && k < n; k++)
				same = same_struct(
					&f->row, p + k * f->row.size, q + k * f->row.size);
			break;
		}
		if (!same)
			return 0;
	}
	return 1;
}

#endif
