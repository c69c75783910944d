/* Certificates and the keys that sshd names, the file of strength groups, names on
 * documents: what decides who somebody is. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength_group.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/certificate.h"
#include "otpcore/engine/proofing.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1900000000) /* both certificates are good then */

/* ---- certificates ---- */

static const char ca[] = "-----BEGIN CERTIFICATE-----\n"
			 "MIIBPzCB8qADAgECAhRUQByd3bVnBSwoMwXuPDSLq5txSjAFBgMrZXAwHTEOMAwG\n"
			 "A1UECgwFVHJ1c3QxCzAJBgNVBAMMAmNhMCAXDTI2MTEyMjAyMjcwOFoYDzIxMjYx\n"
			 "MDI5MDIyNzA4WjAdMQ4wDAYDVQQKDAVUcnVzdDELMAkGA1UEAwwCY2EwKjAFBgMr\n"
			 "ZXADIQAtRVqF9HdSn3bSd/sx7tQjuR4rrN1sEcntyIfvyG5AR6NCMEAwDwYDVR0T\n"
			 "AQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFMQMs6NwL/dlpJAT\n"
			 "TtjK6wOavDYaMAUGAytlcANBANyA/rqJNsD3XrYQJqWCR6GXep/CSsmKS6MV/gD/\n"
			 "w9RJaBjG3V8opGx35mJ4iGAWZ+l2IPR8yCm6WIMU8D2tNgU=\n"
			 "-----END CERTIFICATE-----\n";

static const char person[] = "-----BEGIN CERTIFICATE-----\n"
			     "MIIBlzCCAUmgAwIBAgICEAIwBQYDK2VwMB0xDjAMBgNVBAoMBVRydXN0MQswCQYD\n"
			     "VQQDDAJjYTAgFw0yNjExMjIwMjI3MDhaGA8yMTI1MDYxNjAyMjcwOFowHjENMAsG\n"
			     "A1UECgwEVG95czENMAsGA1UEAwwEYW5uYTAqMAUGAytlcAMhAPZZB06qQAxWtJDR\n"
			     "Zr4wZy9ttJ1v6ny3qHlM5A9ZiV3lo4GpMIGmMAkGA1UdEwQCMAAwDgYDVR0PAQH/\n"
			     "BAQDAgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0GA1UdDgQWBBSHLimvyx/UgFhU\n"
			     "c/VWmbn0b1jcEzAfBgNVHSMEGDAWgBTEDLOjcC/3ZaSQE07YyusDmrw2GjAWBgNV\n"
			     "HSAEDzANMAsGCSsGAQQBho0fATAcBgNVHREEFTATgRFnYW1lc0BleGFtcGxlLm9y\n"
			     "ZzAFBgMrZXADQQCQvaM6TyqMtlVTHFMr7rohjCKpVkeo90nPDLmhEB8wVBOkbhE+\n"
			     "w7Yiy6OfthEs6Rn4a+8MnCV8I+tOcuUmlvcP\n"
			     "-----END CERTIFICATE-----\n";

/* The line of SSH_AUTH_INFO_0 for the person's key. */
static const char key_line[] =
	"publickey ssh-ed25519 "
	"AAAAC3NzaC1lZDI1NTE5AAAAIPZZB06qQAxWtJDRZr4wZy9ttJ1v6ny3qHlM5A9ZiV3l\n";

static const struct certificate_trust *authorities(void)
{
	static struct certificate_trust *t;

	if (t == NULL)
		FUZZ_CHECK(certificate_trust_new(ca, sizeof ca - 1, NULL, 0, &t) == 0);
	return t;
}

static void check_text(const char *s, size_t cap)
{
	FUZZ_CHECK(strnlen(s, cap) < cap && mag_utf8_valid(s, strlen(s)));
	for (; *s; s++)
		FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
}

