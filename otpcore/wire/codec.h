/* Between codec.c (fields) and frame.c (messages): no part of what callers see. */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "otpcore/wire/wire.h"

struct wire_writer {
	unsigned char *data;
	size_t cap, len;
};

struct wire_reader {
	const unsigned char *data;
	size_t len;
};

/* Big-endian, so many bytes. 0; MAG_ENOSPACE, MAG_EPROTO. */
int wire_put_number(struct wire_writer *w, uint64_t v, unsigned bytes);
int wire_get_number(struct wire_reader *r, unsigned bytes, uint64_t *v_r);

/* A text of at most `max` bytes, in text[max + 1]. 0; MAG_ERANGE, MAG_ENOSPACE; MAG_EPROTO. */
int wire_put_text(struct wire_writer *w, const char *text, size_t max);
int wire_get_text(struct wire_reader *r, char *text, size_t max);

/* The fields of a struct, one after the other. 0; MAG_ERANGE, MAG_ENOSPACE;
 * MAG_EPROTO, MAG_ENOMEM. What a failure leaves in `object` is the caller's to
 * wire_clear(). */
int wire_put_struct(struct wire_writer *w, const struct wire_struct *s, const void *object);
int wire_get_struct(struct wire_reader *r, const struct wire_struct *s, void *object);

#endif
