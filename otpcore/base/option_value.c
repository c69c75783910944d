/* Values: one text decoded by its row, a section poured into a struct. */
#include "otpcore/base/option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define SECRET_FILE_MAX 65536

/* One decoding: where the value goes (NULL: it is only checked) and why not. */
struct decode {
	const struct opt *opt;
	const char *text;
	void *to;
	struct mag_buf why;
};

static int refuse(struct decode *d, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct decode *d, int r, const char *fmt, ...)
{
	va_list ap;

	mag_buf_printf(&d->why, "%s = ", d->opt->key);
	if (d->opt->type == OPT_SECRET) /* somebody may have written the secret itself */
		mag_buf_puts(&d->why, "(not shown)");
	else
		mag_buf_puts(&d->why, d->text);
	mag_buf_puts(&d->why, ": ");
	va_start(ap, fmt);
	mag_buf_vprintf(&d->why, fmt, ap);
	va_end(ap);
	return r;
}

static void list_choices(const char *const *choices, char *buf, size_t cap)
{
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	for (; *choices != NULL; choices++) {
		mag_buf_puts(&b, *choices);
		mag_buf_puts(&b, choices[1] == NULL ? "" : choices[2] == NULL ? " or " : ", ");
	}
}

static int store_text(struct decode *d, const char *text)
{
	if (d->to == NULL && strlen(text) < d->opt->size)
		return 0;
	if (d->opt->size == 0 || (d->to != NULL && mag_copy(d->to, d->opt->size, text) == 0))
		return 0;
	return refuse(d, MAG_ENOSPACE, "too long; at most %zu bytes", d->opt->size - 1);
}

static int decode_bool(struct decode *d)
{
	static const char *const yes[] = { "yes", "true", "on", NULL };
	static const char *const no[] = { "no", "false", "off", NULL };

	for (int i = 0; yes[i] != NULL; i++) {
		bool on = mag_streq(d->text, yes[i]);

		if (!on && !mag_streq(d->text, no[i]))
			continue;
		if (d->to != NULL)
			*(bool *)d->to = on;
		return 0;
	}
	return refuse(d, MAG_ESYNTAX, "write yes or no");
}

static bool out_of_range(const struct opt *o, int64_t v)
{
	return (o->min != 0 || o->max != 0) && (v < o->min || v > o->max);
}

static int decode_int(struct decode *d)
{
	int64_t v;
	int r = mag_int_parse(d->text, INT64_MIN, INT64_MAX, &v);

	if (r == MAG_ESYNTAX)
		return refuse(d, r, "not a whole number");
	if (r < 0 || out_of_range(d->opt, v))
		return refuse(d, MAG_ERANGE, "must be %lld to %lld", (long long)d->opt->min,
			(long long)d->opt->max);
	if (d->to != NULL)
		*(int64_t *)d->to = v;
	return 0;
}

static int one_duration(struct decode *d, const char *text, int64_t *v_r)
{
	char min[32], max[32];
	int64_t v;
	int r = mag_duration_parse(text, &v);

	if (r == MAG_ESYNTAX)
		return refuse(d, r, "not a duration; write one such as 20s, 2m, 8h, 30d or 1y");
	if (r < 0 || out_of_range(d->opt, v))
		return refuse(d, MAG_ERANGE, "must be %s to %s",
			mag_duration_format(d->opt->min, min, sizeof(min)),
			mag_duration_format(d->opt->max, max, sizeof(max)));
	*v_r = v;
	return 0;
}

static int decode_duration(struct decode *d)
{
	int64_t v;
	int r = one_duration(d, d->text, &v);

	if (r == 0 && d->to != NULL)
		*(int64_t *)d->to = v;
	return r;
}

static int decode_enum(struct decode *d)
{
	char known[256];

	for (int i = 0; d->opt->choices[i] != NULL; i++) {
		if (!mag_streq(d->text, d->opt->choices[i]))
			continue;
		if (d->to != NULL)
			*(int *)d->to = i;
		return 0;
	}
	list_choices(d->opt->choices, known, sizeof(known));
	return refuse(d, MAG_ESYNTAX, "write %s", known);
}

static int check_word(struct decode *d, const char *word)
{
	const char *const *c = d->opt->choices;
	char known[256];
	int64_t v;

	if (d->opt->type == OPT_DURATIONS)
		return one_duration(d, word, &v);
	while (c != NULL && *c != NULL && !mag_streq(word, *c))
		c++;
	if (c == NULL || *c != NULL)
		return 0;
	list_choices(d->opt->choices, known, sizeof(known));
	return refuse(d, MAG_ESYNTAX, "unknown word %s; known are %s", word, known);
}

static int decode_words(struct decode *d)
{
	char *copy = strdup(d->text), *joined = calloc(1, strlen(d->text) + 1);
	char *save = NULL, *word, *at = joined;
	int r = MAG_ENOMEM;

	if (copy == NULL || joined == NULL)
		goto out;
	for (word = strtok_r(copy, " \t", &save); word != NULL;
		word = strtok_r(NULL, " \t", &save)) {
		r = check_word(d, word);
		if (r < 0)
			goto out;
		if (at != joined)
			*at++ = ' ';
		at = stpcpy(at, word);
	}
	r = store_text(d, joined);
out:
	free(copy);
	free(joined);
	return r;
}

/* file:PATH or credential:NAME, as a path. The one place where the
 * environment is read: systemd hands credentials over in this way. */
