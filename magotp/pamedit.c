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
