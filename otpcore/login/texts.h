/* What people read during a login. A text is an id; its words stand in one
 * table per language: English in texts.def, the others in po/, compiled by
 * texts.awk. What is not translated is said in English.
 *
 * Rules (tests hold them): the first line of a prompt <= 48 columns (ssh puts
 * "(user@host) " before it), every line <= 80, a prompt <= 511 bytes, all of it
 * UTF-8. English is ASCII, and its last line ends in "code: ", "for N: " or
 * "Choice: "; that is a contract for programs, of English alone. The short form,
 * for greeters that cut long prompts, is one line of <= 31 columns. */
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

/* A language, as an index; whatever was made as zero speaks English. */
enum { TEXT_ENGLISH = 0 };

/* "de", "de_AT.UTF-8", "DE-at": the first part counts. English if it is not spoken. */
unsigned text_language(const char *tag);
/* "en", "de" ...; NULL behind the last. */
const char *text_language_tag(unsigned language);

/* What stands in place of {user}, {to} ... Unset texts are "". */
struct text_args {
	unsigned language;
	const char *user;
	const char *masked;  /* last four digits; "" where they may not be seen */
	unsigned ref;        /* of the phone, said instead of digits */
	const char *other;   /* channel that the phone takes too: sms voice; qr: a picture; NULL */
	const char *channel; /* now */
	const char *first, *last;
	enum text menu;    /* the key that leads away from a code prompt; 0: TEXT_KEY_MENU */
	bool is_default;   /* the factor that Enter takes */
	const char *state; /* of a token: locked suspended */
	const char *service, *host, *require, *has, *what, *help; /* of refusals */
	unsigned n, count, digits, tries;
	uint32_t seconds;
};

/* Appends text `id` with its places filled in. */
void text_put(struct mag_buf *out, enum text id, bool brief, const struct text_args *args);

/* The words of a text as they stand in the language's table, or else in English. */
const char *text_words(unsigned language, enum text id, bool brief);
/* Is it translated? (tests) */
bool text_is_there(unsigned language, enum text id, bool brief);

/* "74 seconds", "2 minutes", "3 hours"; rounded up from two minutes on. */
char *text_duration(unsigned language, uint32_t seconds, char *buf, size_t cap);

/* The line for a notice of the broker (login.wire); nothing for one that is not about
 * a phone or token that can't be used. */
void text_put_notice(struct mag_buf *out, unsigned language, const char *id, const char *what);

/* "Token 3401"; "Your app"; "Your token" where nothing may be seen. */
#define TEXT_APP "app" /* what the broker calls it in a notice */
const char *text_token(unsigned language, const char *what, char *buf, size_t cap);

/* The sentence for a verdict; with `seconds` it says when to try again. Nothing for
 * verdicts that no login ends with. */
enum text text_of_verdict(unsigned verdict, bool seconds);

/* How many columns a terminal needs for `len` bytes of UTF-8. */
size_t text_columns(const char *s, size_t len);

/* Appends words broken so that no line is wider than 80, then '\n': at blanks, and
 * after the characters of scripts that have none. */
void text_put_wrapped(struct mag_buf *out, const char *words);

#endif