static int secret_path(struct decode *d, char *path, size_t cap)
{
	struct mag_buf b;
	const char *dir = NULL, *name;

	mag_buf_init(&b, path, cap);
	if (mag_has_prefix(d->text, "file:/")) {
		mag_buf_puts(&b, d->text + strlen("file:"));
	} else if (mag_has_prefix(d->text, "credential:")) {
		name = d->text + strlen("credential:");
		if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
			return refuse(
				d, MAG_ESYNTAX, "credential:NAME takes a name without slashes");
		dir = getenv("CREDENTIALS_DIRECTORY");
		if (dir == NULL && d->to != NULL)
			return refuse(d, MAG_ESYS,
				"there are no credentials; add LoadCredential=%.64s:/path to the "
				"unit",
				name);
		mag_buf_printf(&b, "%s/%s", dir == NULL ? "" : dir, name);
	} else {
		return refuse(d, MAG_ESYNTAX, "write file:/PATH or credential:NAME");
	}
	return b.overflow ? refuse(d, MAG_ENOSPACE, "the path is too long") : 0;
}

static int read_secret(struct decode *d, const char *path, struct mag_secret *secret)
{
	unsigned char *data = malloc(SECRET_FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), r = MAG_ENOMEM;
	size_t len = 0;
	ssize_t n = 1;

	if (data == NULL)
		goto out;
	while (fd >= 0 && len <= SECRET_FILE_MAX && n > 0) {
		n = read(fd, data + len, SECRET_FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (fd < 0 || n < 0) {
		r = refuse(d, MAG_ESYS, "cannot be read: %s", strerror(errno));
		goto out;
	}
	if (len > SECRET_FILE_MAX) {
		r = refuse(d, MAG_ENOSPACE, "the file is too long");
		goto out;
	}
	if (len > 0 && data[len - 1] == '\n')
		len--;
	r = len == 0 ? refuse(d, MAG_ESYNTAX, "the file is empty")
		     : mag_secret_set(secret, data, len);
out:
	if (fd >= 0)
		close(fd);
	if (data != NULL)
		mag_wipe(data, SECRET_FILE_MAX + 1);
	free(data);
	return r;
}

static int decode_secret(struct decode *d)
{
	char path[4096];
	int r = secret_path(d, path, sizeof(path));

	return r < 0 || d->to == NULL ? r : read_secret(d, path, d->to);
}

static int decode(struct decode *d)
{
	switch (d->opt->type) {
	case OPT_TEXT:
		return store_text(d, d->text);
	case OPT_BOOL:
		return decode_bool(d);
	case OPT_INT:
		return decode_int(d);
	case OPT_DURATION:
		return decode_duration(d);
	case OPT_ENUM:
		return decode_enum(d);
	case OPT_WORDS:
	case OPT_DURATIONS:
		return decode_words(d);
	case OPT_SECRET:
		return decode_secret(d);
	}
	return refuse(d, MAG_EINVAL, "the row has no type");
}

int opt_set(const struct opt *o, const char *text, void *base, char err[OPT_ERROR_MAX])
{
	char why[OPT_ERROR_MAX];
	struct decode d = { .opt = o, .text = text };
	int r;

	if (base != NULL && o->size > 0)
		d.to = (char *)base + o->offset;
	mag_buf_init(&d.why, why, sizeof(why));
	r = decode(&d);
	if (r < 0)
		mag_clean(err, OPT_ERROR_MAX, why[0] == '\0' ? mag_strerror(r) : why);
	return r;
}

static bool is_wild(const char *key)
{
	size_t len = strlen(key);

	return len >= 2 && strcmp(key + len - 2, ".*") == 0;
}

const struct opt *opt_find(const struct opt *opts, const char *key, const char **nearest_r)
{
	const char *near[2] = { NULL, NULL }, *best = NULL;

	for (const struct opt *o = opts; o->key != NULL; o++) {
		size_t stem = strlen(o->key) - 1;

		if (strcmp(o->key, key) == 0)
			return o;
		if (is_wild(o->key) && strncmp(o->key, key, stem) == 0 && key[stem] != '\0')
			return o;
	}
	for (const struct opt *o = opts; o->key != NULL; o++) {
		near[0] = o->key;
		if (mag_nearest(key, near) != NULL &&
			(best == NULL || mag_distance(key, o->key) < mag_distance(key, best)))
			best = o->key;
	}
	if (nearest_r != NULL)
		*nearest_r = best;
	return NULL;
}

/* One row from the files, or from its default when `use_default`. */
static int fill_row(const struct opt *o, const struct opt_value *v, bool use_default, void *base,
	char err[OPT_ERROR_MAX])
{
	const char *text = v != NULL ? v->text : use_default ? o->def : NULL;
	char why[OPT_ERROR_MAX];
	struct mag_buf b;
	int r;

	if (text == NULL || o->size == 0 || is_wild(o->key))
		return 0;
	r = opt_set(o, text, base, why);
	if (r < 0) {
		mag_buf_init(&b, err, OPT_ERROR_MAX);
		if (v != NULL)
			mag_buf_printf(&b, "%s:%d: ", v->file, v->line);
		mag_buf_puts(&b, why);
	}
	return r;
}

static int fill(const struct opt_tree *t, const struct opt_section *section, const char *instance,
	bool use_defaults, void *base, char err[OPT_ERROR_MAX])
{
	int r = 0;

	for (const struct opt *o = section->opts; r == 0 && o->key != NULL; o++)
		r = fill_row(
			o, opt_get(t, section->name, instance, o->key), use_defaults, base, err);
	return r;
}

int opt_fill(const struct opt_tree *t, const struct opt_section *section, const char *instance,
	void *base, char err[OPT_ERROR_MAX])
{
	return fill(t, section, instance, true, base, err);
}

int opt_overlay(const struct opt_tree *t, const struct opt_section *section, const char *instance,
	void *base, char err[OPT_ERROR_MAX])
{
	return fill(t, section, instance, false, base, err);
}
