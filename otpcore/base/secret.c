#include "otpcore/base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret_pages.h"

void mag_wipe(void *p, size_t len)
{
	if (p != NULL && len > 0)
		explicit_bzero(p, len);
}

void mag_secret_free(struct mag_secret *s)
{
	if (s == NULL)
		return;
	mag_wipe(s->data, s->cap);
	if (!secret_pages_give(s->data))
		free(s->data);
	*s = (struct mag_secret){ 0 };
}

/* Take new memory for `a` followed by `b` and only then give up the old one:
 * either part may lie inside it. realloc(3) would leave a copy behind. */
static int replace(struct mag_secret *s, const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct mag_secret next = { 0 };

	if (a_len > SIZE_MAX / 2 || b_len > SIZE_MAX / 2 - 1)
		return MAG_ENOMEM;
	next.len = a_len + b_len;
	next.cap = next.len + 1;
	next.data = secret_pages_take(next.cap);
	if (next.data == NULL)
		next.data = malloc(next.cap);
	if (next.data == NULL)
		return MAG_ENOMEM;
	if (a_len > 0)
		memcpy(next.data, a, a_len);
	if (b_len > 0)
		memcpy(next.data + a_len, b, b_len);
	next.data[next.len] = 0;
	mag_secret_free(s);
	*s = next;
	return 0;
}

int mag_secret_set(struct mag_secret *s, const void *data, size_t len)
{
	if (len == 0) {
		mag_secret_free(s);
		return 0;
	}
	return replace(s, data, len, NULL, 0);
}

int mag_secret_set_text(struct mag_secret *s, const char *text)
{
	return mag_secret_set(s, text, text == NULL ? 0 : strlen(text));
}

int mag_secret_append(struct mag_secret *s, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	return replace(s, s->data, s->len, data, len);
}

const char *mag_secret_text(const struct mag_secret *s)
{
	return s == NULL || s->data == NULL ? "" : (const char *)s->data;
}

bool mag_equal(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

bool mag_secret_equal(const struct mag_secret *a, const struct mag_secret *b)
{
	return a->len == b->len && mag_equal(a->data, b->data, a->len);
}

int mag_random(void *p, size_t len)
{
	unsigned char *at = p;
	ssize_t n;

	while (len > 0) {
		n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MAG_ESYS;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
