#include <stddef.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/login/texts_table.h"

static const struct english_words {
	char nothing;
#define TEXT(name, separate, brief)                                                                \
	char name##_separate[sizeof(separate)], name##_brief[sizeof(brief)];
#include "otpcore/login/texts.def"
#undef TEXT
} english_words = {
	0,
#define TEXT(name, separate, brief) separate, brief,
#include "otpcore/login/texts.def"
#undef TEXT
};
static const struct text_words english_at[TEXT_N] = {
#define TEXT(name, separate, brief)                                                                \
	{ offsetof(struct english_words, name##_separate),                                         \
		offsetof(struct english_words, name##_brief) },
#include "otpcore/login/texts.def"
#undef TEXT
};
static const struct text_table english = { "en", (const char *)&english_words, english_at };

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

/* Another text, filled from the same. */
static void put_part(struct mag_buf *out, const struct text_args *a, enum text id)
{
	text_put(out, id, false, a);
}

static void put_menu(struct mag_buf *out, const struct text_args *a)
{
	put_part(out, a, a->menu ? a->menu : TEXT_KEY_MENU);
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
	put_part(out, a, TEXT_PHONE);
}

static void put_phone_first(struct mag_buf *out, const struct text_args *a)
{
	put_part(out, a, TEXT_PHONE_FIRST);
}

static void put_ending(struct mag_buf *out, const struct text_args *a)
{
	put_part(out, a, has_digits(a) ? TEXT_PHONE_ENDING : TEXT_PHONE);
}

/* "v voice call, ", "t text, " or nothing: what this phone takes besides. */
static void put_keys(struct mag_buf *out, const struct text_args *a)
{
	if (mag_streq(a->other, "qr"))
		put_part(out, a, TEXT_KEY_QR);
	else if (a->other)
		put_part(out, a, mag_streq(a->other, "voice") ? TEXT_KEY_VOICE : TEXT_KEY_SMS);
}

static void put_resend(struct mag_buf *out, const struct text_args *a)
{
	put_part(out, a, TEXT_KEY_RESEND);
}

static void put_time(struct mag_buf *out, const struct text_args *a)
{
	char buf[48];
	mag_buf_puts(out, text_duration(a->language, a->seconds, buf, sizeof buf));
}

static void put_number(
	struct mag_buf *out, unsigned language, uint32_t n, enum text one, enum text many)
{
	const struct text_args args = { .language = language, .n = n };
	text_put(out, n == 1 ? one : many, false, &args);
}

static void put_tries(struct mag_buf *out, const struct text_args *a)
{
	put_number(out, a->language, a->tries, TEXT_TRIES_1, TEXT_TRIES_N);
}

static void put_default(struct mag_buf *out, const struct text_args *a)
{
	if (a->is_default)
		put_part(out, a, TEXT_DEFAULT);
}

static void put_last(struct mag_buf *out, const struct text_args *a)
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
	char buf[48];
	mag_buf_puts(out, text_token(a->language, a->masked, buf, sizeof buf));
}

static void put_state(struct mag_buf *out, const struct text_args *a)
{
	put_part(out, a,
		mag_streq(a->state, "suspended") ? TEXT_STATE_SUSPENDED : TEXT_STATE_LOCKED);
}

static void put_service(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->service);
}

static void put_host(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->host);
}

static bool known(const char *s)
{
	return s && *s;
}

/* "sshd on web1", or what of it is known. */
static void put_where(struct mag_buf *out, const struct text_args *a)
{
	struct text_args args = *a;
	if (!known(a->service))
		args.service = text_words(a->language, TEXT_THIS_SERVICE, false);
	if (known(a->host))
		put_part(out, &args, TEXT_PLACE);
	else
		put_text(out, args.service);
}

static void put_require(struct mag_buf *out, const struct text_args *a)
{
	if (known(a->require))
		mag_buf_puts(out, a->require);
	else
		put_part(out, a, TEXT_MORE);
}

static void put_has(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->has);
}

