/* otpcored --enroll: this host becomes a relay (magotpctl host enroll). The key is made
 * here and never leaves; the code, which is NAME:BASE64 of a secret and of half the
 * fingerprint of the authority's key, is shown to the auth host that has that key only. */
#include <errno.h>
#include <libgen.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/identity.h"
#include "otpcore/broker/parts.h"

#define SECRET_LEN 16
#define TIMEOUT    10 /* seconds, of each step */

struct enrol {
	char name[65];
	unsigned char secret[SECRET_LEN], print[AUTHORITY_PRINT];
	struct link_identity id;
};

static int fail(int r, const char *what, const char *why)
{
	fprintf(stderr, "otpcored: %s: %s\n", what, *why ? why : mag_strerror(r));
	return r;
}

static int read_code(const char *code, struct enrol *e)
{
	unsigned char both[SECRET_LEN + AUTHORITY_PRINT + 1];
	char line[160] = "", *colon;
	size_t len = 0;
	int r = MAG_ESYNTAX;

	if (mag_streq(code, "-") ? !fgets(line, sizeof line, stdin)
				 : mag_copy(line, sizeof line, code) != 0)
		goto out;
	line[strcspn(line, " \r\n")] = 0;
	colon = strchr(line, ':');
	if (!colon || colon == line || (size_t)(colon - line) >= sizeof e->name)
		goto out;
	if (mag_base64_decode(colon + 1, both, sizeof both, &len) || len != sizeof both - 1)
		goto out;
	memcpy(e->name, line, (size_t)(colon - line));
	memcpy(e->secret, both, SECRET_LEN);
	memcpy(e->print, both + SECRET_LEN, AUTHORITY_PRINT);
	r = 0;
out:
	mag_wipe(both, sizeof both);
	mag_wipe(line, sizeof line);
	return r;
}

/* ---- the conversation ---- */

/* The server's certificate must be a server's, of an authority that has the key whose
 * fingerprint the code names; that authority is kept. */
static int check_server(SSL *ssl, struct enrol *e)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *server = SSL_get0_peer_certificate(ssl);
	X509 *authority = chain && sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;
	unsigned char print[HASH_LEN];

	if (!server || !authority || identity_key_print(authority, print) ||
		!mag_equal(print, e->print, AUTHORITY_PRINT) ||
		X509_verify(authority, X509_get0_pubkey(authority)) != 1 ||
		X509_verify(server, X509_get0_pubkey(authority)) != 1 ||
		X509_check_purpose(server, X509_PURPOSE_SSL_SERVER, 0) != 1 ||
		!X509_up_ref(authority))
		return MAG_ESERVER;
	e->id.authority = authority;
	return 0;
}

static int reach(const char *upstream, BIO **bio_r)
{
	const struct timeval wait = { TIMEOUT, 0 };
	char address[160];
	BIO *bio;
	int fd = -1;

	if (mag_has_prefix(upstream, "tls://"))
		upstream += strlen("tls://");
	snprintf(address, sizeof address, "%.*s", (int)strcspn(upstream, ", "), upstream);
	if (!strchr(address, ':'))
		snprintf(address + strlen(address), sizeof address - strlen(address), ":%d",
			RELAY_PORT);
	bio = BIO_new_connect(address);
	if (!bio || BIO_do_connect_retry(bio, TIMEOUT, 100) != 1) {
		BIO_free_all(bio);
		return fail(MAG_EDOWN, address, "no connection");
	}
	BIO_get_fd(bio, &fd);
	(void)BIO_socket_nbio(fd, 0); /* connecting with a deadline left it so */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	*bio_r = bio;
	return 0;
}

static bool write_all(SSL *ssl, const void *data, size_t len)
{
	size_t n = 0;

	return SSL_write_ex(ssl, data, len, &n) == 1 && n == len;
}

static bool read_all(SSL *ssl, unsigned char *data, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len; at += n)
		if (SSL_read_ex(ssl, data + at, len - at, &n) != 1)
			return false;
	return true;
}

/* One call and its answer (link.h). `frame` has room for WIRE_FRAME_MAX. */
static int exchange(SSL *ssl, unsigned char *frame, size_t *len)
{
	const struct wire_origin none = { .uid = WIRE_UID_UNKNOWN };
	unsigned char head[13 + 2 + LINK_ORIGIN_MAX] = { [4] = LINK_CALL };
	size_t n = 0;

	if (wire_encode_struct(&wire_origin, &none, head + 15, LINK_ORIGIN_MAX, &n))
		return MAG_EINVAL;
	head[13] = (unsigned char)(n >> 8);
	head[14] = (unsigned char)n;
	n += 15;
	for (unsigned i = 0; i < 4; i++)
		head[3 - i] = (unsigned char)((n - 4 + *len) >> (8 * i));
	if (!write_all(ssl, head, n) || !write_all(ssl, frame, *len) || !read_all(ssl, head, 13))
		return MAG_EGONE;
	n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (head[4] != LINK_ANSWER || n < 9 || n - 9 > WIRE_FRAME_MAX ||
		!read_all(ssl, frame, n - 9))
		return MAG_EPROTO;
	*len = n - 9;
	return 0;
}

