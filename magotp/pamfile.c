#include "magotp/pamfile.h"

#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define DEPTH_MAX   8
#define OPTIONS_MAX 64

struct reading {
	const char *dir;
	struct pam_line *l;
	int depth;
};

static int read_service(struct reading *g, const char *name);

char *pam_word(char **p)
{
	char *s = *p + strspn(*p, " \t"), *end;

	if (!*s)
		return NULL;
	if (*s == '[' && (end = strchr(s, ']')))
		end++;
	else
		end = s + strcspn(s, " \t");
	*p = *end ? end + 1 : end;
	*end = 0;
	return s;
}

static void option(struct pam_line *l, const char *text)
{
	const struct {
		const char *prefix;
		char *dst;
		size_t cap;
	} texts[] = { { "require=", l->require, sizeof l->require },
		{ "mode=", l->mode, sizeof l->mode },
		{ "unenrolled=", l->unenrolled, sizeof l->unenrolled },
		{ "service=", l->service, sizeof l->service } };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (mag_has_prefix(text, texts[i].prefix))
			mag_copy(texts[i].dst, texts[i].cap, text + strlen(texts[i].prefix));
	if (mag_has_prefix(text, "level="))
		mag_int_parse(text + 6, 0, 9, &l->level);
	if (mag_streq(text, "nullok"))
		mag_copy(l->unenrolled, sizeof l->unenrolled, "allow");
	if (mag_streq(text, "broker_down=allow"))
		l->broker_down_allow = true;
}

/* The module's line. Options of auth count; those of account only where there
 * is no auth line. */
static void module_line(struct pam_line *l, bool auth, const char *file, int line, char *args)
{
	const char *words[OPTIONS_MAX];
	struct options parsed;
	int n = 0;
	char *w;

	if (auth ? l->auth : l->found) {
		l->account |= !auth;
		return;
	}
	*l = (struct pam_line){
		.found = true, .auth = auth, .account = l->account || !auth, .line = line
	};
	mag_copy(l->file, sizeof l->file, file);
	while ((w = pam_word(&args))) {
		option(l, w);
		if (n < OPTIONS_MAX)
			words[n++] = w;
	}
	if (!options_parse(n, words, &parsed, l->wrong) && parsed.prompt_password)
		mag_copy(l->password_service, sizeof l->password_service, parsed.password_service);
}

static int one_line(struct reading *g, const char *file, int line, char *text)
{
	char *p = text, *type = pam_word(&p), *control, *module;
	const char *base;

	if (!type || *type == '#')
		return 0;
	if (mag_streq(type, "@include")) {
		module = pam_word(&p);
		return module ? read_service(g, module) : 0;
	}
	control = pam_word(&p);
	module = pam_word(&p);
	if (*type == '-')
		type++;
	if (!control || !module || (!mag_streq(type, "auth") && !mag_streq(type, "account")))
		return 0;
	if (mag_streq(control, "include") || mag_streq(control, "substack"))
		return read_service(g, module);
	base = strrchr(module, '/');
	if (mag_streq(base ? base + 1 : module, "pam_magotp.so"))
		module_line(g->l, mag_streq(type, "auth"), file, line, p);
	return 0;
}

static int read_service(struct reading *g, const char *name)
{
	char path[512], line[2048];
	int n = 0, r = 0;
	size_t len = 0;
	FILE *f;

	if (g->depth == DEPTH_MAX)
		return MAG_ERANGE;
	if (snprintf(path, sizeof path, *name == '/' ? "%.0s%s" : "%s/%s", g->dir, name) >=
		(int)sizeof path)
		return MAG_ERANGE;
	f = fopen(path, "re");
	if (!f)
		return MAG_ESYS;
	g->depth++;
	while (!r && fgets(line + len, (int)(sizeof line - len), f)) {
		n++;
		len += strcspn(line + len, "\r\n");
		if (len && line[len - 1] == '\\' && len < sizeof line - 2) {
			line[len - 1] = ' '; /* goes on in the next line */
			continue;
		}
		line[len] = 0;
		len = 0;
		r = one_line(g, path, n, line);
	}
	g->depth--;
	fclose(f);
	return r;
}

int pam_read(const char *dir, const char *service, struct pam_line *l_r)
{
	struct pam_line l = { 0 };
	struct reading g = { dir, &l, 0 };
	int r;

	if (strchr(service, '/'))
		return MAG_EINVAL;
	r = read_service(&g, service);
	if (!r)
		*l_r = l;
	return r;
}
