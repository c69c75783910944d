/* Files become a tree of values that remember where they stood. */
#include "otpcore/base/option.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define FILE_MAX (1024 * 1024)

/* A value owns its texts; one whose key is "" stands for the section itself. */
struct opt_tree {
	struct opt_value *values;
	size_t n, cap;
};

/* Where the parser is. */
struct parse {
	const struct opt_schema *schema;
	struct opt_tree *tree;
	const char *file;
	int line;
	const struct opt_section *section; /* NULL before the first */
	char instance[256];
	char *err;
};

static int complain(struct parse *p, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(struct parse *p, int r, const char *fmt, ...)
{
	char raw[OPT_ERROR_MAX];
	struct mag_buf b = MAG_BUF(raw);
	va_list ap;

	mag_buf_puts(&b, p->file);
	if (p->line > 0)
		mag_buf_printf(&b, ":%d", p->line);
	mag_buf_puts(&b, ": ");
	va_start(ap, fmt);
	mag_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	mag_clean(p->err, OPT_ERROR_MAX, raw);
	return r;
}

/* ---- the tree ---- */

static void free_value(struct opt_value *v)
{
	free((char *)v->section);
	free((char *)v->instance);
	free((char *)v->key);
	free((char *)v->text);
	free((char *)v->file);
}

void opt_tree_free(struct opt_tree **tree)
{
	if (tree == NULL || *tree == NULL)
		return;
	for (size_t i = 0; i < (*tree)->n; i++)
		free_value(&(*tree)->values[i]);
	free((*tree)->values);
	free(*tree);
	*tree = NULL;
}

static struct opt_value *find(
	const struct opt_tree *t, const char *section, const char *instance, const char *key)
{
	if (instance == NULL)
		instance = "";
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		struct opt_value *v = &t->values[i];

		if (strcmp(v->key, key) == 0 && strcmp(v->section, section) == 0 &&
			strcmp(v->instance, instance) == 0)
			return v;
	}
	return NULL;
}

const struct opt_value *opt_get(
	const struct opt_tree *t, const char *section, const char *instance, const char *key)
{
	return *key == '\0' ? NULL : find(t, section, instance, key);
}

int opt_each(const struct opt_tree *t, const char *section, const char *instance,
	int (*fn)(const struct opt_value *v, void *arg), void *arg)
{
	int r = 0;

	for (size_t i = 0; r == 0 && t != NULL && i < t->n; i++) {
		const struct opt_value *v = &t->values[i];

		if (*v->key == '\0' || (section != NULL && strcmp(v->section, section) != 0) ||
			(instance != NULL && strcmp(v->instance, instance) != 0))
			continue;
		r = fn(v, arg);
	}
	return r;
}

int opt_each_instance(const struct opt_tree *t, const char *section,
	int (*fn)(const char *instance, void *arg), void *arg)
{
	int r = 0;

	for (size_t i = 0; r == 0 && t != NULL && i < t->n; i++) {
		const struct opt_value *v = &t->values[i];

		if (*v->key == '\0' && strcmp(v->section, section) == 0)
			r = fn(v->instance, arg);
	}
	return r;
}

/* Set a key of the current section; key "" notes the section itself. One that
 * an earlier file set is set again and moves to this place. */
static int put(struct parse *p, const char *key, const char *text)
{
	struct opt_tree *t = p->tree;
	struct opt_value *old = find(t, p->section->name, p->instance, key);
	struct opt_value v = { strdup(p->section->name), strdup(p->instance), strdup(key),
		strdup(text), strdup(p->file), p->line };

	if (v.section == NULL || v.instance == NULL || v.key == NULL || v.text == NULL ||
		v.file == NULL)
		goto no_memory;
	if (old != NULL) {
		free_value(old);
		*old = v;
		return 0;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 32 : 2 * t->cap;
		struct opt_value *more = reallocarray(t->values, cap, sizeof(*more));

		if (more == NULL)
			goto no_memory;
		t->values = more;
		t->cap = cap;
	}
	t->values[t->n++] = v;
	return 0;
no_memory:
	free_value(&v);
	return complain(p, MAG_ENOMEM, "%s", mag_strerror(MAG_ENOMEM));
}

