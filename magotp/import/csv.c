/* Every fault is told, not only the first; nothing is kept when there is one. */
#include "magotp/import/csv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define FIELDS     6
#define LINE_BYTES 1024
#define SECRET_MIN 16 /* RFC 4226 §4, R6 */
#define SECRET_MAX 64

enum field { SERIAL, TYPE, SECRET, DIGITS, MOVING, ALGORITHM };
static const char *const names[FIELDS] = { "serial", "type", "secret", "digits", "counter|step",
	"algorithm" };

struct reader {
	const struct csv_faults *faults;
	struct import_list list;
	size_t row;
	bool bad;
};

static void fault(struct reader *rd, size_t row, const char *column, const char *what)
{
	rd->bad = true;
	rd->faults->tell(rd->faults->arg, row, column, what);
}

void import_list_free(struct import_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		mag_secret_free(&l->seeds[i].seed.secret);
	free(l->seeds);
	memset(l, 0, sizeof *l);
}

/* ---- secrets ---- */

/* RFC 4648 §6, padding optional, either case. 0 or MAG_ESYNTAX, MAG_ENOSPACE. */
static int base32_decode(const char *text, unsigned char *out, size_t cap, size_t *len_r)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	size_t len = 0, n = strcspn(text, "="), held = 0;

	if (!n || text[n + strspn(text + n, "=")])
		return MAG_ESYNTAX;
	for (size_t i = 0; i < n; i++) {
		char upper = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
		const char *at = upper ? strchr(alphabet, upper) : NULL;

		if (!at)
			return MAG_ESYNTAX;
		bits = bits << 5 | (uint32_t)(at - alphabet);
		held += 5;
		if (held < 8)
			continue;
		held -= 8;
		if (len == cap)
			return MAG_ENOSPACE;
		out[len++] = (unsigned char)(bits >> held);
	}
	/* What is left over is less than a character's worth, and zero. */
	if (held >= 5 || (bits & ((1u << held) - 1)))
		return MAG_ESYNTAX;
	*len_r = len;
	return 0;
}

/* Hex digits only, an even number of them, are hex: base32 of that shape does
 * not come out of 16 random bytes. */
static const char *take_secret(const char *text, struct mag_secret *secret_r)
{
	unsigned char raw[SECRET_MAX + 1];
	const char *what = NULL;
	size_t len = 0, n = strlen(text);
	int r;

	if (n % 2 == 0 && strspn(text, "0123456789abcdefABCDEF") == n)
		r = mag_hex_decode(text, raw, sizeof raw, &len);
	else
		r = base32_decode(text, raw, sizeof raw, &len);
	if (r == MAG_ENOSPACE || len > SECRET_MAX)
		what = "longer than 64 bytes";
	else if (r)
		what = "neither hex nor base32";
	else if (len < SECRET_MIN)
		what = "shorter than 16 bytes";
	else if (mag_secret_set(secret_r, raw, len))
		what = "out of memory";
	mag_wipe(raw, sizeof raw);
	return what;
}

/* ---- the other columns; NULL or what is wrong ---- */

static const char *take_serial(const char *text, struct wire_seed *s)
{
	if (!*text)
		return "missing";
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return "holds other than printable ASCII characters";
	return mag_copy(s->serial, sizeof s->serial, text) ? "longer than 64 characters" : NULL;
}

static const char *take_type(const char *text, struct wire_seed *s)
{
	s->type = strcasecmp(text, "hotp") == 0   ? SEED_HOTP
		  : strcasecmp(text, "totp") == 0 ? SEED_TOTP
						  : 0;
	return s->type ? NULL : "neither hotp nor totp";
}

static const char *take_digits(const char *text, struct wire_seed *s)
{
	int64_t digits;

	if (mag_int_parse(text, 6, 8, &digits))
		return "not 6, 7 or 8";
	s->digits = (uint32_t)digits;
	return NULL;
}

static const char *take_moving(const char *text, struct wire_seed *s)
{
	int64_t n;

	if (!*text)
		return s->type == SEED_TOTP ? "the step is missing" : "the counter is missing";
	if (s->type == SEED_TOTP) {
		if (mag_int_parse(text, 30, 60, &n) || (n != 30 && n != 60))
			return "a step is 30 or 60 seconds";
		s->period = (uint32_t)n;
		return NULL;
	}
	if (mag_int_parse(text, 0, INT64_MAX / 2, &n))
		return "not a counter";
	s->counter = n;
	return NULL;
}

static const char *take_algorithm(const char *text, struct wire_seed *s)
{
	static const struct {
		const char *name;
		uint32_t algorithm;
	} known[] = { { "sha1", 1 }, { "sha-1", 1 }, { "sha256", 2 }, { "sha-256", 2 },
		{ "sha512", 3 }, { "sha-512", 3 } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(text, known[i].name) == 0)
			s->algorithm = known[i].algorithm;
	return s->algorithm ? NULL : "not sha1, sha256 or sha512";
}

/* ---- rows ---- */

/* Cut at commas, in place; quotes around a field and blanks beside it go. The
 * number of fields, at most FIELDS + 1. */
