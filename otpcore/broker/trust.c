/* The authorities of [certificates] and what they revoked: read at start, with the
 * settings and every hour. What cannot be read again leaves what there was; a list of
 * revocations that grows old stops to count by its own date. */
#include "otpcore/broker/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"

#define FILE_MAX ((size_t)16 << 20) /* lists of large authorities */

/* The whole file, with a NUL behind it; free() it. 0, MAG_ESYS, MAG_ERANGE, MAG_ENOMEM. */
static int read_file(const char *path, char **text_r, size_t *len_r)
{
	FILE *f = fopen(path, "re"), *out = NULL;
	char *text = NULL, part[65536];
	size_t len = 0, n;
	int r = f ? 0 : MAG_ESYS;

	if (!r && !(out = open_memstream(&text, &len)))
		r = MAG_ENOMEM;
	while (!r && (n = fread(part, 1, sizeof part, f)) > 0)
		if (fwrite(part, 1, n, out) != n || fflush(out) || len > FILE_MAX)
			r = len > FILE_MAX ? MAG_ERANGE : MAG_ENOMEM;
	if (!r && ferror(f))
		r = MAG_ESYS;
	if (out && fclose(out) && !r)
		r = MAG_ENOMEM;
	if (f)
		fclose(f);
	if (r) {
		free(text);
		return r;
	}
	*text_r = text;
	*len_r = len;
	return 0;
}

int trust_load(struct broker *b)
{
	const struct settings *s = b->settings;
	struct certificate_trust *fresh = NULL;
	const char *file = s->ca;
	char *ca = NULL, *crl = NULL;
	size_t ca_len = 0, crl_len = 0;
	int r;

	if (!*s->ca) {
		certificate_trust_free(&b->trust);
		return 0;
	}
	r = read_file(file, &ca, &ca_len);
	if (!r && *s->crl) {
		file = s->crl;
		r = read_file(file, &crl, &crl_len);
	}
	if (!r)
		r = certificate_trust_new(ca, ca_len, crl, crl_len, &fresh);
	if (r) {
		mag_log(MAG_LOG_ERROR, "%s: %s; %s", file,
			r == MAG_ESYS     ? strerror(errno)
			: r == MAG_EINVAL ? "not what [certificates] needs, in PEM"
					  : mag_strerror(r),
			b->trust ? "what was read before goes on" : "no certificate counts");
	} else {
		certificate_trust_free(&b->trust);
		b->trust = fresh;
	}
	free(ca);
	free(crl);
	return r;
}
