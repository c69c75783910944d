/* Licence keys as text, and what a licence or a subscription is worth. */
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/number.h"
#include "otpcore/engine/symbols.h"

#define GROUPS    6
#define GROUP_LEN 5
#define DATA_LEN  4 /* characters of a group that carry bits; the fifth checks */
#define SYMBOLS   (GROUPS * GROUP_LEN)

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

void key_groups_format(const unsigned char *random, unsigned groups, char *text_r)
{
	unsigned char data[GROUPS * DATA_LEN], symbols[SYMBOLS], *group = symbols;
	unsigned place;

	symbols_split(random, (size_t)groups * DATA_LEN, data);
	for (place = 1; place <= groups; place++, group += GROUP_LEN) {
		memcpy(group, data + (size_t)(place - 1) * DATA_LEN, DATA_LEN);
		group[DATA_LEN] = (unsigned char)check_symbol(group, place);
	}
	symbols_write(symbols, (size_t)groups * GROUP_LEN, GROUP_LEN, text_r);
	mag_wipe(data, sizeof(data));
	mag_wipe(symbols, sizeof(symbols));
}

void key_format(const unsigned char random[KEY_RANDOM_LEN], char text_r[KEY_TEXT_LEN + 1])
{
	key_groups_format(random, GROUPS, text_r);
}

static bool group_right(const unsigned char group[GROUP_LEN], unsigned place)
{
	unsigned i;

	for (i = 0; i < GROUP_LEN; i++)
		if (group[i] > 31)
			return false;
	return check_symbol(group, place) == group[DATA_LEN];
}

enum verdict key_groups_parse(const char *typed, unsigned groups, char *text_r, unsigned *group_r)
{
	enum verdict verdict = VERDICT_KEY_MISTYPED;
	const size_t n = (size_t)groups * GROUP_LEN;
	unsigned char symbols[SYMBOLS];
	unsigned wrong = 0, place;

	if (!typed || symbols_read(typed, symbols, n) != n)
		goto out;
	for (place = 1; place <= groups && !wrong; place++)
		if (!group_right(symbols + (size_t)(place - 1) * GROUP_LEN, place))
			wrong = place;
	if (wrong)
		goto out;
	symbols_write(symbols, n, GROUP_LEN, text_r);
	verdict = VERDICT_OK;
out:
	*group_r = wrong;
	mag_wipe(symbols, sizeof(symbols));
	return verdict;
}

enum verdict key_parse(const char *typed, char text_r[KEY_TEXT_LEN + 1], unsigned *group_r)
{
	return key_groups_parse(typed, GROUPS, text_r, group_r);
}

int key_hash(const char text[KEY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN])
{
	return crypto_sha256((struct crypto_text){ text, KEY_TEXT_LEN }, hash_r);
}

/* ---- products ---- */

/* What a product takes (K1): bits. */
enum taken { TAKES_US_STATES = 1, TAKES_ALL_BUT_US_STATES = 2, TAKES_TOKEN = 4, TAKES_MOBILE = 8 };
#define TAKES_PHONE (TAKES_US_STATES | TAKES_ALL_BUT_US_STATES)

static const struct product_row {
	enum product product;
	const char *id, *label;
	unsigned takes;
} products[] = {
	{ PRODUCT_PHONE_US, "phone-us", "phone, US numbers", TAKES_US_STATES },
	{ PRODUCT_PHONE_INTL, "phone-intl", "phone, numbers outside the US",
		TAKES_ALL_BUT_US_STATES },
	{ PRODUCT_HARDWARE, "hardware", "hardware token", TAKES_TOKEN },
	{ PRODUCT_MOBILE, "mobile", "mobile app", TAKES_MOBILE },
	{ PRODUCT_MOBILE_HARDWARE, "mobile-hardware", "mobile app and hardware token",
		TAKES_TOKEN | TAKES_MOBILE },
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
	if (!row || !country || !*country || !(row->takes & TAKES_PHONE))
		return false;
	return number_is_us_state(country) == (row->takes == TAKES_US_STATES);
}

bool product_is_phone(enum product p)
{
	const struct product_row *row = product_row(p);

	return row && row->takes & TAKES_PHONE;
}

bool product_takes_token(enum product p)
{
	const struct product_row *row = product_row(p);

	return row && row->takes & TAKES_TOKEN;
}

bool product_takes_mobile(enum product p)
{
	const struct product_row *row = product_row(p);

	return row && row->takes & TAKES_MOBILE;
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

/* ---- licences ---- */

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
