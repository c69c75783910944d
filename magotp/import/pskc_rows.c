/* What libpskc makes of the file, checked and written as CSV (csv.h). */
#include <pskc/pskc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define URN "urn:ietf:params:xml:ns:keyprov:pskc:"

struct row {
	const char *serial, *id, *algorithm;
	const unsigned char *secret;
	size_t secret_len;
	int totp;
	uint32_t digits;
	uint64_t moving; /* counter or step */
};

static const char *algorithm(pskc_key_t *key)
{
	static const char *const known[][2] = { { "HMAC-SHA1", "sha1" }, { "HMAC-SHA-1", "sha1" },
		{ "SHA1", "sha1" }, { "HMAC-SHA256", "sha256" }, { "HMAC-SHA-256", "sha256" },
		{ "SHA256", "sha256" }, { "HMAC-SHA512", "sha512" }, { "HMAC-SHA-512", "sha512" },
		{ "SHA512", "sha512" } };
	const char *suite = pskc_get_key_algparm_suite(key);

	if (!suite || !*suite)
		return "sha1";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(suite, known[i][0]) == 0)
			return known[i][1];
	return NULL;
}

static int plain_serial(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == ',' || s[i] == '"')
			return 0;
	return n >= 1 && n <= 64;
}

static const char *take_moving(pskc_key_t *key, struct row *r)
{
	int present = 0;

	if (r->totp) {
		r->moving = pskc_get_key_data_timeinterval(key, &present);
		if (!present)
			r->moving = 30;
		return r->moving == 30 || r->moving == 60 ? NULL : "its interval is not 30 or 60 s";
	}
	r->moving = pskc_get_key_data_counter(key, &present);
	if (!present)
		return "its counter is missing";
	return r->moving > INT64_MAX / 2 ? "its counter is out of range" : NULL;
}

/* NULL, or what is wrong with the key. */
static const char *take(pskc_key_t *key, struct row *r)
{
	const char *urn = pskc_get_key_algorithm(key), *secret;
	int present = 0;

	r->id = pskc_get_key_id(key);
	r->serial = pskc_get_device_serialno(key);
	r->algorithm = algorithm(key);
	r->digits = pskc_get_key_algparm_resp_length(key, &present);
	r->totp = urn && mag_streq(urn, URN "totp");
	if (!urn || (!r->totp && !mag_streq(urn, URN "hotp")))
		return "it is neither HOTP nor TOTP";
	if (!plain_serial(r->serial))
		return "its serial number is missing or holds other than printable ASCII";
	if (!r->algorithm)
		return "its suite is not HMAC with SHA-1, SHA-256 or SHA-512";
	if (!present || r->digits < 6 || r->digits > 8)
		return "its codes do not have 6 to 8 digits";
	if (pskc_get_key_algparm_resp_encoding(key, &present) != PSKC_VALUEFORMAT_DECIMAL)
		return "its codes are not decimal";
	secret = pskc_get_key_data_secret(key, &r->secret_len);
	r->secret = (const unsigned char *)secret;
	if (!secret || !r->secret_len)
		return "its secret is missing";
	if (r->secret_len < 16 || r->secret_len > 64)
		return "its secret does not have 16 to 64 bytes";
	return take_moving(key, r);
}

static int by_serial(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->serial, y->serial);
}

static int check(pskc_t *container, struct row **rows_r, size_t *n_r, struct pskc_fault *f)
{
	struct row *rows = NULL, *more;
	size_t n = 0, cap = 0;
	pskc_key_t *key;
	int r = 0;

	while (!r && (key = pskc_get_keypackage(container, n))) {
		const char *what;

		if (n == cap) {
			cap = cap ? cap * 2 : 1024;
			more = realloc(rows, cap * sizeof *rows);
			if (!more) {
				r = MAG_ENOMEM;
				break;
			}
			rows = more;
		}
		memset(&rows[n], 0, sizeof rows[n]);
		what = take(key, &rows[n]);
		if (what)
			r = pskc_fault(f, rows[n].id ? rows[n].id : "?", what);
		n++;
	}
	if (!r && !n)
		r = pskc_fault(f, NULL, "it holds no key");
	if (!r && rows)
		qsort(rows, n, sizeof *rows, by_serial);
	for (size_t i = 1; !r && i < n; i++)
		if (mag_streq(rows[i - 1].serial, rows[i].serial))
			r = pskc_fault(f, rows[i].id, "its serial number is there twice");
	if (r)
		free(rows);
	else
		*rows_r = rows, *n_r = n;
	return r;
}

static void put(FILE *out, const struct row *r)
{
	char hex[129];

	mag_hex_encode(r->secret, r->secret_len, hex);
	fprintf(out, "%s,%s,%s,%u,%llu,%s\n", r->serial, r->totp ? "totp" : "hotp", hex, r->digits,
		(unsigned long long)r->moving, r->algorithm);
	mag_wipe(hex, sizeof hex);
}

/* The last thing that libpskc said. */
static char said[200];

static void heard(const char *message)
{
	size_t n = strcspn(message, "\n");

	snprintf(said, sizeof said, "it does not follow RFC 6030: %.*s", (int)(n < 120 ? n : 120),
		message);
}

int pskc_rows(const char *xml, size_t len, FILE *out, struct pskc_fault *f)
{
	pskc_t *container = NULL;
	struct row *rows = NULL;
	size_t n = 0;
	int r;

	pskc_global_log(heard);
	if (pskc_init(&container) != PSKC_OK)
		return MAG_ENOMEM;
	r = pskc_parse_from_memory(container, len, xml) == PSKC_OK
		    ? check(container, &rows, &n, f)
		    : pskc_fault(f, NULL, *said ? said : "it does not follow RFC 6030");
	if (!r)
		fputs("serial,type,secret,digits,counter|step,algorithm\n", out);
	for (size_t i = 0; !r && i < n; i++)
		put(out, &rows[i]);
	if (!r && (fflush(out) || ferror(out)))
		r = MAG_ESYS;
	free(rows);
	pskc_done(container);
	return r;
}
