/* The outbox: each message is one file <id>.json of a directory. For trying
 * things out, for tests, and for programs that carry messages themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/encode.h"
#include "smsd/gateway.h"

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
	if (o->directory[0] != '/') {
		snprintf(err, OPT_ERROR_MAX, "[gateway %s]: directory must be an absolute path",
			g->name);
		return MAG_ESYNTAX;
	}
	return 0;
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

static int write_all(int fd, const struct mag_secret *bytes)
{
	size_t done = 0;

	while (done < bytes->len) {
		ssize_t n = write(fd, bytes->data + done, bytes->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MAG_ESYS;
		done += (size_t)n;
	}
	return 0;
}

/* A reader never sees half a file: written beside, then renamed. Whoever the
 * directory lets read (its group) may read the file as well. */
static int outbox_write(const char *directory, const char *id, const struct mag_secret *bytes)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, r = MAG_ESYS;
	char temporary[64], name[64];
	struct stat st;

	if (dir < 0)
		return MAG_ESYS;
	snprintf(temporary, sizeof temporary, ".%s.new", id);
	snprintf(name, sizeof name, "%s.json", id);
	if (fstat(dir, &st) < 0)
		goto out;
	unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		goto out;
	r = write_all(fd, bytes);
	if (r == 0 && (st.st_mode & S_IRGRP) && fchmod(fd, 0640) < 0)
		r = MAG_ESYS;
	if (close(fd) < 0)
		r = MAG_ESYS;
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = MAG_ESYS;
	if (r < 0) {
		int saved = errno;

		unlinkat(dir, temporary, 0);
		errno = saved;
	}
out:
	close(dir);
	return r;
}

/* What waiting does not mend: the administrator is told at once, and a sender
 * does not wait for two minutes. */
static bool is_lasting(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM ||
	       error == EROFS;
}

static void outbox_send(struct attempt *a)
{
	const struct outbox *o = a->gateway->driver;
	struct gateway_result result = { .outcome = SMS_RETRYABLE };
	struct mag_secret document = { 0 };
	int r = outbox_document(a, &document);

	if (r == 0)
		r = outbox_write(o->directory, a->message->id, &document);
	if (r == 0) {
		result.outcome = SMS_ACCEPTED;
		snprintf(result.provider_id, sizeof result.provider_id, "%s", a->message->id);
	} else {
		const int error = r == MAG_ESYS ? errno : 0;

		if (is_lasting(error))
			result.outcome = SMS_PERMANENT;
		snprintf(result.error, sizeof result.error, "%.80s: %.40s", o->directory,
			error ? strerror(error) : mag_strerror(r));
	}
	mag_secret_free(&document);
	a->done(a, &result);
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