static size_t split(char *line, char *fields[FIELDS + 1])
{
	size_t n = 0;

	for (char *p = line; p && n <= FIELDS; n++) {
		char *end;

		p += strspn(p, " \t");
		if (*p == '"' && (end = strchr(p + 1, '"'))) {
			fields[n] = p + 1;
			*end++ = 0;
		} else {
			fields[n] = end = p;
		}
		p = strchr(end, ',');
		if (p)
			*p++ = 0;
		end = fields[n] + strlen(fields[n]);
		while (end > fields[n] && (end[-1] == ' ' || end[-1] == '\t'))
			*--end = 0;
	}
	return n;
}

/* The name of a column, as far as a bracket: "type(hotp|totp)" is type. */
static bool is_name(const char *text, enum field field)
{
	size_t n = strcspn(text, "(");

	if (field == MOVING && ((n == 7 && strncasecmp(text, "counter", n) == 0) ||
				       (n == 4 && strncasecmp(text, "step", n) == 0)))
		return true;
	return n == strlen(names[field]) && strncasecmp(text, names[field], n) == 0;
}

static void header(struct reader *rd, char *fields[], size_t n)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (i >= n || !is_name(fields[i], (enum field)i)) {
			fault(rd, rd->row, names[i], "not in its place in the header row");
			return;
		}
	if (n > FIELDS)
		fault(rd, rd->row, "", "more columns than the format has");
}

static int add(struct reader *rd, struct import_seed *seed)
{
	struct import_list *l = &rd->list;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct import_seed *seeds = realloc(l->seeds, cap * sizeof *seeds);

		if (!seeds)
			return MAG_ENOMEM;
		l->seeds = seeds;
		l->cap = cap;
	}
	l->seeds[l->n++] = *seed;
	memset(seed, 0, sizeof *seed); /* the list owns the secret now */
	return 0;
}

static int take_row(struct reader *rd, char *fields[], size_t n)
{
	struct import_seed one = { .row = rd->row };
	const char *what[FIELDS];
	int r = 0;

	if (n != FIELDS) {
		fault(rd, rd->row, "",
			n < FIELDS ? "fewer than six columns" : "more than six columns");
		return 0;
	}
	what[SERIAL] = take_serial(fields[SERIAL], &one.seed);
	what[TYPE] = take_type(fields[TYPE], &one.seed);
	what[SECRET] = take_secret(fields[SECRET], &one.seed.secret);
	what[DIGITS] = take_digits(fields[DIGITS], &one.seed);
	what[MOVING] = what[TYPE] ? NULL : take_moving(fields[MOVING], &one.seed);
	what[ALGORITHM] = take_algorithm(fields[ALGORITHM], &one.seed);
	for (size_t i = 0; i < FIELDS; i++)
		if (what[i])
			fault(rd, rd->row, names[i], what[i]);
	if (!rd->bad && rd->list.n == CSV_SEEDS_MAX)
		fault(rd, rd->row, "", "more tokens than one file may hold");
	else if (!rd->bad)
		r = add(rd, &one);
	mag_secret_free(&one.seed.secret);
	return r;
}

static int take_line(struct reader *rd, char *line, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	char *fields[FIELDS + 1];
	size_t n;

	if (rd->row == 1 && mag_has_prefix(line, bom))
		line += 3, len -= 3;
	if (len != strlen(line)) {
		fault(rd, rd->row, "", "holds a NUL");
		return 0;
	}
	line[strcspn(line, "\r\n")] = 0;
	if (len > LINE_BYTES) {
		fault(rd, rd->row, "", "longer than a row can be");
		return 0;
	}
	if (!line[strspn(line, " \t")] && rd->row > 1)
		return 0;
	n = split(line, fields);
	if (rd->row > 1)
		return take_row(rd, fields, n);
	header(rd, fields, n);
	return 0;
}

/* ---- the whole ---- */

static int by_serial(const void *a, const void *b)
{
	const struct import_seed *const *x = a, *const *y = b;
	int order = strcmp((*x)->seed.serial, (*y)->seed.serial);

	return order ? order : (*x)->row < (*y)->row ? -1 : 1;
}

static int unique(struct reader *rd)
{
	const struct import_seed **sorted;
	size_t n = rd->list.n;

	if (!n)
		return 0;
	sorted = calloc(n, sizeof *sorted);
	if (!sorted)
		return MAG_ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &rd->list.seeds[i];
	qsort(sorted, n, sizeof *sorted, by_serial);
	for (size_t i = 1; i < n; i++)
		if (mag_streq(sorted[i - 1]->seed.serial, sorted[i]->seed.serial))
			fault(rd, sorted[i]->row, names[SERIAL], "is there twice");
	free(sorted);
	return 0;
}

int csv_read(FILE *f, const struct csv_faults *faults, struct import_list *list_r)
{
	struct reader rd = { .faults = faults };
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int r = 0;

	while (!r && (len = getline(&line, &cap, f)) >= 0) {
		rd.row++;
		r = take_line(&rd, line, (size_t)len);
		if (!rd.bad || rd.row > 1)
			continue;
		break; /* with a wrong header every row would be a fault */
	}
	if (!r && ferror(f))
		r = MAG_ESYS;
	if (line)
		mag_wipe(line, cap);
	free(line);
	if (!r && !rd.bad && rd.row == 0)
		fault(&rd, 1, "", "the file is empty");
	else if (!r && !rd.bad && !rd.list.n)
		fault(&rd, rd.row, "", "holds no token");
	if (!r && !rd.bad)
		r = unique(&rd);
	if (!r && rd.bad)
		r = MAG_EINVAL;
	if (r)
		import_list_free(&rd.list);
	else
		*list_r = rd.list;
	return r;
}
