/* What trust is built on: files of authorities and of what they revoked, possession of a
 * key, requests of other hosts, the file of the master key and the keys that it wraps. */
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/certificate.h"
#include "otpcore/seal/authority.h"
#include "otpcore/seal/keyring.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pki.h"

#define NOW INT64_C(1900000000) /* all of pki.h is good then */

struct part {
	const char *text;
	size_t len;
	bool there;
};

/* The next of what form feeds part. */
static struct part next_part(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *at = *p, *feed = at ? memchr(at, '\f', (size_t)(end - at)) : NULL;
	struct part part = { (const char *)at, 0, at != NULL };

	if (at)
		part.len = (size_t)((feed ? feed : end) - at);
	*p = feed ? feed + 1 : NULL;
	return part;
}

/* ---- authorities, lists, a certificate ---- */

/* What was taken now stands the question that is asked at each login. */
static void check_facts(const struct certificate_trust *t, const struct certificate_facts *f)
{
	struct certificate c = { .not_before = f->not_before, .not_after = f->not_after };

	c.anchor.len = HASH_LEN;
	memcpy(c.anchor.data, f->anchor, HASH_LEN);
	mag_copy(c.issuer, sizeof c.issuer, f->issuer);
	mag_copy(c.serial, sizeof c.serial, f->serial);
	FUZZ_CHECK(certificate_fault(t, &c, f->not_before - 1) != NULL);
	FUZZ_CHECK(certificate_fault(t, &c, f->not_after + 1) != NULL);
	FUZZ_CHECK(certificate_fault(t, &c, NOW) == NULL);
	c.anchor.data[0] ^= 1;
	FUZZ_CHECK(certificate_fault(t, &c, NOW) != NULL);
	FUZZ_CHECK(!certificate_may_be(f, ""));
	if (*f->policies && !strchr(f->policies, ' '))
		FUZZ_CHECK(certificate_may_be(f, f->policies));
	certificate_may_be(f, "1.3.6.1.4.1.99999.1 2.16");
}

void fuzz_trust(const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end = data + len;
	struct part ca, list, person;
	struct certificate_trust *t = NULL;
	struct certificate_facts f;
	const char *why = NULL;

	if (len == 0)
		return;
	ca = next_part(&p, end);
	list = next_part(&p, end);
	person = next_part(&p, end);
	memset(&f, 'x', sizeof f);
	if (certificate_trust_new(ca.text, ca.len, list.len ? list.text : NULL, list.len, &t) < 0) {
		FUZZ_CHECK(t == NULL);
		return;
	}
	if (person.there &&
		certificate_read(t, person.text, person.len, NOW, &f, &why) == VERDICT_OK)
		check_facts(t, &f);
	else
		FUZZ_CHECK(f.subject[0] == 'x' && (!person.there || (why && *why)));
	certificate_trust_free(&t);
}

static size_t put(uint8_t *out, size_t n, const char *text)
{
	memcpy(out + n, text, strlen(text));
	return n + strlen(text);
}

size_t seed_trust(struct dice *d, uint8_t *out)
{
	static const char *const people[] = { pki_p384, pki_p256, pki_p521, pki_rsa, pki_k1,
		pki_middle };
	size_t n = put(out, 0, pki_root);

	if (dice_below(d, 5) == 0)
		n = put(out, n, pki_middle);
	out[n++] = '\f';
	if (dice_below(d, 4)) {
		n = put(out, n, pki_root_list);
		n = put(out, n, dice_below(d, 5) ? pki_middle : "");
		n = put(out, n, dice_below(d, 5) ? pki_middle_list : "");
	}
	out[n++] = '\f';
	n = put(out, n, people[dice_below(d, 6)]);
	return put(out, n, dice_below(d, 6) ? pki_middle : "");
}

/* ---- signatures: a certificate, what was signed, the signature in hex ---- */

static const char challenge[] = "magotp certificate alice 1900000000";

static EVP_PKEY *key_of_pki(void)
{
	static EVP_PKEY *key;
	BIO *in = key ? NULL : BIO_new_mem_buf(pki_p384_key, -1);

	if (in)
		key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	BIO_free(in);
	FUZZ_CHECK(key != NULL);
	return key;
}

