/* libcurl's multi interface on a libevent loop. */
#ifndef SMSD_CURL_LOOP_H
#define SMSD_CURL_LOOP_H

#include <curl/curl.h>

struct event_base;
struct curl_loop;

/* `done` is called from the event loop for each transfer that has ended, with its
 * CURLOPT_PRIVATE; it may take the handle out and free it.
 * 0 or MAG_ENOMEM. */
int curl_loop_new(struct event_base *base, void (*done)(void *transfer, CURLcode code),
	struct curl_loop **loop_r);
/* No transfer may be left. */
void curl_loop_free(struct curl_loop **loop);

/* 0 or MAG_ENOMEM. */
int curl_loop_add(struct curl_loop *loop, CURL *easy);
void curl_loop_remove(struct curl_loop *loop, CURL *easy);

#endif
