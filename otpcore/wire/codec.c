/* The codec of fields: walks the descriptors that wire.awk makes (wire.h). What
 * frames are made of is in frame.c. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/wire/codec.h"

/* One row per type: how a field is written and read. `p` is the field. */
struct codec {
	int (*put)(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
		const unsigned char *object);
	int (*get)(struct wire_reader *r, const struct wire_field *f, unsigned char *p,
		unsigned char *object);
};

/* ---- numbers ---- */

int wire_put_number(struct wire_writer *w, uint64_t v, unsigned bytes)
{
	if (w->cap - w->len < bytes)
		return MAG_ENOSPACE;
	while (bytes-- > 0)
		w->data[w->len++] = (unsigned char)(v >> (8 * bytes));
	return 0;
}

int wire_get_number(struct wire_reader *r, unsigned bytes, uint64_t *v_r)
{
	uint64_t v = 0;

	if (r->len < bytes)
		return MAG_EPROTO;
	r->len -= bytes;
	while (bytes-- > 0)
		v = v << 8 | *r->data++;
	*v_r = v;
	return 0;
}

static int put_integer(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	uint64_t v8;
	uint32_t v4;

	(void)object;
	if (f->type == WIRE_U32) {
		memcpy(&v4, p, sizeof v4);
		return wire_put_number(w, v4, sizeof v4);
	}
	memcpy(&v8, p, sizeof v8);
	return wire_put_number(w, v8, sizeof v8);
}

static int get_integer(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	unsigned bytes = f->type == WIRE_U32 ? 4 : 8;
	uint64_t v8;
	uint32_t v4;
	int e = wire_get_number(r, bytes, &v8);

	(void)object;
	if (e < 0)
		return e;
	v4 = (uint32_t)v8;
	memcpy(p, bytes == 4 ? (const void *)&v4 : &v8, bytes);
	return 0;
}

/* ---- bytes behind a u16 length ---- */

static int put_span(struct wire_writer *w, const void *data, size_t len, size_t max)
{
	int e;

	if (len > max)
		return MAG_ERANGE;
	e = wire_put_number(w, len, 2);
	if (e < 0)
		return e;
	if (w->cap - w->len < len)
		return MAG_ENOSPACE;
	if (len > 0)
		memcpy(w->data + w->len, data, len);
	w->len += len;
	return 0;
}

/* The bytes stay in the frame; *data_r is borrowed. */
static int get_span(struct wire_reader *r, size_t max, const unsigned char **data_r, size_t *len_r)
{
	uint64_t len;
	int e = wire_get_number(r, 2, &len);

	if (e < 0)
		return e;
	if (len > max || len > r->len)
		return MAG_EPROTO;
	*data_r = r->data;
	*len_r = (size_t)len;
	r->data += len;
	r->len -= (size_t)len;
	return 0;
}

static int get_clean_span(
	struct wire_reader *r, size_t max, const unsigned char **data_r, size_t *len_r)
{
	int e = get_span(r, max, data_r, len_r);

	if (e < 0)
		return e;
	return mag_utf8_valid((const char *)*data_r, *len_r) ? 0 : MAG_EPROTO;
}

int wire_put_text(struct wire_writer *w, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len > max || !mag_utf8_valid(text, len))
		return MAG_ERANGE;
	return put_span(w, text, len, max);
}

int wire_get_text(struct wire_reader *r, char *text, size_t max)
{
	const unsigned char *data;
	size_t len;
	int e = get_clean_span(r, max, &data, &len);

	if (e < 0)
		return e;
	memcpy(text, data, len);
	text[len] = '\0';
	return 0;
}

static int put_text(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	(void)object;
	return wire_put_text(w, (const char *)p, f->max);
}

static int get_text(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	(void)object;
	return wire_get_text(r, (char *)p, f->max);
}

/* struct { size_t len; unsigned char data[max]; }: nothing lies between the two. */
static int put_bytes(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	size_t len;

	(void)object;
	memcpy(&len, p, sizeof len);
	return put_span(w, p + sizeof len, len, f->max);
}

static int get_bytes(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	const unsigned char *data;
	size_t len;
	int e = get_span(r, f->max, &data, &len);

	(void)object;
	if (e < 0)
		return e;
	memcpy(p, &len, sizeof len);
	memcpy(p + sizeof len, data, len);
	return 0;
}

static int put_sealed(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	const struct mag_secret *s = (const void *)p;

	(void)object;
	return put_span(w, s->data, s->len, f->max);
}

