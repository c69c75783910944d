/* What the drivers that go through libcurl have in common: its multi interface on
 * a libevent loop, what every transfer refuses, and how an attempt begins and ends. */
#ifndef SMSD_CURL_LOOP_H
#define SMSD_CURL_LOOP_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "smsd/gateway.h"

struct curl_loop;

/* One transfer of one attempt; a driver's own struct begins with it. */
struct curl_job {
	const struct curl_kind *kind;
	struct curl_loop *loop;
	struct attempt *attempt; /* borrowed, until it is done */
	CURL *easy;
	char error[CURL_ERROR_SIZE]; /* libcurl's words; "": none */
	TAILQ_ENTRY(curl_job) next;
};

/* The transfers of one driver. */
struct curl_kind {
	const char *what;      /* "request": for errors */
	const char *protocols; /* "http,https": no other is spoken */
	long protocol_bits;    /* the same for an old libcurl */
	size_t size;           /* of the driver's struct; it begins zeroed */

	/* Make the request, set it on job->easy. 0 or an error; MAG_ERANGE: it can
	 * never be made. */
	int (*prepare)(struct curl_job *job);
	/* It has ended: what does that mean? */
	void (*judge)(struct curl_job *job, CURLcode code, struct gateway_result *result_r);
	/* Free what prepare made; job->easy is closed already. */
	void (*clear)(struct curl_job *job);
};

/* setup, teardown and (with the driver's kind) send of struct gateway_ops. Whatever
 * is under way at the teardown is answered as unclear. */
int curl_loop_setup(struct event_base *base, void **shared_r);
void curl_loop_teardown(void **shared);
void curl_job_send(struct attempt *a, const struct curl_kind *kind);

/* The words of an error: libcurl's, without number, code or text. */
void curl_job_error(const struct curl_job *job, CURLcode code, char *buf, size_t cap);

/* TLS of at least 1.2 with names checked by the authorities in the file `ca` ("":
 * the system's). Several CURLcodes in one: any that is not CURLE_OK (0). */
int curl_set_tls(CURL *easy, const char *ca);

/* For settings. A file is opened, not asked: the sandbox has a word in it. */
bool curl_host_is_loopback(const char *host);
bool curl_file_is_readable(const char *path);

#endif
