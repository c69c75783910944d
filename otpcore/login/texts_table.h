/* What texts.awk makes of po/: a table per language. */
#ifndef LOGIN_TEXTS_TABLE_H
#define LOGIN_TEXTS_TABLE_H

#include "otpcore/login/texts.h"

/* Where the words of a text begin among all words of its language: 0, where nothing stands,
 * says that they are not translated. No pointers: each would be relocated in every login. */
struct text_words {
	uint16_t separate, brief;
};

/* Ends in an empty tag. */
struct text_table {
	char tag[8];                 /* "de" */
	const char *words;           /* one behind the other */
	const struct text_words *at; /* TEXT_N */
};
extern const struct text_table text_tables[];

#endif
