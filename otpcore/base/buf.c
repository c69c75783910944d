#include "otpcore/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"

void mag_buf_init(struct mag_buf *b, char *data, size_t cap)
{
	*b = (struct mag_buf){ data, cap, 0, false };
	b->data[0] = '\0';
}

void mag_buf_reset(struct mag_buf *b)
{
	b->len = 0;
	b->overflow = false;
	b->data[0] = '\0';
}

void mag_buf_putn(struct mag_buf *b, const char *s, size_t len)
{
	size_t room = b->cap - b->len - 1;

	/* Once something was cut nothing may follow it: half a text with an end
	 * that belongs elsewhere reads as if it were whole. */
	if (b->overflow)
		return;
	if (len > room) {
		b->overflow = true;
		len = room;
	}
	memcpy(b->data + b->len, s, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void mag_buf_puts(struct mag_buf *b, const char *s)
{
	if (s != NULL)
		mag_buf_putn(b, s, strlen(s));
}

void mag_buf_vprintf(struct mag_buf *b, const char *fmt, va_list ap)
{
	size_t room = b->cap - b->len;
	int n;

	if (b->overflow)
		return;
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	if (n < 0) {
		b->data[b->len] = '\0';
		b->overflow = true;
	} else if ((size_t)n >= room) {
		b->len = b->cap - 1;
		b->overflow = true;
	} else {
		b->len += (size_t)n;
	}
}

void mag_buf_printf(struct mag_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	mag_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

int mag_buf_error(const struct mag_buf *b)
{
	return b->overflow ? MAG_ENOSPACE : 0;
}
