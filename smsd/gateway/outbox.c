/* The outbox: each message is one file <id>.json of a directory. For trying
 * things out, for tests, and for programs that carry messages themselves. */
#include <stdio.h>
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/encode.h"
#include "smsd/gateway/file_drop.h"

struct outbox {
	char directory[256];
};

static const struct opt outbox_opts[] = {
	{ "directory", OPT_TEXT, "", 0, 0, NULL, offsetof(struct outbox, directory),
		sizeof(((struct outbox *)0)->directory), "where the files are written" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section outbox_section = { "gateway", 1, outbox_opts, NULL };

static void outbox_close(struct gateway *g)
{
	free(g->driver);
	g->driver = NULL;
}

static int outbox_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct outbox *o = calloc(1, sizeof *o);
	int r;

	if (!o)
		return MAG_ENOMEM;
	g->driver = o;
	if ((r = opt_fill(t, &outbox_section, g->name, o, err)) < 0)
		return r;
	return file_drop_check(g, o->directory, err);
}

struct member {
	const char *name, *value;
};

/* {"to": ..., "channel": ..., "text": ..., "sent_at": ..., "subject": ...}; an
 * e-mail alone has a subject. */
static int outbox_document(const struct attempt *a, struct mag_secret *out)
{
	char at[32];
	const struct member members[] = {
		{ "to", a->message->to },
		{ "channel", a->message->channel },
		{ "text", mag_secret_text(a->text) },
		{ "sent_at", mag_time_rfc3339(a->now_ms / 1000, at, sizeof at) },
		{ "subject", a->subject },
	};
	size_t n = sizeof members / sizeof *members - (a->subject && *a->subject ? 0 : 1);
	int r = mag_secret_append(out, "{", 1);

	for (size_t i = 0; i < n && r == 0; i++) {
		if ((r = mag_secret_append(out, i ? ", \"" : "\"", i ? 3 : 1)) < 0 ||
			(r = enc_append_text(out, ENC_JSON, members[i].name)) < 0 ||
			(r = mag_secret_append(out, "\": \"", 4)) < 0 ||
			(r = enc_append_text(out, ENC_JSON, members[i].value)) < 0)
			break;
		r = mag_secret_append(out, "\"", 1);
	}
	return r < 0 ? r : mag_secret_append(out, "}\n", 2);
}

static void outbox_send(struct attempt *a)
{
	const struct outbox *o = a->gateway->driver;
	struct mag_secret document = { 0 };
	int r = outbox_document(a, &document);
	char name[64];

	snprintf(name, sizeof name, "%s.json", a->message->id);
	file_drop(a, o->directory, name, r, &document);
	mag_secret_free(&document);
}

static void outbox_paths(
	const struct gateway *g, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	const struct outbox *o = g->driver;

	path(o->directory, true, arg);
}

const struct gateway_ops gateway_outbox = {
	.name = "outbox",
	.channels = "sms voice email",
	.opts = outbox_opts,
	.doc = "writes each message as a file of a directory",
	.open = outbox_open,
	.close = outbox_close,
	.paths = outbox_paths,
	.send = outbox_send,
};
