/* A text that is built in memory of a fixed size and remembers when it did not
 * fit. Always ends in NUL. */
#ifndef MAG_BUF_H
#define MAG_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct mag_buf {
	char *data;
	size_t cap; /* with the NUL; at least 1 */
	size_t len;
	bool overflow; /* sticky: something was cut */
};

/* For an array on the stack; empties it. */
#define MAG_BUF(array)                                                                             \
	{                                                                                          \
		((array)[0] = '\0', (array)), sizeof(array), 0, false                              \
	}

void mag_buf_init(struct mag_buf *b, char *data, size_t cap);
void mag_buf_reset(struct mag_buf *b);
void mag_buf_puts(struct mag_buf *b, const char *s);
void mag_buf_putn(struct mag_buf *b, const char *s, size_t len);
void mag_buf_printf(struct mag_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mag_buf_vprintf(struct mag_buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* 0, or MAG_ENOSPACE if something was cut. */
int mag_buf_error(const struct mag_buf *b);

#endif
