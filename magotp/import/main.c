/* pskc-import: a PSKC file (RFC 6030) on standard input becomes CSV on standard
 * output, or one line "!what is wrong". Started by magotpctl; the key or
 * password comes on descriptor 3. Everything outside is let go of before the
 * first byte is looked at. */
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <openssl/evp.h>
#include <pskc/pskc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/text.h"

#define SECRET_FD  3
#define SECRET_MAX 4096

int pskc_fault(struct pskc_fault *f, const char *key, const char *what)
{
	if (key)
		snprintf(f->text, sizeof f->text, "Key %s: %s", key, what);
	else
		snprintf(f->text, sizeof f->text, "The file is refused: %s", what);
	return MAG_EINVAL;
}

static void quiet(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

/* What the libraries open and load, they open and load before the fence. */
static int warm_up(void)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned n;

	if (pskc_global_init() != PSKC_OK)
		return MAG_ESYS;
	xmlInitParser();
	xmlSetGenericErrorFunc(NULL, quiet);
	return EVP_Digest("", 0, out, &n, EVP_sha256(), NULL) == 1 ? 0 : MAG_ECRYPTO;
}

/* Twice the room, or enough for a first part. 0 or MAG_ENOMEM. */
static int grow(struct mag_secret *s)
{
	size_t cap = s->cap ? s->cap * 2 : 65536;
	unsigned char *data = malloc(cap);

	if (!data)
		return MAG_ENOMEM;
	if (s->len)
		memcpy(data, s->data, s->len);
	if (s->data)
		mag_wipe(s->data, s->cap);
	free(s->data);
	s->data = data;
	s->cap = cap;
	return 0;
}

/* All of a descriptor; MAG_ERANGE: more than `max`. */
static int read_all(int fd, size_t max, struct mag_secret *all_r)
{
	ssize_t n = 1;
	int r = 0;

	while (!r && n > 0) {
		if (all_r->len + 1 >= all_r->cap)
			r = grow(all_r);
		n = r ? 0 : read(fd, all_r->data + all_r->len, all_r->cap - all_r->len - 1);
		if (n < 0)
			r = MAG_ESYS;
		else
			all_r->len += (size_t)n;
		if (all_r->len > max)
			r = MAG_ERANGE;
	}
	if (all_r->data)
		all_r->data[all_r->len] = 0;
	return r;
}

/* A key is 16, 24 or 32 octets, raw or in hex; a password is the first line. */
static int read_unlock(const char *mode, struct pskc_unlock *u, struct pskc_fault *f)
{
	struct mag_secret all = { 0 };
	unsigned char raw[32];
	size_t len, n = 0;
	int r = 0;

	if (mag_streq(mode, "--plain"))
		return 0;
	if (read_all(SECRET_FD, SECRET_MAX, &all) || !all.len)
		r = pskc_fault(f, NULL, "its key or password cannot be read");
	len = strcspn(mag_secret_text(&all), "\r\n");
	if (!r && mag_streq(mode, "--password"))
		r = mag_secret_set(&u->password, all.data, len);
	else if (!r && len <= 64 && len >= 32 && len + 2 >= all.len && len % 16 == 0) {
		all.data[len] = 0;
		if (!mag_hex_decode(mag_secret_text(&all), raw, sizeof raw, &n))
			r = mag_secret_set(&u->key, raw, n);
	}
	if (!r && mag_streq(mode, "--key") && !u->key.len) {
		if (all.len != 16 && all.len != 24 && all.len != 32)
			r = pskc_fault(f, NULL, "a key has 16, 24 or 32 bytes, raw or in hex");
		else
			r = mag_secret_set(&u->key, all.data, all.len);
	}
	mag_wipe(raw, sizeof raw);
	mag_secret_free(&all);
	return r;
}

static int import(const struct mag_secret *file, const struct pskc_unlock *u, struct pskc_fault *f)
{
	xmlDoc *doc = NULL;
	xmlChar *xml = NULL;
	int len = 0, r = pskc_scan(mag_secret_text(file), file->len, f);

	if (r)
		return r;
	doc = xmlReadMemory(mag_secret_text(file), (int)file->len, "pskc", "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	r = doc ? pskc_open(doc, u, f) : pskc_fault(f, NULL, "it is not well-formed XML");
	if (!r) {
		xmlDocDumpMemory(doc, &xml, &len);
		r = xml ? 0 : MAG_ENOMEM;
	}
	xmlFreeDoc(doc);
	if (!r)
		r = pskc_rows((const char *)xml, (size_t)len, stdout, f);
	if (xml) {
		mag_wipe(xml, (size_t)len);
		xmlFree(xml);
	}
	return r;
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct pskc_fault fault = { "The file could not be read" };
	struct pskc_unlock unlock = { 0 };
	struct mag_secret file = { 0 };
	int r;

#ifdef MAG_ESCAPE
	if (argc == 3 && escape_arm(argv[2]) == 0)
		argc = 2;
#endif
	if (argc != 2 || (!mag_streq(argv[1], "--plain") && !mag_streq(argv[1], "--key") &&
				 !mag_streq(argv[1], "--password"))) {
		fprintf(stderr, "pskc-import is started by: magotpctl token import FILE\n");
		return 2;
	}
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	r = warm_up();
	escape_before("pskc");
	if (!r)
		r = pskc_fence();
	escape_now();
	if (!r)
		r = read_unlock(argv[1], &unlock, &fault);
	if (!r)
		r = read_all(STDIN_FILENO, PSKC_FILE_MAX, &file);
	if (r == MAG_ERANGE)
		pskc_fault(&fault, NULL, "it is larger than 64 MiB");
	if (!r)
		r = import(&file, &unlock, &fault);
	mag_secret_free(&file);
	mag_secret_free(&unlock.key);
	mag_secret_free(&unlock.password);
	if (r) {
		printf("!%s\n", fault.text);
		fflush(stdout);
	}
	mag_wipe(buffer, sizeof buffer);
	return r ? 1 : 0;
}
