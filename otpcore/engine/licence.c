/* Licence keys as text, and what a licence or a subscription is worth. */
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/number.h"

#define GROUPS    6
#define GROUP_LEN 5
#define DATA_LEN  4 /* characters of a group that carry bits; the fifth checks */
#define SYMBOLS   (GROUPS * GROUP_LEN)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Times x in GF(32), modulo x^5 + x^2 + 1. */
static unsigned gf32_double(unsigned v)
{
	v <<= 1;
	return v & 0x20 ? v ^ 0x25 : v;
}

/* The check symbol of a group: the five symbols have the weights x^4 x^3 x^2 x 1,
 * which are distinct and not zero, so every single wrong symbol and every swap
 * of two shows. The place (1..6) makes swapped groups show. */
static unsigned check_symbol(const unsigned char symbols[DATA_LEN], unsigned place)
{
	unsigned sum = 0, i;

	for (i = 0; i < DATA_LEN; i++)
		sum = gf32_double(sum ^ symbols[i]);
	return sum ^ place;
}

static void write_text(const unsigned char symbols[SYMBOLS], char text_r[KEY_TEXT_LEN + 1])
{
	char *p = text_r;
	unsigned i;

	for (i = 0; i < SYMBOLS; i++) {
		if (i > 0 && i % GROUP_LEN == 0)
			*p++ = '-';
		*p++ = alphabet[symbols[i]];
	}
	*p = '\0';
}

void key_format(const unsigned char random[KEY_RANDOM_LEN], char text_r[KEY_TEXT_LEN + 1])
{
	unsigned char symbols[SYMBOLS], *group = symbols;
	unsigned place, i, bit = 0;

	for (place = 1; place <= GROUPS; place++, group += GROUP_LEN) {
		for (i = 0; i < DATA_LEN; i++, bit += 5) {
			/* Five bits that may lie across two bytes. */
			unsigned pair = (unsigned)random[bit / 8] << 8;

			if (bit / 8 + 1 < KEY_RANDOM_LEN)
				pair |= random[bit / 8 + 1];
			group[i] = (pair >> (11 - bit % 8)) & 31;
		}
		group[DATA_LEN] = (unsigned char)check_symbol(group, place);
	}
	write_text(symbols, text_r);
	mag_wipe(symbols, sizeof(symbols));
}

/* 0..31, or 32 for a character that no key has. */
static unsigned char symbol_of(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	at = strchr(alphabet, c);
	return at ? (unsigned char)(at - alphabet) : 32;
}

/* The symbols of what was typed, dashes and blanks left out: how many there
 * are, counting at most one too many. */
static unsigned read_symbols(const char *typed, unsigned char symbols_r[SYMBOLS])
{
	unsigned n = 0;

	for (; *typed && n <= SYMBOLS; typed++) {
		if (strchr("- \t\r\n", *typed))
			continue;
		if (n < SYMBOLS)
			symbols_r[n] = symbol_of(*typed);
		n++;
	}
	return n;
}

static bool group_right(const unsigned char group[GROUP_LEN], unsigned place)
{
	unsigned i;

	for (i = 0; i < GROUP_LEN; i++)
		if (group[i] > 31)
			return false;
	return check_symbol(group, place) == group[DATA_LEN];
}

enum verdict key_parse(const char *typed, char text_r[KEY_TEXT_LEN + 1], unsigned *group_r)
{
	enum verdict verdict = VERDICT_KEY_MISTYPED;
	unsigned char symbols[SYMBOLS];
	unsigned wrong = 0, place;

	if (!typed || read_symbols(typed, symbols) != SYMBOLS)
		goto out;
	for (place = 1; place <= GROUPS && !wrong; place++)
		if (!group_right(symbols + (place - 1) * GROUP_LEN, place))
			wrong = place;
	if (wrong)
		goto out;
	write_text(symbols, text_r);
	verdict = VERDICT_OK;
out:
	*group_r = wrong;
	mag_wipe(symbols, sizeof(symbols));
	return verdict;
}

int key_hash(const char text[KEY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN])
{
	return crypto_sha256((struct crypto_text){ text, KEY_TEXT_LEN }, hash_r);
}

/* ---- products ---- */

enum phones_taken { TAKES_NO_PHONE, TAKES_US_STATES, TAKES_ALL_BUT_US_STATES };

