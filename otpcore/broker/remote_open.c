/* What an auth host needs before it can serve relays: a socket, the authority of the store,
 * a certificate of its own. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/remote.h"

#define BACKLOG         256
#define AUTHORITY_WHERE "authority.secret"

/* Another broker may be quicker to make it. */
int remote_authority(struct broker *b, struct signer *s_r)
{
	struct authority row = { 0 };
	struct mag_secret der = { 0 };
	struct blob sealed;
	int r = store_authority(b->store, &row);

	if (r == MAG_ENOTFOUND) {
		r = authority_make(&der);
		if (!r)
			r = seal(b->keyring, AUTHORITY_WHERE, 1, der.data, der.len, &sealed);
		if (!r)
			r = store_make_authority(b->store, &sealed, mag_now());
		mag_secret_free(&der);
		if (!r)
			r = store_authority(b->store, &row);
	}
	if (!r)
		r = seal_open(b->keyring, AUTHORITY_WHERE, 1, &row.secret, &der);
	if (!r)
		r = authority_open(&der, row.created_at, s_r);
	mag_secret_free(&der);
	return r;
}

int remote_context(const struct signer *s, const char *host, int64_t now, SSL_CTX **ctx_r)
{
	struct identity_input in = { .name = host, .server = true, .now = now };
	struct link_identity id = { .authority = s->certificate };
	SSL_CTX *ctx = NULL;
	int r = identity_key(&in.key);

	if (!r)
		r = identity_issue(s, &in, &id.certificate);
	id.key = in.key;
	if (!r)
		r = link_context(&id, true, &ctx);
	EVP_PKEY_free(in.key);
	X509_free(id.certificate);
	if (r)
		return r;
	SSL_CTX_free(*ctx_r);
	*ctx_r = ctx;
	return 0;
}

int remotes_listen(const struct settings *s, int *fd_r)
{
	const struct settings_address *a = &s->listens;
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_addr = in6addr_any
	};
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	bool is_four = inet_pton(AF_INET, a->host, &four.sin_addr) == 1;
	int one = 1, zero = 0, fd;

	if (!*s->listen)
		return 0;
	if (!is_four && *a->host && inet_pton(AF_INET6, a->host, &six.sin6_addr) != 1)
		return MAG_ESYNTAX;
	fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return MAG_ESYS;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (!is_four)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(fd, is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six,
		    is_four ? sizeof four : sizeof six) ||
		listen(fd, BACKLOG)) {
		close(fd);
		return MAG_ESYS;
	}
	*fd_r = fd;
	return 0;
}
