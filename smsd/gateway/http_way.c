/* Proxy and certificates of the http driver. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/gateway/http_way.h"

/* ---- settings ---- */

#define ROW(field) OPT_AT(struct http_way, field)
static const struct opt shared_opts[] = {
	{ "proxy", OPT_TEXT, "", 0, 0, NULL, ROW(proxy), NULL },
	{ "proxy_username", OPT_TEXT, "", 0, 0, NULL, ROW(proxy_username), NULL },
	{ "proxy_password", OPT_SECRET, NULL, 0, 0, NULL, ROW(proxy_password), NULL },
	{ "proxy_ca", OPT_TEXT, "", 0, 0, NULL, ROW(proxy_ca), NULL },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};
static const struct opt_section shared_section = { "smsd", 0, shared_opts, NULL };

/* What is wrong with the proxy; NULL: nothing. */
static const char *proxy_fault(const struct http_way *w)
{
	const char *fault = "proxy: must be none, http://host:port or https://host:port";
	char *host = NULL, *user = NULL, *path = NULL;
	CURLU *u = curl_url();

	if (u && (mag_has_prefix(w->proxy, "http://") || mag_has_prefix(w->proxy, "https://")) &&
		curl_url_set(u, CURLUPART_URL, w->proxy, 0) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0)
		fault = NULL;
	if (!fault && curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		fault = "proxy: user and password have their own keys";
	curl_free(host);
	curl_free(path);
	curl_free(user);
	curl_url_cleanup(u);
	if (!fault && !w->proxy_username[0] != !w->proxy_password.len)
		fault = "proxy_username and proxy_password: one is missing";
	if (!fault && w->proxy_ca[0] && !curl_file_is_readable(w->proxy_ca))
		fault = "proxy_ca: cannot be read";
	return fault;
}

/* libcurl would ask the terminal for the password of a key. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool key_fits(const struct http_way *w)
{
	BIO *file = BIO_new_file(w->client_certificate, "r");
	BIO *memory = BIO_new_mem_buf(w->client_key.data, (int)w->client_key.len);
	X509 *certificate = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, no_password, NULL) : NULL;
	bool fits = certificate && key && X509_check_private_key(certificate, key) == 1;

	EVP_PKEY_free(key);
	X509_free(certificate);
	BIO_free(memory);
	BIO_free(file);
	ERR_clear_error();
	return fits;
}

static const char *certificate_fault(const struct http_way *w, bool plain)
{
	if (w->ca[0] && !curl_file_is_readable(w->ca))
		return "ca: cannot be read";
	if (!w->client_certificate[0] && !w->client_key.len)
		return NULL;
	if (!w->client_certificate[0] || !w->client_key.len)
		return "client_certificate and client_key: one is missing";
	if (plain)
		return "client_certificate: is for https:// only";
	if (!curl_file_is_readable(w->client_certificate))
		return "client_certificate: cannot be read";
	if (!key_fits(w))
		return "client_key: is not the certificate's, or not PEM without a password";
	return NULL;
}

int http_way_read(const char *name, const struct opt_tree *t, struct http_way_end end,
	struct http_way *w, char err[OPT_ERROR_MAX])
{
	const char *fault = certificate_fault(w, end.plain);
	int r;

	if (!fault && !w->proxy[0] &&
		(w->proxy_username[0] || w->proxy_password.len || w->proxy_ca[0]))
		fault = "proxy: is missing, but how to speak to it is not";
	if (!fault && !w->proxy[0] && !end.local) {
		r = opt_fill(t, &shared_section, "", w, err);
		if (r < 0)
			return r;
	}
	if (!fault && w->proxy[0] && strcmp(w->proxy, "none") != 0)
		fault = proxy_fault(w);
	else
		w->proxy[0] = '\0';
	if (!fault)
		return 0;
	snprintf(err, OPT_ERROR_MAX, "[gateway %s] %s", name, fault);
	return MAG_ESYNTAX;
}

void http_way_paths(
	const struct http_way *w, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	const char *const files[] = { w->ca, w->proxy_ca, w->client_certificate };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i][0])
			path(files[i], false, arg);
}

void http_way_clear(struct http_way *w)
{
	mag_secret_free(&w->proxy_password);
	mag_secret_free(&w->client_key);
}

/* ---- a transfer ---- */

/* What is for the provider goes through the proxy in a tunnel, https or not. */
static int set_proxy(CURL *e, const struct http_way *w)
{
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_PROXY, w->proxy);
	bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	if (w->proxy_ca[0]) {
		bad |= curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, w->proxy_ca);
		bad |= curl_easy_setopt(e, CURLOPT_PROXY_CAPATH, NULL);
	}
	if (w->proxy_username[0]) {
		bad |= curl_easy_setopt(e, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
		bad |= curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, w->proxy_username);
		bad |= curl_easy_setopt(
			e, CURLOPT_PROXYPASSWORD, mag_secret_text(&w->proxy_password));
	}
	return bad;
}

/* The key stays in memory that we wipe. */
static int set_client(CURL *e, const struct http_way *w)
{
	struct curl_blob key = {
		.data = w->client_key.data, .len = w->client_key.len, .flags = CURL_BLOB_NOCOPY
	};
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_SSLCERT, w->client_certificate);
	bad |= curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &key);
	bad |= curl_easy_setopt(e, CURLOPT_KEYPASSWD, "");
	return bad;
}

int http_way_set(CURL *e, const struct http_way *w)
{
	int bad = curl_set_tls(e, w->ca);

	if (w->client_certificate[0])
		bad |= set_client(e, w);
	if (w->proxy[0])
		bad |= set_proxy(e, w);
	return bad;
}