/* The authority signed one certificate: whatever is taken has that one's key. */
static void check_facts(const struct certificate_facts *f)
{
	unsigned char keys[SSH_KEYS_MAX][HASH_LEN];
	struct certificate c = { .not_before = f->not_before, .not_after = f->not_after };

	FUZZ_CHECK(certificate_ssh_keys(key_line, strlen(key_line), keys) == 1);
	FUZZ_CHECK(memcmp(f->key_hash, keys[0], HASH_LEN) == 0);
	check_text(f->subject, sizeof f->subject);
	check_text(f->issuer, sizeof f->issuer);
	check_text(f->serial, sizeof f->serial);
	check_text(f->email, sizeof f->email);
	check_text(f->policies, sizeof f->policies);
	FUZZ_CHECK(f->not_before <= NOW && NOW <= f->not_after);
	FUZZ_CHECK(certificate_fault(authorities(), &c, NOW) != NULL);
	c.anchor.len = HASH_LEN;
	memcpy(c.anchor.data, f->anchor, HASH_LEN);
	FUZZ_CHECK(certificate_fault(authorities(), &c, NOW) == NULL);
}

void fuzz_certificate(const uint8_t *data, size_t len)
{
	struct certificate_facts f;
	const char *why = NULL;

	memset(&f, 'x', sizeof f);
	if (certificate_read(authorities(), data, len, NOW, &f, &why) == VERDICT_OK) {
		FUZZ_CHECK(why == NULL && len <= CERTIFICATE_MAX);
		check_facts(&f);
	} else {
		FUZZ_CHECK(why != NULL && *why && f.subject[0] == 'x');
	}
	FUZZ_CHECK(!certificate_signed(data, len, "text", data, len < 64 ? len : 64));
}

size_t seed_certificate(struct dice *d, uint8_t *out)
{
	size_t n = sizeof person - 1;

	memcpy(out, person, n);
	if (dice_below(d, 4) == 0) {
		memcpy(out + n, ca, sizeof ca - 1);
		n += sizeof ca - 1;
	}
	return n;
}

void fuzz_ssh_keys(const uint8_t *data, size_t len)
{
	unsigned char keys[SSH_KEYS_MAX + 1][HASH_LEN];
	size_t lines = 1, n;

	memset(keys, 0x5a, sizeof keys);
	n = certificate_ssh_keys(data, len, keys);
	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	FUZZ_CHECK(n <= SSH_KEYS_MAX && n <= lines);
	for (size_t i = 0; i < HASH_LEN; i++)
		FUZZ_CHECK(keys[SSH_KEYS_MAX][i] == 0x5a);
	FUZZ_CHECK(certificate_ssh_keys(data, len, keys) == n);
}

size_t seed_ssh_keys(struct dice *d, uint8_t *out)
{
	static const char *const lines[] = { key_line, "password\n", "publickey ssh-rsa AAAA\n",
		"publickey ssh-rsa AA==\n", "publickey x A\n" };
	size_t n = 0;

	for (size_t k = dice_below(d, 8); k > 0; k--) {
		const char *line = lines[dice_below(d, 5)];

		memcpy(out + n, line, strlen(line));
		n += strlen(line);
	}
	return n;
}

/* ---- strength groups ---- */