/* ---- the parser ---- */

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len > 0 && strchr(" \t\r", s[len - 1]) != NULL; len--)
		s[len - 1] = '\0';
	return s;
}

static int unknown_section(struct parse *p, const char *name)
{
	const struct opt_section *s = p->schema->sections;
	const char *one[2] = { NULL, NULL }, *best = NULL;
	char known[256];
	struct mag_buf b = MAG_BUF(known);

	known[0] = '\0';
	for (; s->name != NULL; s++) {
		one[0] = s->name;
		mag_buf_printf(&b, "%s[%s]", b.len > 0 ? " " : "", s->name);
		if (mag_nearest(name, one) != NULL &&
			(best == NULL || mag_distance(name, s->name) < mag_distance(name, best)))
			best = s->name;
	}
	if (best != NULL)
		return complain(
			p, MAG_ESYNTAX, "unknown section [%s]; did you mean [%s]?", name, best);
	return complain(p, MAG_ESYNTAX, "unknown section [%s]; known are %s", name, known);
}

static int parse_section(struct parse *p, char *s)
{
	size_t len = strlen(s);
	const struct opt_section *section = p->schema->sections;
	const struct opt_value *old;
	char *name, *instance;

	p->section = NULL;
	if (s[len - 1] != ']')
		return complain(p, MAG_ESYNTAX,
			"a section ends with ]; comments stand on lines of their own");
	s[len - 1] = '\0';
	name = trim(s + 1);
	instance = name + strcspn(name, " \t");
	if (*instance != '\0')
		*instance++ = '\0';
	instance = trim(instance);
	while (section->name != NULL && strcmp(section->name, name) != 0)
		section++;
	if (section->name == NULL)
		return unknown_section(p, name);
	if (section->named && *instance == '\0')
		return complain(p, MAG_ESYNTAX, "[%s] needs a name; write [%s NAME]", name, name);
	if (!section->named && *instance != '\0')
		return complain(p, MAG_ESYNTAX, "[%s] takes no name; write [%s]", name, name);
	if (mag_copy(p->instance, sizeof(p->instance), instance) < 0)
		return complain(p, MAG_ESYNTAX, "the name of the section is too long");
	old = find(p->tree, section->name, p->instance, "");
	if (old != NULL && strcmp(old->file, p->file) == 0)
		return complain(p, MAG_ESYNTAX,
			"[%s%s%s] began at line %d already; put its keys there", name,
			*instance == '\0' ? "" : " ", instance, old->line);
	p->section = section;
	return put(p, "", "");
}

static int unknown_key(struct parse *p, const char *key, const char *nearest)
{
	char known[300];
	struct mag_buf b = MAG_BUF(known);

	if (nearest != NULL)
		return complain(p, MAG_ESYNTAX, "unknown key %s in [%s]; did you mean %s?", key,
			p->section->name, nearest);
	known[0] = '\0';
	for (const struct opt *o = p->section->opts; o->key != NULL; o++)
		mag_buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", o->key);
	return complain(p, MAG_ESYNTAX, "unknown key %s in [%s]; known are %s", key,
		p->section->name, known);
}

static int parse_pair(struct parse *p, char *s)
{
	char *eq = strchr(s, '='), *key, *text, why[OPT_ERROR_MAX];
	const struct opt_value *old;
	const char *nearest = NULL;
	const struct opt *o;
	int r;

	if (eq == NULL)
		return complain(p, MAG_ESYNTAX, "not a section, a comment or KEY = VALUE");
	*eq = '\0';
	key = trim(s);
	text = trim(eq + 1);
	if (*key == '\0')
		return complain(p, MAG_ESYNTAX, "there is no key before the =");
	if (p->section == NULL)
		return complain(p, MAG_ESYNTAX,
			"%s stands before any section; put a line [SECTION] above it", key);
	o = opt_find(p->section->opts, key, &nearest);
	if (o == NULL)
		return unknown_key(p, key, nearest);
	old = find(p->tree, p->section->name, p->instance, key);
	if (old != NULL && strcmp(old->file, p->file) == 0)
		return complain(p, MAG_ESYNTAX, "%s is set at line %d already; keep one of them",
			key, old->line);
	r = opt_set(o, text, NULL, why);
	if (r < 0)
		return complain(p, r, "%s", why);
	return put(p, key, text);
}

