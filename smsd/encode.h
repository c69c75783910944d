/* What comes from outside enters a request only through the encoder of the
 * place where it stands (security.md 22). */
#ifndef SMSD_ENCODE_H
#define SMSD_ENCODE_H

#include <stddef.h>

#include "otpcore/base/secret.h"

enum enc_context {
	ENC_PATH,   /* one segment of a URL's path: RFC 3986 percent-encoding */
	ENC_QUERY,  /* a value in a URL's query */
	ENC_FORM,   /* a name or value of application/x-www-form-urlencoded */
	ENC_JSON,   /* inside the quotes of a JSON string, RFC 8259 */
	ENC_XML,    /* character data of XML (a voice document inside a form) */
	ENC_HEADER, /* a value of an HTTP header field: nothing is changed */
	ENC_USER,   /* the user name of basic authentication: no colon */
	ENC_N
};

/* Append `data` so that a decoder of the context reads exactly `data`.
 * 0; MAG_ERANGE: the context cannot carry it (line ends in headers, a colon in
 * a user name, bytes that are not UTF-8 in JSON and XML); MAG_ENOMEM. `out` may
 * then hold a part. */
int enc_append(struct mag_secret *out, enum enc_context context, const char *data, size_t len);
int enc_append_text(struct mag_secret *out, enum enc_context context, const char *text);

#endif
