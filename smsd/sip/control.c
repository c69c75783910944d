/* Netstrings over TCP, with deadlines. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/sip/control.h"

#define BUFFER_LEN 16384
#define AGAIN_MS   20

struct control {
	int fd;
	size_t len;
	char buffer[BUFFER_LEN];
};

int control_connect(const struct sockaddr_in *address, int64_t deadline, struct control **control_r)
{
	const struct timespec pause = { 0, AGAIN_MS * 1000 * 1000 };
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return MAG_ENOMEM;
	while (mag_ticks_ms() < deadline) {
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd >= 0 &&
			connect(c->fd, (const struct sockaddr *)address, sizeof *address) == 0) {
			*control_r = c;
			return 0;
		}
		if (c->fd >= 0)
			close(c->fd);
		nanosleep(&pause, NULL);
	}
	free(c);
	return MAG_ETIMEOUT;
}

void control_free(struct control **control)
{
	struct control *c = *control;

	*control = NULL;
	if (!c)
		return;
	close(c->fd);
	free(c);
}

int control_send(struct control *c, const char *command, const char *params)
{
	struct json_object *o = json_object_new_object();
	int r = MAG_EGONE;
	const char *json;
	char out[512];
	int n;

	if (!o)
		return MAG_ENOMEM;
	json_object_object_add(o, "command", json_object_new_string(command));
	json_object_object_add(o, "params", json_object_new_string(params));
	json = json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE);
	n = snprintf(out, sizeof out, "%zu:%s,", strlen(json), json);
	if (n < (int)sizeof out && send(c->fd, out, (size_t)n, MSG_NOSIGNAL) == n)
		r = 0;
	json_object_put(o);
	return r;
}

/* ---- what comes ---- */

long control_netstring(const char *data, size_t len, size_t *text_r, size_t *text_len_r)
{
	size_t digits = 0, size = 0;

	while (digits < len && data[digits] >= '0' && data[digits] <= '9') {
		size = size * 10 + (size_t)(data[digits++] - '0');
		if (size >= BUFFER_LEN - 16)
			return MAG_EPROTO;
	}
	if (digits == len)
		return 0;
	if (digits == 0 || data[digits] != ':')
		return MAG_EPROTO;
	if (len < digits + 1 + size + 1)
		return 0;
	if (data[digits + 1 + size] != ',')
		return MAG_EPROTO;
	*text_r = digits + 1;
	*text_len_r = size;
	return (long)(digits + 1 + size + 1);
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) &&
			       json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : "";
}

static bool truth_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

int control_parse(const char *text, size_t len, struct control_word *word_r)
{
	struct json_tokener *t = json_tokener_new();
	struct json_object *o = t ? json_tokener_parse_ex(t, text, (int)len) : NULL;
	struct control_word w = { .response = false };
	int r = MAG_EPROTO;

	if (!json_object_is_type(o, json_type_object))
		goto out;
	w.response = truth_of(o, "response");
	w.ok = truth_of(o, "ok");
	/* Somebody may call us while we call. */
	if (w.response)
		mag_clean(w.param, sizeof w.param, text_of(o, "data"));
	else if (strcmp(text_of(o, "direction"), "incoming") != 0) {
		mag_clean(w.type, sizeof w.type, text_of(o, "type"));
		mag_clean(w.param, sizeof w.param, text_of(o, "param"));
	}
	*word_r = w;
	r = 0;
out:
	json_object_put(o);
	if (t)
		json_tokener_free(t);
	return r;
}

/* 0: more has come. */
static int receive(struct control *c, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t left = deadline - mag_ticks_ms();
	ssize_t n;

	if (left <= 0 || poll(&p, 1, (int)left) == 0)
		return MAG_ETIMEOUT;
	if (c->len == BUFFER_LEN)
		return MAG_EPROTO;
	n = recv(c->fd, c->buffer + c->len, BUFFER_LEN - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return MAG_EGONE;
	c->len += (size_t)n;
	return 0;
}

int control_next(struct control *c, int64_t deadline, struct control_word *word_r)
{
	size_t text = 0, text_len = 0;
	long n;
	int r = 0;

	while ((n = control_netstring(c->buffer, c->len, &text, &text_len)) == 0)
		if ((r = receive(c, deadline)) < 0)
			return r;
	if (n < 0)
		return (int)n;
	r = control_parse(c->buffer + text, text_len, word_r);
	c->len -= (size_t)n;
	memmove(c->buffer, c->buffer + n, c->len);
	return r;
}
