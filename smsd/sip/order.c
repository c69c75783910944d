/* The rows of an order. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "smsd/sip/order.h"

#define LINE_LEN 512
#define LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define HOST     LETTERS DIGITS ".:[]-"
#define NAME     LETTERS DIGITS "._+-"

/* Printable, without what ends a value in a line of baresip's accounts. */
#define PASSWORD LETTERS DIGITS "!#$%&'()*+-./:=?@[]^_{|}~"
#define PATH     LETTERS DIGITS "/._+-"

struct row {
	const char *name, *allowed;
	size_t offset, size;
	int64_t min, max; /* of a number; 0 and 0: it is text */
	bool needed;
};

#define AT(field) offsetof(struct sip_order, field), sizeof(((struct sip_order *)0)->field)
static const struct row rows[] = {
	{ "To", "+" DIGITS, AT(to), 0, 0, true },
	{ "Code", DIGITS, AT(code), 0, 0, true },
	{ "Language", NAME, AT(language), 0, 0, false },
	{ "Voice", PATH, AT(voice), 0, 0, true },
	{ "Server", HOST, AT(server), 0, 0, true },
	{ "Domain", HOST, AT(domain), 0, 0, true },
	{ "Username", NAME, AT(username), 0, 0, true },
	{ "From", NAME, AT(from), 0, 0, true },
	{ "Password", PASSWORD, AT(password), 0, 0, false },
	{ "Transport", LETTERS, AT(transport), 0, 0, true },
	{ "Interface", HOST "_", AT(interface), 0, 0, false },
	{ "Register", LETTERS, AT(registers), 0, 0, true },
	{ "Repeats", DIGITS, AT(repeats), 2, 5, true },
	{ "Pause", DIGITS, AT(pause_ms), 1, 5000, true },
	{ "Ring", DIGITS, AT(ring_ms), 1, 120000, true },
	{ "Key-Wait", DIGITS, AT(key_wait_ms), 0, 120000, true },
	{ "Timeout", DIGITS, AT(timeout_ms), 1, 300000, true },
};
#define ROWS (sizeof rows / sizeof *rows)

static const struct row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static int set(const struct row *row, const char *text, struct sip_order *o)
{
	char *field = (char *)o + row->offset;

	if (text[strspn(text, row->allowed)] != '\0')
		return MAG_ESYNTAX;
	if (row->max)
		return mag_int_parse(text, row->min, row->max, (int64_t *)(void *)field);
	return mag_copy(field, row->size, text) < 0 ? MAG_ERANGE : 0;
}

static int take_line(char *line, struct sip_order *o, bool seen[ROWS])
{
	char *colon = strstr(line, ": ");
	const struct row *row;

	if (!colon || !(row = find(line, (size_t)(colon - line))) || seen[row - rows])
		return MAG_ESYNTAX;
	seen[row - rows] = true;
	return set(row, colon + 2, o);
}

int sip_order_read(FILE *in, struct sip_order *order_r)
{
	bool seen[ROWS] = { false };
	char line[LINE_LEN];
	int r = 0;

	memset(order_r, 0, sizeof *order_r);
	while (r == 0 && fgets(line, sizeof line, in)) {
		size_t len = strcspn(line, "\n");

		if (line[len] != '\n')
			r = MAG_ESYNTAX;
		line[len] = '\0';
		if (r == 0)
			r = take_line(line, order_r, seen);
	}
	mag_wipe(line, sizeof line);
	for (size_t i = 0; i < ROWS && r == 0; i++)
		if (rows[i].needed && !seen[i])
			r = MAG_ESYNTAX;
	return r;
}

int sip_order_check(const char *name, const char *text)
{
	static struct sip_order nowhere;
	const struct row *row = find(name, strlen(name));
	int r = row ? set(row, text, &nowhere) : MAG_ENOTFOUND;

	mag_wipe(&nowhere, sizeof nowhere);
	return r;
}
