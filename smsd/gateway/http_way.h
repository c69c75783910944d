/* The way to a provider: by which proxy, and who proves what to whom by
 * certificates. Settings alone decide; certificates and names are always checked. */
#ifndef SMSD_HTTP_WAY_H
#define SMSD_HTTP_WAY_H

#include <curl/curl.h>

#include "smsd/gateway.h"

struct http_way {
	/* As in the gateway's section; where that names no proxy, [smsd]'s is put in. */
	char proxy[256], proxy_username[128], proxy_ca[256], ca[256], client_certificate[256];
	struct mag_secret proxy_password, client_key;
};

/* Where the way leads, from the gateway's url. */
struct http_way_end {
	bool local; /* this host: no proxy unless the gateway itself names one */
	bool plain; /* http:// */
};

/* After opt_fill: find the proxy, check all. 0 or an error with err. */
int http_way_read(const char *name, const struct opt_tree *t, struct http_way_end end,
	struct http_way *w, char err[OPT_ERROR_MAX]);

/* Several CURLcodes in one: any that is not CURLE_OK (0). `w` outlives the transfer. */
int http_way_set(CURL *easy, const struct http_way *w);

/* gateway_ops.paths */
void http_way_paths(
	const struct http_way *w, void (*path)(const char *path, bool write, void *arg), void *arg);
void http_way_clear(struct http_way *w);

#endif