/* `line` ends in NUL and is written to. */
static int parse_line(struct parse *p, char *line, size_t len)
{
	char *s;

	if (!mag_utf8_valid(line, len))
		return complain(p, MAG_ESYNTAX, "not UTF-8 text; save the file as UTF-8");
	s = trim(line);
	if (*s == '\0' || *s == '#' || *s == ';')
		return 0;
	for (const char *c = s; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return complain(
				p, MAG_ESYNTAX, "there is a control character in this line");
	return *s == '[' ? parse_section(p, s) : parse_pair(p, s);
}

/* `data` ends in NUL and is written to. Stops at the first error. */
static int parse_data(struct parse *p, const char *file, char *data, size_t len)
{
	char *end = data + len, *next;
	int r = 0;

	p->file = file;
	p->line = 0;
	p->section = NULL;
	for (char *at = data; r == 0 && at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (next == NULL)
			next = end;
		*next = '\0';
		p->line++;
		r = parse_line(p, at, (size_t)(next - at));
	}
	return r;
}

/* ---- files ---- */

static int parse_file(struct parse *p, const char *file)
{
	int fd = -1, r = MAG_ENOMEM;
	char *data = malloc(FILE_MAX + 1);
	size_t len = 0;
	ssize_t n;

	p->file = file;
	p->line = 0;
	if (data == NULL)
		goto out;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	do {
		n = fd < 0 ? -1 : read(fd, data + len, FILE_MAX - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (fd >= 0 && n < 0 && errno == EINTR));
	if (n < 0)
		r = complain(p, MAG_ESYS, "cannot be read: %s", strerror(errno));
	else if (len == FILE_MAX)
		r = complain(
			p, MAG_ERANGE, "longer than a megabyte; this is no configuration file");
	else
		r = parse_data(p, file, data, len);
out:
	if (fd >= 0)
		close(fd);
	free(data);
	return r;
}

static int is_conf(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A directory that is not there holds no files. */
static int parse_dir(struct parse *p, const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_conf, by_bytes), r = 0;
	char path[4096];

	p->file = dir;
	p->line = 0;
	if (n < 0 && errno != ENOENT)
		return complain(p, MAG_ESYS, "cannot be read: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct mag_buf b = MAG_BUF(path);

		mag_buf_printf(&b, "%s/%s", dir, names[i]->d_name);
		if (r == 0)
			r = b.overflow ? complain(p, MAG_ENOSPACE, "the path is too long")
				       : parse_file(p, path);
		free(names[i]);
	}
	free(names);
	p->file = dir;
	return r;
}

static int begin(struct parse *p, const struct opt_schema *schema, char err[OPT_ERROR_MAX])
{
	*p = (struct parse){ .schema = schema, .err = err };
	p->tree = calloc(1, sizeof(*p->tree));
	if (p->tree == NULL)
		mag_copy(err, OPT_ERROR_MAX, mag_strerror(MAG_ENOMEM));
	return p->tree == NULL ? MAG_ENOMEM : 0;
}

static int finish(struct parse *p, int r, struct opt_tree **tree_r)
{
	if (r < 0)
		opt_tree_free(&p->tree);
	else
		*tree_r = p->tree;
	return r;
}

int opt_load(const char *file, const char *dropin_dir, const struct opt_schema *schema,
	struct opt_tree **tree_r, char err[OPT_ERROR_MAX])
{
	struct parse p;
	int r = begin(&p, schema, err);

	if (r == 0)
		r = parse_file(&p, file);
	if (r == 0 && dropin_dir != NULL)
		r = parse_dir(&p, dropin_dir);
	return finish(&p, r, tree_r);
}

int opt_load_text(const char *name, const char *text, const struct opt_schema *schema,
	struct opt_tree **tree_r, char err[OPT_ERROR_MAX])
{
	struct parse p;
	char *copy = NULL;
	int r = begin(&p, schema, err);

	if (r == 0) {
		copy = strdup(text);
		p.file = name;
		r = copy == NULL ? complain(&p, MAG_ENOMEM, "%s", mag_strerror(MAG_ENOMEM))
				 : parse_data(&p, name, copy, strlen(copy));
	}
	free(copy);
	return finish(&p, r, tree_r);
}
