#include "magotp/pamedit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"

/* The length of the line that begins here, with its line end. */
static size_t line_length(const char *s)
{
	size_t n = strcspn(s, "\n");

	return n + (s[n] == '\n');
}

static bool is_mark(const char *line, size_t len, const char *mark)
{
	size_t n = strlen(mark);

	if (len < n || strncmp(line, mark, n) != 0)
		return false;
	return len == n || line[n] == '\n' || line[n] == ' ' || line[n] == '(';
}

int pam_edit_strip(const char *text, char **out_r, size_t *n_r)
{
	char *out = malloc(strlen(text) + 1), *at = out;
	bool inside = false;
	size_t n = 0;

	if (!out)
		return MAG_ENOMEM;
	while (*text) {
		size_t len = line_length(text);
		bool begin = is_mark(text, len, PAMEDIT_BEGIN),
		     end = is_mark(text, len, PAMEDIT_END);

		if ((begin && inside) || (end && !inside)) {
			free(out);
			return MAG_ESYNTAX;
		}
		if (begin) {
			inside = true;
			n++;
		} else if (end) {
			inside = false;
		} else if (!inside) {
			memcpy(at, text, len);
			at += len;
		}
		text += len;
	}
	*at = 0;
	if (inside) {
		free(out);
		return MAG_ESYNTAX;
	}
	*out_r = out;
	if (n_r)
		*n_r = n;
	return 0;
}

static bool put_block(FILE *f, const char *lines)
{
	return fprintf(f, "%s\n%s%s\n", PAMEDIT_BEGIN, lines, PAMEDIT_END) > 0;
}

int pam_edit_insert(const char *text, const struct pam_insert *inserts, size_t n, char **out_r)
{
	size_t size, done = 0;
	char *out = NULL;
	FILE *f = open_memstream(&out, &size);
	int line = 0;

	if (!f)
		return MAG_ENOMEM;
	while (*text) {
		size_t len = line_length(text);

		line++;
		for (size_t i = 0; i < n; i++)
			if (inserts[i].before == line)
				done += put_block(f, inserts[i].lines);
		fwrite(text, 1, len, f);
		for (size_t i = 0; i < n; i++)
			if (inserts[i].after == line && text[len - 1] == '\n')
				done += put_block(f, inserts[i].lines);
		text += len;
	}
	if (fclose(f)) {
		free(out);
		return MAG_ENOMEM;
	}
	if (done != n) {
		free(out);
		return MAG_ERANGE;
	}
	*out_r = out;
	return 0;
}

/* ---- a copy of it, without root's own way ---- */

/* The name of a module in this line that asks whether the caller is root; NULL: none. */
static const char *root_only(const char *line, size_t *len_r)
{
	static const struct {
		const char *module, *words[2];
	} table[] = {
		{ "pam_rootok.so", { "", "" } },
		{ "pam_wheel.so", { "trust", "" } },
		{ "pam_succeed_if.so", { "use_uid", "uid = 0" } },
		{ "pam_succeed_if.so", { "use_uid", "uid eq 0" } },
		{ "pam_succeed_if.so", { "use_uid", "user = root" } },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const char *at = strstr(line, table[i].module);

		if (at && strstr(at, table[i].words[0]) && strstr(at, table[i].words[1])) {
			*len_r = strlen(table[i].module);
			return at;
		}
	}
	return NULL;
}

/* A line with those that it goes on in. */
static size_t whole_line(const char *s)
{
	size_t n = line_length(s);

	while (s[n] && n >= 2 && s[n - 1] == '\n' && s[n - 2] == '\\')
		n += line_length(s + n);
	return n;
}

/* The file's name where the line includes one beside it; NULL: it includes none. */
static const char *included(const char *line)
{
	static const char blank[] = " \t";
	const char *p = line + strspn(line, blank);
	size_t n = strcspn(p, blank);

	if (n != strlen("@include") || strncmp(p, "@include", n) != 0) {
		p += n + strspn(p + n, blank);
		n = strcspn(p, blank);
		if ((n != strlen("include") || strncmp(p, "include", n) != 0) &&
			(n != strlen("substack") || strncmp(p, "substack", n) != 0))
			return NULL;
	}
	p += n + strspn(p + n, blank);
	return *p == '/' || *p == '\\' ? NULL : p;
}

int pam_edit_copy(const char *text, const char *folder, char **out_r)
{
	char *out = NULL;
	size_t cap = 0;
	FILE *f = open_memstream(&out, &cap);
	bool whole = f != NULL;

	while (whole && *text) {
		size_t len = whole_line(text), name = 0;
		char *line = strndup(text, len);
		const char *module = line ? root_only(line, &name) : NULL;
		const char *file = line ? included(line) : NULL;

		if (file)
			fprintf(f, "%.*s%s/%s", (int)(file - line), line, folder, file);
		else if (module)
			fprintf(f, "%.*spam_deny.so%s", (int)(module - line), line, module + name);
		else
			fputs(line ? line : "", f);
		whole = line && !ferror(f);
		free(line);
		text += len;
	}
	if (f && fclose(f))
		whole = false;
	if (!whole) {
		free(out);
		return MAG_ENOMEM;
	}
	*out_r = out;
	return 0;
}
