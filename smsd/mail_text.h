/* An e-mail as it goes over the wire: RFC 5322 headers and a MIME body. */
#ifndef SMSD_MAIL_TEXT_H
#define SMSD_MAIL_TEXT_H

#include <stdint.h>

#include "otpcore/base/secret.h"

struct mail_text {
	const char *from, *to; /* addresses, no names */
	const char *id;        /* of the message: the same id, the same Message-ID */
	const char *subject;
	const struct mag_secret *body; /* UTF-8, lines end in \n */
	int64_t at;
};

/* ASCII with CRLF line ends: a subject beyond ASCII as encoded words (RFC 2047),
 * such a body quoted-printable (RFC 2045). out_r is set. 0, MAG_ENOMEM; MAG_ERANGE:
 * a header value with a control character, or what is not UTF-8. */
int mail_text_make(const struct mail_text *m, struct mag_secret *out_r);

#endif