static const struct product_row {
	enum product product;
	const char *id, *label;
	enum phones_taken phones;
} products[] = {
	{ PRODUCT_PHONE_US, "phone-us", "phone, US numbers", TAKES_US_STATES },
	{ PRODUCT_PHONE_INTL, "phone-intl", "phone, numbers outside the US",
		TAKES_ALL_BUT_US_STATES },
	{ PRODUCT_HARDWARE, "hardware", "hardware token", TAKES_NO_PHONE },
	{ PRODUCT_MOBILE, "mobile", "mobile app", TAKES_NO_PHONE },
	{ PRODUCT_MOBILE_HARDWARE, "mobile-hardware", "mobile app and hardware token",
		TAKES_NO_PHONE },
};

#define N_PRODUCTS (sizeof(products) / sizeof(products[0]))

static const struct product_row *product_row(enum product p)
{
	size_t i;

	for (i = 0; i < N_PRODUCTS; i++)
		if (products[i].product == p)
			return &products[i];
	return NULL;
}

const char *product_id(enum product p)
{
	const struct product_row *row = product_row(p);

	return row ? row->id : "unknown";
}

const char *product_label(enum product p)
{
	const struct product_row *row = product_row(p);

	return row ? row->label : "unknown product";
}

enum product product_from_id(const char *id)
{
	size_t i;

	for (i = 0; id && i < N_PRODUCTS; i++)
		if (mag_streq(products[i].id, id))
			return products[i].product;
	return (enum product)0;
}

bool product_takes_phone(enum product p, const char *country)
{
	const struct product_row *row = product_row(p);

	/* A number whose country is not known fits no product. */
	if (!row || !country || !*country || row->phones == TAKES_NO_PHONE)
		return false;
	return number_is_us_state(country) == (row->phones == TAKES_US_STATES);
}

/* ---- dates ---- */

static bool leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int64_t licence_expiry(int64_t from, int years)
{
	time_t at = (time_t)from;
	struct tm tm;

	/* A time that has no date ends where it began: expired at once. */
	if (years < 0 || years > 100 || !localtime_r(&at, &tm))
		return from;
	tm.tm_year += years;
	if (tm.tm_mon == 1 && tm.tm_mday == 29 && !leap_year(tm.tm_year + 1900))
		tm.tm_mday = 28;
	tm.tm_hour = 23;
	tm.tm_min = 59;
	tm.tm_sec = 59;
	tm.tm_isdst = -1; /* that day's own */
	at = mktime(&tm);
	return at == (time_t)-1 ? from : (int64_t)at;
}

/* ---- licences and subscriptions ---- */

enum verdict licence_judge(const struct licence *row, int64_t account)
{
	if (!row || row->row.id == 0 || row->row.fate == ROW_DELETED)
		return VERDICT_KEY_UNKNOWN;
	if (account == 0)
		return VERDICT_ACCOUNT_UNKNOWN;
	if (row->state == LICENCE_USED)
		return VERDICT_KEY_USED;
	if (row->state != LICENCE_FREE)
		return VERDICT_KEY_UNKNOWN;
	/* Set aside for somebody else (K2: exactly one account). */
	if (row->account != 0 && row->account != account)
		return VERDICT_KEY_USED;
	return VERDICT_OK;
}

bool subscription_active(const struct subscription *s, int64_t now)
{
	if (!s || s->row.fate == ROW_DELETED || s->state != SUBSCRIPTION_ACTIVE)
		return false;
	return now <= s->expires_at; /* the last second of the last day still counts */
}

struct subscription *subscription_for_phone(struct aggregate *a, const char *country, int64_t now)
{
	struct subscription *found = NULL;
	size_t i;

	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!subscription_active(s, now) ||
			!product_takes_phone((enum product)s->product, country))
			continue;
		if (!found || s->expires_at > found->expires_at)
			found = s;
	}
	return found;
}

const char *licence_state_id(int64_t state)
{
	static const char *const ids[] = {
		[LICENCE_FREE] = "free",
		[LICENCE_HELD] = "held",
		[LICENCE_USED] = "used",
		[LICENCE_VOID] = "void",
	};

	return state >= LICENCE_FREE && state <= LICENCE_VOID ? ids[state] : "unknown";
}
