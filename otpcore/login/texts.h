/* What people read during a login. A text is an id; its words stand in one
 * table per language, so that another language is another table.
 *
 * Rules (tests hold them): ASCII; the first line of a prompt <= 48 columns
 * (ssh puts "(user@host) " before it), every line <= 80, a prompt <= 511 bytes;
 * its last line ends in "code: ", "for N: " or "Choice: ". The short form, for
 * greeters that cut long prompts, is one line of <= 31 columns. */
#ifndef LOGIN_TEXTS_H
#define LOGIN_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include "otpcore/base/buf.h"

#define TEXT_COLUMNS       80
#define TEXT_FIRST_COLUMNS 48
#define TEXT_SHORT_COLUMNS 31
#define TEXT_PROMPT_MAX    511

enum text {
#define TEXT(name, separate, brief) TEXT_##name,
#include "otpcore/login/texts.def"
#undef TEXT
	TEXT_N
};

/* What stands in place of {user}, {to} ... Unset texts are "". */
struct text_args {
	const char *user;
	const char *masked;  /* last four digits; "" where they may not be seen */
	unsigned ref;        /* of the phone, said instead of digits */
	const char *other;   /* channel that the phone takes too: sms voice, or NULL */
	const char *channel; /* now */
	const char *items, *first, *last;
	const char *menu;  /* the key that leads away from a code prompt; NULL: "m menu" */
	const char *state; /* of a token: locked suspended */
	unsigned n, count, digits, tries;
	uint32_t seconds;
};

/* Appends text `id` with its places filled in. */
void text_put(struct mag_buf *out, enum text id, bool brief, const struct text_args *args);

/* The words of a text as they stand in the table (tests). */
const char *text_words(enum text id, bool brief);

/* "74 seconds", "2 minutes", "3 hours"; rounded up from two minutes on. */
char *text_duration(uint32_t seconds, char *buf, size_t cap);

/* The line for a notice of the broker (login.wire); nothing for one that is not about
 * a phone or token that can't be used. */
void text_put_notice(struct mag_buf *out, const char *id, const char *what);

/* "Token 3401"; "Your app"; "Your token" where nothing may be seen. */
#define TEXT_APP "app" /* what the broker calls it in a notice */
const char *text_token(const char *what, char *buf, size_t cap);

/* Appends words broken at blanks so that no line is wider than 80, then '\n'. */
void text_put_wrapped(struct mag_buf *out, const char *words);

#endif
