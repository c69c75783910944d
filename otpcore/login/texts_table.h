/* What texts.awk makes of po/: a table per language. */
#ifndef LOGIN_TEXTS_TABLE_H
#define LOGIN_TEXTS_TABLE_H

#include "otpcore/login/texts.h"

struct text_words {
	const char *separate, *brief; /* NULL: not translated */
};

/* Ends in a tag of NULL. */
struct text_table {
	const char *tag;                /* "de" */
	const struct text_words *words; /* TEXT_N */
};
extern const struct text_table text_tables[];

#endif