static void put_what(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->what);
}

static void put_help(struct mag_buf *out, const struct text_args *a)
{
	put_text(out, a->help);
}

static const struct {
	char name[8];
	void (*put)(struct mag_buf *out, const struct text_args *a);
} places[] = {
	{ "user", put_user },
	{ "name", put_name },         /* alice */
	{ "menu", put_menu },         /* m menu */
	{ "masked", put_masked },     /* 0134 */
	{ "to", put_to },             /* 0134, or p1 */
	{ "phone", put_phone },       /* phone 0134 */
	{ "Phone", put_phone_first }, /* Phone 0134 */
	{ "ending", put_ending },     /* phone ending 0134 */
	{ "keys", put_keys },
	{ "resend", put_resend },   /* "v voice call, ", "r resend, " */
	{ "time", put_time },       /* 74 seconds */
	{ "tries", put_tries },     /* 2 tries */
	{ "default", put_default }, /* " (default)" */
	{ "first", put_first },
	{ "last", put_last }, /* any text */
	{ "n", put_n },
	{ "count", put_count },
	{ "digits", put_digits },
	{ "state", put_state }, /* locked */
	{ "Token", put_token }, /* Token 3401, Your app */
	{ "service", put_service },
	{ "host", put_host },
	{ "place", put_where },     /* sshd on web1 */
	{ "require", put_require }, /* phone-otp, or "more" */
	{ "has", put_has },
	{ "what", put_what }, /* a phone */
	{ "help", put_help },
};

static void put_place(
	struct mag_buf *out, const char *name, size_t len, const struct text_args *args)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strlen(places[i].name) == len && !strncmp(places[i].name, name, len))
			places[i].put(out, args);
}

unsigned text_language(const char *tag)
{
	size_t len = 0;

	while (tag && ((tag[len] | 0x20) >= 'a' && (tag[len] | 0x20) <= 'z'))
		len++;
	for (unsigned i = 0; len && *text_tables[i].tag; i++) {
		const char *own = text_tables[i].tag;
		size_t same = 0;
		while (same < len && own[same] == (tag[same] | 0x20))
			same++;
		if (same == len && !own[same])
			return i + 1;
	}
	return TEXT_ENGLISH;
}

const char *text_language_tag(unsigned language)
{
	const char *tag = language == TEXT_ENGLISH ? english.tag : text_tables[language - 1].tag;
	return *tag ? tag : NULL;
}

/* NULL: not translated. */
static const char *form(const struct text_table *t, enum text id, bool brief)
{
	uint16_t at = brief ? t->at[id].brief : t->at[id].separate;
	return at ? t->words + at : NULL;
}

bool text_is_there(unsigned language, enum text id, bool brief)
{
	return language == TEXT_ENGLISH || !*form(&english, id, brief) ||
	       form(&text_tables[language - 1], id, brief) != NULL;
}

const char *text_words(unsigned language, enum text id, bool brief)
{
	const char *words = NULL;

	if ((unsigned)id >= TEXT_N)
		return "";
	if (language != TEXT_ENGLISH)
		words = form(&text_tables[language - 1], id, brief);
	return words ? words : form(&english, id, brief);
}

void text_put(struct mag_buf *out, enum text id, bool brief, const struct text_args *args)
{
	const char *s = text_words(args->language, id, brief);
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

char *text_duration(unsigned language, uint32_t seconds, char *buf, size_t cap)
{
	struct mag_buf out;

	mag_buf_init(&out, buf, cap);
	if (seconds >= 7200)
		put_number(&out, language, (seconds - 1) / 3600 + 1, TEXT_HOURS_1, TEXT_HOURS_N);
	else if (seconds >= 120)
		put_number(&out, language, (seconds - 1) / 60 + 1, TEXT_MINUTES_1, TEXT_MINUTES_N);
	else
		put_number(&out, language, seconds, TEXT_SECONDS_1, TEXT_SECONDS_N);
	return buf;
}