static int put_secret(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	const struct mag_secret *s = (const void *)p;

	if (s->len > 0 && !mag_utf8_valid((const char *)s->data, s->len))
		return MAG_ERANGE;
	return put_sealed(w, f, p, object);
}

static int get_sealed(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	const unsigned char *data;
	size_t len;
	int e = get_span(r, f->max, &data, &len);

	(void)object;
	if (e < 0)
		return e;
	return len > 0 ? mag_secret_set((void *)p, data, len) : 0;
}

static int get_secret(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	struct wire_reader look = *r;
	const unsigned char *data;
	size_t len;
	int e = get_clean_span(&look, f->max, &data, &len);

	return e < 0 ? e : get_sealed(r, f, p, object);
}

/* ---- lists ---- */

static int put_list(struct wire_writer *w, const struct wire_field *f, const unsigned char *p,
	const unsigned char *object)
{
	size_t n;
	int e;

	memcpy(&n, object + f->count_offset, sizeof n);
	if (n > f->max)
		return MAG_ERANGE;
	e = wire_put_number(w, n, 2);
	for (size_t i = 0; e == 0 && i < n; i++)
		e = wire_put_struct(w, &f->row, p + i * f->row.size);
	return e;
}

static int get_list(
	struct wire_reader *r, const struct wire_field *f, unsigned char *p, unsigned char *object)
{
	uint64_t count;
	size_t n;
	int e = wire_get_number(r, 2, &count);

	if (e < 0)
		return e;
	if (count > f->max)
		return MAG_EPROTO;
	/* Set before the rows, so that wire_clear finds what a failure leaves. */
	n = (size_t)count;
	memcpy(object + f->count_offset, &n, sizeof n);
	for (size_t i = 0; e == 0 && i < n; i++)
		e = wire_get_struct(r, &f->row, p + i * f->row.size);
	return e;
}

static const struct codec codecs[] = {
	[WIRE_U32] = { put_integer, get_integer },
	[WIRE_I64] = { put_integer, get_integer },
	[WIRE_TEXT] = { put_text, get_text },
	[WIRE_BYTES] = { put_bytes, get_bytes },
	[WIRE_SECRET] = { put_secret, get_secret },
	[WIRE_SEALED] = { put_sealed, get_sealed },
	[WIRE_LIST] = { put_list, get_list },
	[WIRE_ACCOUNT] = { put_text, get_text },
	[WIRE_SERVICE] = { put_text, get_text },
};

int wire_put_struct(struct wire_writer *w, const struct wire_struct *s, const void *object)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);

		e = codecs[f->type].put(w, f, (const unsigned char *)object + f->offset, object);
	}
	return e;
}

int wire_get_struct(struct wire_reader *r, const struct wire_struct *s, void *object)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);

		e = codecs[f->type].get(r, f, (unsigned char *)object + f->offset, object);
	}
	return e;
}

/* ---- one struct ---- */

int wire_encode_struct(const struct wire_struct *s, const void *object, unsigned char *out,
	size_t cap, size_t *len_r)
{
	struct wire_writer w = { out, cap, 0 };
	int e = wire_put_struct(&w, s, object);

	if (e == 0)
		*len_r = w.len;
	else
		mag_wipe(out, w.len); /* half a message may hold a secret */
	return e;
}

int wire_decode_struct(
	const struct wire_struct *s, const unsigned char *in, size_t len, void *object)
{
	struct wire_reader r = { in, len };
	int e = wire_get_struct(&r, s, object);

	if (e == 0 && r.len > 0)
		e = MAG_EPROTO;
	if (e < 0)
		wire_clear(s, object);
	return e;
}

/* Secrets first, while the counts of lists still say where they are. */
static void free_secrets(const struct wire_struct *s, unsigned char *object)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);
		size_t n = 0;

		if (f->type == WIRE_SECRET || f->type == WIRE_SEALED)
			mag_secret_free((void *)(object + f->offset));
		if (f->type == WIRE_LIST)
			memcpy(&n, object + f->count_offset, sizeof n);
		for (size_t k = 0; k < n && k < f->max; k++)
			free_secrets(&f->row, object + f->offset + k * f->row.size);
	}
}

void wire_clear(const struct wire_struct *s, void *object)
{
	if (object == NULL)
		return;
	free_secrets(s, object);
	mag_wipe(object, s->size);
}

void wire_free(const struct wire_struct *s, void **object)
{
	if (*object == NULL)
		return;
	wire_clear(s, *object);
	free(*object);
	*object = NULL;
}