void fuzz_signature(const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end = data + len;
	struct part person, text, hex;
	unsigned char signature[512];
	char words[128], digits[1025];
	size_t n = 0;

	if (len == 0)
		return;
	person = next_part(&p, end);
	text = next_part(&p, end);
	hex = next_part(&p, end);
	snprintf(words, sizeof words, "%.*s", (int)(text.len < 127 ? text.len : 127),
		text.there ? text.text : "");
	snprintf(digits, sizeof digits, "%.*s", (int)(hex.len < 1024 ? hex.len : 1024),
		hex.there ? hex.text : "");
	if (mag_hex_decode(digits, signature, sizeof signature, &n) < 0)
		n = 0;
	/* Nobody but the key's owner signs, and that signed one text. */
	if (certificate_signed(person.text, person.len, words, signature, n))
		FUZZ_CHECK(person.len < sizeof pki_p384 - 1 ||
			   memcmp(person.text, pki_p384, sizeof pki_p384 - 1) != 0 ||
			   strcmp(words, challenge) == 0);
}

static const char *challenge_signature(void)
{
	static char hex[513];
	EVP_MD_CTX *ctx = *hex ? NULL : EVP_MD_CTX_new();
	unsigned char signature[256];
	size_t n = sizeof signature;

	if (*hex)
		return hex;
	FUZZ_CHECK(ctx && EVP_DigestSignInit_ex(
				  ctx, NULL, "SHA2-256", NULL, NULL, key_of_pki(), NULL) == 1);
	FUZZ_CHECK(EVP_DigestSign(ctx, signature, &n, (const void *)challenge, strlen(challenge)) ==
		   1);
	EVP_MD_CTX_free(ctx);
	mag_hex_encode(signature, n, hex);
	return hex;
}

size_t seed_signature(struct dice *d, uint8_t *out)
{
	return (size_t)sprintf((char *)out, "%s\f%s\f%s", dice_below(d, 5) ? pki_p384 : pki_rsa,
		challenge, challenge_signature());
}

/* ---- what hosts send each other as DER; the first byte: a request or a certificate ---- */

static void check_identity(const uint8_t *data, size_t len)
{
	const unsigned char *p = data;
	X509 *x = d2i_X509(NULL, &p, (long)len);
	unsigned char print[HASH_LEN], der[4096];
	char name[65];
	size_t n = 0;

	ERR_clear_error();
	if (!x)
		return;
	memset(name, 'x', sizeof name);
	if (identity_name(x, name, sizeof name) == 0)
		FUZZ_CHECK(memchr(name, 0, sizeof name) && mag_utf8_valid(name, strlen(name)));
	else
		FUZZ_CHECK(name[0] == 'x');
	(void)identity_expires(x);
	FUZZ_CHECK(identity_print(x, print) == 0);
	(void)identity_key_print(x, print);
	if (identity_der(x, der, sizeof der, &n) == 0)
		FUZZ_CHECK(n > 0 && n <= sizeof der);
	X509_free(x);
}

void fuzz_request(const uint8_t *data, size_t len)
{
	EVP_PKEY *key = NULL;

	if (len == 0)
		return;
	if (data[0] & 1) {
		check_identity(data + 1, len - 1);
		return;
	}
	FUZZ_CHECK((identity_request_key(data + 1, len - 1, &key) == 0) == (key != NULL));
	EVP_PKEY_free(key);
	ERR_clear_error();
}

size_t seed_request(struct dice *d, uint8_t *out)
{
	static EVP_PKEY *own; /* of the kind that hosts have */
	size_t n = 0;
	BIO *in;
	X509 *x;

	out[0] = (uint8_t)dice_roll(d);
	if (!own)
		FUZZ_CHECK(identity_key(&own) == 0);
	if (!(out[0] & 1)) {
		FUZZ_CHECK(identity_request(
				   dice_below(d, 4) ? own : key_of_pki(), out + 1, 4096, &n) == 0);
		return 1 + n;
	}
	in = BIO_new_mem_buf(dice_below(d, 2) ? pki_p521 : pki_root, -1);
	x = PEM_read_bio_X509(in, NULL, NULL, NULL);
	FUZZ_CHECK(x && identity_der(x, out + 1, 4096, &n) == 0);
	X509_free(x);
	BIO_free(in);
	return 1 + n;
}

/* ---- the master key's file; the rows that it wraps ---- */

static struct keyring *open_file(const void *data, size_t len)
{
	const char *path = fuzz_file("master.key", data, len);
	struct keyring *k = NULL, *lent = NULL;
	char source[128];

