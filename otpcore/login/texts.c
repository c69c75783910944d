#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/login/texts.h"

struct words {
	const char *separate, *brief;
};

static const struct words english[TEXT_N] = {
#define TEXT(name, separate, brief) { separate, brief },
#include "otpcore/login/texts.def"
#undef TEXT
};

/* A user name has to leave room in the first line. */
#define USER_COLUMNS 30
#define NAME_COLUMNS 20

static void put_cut(struct mag_buf *out, const char *user, size_t columns)
{
	char name[USER_COLUMNS + 1];
	mag_clean(name, columns + 1, user);
	mag_buf_puts(out, name);
	if (strlen(user ? user : "") > columns)
		mag_buf_puts(out, "..");
}

static void put_user(struct mag_buf *out, const struct text_args *a)
{
	put_cut(out, a->user, USER_COLUMNS);
}

static void put_name(struct mag_buf *out, const struct text_args *a)
{
	put_cut(out, a->user, NAME_COLUMNS);
}

static void put_menu(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_puts(out, a->menu ? a->menu : "m menu");
}

static void put_text(struct mag_buf *out, const char *s)
{
	if (s)
		mag_buf_puts(out, s);
}

/* Digits are not said to programs that are not root's: then the phone is known
 * by its place in the account. */
static bool has_digits(const struct text_args *a)
{
	return a->masked && *a->masked;
}

static void put_masked(struct mag_buf *out, const struct text_args *a)
{
	if (has_digits(a))
		mag_buf_puts(out, a->masked);
	else
		mag_buf_printf(out, "%u", a->ref);
}

static void put_to(struct mag_buf *out, const struct text_args *a)
{
	if (has_digits(a))
		mag_buf_puts(out, a->masked);
	else
		mag_buf_printf(out, "p%u", a->ref);
}

static void put_phone(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_puts(out, "phone ");
	put_masked(out, a);
}

static void put_phone_first(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_puts(out, "Phone ");
	put_masked(out, a);
}

static void put_ending(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_puts(out, has_digits(a) ? "phone ending " : "phone ");
	put_masked(out, a);
}

/* "v voice call, ", "t text, " or nothing: what this phone takes besides. */
static void put_keys(struct mag_buf *out, const struct text_args *a)
{
	if (!a->other)
		return;
	mag_buf_puts(out, mag_streq(a->other, "voice") ? "v voice call, " : "t text, ");
}

static void put_resend(struct mag_buf *out, const struct text_args *a)
{
	(void)a;
	mag_buf_puts(out, "r resend, ");
}

static void put_time(struct mag_buf *out, const struct text_args *a)
{
	char buf[48];
	mag_buf_puts(out, text_duration(a->seconds, buf, sizeof buf));
}

static void put_tries(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_printf(out, "%u %s", a->tries, a->tries == 1 ? "try" : "tries");
}

static void put_default(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->last);
}

static void put_first(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->first);
}

static void put_n(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_printf(out, "%u", a->n);
}

static void put_count(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_printf(out, "%u", a->count);
}

static void put_digits(struct mag_buf *out, const struct text_args *a)
{
	mag_buf_printf(out, "%u", a->digits);
}

static void put_token(struct mag_buf *out, const struct text_args *a)
{
	char buf[32];
	mag_buf_puts(out, text_token(a->masked, buf, sizeof buf));
}

static void put_state(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->state);
}

static const struct {
	const char *name;
	void (*put)(struct mag_buf *out, const struct text_args *a);
} places[] = {
	{ "user", put_user }, { "name", put_name }, { "last", put_default }, /* any text */
	{ "menu", put_menu },                                                /* m menu */
	{ "masked", put_masked },                                            /* 0134 */
	{ "to", put_to },                                                    /* 0134, or p1 */
	{ "phone", put_phone },                                              /* phone 0134 */
	{ "Phone", put_phone_first }, { "ending", put_ending },              /* phone ending 0134 */
	{ "keys", put_keys }, { "resend", put_resend }, { "time", put_time },
	{ "tries", put_tries },     /* 2 tries */
	{ "default", put_default }, /* " (default)" */
	{ "first", put_first }, { "n", put_n }, { "count", put_count }, { "digits", put_digits },
	{ "state", put_state }, /* locked */
	{ "Token", put_token }, /* Token 3401, Your app */
};

static void put_place(
	struct mag_buf *out, const char *name, size_t len, const struct text_args *args)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strlen(places[i].name) == len && !strncmp(places[i].name, name, len))
			places[i].put(out, args);
}

const char *text_words(enum text id, bool brief)
{
	if ((unsigned)id >= TEXT_N)
		return "";
	return brief ? english[id].brief : english[id].separate;
}

void text_put(struct mag_buf *out, enum text id, bool brief, const struct text_args *args)
{
	const char *s = text_words(id, brief);
	while (*s) {
		size_t plain = strcspn(s, "{");
		mag_buf_putn(out, s, plain);
		s += plain;
		if (!*s)
			break;
		size_t name = strcspn(++s, "}");
		put_place(out, s, name, args);
		s += name + (s[name] == '}');
	}
}

char *text_duration(uint32_t seconds, char *buf, size_t cap)
{
	uint32_t n = seconds;
	const char *unit = "second";
	if (seconds >= 7200) {
		n = (seconds - 1) / 3600 + 1;
		unit = "hour";
	} else if (seconds >= 120) {
		n = (seconds - 1) / 60 + 1;
		unit = "minute";
	}
	snprintf(buf, cap, "%u %s%s", (unsigned)n, unit, n == 1 ? "" : "s");
	return buf;
}

void text_put_wrapped(struct mag_buf *out, const char *words)
{
	size_t column = 0;
	const char *s = words + strspn(words, " ");
	while (*s) {
		size_t len = strcspn(s, " \n");
		size_t take = len > TEXT_COLUMNS ? TEXT_COLUMNS : len;
		if (column && column + 1 + take > TEXT_COLUMNS) {
			mag_buf_puts(out, "\n");
			column = 0;
		}
		if (column) {
			mag_buf_puts(out, " ");
			column++;
		}
		mag_buf_putn(out, s, take);
		column += take;
		s += take;
		s += strspn(s, " \n");
	}
	mag_buf_puts(out, "\n");
}
