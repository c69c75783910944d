/* Receipts between the listening process and the queue. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/receipt.h"
#include "smsd/receipt_desk.h"

#define OK        200
#define FORBIDDEN 403
/* Anybody can send nonsense: it must not fill the log. */
#define LOG_EVERY_MS 60000

struct receipt_desk {
	const struct receipt_desk_config *config;
	int fd;
	struct event *event;
	unsigned char key[RECEIPT_KEY_LEN];
	unsigned refused;
	int64_t log_at;
	unsigned char in[WIRE_FRAME_MAX], out[WIRE_FRAME_MAX];
};

/* ---- one request ---- */

static struct gateway *find_gateway(const struct receipt_desk *d, const char *name)
{
	const struct queue_config *c = d->config->queue_config;

	for (size_t i = 0; i < c->n_gateways; i++)
		if (strcmp(c->gateways[i]->name, name) == 0 &&
			c->gateways[i]->receipts == RECEIPTS_CALLBACK &&
			c->gateways[i]->ops->receipt)
			return c->gateways[i];
	return NULL;
}

static int refuse(struct receipt_desk *d, const char *why)
{
	int64_t now = mag_ticks_ms();

	d->refused++;
	if (now >= d->log_at) {
		mag_log(MAG_LOG_WARNING, "receipts refused: %u; the last one: %s", d->refused, why);
		d->log_at = now + LOG_EVERY_MS;
		d->refused = 0;
	}
	return FORBIDDEN;
}

int receipt_desk_take(struct receipt_desk *d, struct wire_receipt_req *q)
{
	struct gateway_result result = { .delivery = SMS_NOTHING };
	struct receipt_path path;
	struct mag_secret url = { 0 };
	struct gateway *g;
	int r;

	if (receipt_path_read(d->key, q->path, &path) < 0)
		return refuse(d, "its path is none of ours");
	g = find_gateway(d, path.gateway);
	if (!g)
		return refuse(d, "its gateway takes none");
	r = mag_secret_set_text(&url, d->config->url(d->config->arg));
	if (r == 0)
		r = mag_secret_append(&url, path.tail, strlen(path.tail));
	if (r == 0)
		r = g->ops->receipt(g, q, mag_secret_text(&url), &result);
	mag_secret_free(&url);
	if (r < 0)
		return refuse(d, "its signature is not the provider's");
	/* An id that is forgotten is no reason for the provider to try again. */
	(void)queue_receipt(d->config->queue,
		&(struct queue_receipt){ path.id, path.gateway, result.word, result.delivery });
	d->config->received(d->config->arg);
	return OK;
}

int receipt_desk_url(const struct receipt_desk *d, const struct gateway *g, const char *id,
	struct mag_secret *url_r)
{
	return receipt_url_make(d->key, d->config->url(d->config->arg), g->name, id, url_r);
}

/* ---- the way to the listening process ---- */

static void answer(struct receipt_desk *d, uint32_t serial, int status)
{
	const struct wire_result result = { .error = 0, .verdict = 1 };
	const struct wire_receipt_rep rep = { .serial = serial, .status = (uint32_t)status };
	size_t len = 0;

	if (wire_encode_reply(WIRE_MSG_RECEIPT, &result, &rep, d->out, &len) == 0)
		(void)!send(d->fd, d->out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void lose(struct receipt_desk *d)
{
	if (d->event)
		event_free(d->event);
	d->event = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct receipt_desk *d = arg;
	const struct wire_message *message = NULL;
	void *request = NULL;
	ssize_t n = recv(fd, d->in, sizeof d->in, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		mag_log(MAG_LOG_ERROR, "the process that listens for receipts has gone: restart");
		lose(d);
		return;
	}
	if (wire_decode_request(d->in, (size_t)n, &message, &request) < 0)
		return;
	if (message->id == WIRE_MSG_RECEIPT) {
		struct wire_receipt_req *q = request;

		answer(d, q->serial, receipt_desk_take(d, q));
	}
	wire_free(&message->request, &request);
}

int receipt_desk_new(int fd, const struct receipt_desk_config *config, struct receipt_desk **desk_r)
{
	struct receipt_desk *d = calloc(1, sizeof *d);

	if (!d) {
		close(fd);
		return MAG_ENOMEM;
	}
	d->config = config;
	d->fd = fd;
	d->event = event_new(config->base, fd, EV_READ | EV_PERSIST, on_request, d);
	if (mag_random(d->key, sizeof d->key) < 0 || !d->event || event_add(d->event, NULL) < 0) {
		receipt_desk_free(&d);
		return MAG_ENOMEM;
	}
	*desk_r = d;
	return 0;
}

void receipt_desk_free(struct receipt_desk **desk)
{
	struct receipt_desk *d = *desk;

	*desk = NULL;
	if (!d)
		return;
	lose(d);
	mag_wipe(d, sizeof *d);
	free(d);
}