	FUZZ_CHECK(chmod(path, 0600) == 0);
	snprintf(source, sizeof source, "file:%s", path);
	if (keyring_open(source, &k) < 0)
		FUZZ_CHECK(k == NULL);
	/* As a service manager lends it. */
	path = fuzz_file("lent", NULL, 0);
	setenv("CREDENTIALS_DIRECTORY", path, 1);
	path = fuzz_file("lent/master.key", data, len);
	FUZZ_CHECK(chmod(path, 0600) == 0);
	FUZZ_CHECK((keyring_open("credential:master.key", &lent) == 0) == (k != NULL));
	keyring_free(&lent);
	return k;
}

/* One whose key is known: what it wraps stays good in a corpus. */
static struct keyring *own_ring(void)
{
	static const char hex[] = "00112233445566778899aabbccddeeff"
				  "00112233445566778899aabbccddeeff\n";
	struct keyring *k = open_file(hex, sizeof hex - 1);

	FUZZ_CHECK(k != NULL);
	return k;
}

#define ROW_HEAD 12 /* id, kind, state, length of what is wrapped */

static size_t read_rows(const uint8_t *data, size_t len, struct data_key rows_r[4])
{
	size_t n = 0, at = 0;

	for (; n < 4 && len - at >= ROW_HEAD; n++) {
		const uint8_t *p = data + at;
		size_t size = (size_t)(p[10] << 8 | p[11]), left = len - at - ROW_HEAD;

		rows_r[n] = (struct data_key){ .kind = p[8], .state = p[9] };
		for (int i = 0; i < 8; i++)
			rows_r[n].row.id = (int64_t)((uint64_t)rows_r[n].row.id << 8 | p[i]);
		size = size < left ? size : left;
		at += ROW_HEAD + size;
		size = size < sizeof rows_r[n].wrapped.data ? size : sizeof rows_r[n].wrapped.data;
		memcpy(rows_r[n].wrapped.data, p + ROW_HEAD, size);
		rows_r[n].wrapped.len = size;
	}
	return n;
}

/* The ring is what it was, or what the rows say: it seals, and opens what it sealed. */
static void check_rows(const uint8_t *data, size_t len)
{
	struct keyring *k = own_ring();
	uint32_t before = keyring_current(k);
	struct data_key rows[4];
	struct mag_secret clear = { 0 };
	struct blob sealed;
	size_t n = read_rows(data, len, rows);

	if (keyring_load(k, rows, n) < 0)
		FUZZ_CHECK(keyring_current(k) == before);
	FUZZ_CHECK(seal(k, "fuzz.row", 1, "text", 4, &sealed) == 0);
	FUZZ_CHECK(seal_open(k, "fuzz.row", 1, &sealed, &clear) == 0 && clear.len == 4);
	mag_secret_free(&clear);
	keyring_free(&k);
}

/* The first byte: rows, or a file. */
void fuzz_keyring(const uint8_t *data, size_t len)
{
	struct keyring *k;

	if (len == 0)
		return;
	if (data[0] & 1) {
		check_rows(data + 1, len - 1);
		return;
	}
	k = open_file(data + 1, len - 1);
	if (k)
		FUZZ_CHECK(len - 1 == 64 || (len - 1 == 65 && data[65] == '\n'));
	keyring_free(&k);
}

static size_t put_row(uint8_t *out, const struct data_key *row)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)((uint64_t)row->row.id >> (56 - 8 * i));
	out[8] = (uint8_t)row->kind;
	out[9] = (uint8_t)row->state;
	out[10] = (uint8_t)(row->wrapped.len >> 8);
	out[11] = (uint8_t)row->wrapped.len;
	memcpy(out + ROW_HEAD, row->wrapped.data, row->wrapped.len);
	return ROW_HEAD + row->wrapped.len;
}

size_t seed_keyring(struct dice *d, uint8_t *out)
{
	struct keyring *k = own_ring();
	struct data_key rows[3];
	size_t n = 1, rows_n = 2;

	out[0] = (uint8_t)dice_roll(d);
	if (!(out[0] & 1)) {
		keyring_free(&k);
		for (; n < 65; n++)
			out[n] = (uint8_t) "0123456789abcdefAF"[dice_below(d, 18)];
		out[n++] = '\n';
		return n - dice_below(d, 2);
	}
	FUZZ_CHECK((dice_below(d, 2) ? keyring_keep : keyring_make)(k, rows) == 0);
	if (dice_below(d, 3) == 0 && keyring_make_next(k, &rows[2]) == 0)
		rows_n = 3;
	for (size_t i = 0; i < rows_n; i++)
		n += put_row(out + n, &rows[i]);
	keyring_free(&k);
	return n;
}