void fuzz_strength_groups(const uint8_t *data, size_t len)
{
	struct strength_group groups[STRENGTH_GROUPS_MAX], again[STRENGTH_GROUPS_MAX];
	char *text = malloc(len + 1);
	int n, r;

	FUZZ_CHECK(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	n = strength_groups_parse(text, groups);
	FUZZ_CHECK(n == MAG_ESYNTAX || (n >= 0 && n <= STRENGTH_GROUPS_MAX));
	for (int i = 0; i < n; i++) {
		const struct strength_group *g = &groups[i];

		FUZZ_CHECK(g->gid != 0 && g->gid != (gid_t)-1);
		FUZZ_CHECK(strnlen(g->name, sizeof g->name) < sizeof g->name);
		FUZZ_CHECK(mag_has_prefix(g->name, "mag-"));
		FUZZ_CHECK((g->strength != STRENGTH_NONE) != (g->level >= 1 && g->level <= 3));
		/* nobody without a login is in any */
		FUZZ_CHECK(!strength_group_has(g, STRENGTH_NONE, 0));
		for (int k = 0; k < i; k++)
			FUZZ_CHECK(groups[k].gid != g->gid);
	}
	free(text);
	/* As NSS reads it: nothing that is not root's, too long, or holds a NUL. */
	r = len > 0 ? strength_groups_read(fuzz_file("groups", data, len), again) : 0;
	if (r >= 0 && len > 0)
		FUZZ_CHECK(r == n && len < 4096 && !memchr(data, 0, len) && getuid() == 0);
}

size_t seed_strength_groups(struct dice *d, uint8_t *out)
{
	static const char *const names[] = { "mag-phone-otp", "mag-level3", "mag-mloa-hardware",
		"# mag-", "mag-level", "wheel", "" };
	size_t n = 0;

	for (size_t k = dice_below(d, 36); k > 0; k--)
		n += (size_t)sprintf((char *)out + n, "%s %u\n", names[dice_below(d, 7)],
			(unsigned)dice_below(d, 5) ? 60000 + (unsigned)k : 0);
	return n;
}

/* ---- names ---- */

/* The next of several texts that NULs part; cut to what an account holds. */
static const uint8_t *next_text(const uint8_t *p, const uint8_t *end, char *out, size_t cap)
{
	size_t n = 0;

	while (p < end && *p) {
		if (n + 1 < cap)
			out[n++] = (char)*p;
		p++;
	}
	out[n] = '\0';
	return p < end ? p + 1 : p;
}

static int has_letters(const char *s)
{
	return s[strspn(s, " \t")] != '\0';
}

void fuzz_proofing_name(const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len, *p;
	struct account a = { .uid = 0 };
	char given[257], other[257];
	bool same;

	p = next_text(data, end, a.first, sizeof a.first);
	p = next_text(p, end, a.middle, sizeof a.middle);
	p = next_text(p, end, a.last, sizeof a.last);
	next_text(p, end, given, sizeof given);
	same = proofing_name_matches(&a, given);
	FUZZ_CHECK(!same || (has_letters(a.first) && has_letters(a.last) && has_letters(given)));
	/* Case is not told apart. */
	memcpy(other, given, sizeof other);
	for (char *c = other; *c; c++)
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
			*c ^= 0x20;
	FUZZ_CHECK(proofing_name_matches(&a, other) == same);
	FUZZ_CHECK(!proofing_name_matches(&a, ""));
	if (mag_utf8_valid(a.first, strlen(a.first)) && mag_utf8_valid(a.last, strlen(a.last))) {
		snprintf(given, sizeof given, "  %s \t %s ", a.first, a.last);
		same = proofing_name_matches(&a, given);
		snprintf(given, sizeof given, "%s %s", a.first, a.last);
		FUZZ_CHECK(proofing_name_matches(&a, given) == same);
	}
}

size_t seed_proofing_name(struct dice *d, uint8_t *out)
{
	static const char *const first[] = { "Anna", "\xc3\x84nne", "Anna Maria", "" };
	static const char *const middle[] = { "", "B.", "Bridget", "b" };
	static const char *const last[] = { "Example", "\xce\xa3\xce\xb1", "O", "von  Ex" };
	const char *f = first[dice_below(d, 4)], *m = middle[dice_below(d, 4)],
		   *l = last[dice_below(d, 4)];

	return (size_t)sprintf((char *)out, "%s%c%s%c%s%c%s %s%s%s", f, 0, m, 0, l, 0, f,
		middle[dice_below(d, 4)], dice_below(d, 2) ? " " : "", l);
}
