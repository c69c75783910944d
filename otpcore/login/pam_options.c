#include "otpcore/login/pam_options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

enum kind { KIND_FLAG, KIND_TEXT, KIND_WORD, KIND_CHOICE, KIND_INT, KIND_NOTHING, KIND_NULLOK };

static const char *const first_words[] = { "stack", "publickey", NULL };
static const char *const echo_words[] = { "auto", "on", "off", NULL };
static const char *const down_words[] = { "deny", "allow", NULL };
static const char *const mode_words[] = { "separate", "short", "combined", "none", NULL };

#define AT(field) offsetof(struct options, field)

/* TEXT and WORD (one of `words`) fill a const char *, CHOICE the index of the
 * word and INT a number up to `max` in an int, FLAG a bool. */
static const struct row {
	const char *name;
	enum kind kind;
	size_t at;
	const char *const *words;
	int max;
} rows[] = {
	{ "require", KIND_TEXT, AT(require), NULL, 0 },
	{ "level", KIND_INT, AT(level), NULL, 3 },
	{ "first", KIND_CHOICE, AT(first), first_words, 0 },
	{ "prompt_password", KIND_FLAG, AT(prompt_password), NULL, 0 },
	{ "password_service", KIND_TEXT, AT(password_service), NULL, 0 },
	{ "mode", KIND_WORD, AT(mode), mode_words, 0 },
	{ "echo", KIND_CHOICE, AT(echo), echo_words, 0 },
	{ "broker_down", KIND_CHOICE, AT(broker_down), down_words, 0 },
	{ "listed_only", KIND_FLAG, AT(listed_only), NULL, 0 },
	{ "service", KIND_TEXT, AT(service), NULL, 0 },
	{ "socket", KIND_TEXT, AT(socket), NULL, 0 },
	{ "timeout", KIND_INT, AT(timeout), NULL, 60 },
	{ "debug", KIND_FLAG, AT(debug), NULL, 0 },
	{ "nullok", KIND_NULLOK, AT(unenrolled), NULL, 0 },
	{ "try_first_pass", KIND_NOTHING, 0, NULL, 0 },
	{ "use_first_pass", KIND_NOTHING, 0, NULL, 0 },
};
#define N_ROWS (sizeof rows / sizeof *rows)

static const struct row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strlen(rows[i].name) == len && !strncmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

static int unknown(const char *argument, size_t len, char *err)
{
	const char *names[N_ROWS + 1];
	char name[64], shown[64];
	for (size_t i = 0; i < N_ROWS; i++)
		names[i] = rows[i].name;
	names[N_ROWS] = NULL;
	snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), argument);
	const char *near = mag_nearest(name, names);
	mag_clean(shown, sizeof shown, name);
	snprintf(err, OPTIONS_ERROR_MAX, "unknown option \"%s\"%s%s%s", shown,
		near ? "; is \"" : "", near ? near : "", near ? "\" meant?" : "");
	return MAG_ESYNTAX;
}

static int bad_value(const struct row *row, const char *value, char *err)
{
	char shown[64], text[96];
	struct mag_buf words = MAG_BUF(text);
	for (const char *const *w = row->words; w && *w; w++)
		mag_buf_printf(&words, "%s%s", w == row->words ? "" : ", ", *w);
	if (row->kind == KIND_INT)
		mag_buf_printf(&words, "a number from 1 to %d", row->max);
	else if (row->kind == KIND_TEXT)
		mag_buf_puts(&words, "a value");
	else if (!row->words)
		mag_buf_puts(&words, "no value");
	snprintf(err, OPTIONS_ERROR_MAX, "option %s=\"%s\": it takes %s", row->name,
		mag_clean(shown, sizeof shown, value), text);
	return MAG_ESYNTAX;
}

static int index_of(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (mag_streq(words[i], word))
			return i;
	return -1;
}

/* value NULL: there was no '='. */
static int set(const struct row *row, const char *value, struct options *o)
{
	char *place = (char *)o + row->at;
	int64_t number;

	switch (row->kind) {
	case KIND_FLAG:
		if (value)
			return MAG_ESYNTAX;
		*(bool *)place = true;
		return 0;
	case KIND_NOTHING:
		return value ? MAG_ESYNTAX : 0;
	case KIND_NULLOK:
		if (value)
			return MAG_ESYNTAX;
		*(const char **)place = "allow";
		return 0;
	case KIND_INT:
		if (!value || mag_int_parse(value, 1, row->max, &number))
			return MAG_ESYNTAX;
		*(int *)place = (int)number;
		return 0;
	case KIND_CHOICE:
		if (!value || index_of(row->words, value) < 0)
			return MAG_ESYNTAX;
		*(int *)place = index_of(row->words, value);
		return 0;
	case KIND_WORD:
		if (!value || index_of(row->words, value) < 0)
			return MAG_ESYNTAX;
		*(const char **)place = value;
		return 0;
	case KIND_TEXT:
		if (!value || !*value)
			return MAG_ESYNTAX;
		*(const char **)place = value;
		return 0;
	}
	return MAG_ESYNTAX;
}

int options_parse(int argc, const char **argv, struct options *o_r, char err[OPTIONS_ERROR_MAX])
{
	struct options o = { .password_service = "magotp-password" };
	unsigned seen = 0;

	for (int i = 0; i < argc; i++) {
		size_t len = strcspn(argv[i], "=");
		const char *value = argv[i][len] ? argv[i] + len + 1 : NULL;
		const struct row *row = find(argv[i], len);
		if (!row)
			return unknown(argv[i], len, err);
		unsigned bit = 1u << (row - rows);
		if (seen & bit) {
			snprintf(err, OPTIONS_ERROR_MAX, "option \"%s\" is given twice", row->name);
			return MAG_ESYNTAX;
		}
		seen |= bit;
		if (set(row, value, &o))
			return bad_value(row, value ? value : "", err);
	}
	*o_r = o;
	return 0;
}