static int ask(SSL *ssl, struct enrol *e)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct wire_host_enroll_req q = { 0 };
	struct wire_host_enroll_rep p = { 0 };
	struct wire_result result = { .error = MAG_EPROTO };
	const unsigned char *der = p.certificate.data;
	size_t len = 0;
	int r = mag_copy(q.name, sizeof q.name, e->name);

	if (!r)
		r = mag_secret_set(&q.code, e->secret, SECRET_LEN);
	if (!r)
		r = identity_request(
			e->id.key, q.request.data, sizeof q.request.data, &q.request.len);
	if (!r)
		r = wire_encode_request(WIRE_MSG_HOST_ENROLL, &q, frame, &len);
	if (!r)
		r = exchange(ssl, frame, &len);
	if (!r)
		r = wire_decode_reply(frame, len, WIRE_MSG_HOST_ENROLL, &result, &p);
	if (!r)
		r = result.error;
	if (!r)
		e->id.certificate = d2i_X509(NULL, &der, (long)p.certificate.len);
	if (!r && (!e->id.certificate || X509_check_private_key(e->id.certificate, e->id.key) != 1))
		r = MAG_EPROTO;
	wire_clear(&wire_host_enroll_req, &q);
	mag_wipe(frame, sizeof frame);
	return r;
}

static int converse(const char *upstream, struct enrol *e)
{
	SSL_CTX *ctx = NULL;
	BIO *bio = NULL;
	SSL *ssl = NULL;
	int r = link_context(&(struct link_identity){ NULL, NULL, NULL }, false, &ctx);

	if (!r)
		r = reach(upstream, &bio);
	if (r)
		goto out;
	ssl = SSL_new(ctx);
	if (!ssl) {
		BIO_free_all(bio);
		r = MAG_ENOMEM;
		goto out;
	}
	SSL_set_bio(ssl, bio, bio);
	if (SSL_connect(ssl) != 1) {
		r = fail(MAG_EDOWN, upstream, "no TLS 1.3");
		goto out;
	}
	r = check_server(ssl, e);
	if (r) {
		fail(r, upstream, "it is not the auth host that made the code; nothing was sent");
		goto out;
	}
	r = ask(ssl, e);
	if (r)
		fail(r, upstream,
			r == MAG_EPERM
				? "it does not know the code: used, older than a day, or mistyped"
				: "");
out:
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return r;
}

/* ---- the file ---- */

/* The daemon's user renews it later: the folder is that user's. */
static int make_room(const struct settings *s)
{
	char copy[sizeof s->identity];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	const char *dir;

	if (uid == 0 && priv_user(s->user, &uid, &gid))
		return fail(MAG_ENOTFOUND, "user", s->user);
	mag_copy(copy, sizeof copy, s->identity);
	dir = dirname(copy);
	if (mkdir(dir, 0700) == 0) {
		if (geteuid() == 0 && chown(dir, uid, gid))
			return fail(MAG_ESYS, dir, strerror(errno));
	} else if (errno != EEXIST) {
		return fail(MAG_ESYS, dir, strerror(errno));
	}
	return priv_drop(s->user);
}

int enroll_run(const struct settings *s, const char *code, const char *upstream)
{
	struct enrol e = { .name = "" };
	int r = read_code(code, &e);

	if (r) {
		fail(r, "the code", "it looks like NAME:43 letters, from magotpctl host add");
		goto out;
	}
	if (!upstream)
		upstream = s->upstream;
	if (!*upstream) {
		r = fail(MAG_EINVAL, "--upstream", "which auth host? magotp.conf names none");
		goto out;
	}
	r = make_room(s);
	if (!r)
		r = identity_key(&e.id.key);
	if (!r)
		r = converse(upstream, &e);
	if (r)
		goto out;
	r = identity_save(s->identity, &e.id);
	if (r)
		fail(r, s->identity, r == MAG_ESYS ? strerror(errno) : "");
	else
		fprintf(stderr, "made %s: this host is %s\n", s->identity, e.name);
out:
	link_identity_free(&e.id);
	mag_wipe(&e, sizeof e);
	return r;
}
