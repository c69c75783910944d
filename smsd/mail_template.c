/* Templates of e-mails: read once, filled per message. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/mail_template.h"

#define FILE_BYTES_MAX 8192
#define NAME_LEN       64
#define VALUE_LEN      600

struct mail_template {
	char name[NAME_LEN]; /* of the file, without ".txt" */
	char subject[MAIL_SUBJECT_MAX];
	char *text; /* the whole file */
	const char *body;
	SLIST_ENTRY(mail_template) next;
};

struct mail_templates {
	SLIST_HEAD(template_list, mail_template) list;
};

/* ---- reading ---- */

static void template_free(struct mail_template *t)
{
	if (t)
		free(t->text);
	free(t);
}

/* 0; MAG_ERANGE: too long. */
static int read_text(int dir, const char *name, char **text_r)
{
	char *text = calloc(1, FILE_BYTES_MAX + 1);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), r = MAG_ESYS;
	size_t len = 0;
	ssize_t n = -1;

	if (!text || fd < 0)
		goto out;
	while (len < FILE_BYTES_MAX && (n = read(fd, text + len, FILE_BYTES_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		goto out;
	r = n > 0 ? MAG_ERANGE : mag_utf8_valid(text, len) ? 0 : MAG_ESYNTAX;
out:
	if (fd >= 0)
		close(fd);
	if (r == 0)
		*text_r = text;
	else
		free(text);
	return r;
}

/* "Subject: ...", an empty line, the body. */
static const char *split(struct mail_template *t)
{
	static const char key[] = "Subject: ";
	size_t line = strcspn(t->text, "\n"), len;

	if (!mag_has_prefix(t->text, key))
		return "the first line must be \"Subject: ...\"";
	len = line - (sizeof key - 1);
	if (len == 0 || len >= sizeof t->subject)
		return "the subject is empty or too long";
	memcpy(t->subject, t->text + sizeof key - 1, len);
	for (const char *p = t->subject; *p; p++)
		if ((unsigned char)*p < ' ')
			return "the subject holds a control character";
	if (t->text[line] != '\n' || t->text[line + 1] != '\n')
		return "the second line must be empty";
	t->body = t->text + line + 2;
	return *t->body ? NULL : "there is no text";
}

struct reading {
	const char *directory;
	int dir;
	struct mail_templates *templates;
	char *err;
};

static int read_one(struct reading *r, const char *file)
{
	struct mail_template *t = calloc(1, sizeof *t);
	size_t len = strlen(file) - 4;
	const char *fault = NULL;
	int e = MAG_ENOMEM;

	if (!t)
		return e;
	e = len >= sizeof t->name ? MAG_ERANGE : read_text(r->dir, file, &t->text);
	if (e == 0) {
		memcpy(t->name, file, len);
		fault = split(t);
	}
	if (e < 0 || fault) {
		snprintf(r->err, OPT_ERROR_MAX, "%s/%s: %s", r->directory, file,
			fault ? fault : mag_strerror(e));
		template_free(t);
		return e < 0 ? e : MAG_ESYNTAX;
	}
	SLIST_INSERT_HEAD(&r->templates->list, t, next);
	return 0;
}

static bool is_template(const char *file)
{
	size_t len = strlen(file);

	return file[0] != '.' && len > 4 && strcmp(file + len - 4, ".txt") == 0;
}

int mail_templates_read(
	const char *directory, struct mail_templates **templates_r, char err[OPT_ERROR_MAX])
{
	struct reading reading = { .directory = directory, .err = err };
	struct mail_templates *made = calloc(1, sizeof *made);
	DIR *dir = made ? opendir(directory) : NULL;
	struct dirent *e;
	int r = made ? 0 : MAG_ENOMEM;

	if (!dir && made && errno != ENOENT) {
		snprintf(err, OPT_ERROR_MAX, "%s: %s", directory, strerror(errno));
		r = MAG_ESYS;
	}
	if (made)
		SLIST_INIT(&made->list);
	reading.templates = made;
	reading.dir = dir ? dirfd(dir) : -1;
	while (r == 0 && dir && (e = readdir(dir)))
		if (is_template(e->d_name))
			r = read_one(&reading, e->d_name);
	if (dir)
		closedir(dir);
	if (r < 0)
		mail_templates_free(&made);
	else
		*templates_r = made;
	return r;
}

void mail_templates_free(struct mail_templates **templates)
{
	struct mail_template *t;

	if (!*templates)
		return;
	while ((t = SLIST_FIRST(&(*templates)->list))) {
		SLIST_REMOVE_HEAD(&(*templates)->list, next);
		template_free(t);
	}
	free(*templates);
	*templates = NULL;
}

/* ---- filling in ---- */

static const struct mail_template *named(const struct mail_templates *templates, const char *name)
{
	const struct mail_template *t;

	SLIST_FOREACH(t, &templates->list, next)
	if (strcmp(t->name, name) == 0)
		return t;
	return NULL;
}

static const struct mail_template *find(
	const struct mail_templates *templates, const struct sms_message *m)
{
	const struct mail_template *t = NULL;
	char name[NAME_LEN];

	if (!templates)
		return NULL;
	if (m->language[0]) {
		snprintf(name, sizeof name, "%s.%.*s", m->template,
			(int)strcspn(m->language, "_-."), m->language);
		t = named(templates, name);
	}
	return t ? t : named(templates, m->template);
}

/* The value of a name; false: it has none. */
static bool value_of(
	const struct sms_message *m, const char *name, size_t len, char value_r[VALUE_LEN])
{
	const char *line = m->args ? m->args : "";

	if (len == 4 && strncmp(name, "host", len) == 0)
		return mag_copy(value_r, VALUE_LEN, m->host) == 0 && *value_r;
	if (len == 4 && strncmp(name, "code", len) == 0)
		return mag_copy(value_r, VALUE_LEN, mag_secret_text(&m->code)) == 0 && *value_r;
	while (*line) {
		size_t n = strcspn(line, "\n");

		if (n > len + 1 && strncmp(line, name, len) == 0 && line[len] == '=') {
			snprintf(value_r, VALUE_LEN, "%.*s", (int)(n - len - 1), line + len + 1);
			return true;
		}
		line += n + (line[n] == '\n');
	}
	return false;
}

/* One line with its names filled in. False: one of them has no value. */
static bool fill(const struct sms_message *m, const char *line, size_t len, struct mag_buf *out)
{
	char value[VALUE_LEN];
	bool whole = true;

	for (size_t i = 0; i < len; i++) {
		size_t n = line[i] == '{' ? strspn(line + i + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;

		if (n == 0 || line[i + 1 + n] != '}') {
			mag_buf_putn(out, line + i, 1);
			continue;
		}
		if (value_of(m, line + i + 1, n, value))
			mag_buf_puts(out, value);
		else
			whole = false;
		i += n + 1;
	}
	mag_wipe(value, sizeof value);
	return whole;
}

static int fill_body(const struct sms_message *m, const char *body, struct mag_secret *out)
{
	char line[2048];
	int r = 0;

	while (*body && r == 0) {
		size_t n = strcspn(body, "\n");
		struct mag_buf b = MAG_BUF(line);

		if (fill(m, body, n, &b)) {
			mag_buf_puts(&b, "\n");
			r = mag_buf_error(&b);
			if (r == 0)
				r = mag_secret_append(out, line, b.len);
		}
		body += n + (body[n] == '\n');
	}
	mag_wipe(line, sizeof line);
	return r;
}

/* Nothing that could begin another header line. */
static bool is_header_value(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

int mail_template_render(const struct mail_templates *templates, const struct sms_message *m,
	char subject_r[MAIL_SUBJECT_MAX], struct mag_secret *text_r)
{
	const struct mail_template *t = find(templates, m);
	struct mag_secret text = { 0 };
	char subject[MAIL_SUBJECT_MAX];
	struct mag_buf b = MAG_BUF(subject);
	int r;

	if (!t)
		return MAG_ENOTFOUND;
	fill(m, t->subject, strlen(t->subject), &b);
	r = mag_buf_error(&b) == 0 && is_header_value(subject) ? 0 : MAG_EINVAL;
	if (r == 0)
		r = fill_body(m, t->body, &text);
	if (r == 0) {
		memcpy(subject_r, subject, sizeof subject);
		mag_secret_free(text_r);
		*text_r = text;
	} else {
		mag_secret_free(&text);
	}
	return r;
}
