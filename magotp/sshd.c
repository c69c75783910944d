#include "magotp/sshd.h"

#include <ctype.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "magotp/replace.h"
#include "otpcore/base/text.h"

static char program[] = "/usr/sbin/sshd";

bool sshd_installed(void)
{
	return access(program, X_OK) == 0;
}

/* A trailing line end reads badly in a sentence. */
static int run(const char *option, char *out, size_t cap)
{
	char *argv[] = { program, (char *)option, NULL };
	int status;

	*out = 0;
	if (cli_capture(argv, out, cap, &status))
		return -1;
	for (size_t n = strlen(out); n && out[n - 1] == '\n'; n--)
		out[n - 1] = 0;
	return status ? -1 : 0;
}

int sshd_check(char *said, size_t cap)
{
	return run("-t", said, cap);
}

int sshd_settings(struct sshd_settings *s_r, char *said, size_t cap)
{
	int r = run("-T", s_r->text, sizeof s_r->text);

	if (r)
		snprintf(said, cap, "%s", s_r->text);
	return r;
}

void sshd_value(const struct sshd_settings *s, const char *keyword, char *value, size_t cap)
{
	size_t len = strlen(keyword);

	*value = 0;
	for (const char *p = s->text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!strncmp(p, keyword, len) && p[len] == ' ') {
			snprintf(value, cap, "%.*s", (int)strcspn(p + len + 1, "\n"), p + len + 1);
			return;
		}
}

static bool sets(const char *line, const char *keyword)
{
	size_t len = strlen(keyword);

	line += strspn(line, " \t");
	return !strncasecmp(line, keyword, len) && line[len] && strchr(" \t=", line[len]);
}

/* The first line of a file that sets it; what it includes is looked at where it
 * stands, as sshd does. */
static bool look(const char *path, const char *keyword, char *place, size_t cap, int depth)
{
	char *text = depth < 4 ? file_read(path, NULL) : NULL, *save = NULL;
	bool found = false;
	int n = 0;

	/* strtok would swallow empty lines, and with them their numbers. */
	for (char *line = text; line && *line && !found; line = save) {
		size_t len = strcspn(line, "\n");

		save = line + len + (line[len] == '\n');
		line[len] = 0;
		n++;
		if (sets(line, "Match"))
			break; /* for some only */
		if (sets(line, keyword)) {
			snprintf(place, cap, "%s:%d", path, n);
			found = true;
		} else if (sets(line, "Include")) {
			char pattern[256] = "";
			glob_t g;

			line += strspn(line, " \t") + strlen("Include");
			snprintf(pattern, sizeof pattern, "%s%.200s",
				line[strspn(line, " \t=\"")] == '/' ? "" : "/etc/ssh/",
				line + strspn(line, " \t=\""));
			pattern[strcspn(pattern, " \t\"")] = 0;
			if (glob(pattern, 0, NULL, &g) == 0) {
				for (size_t i = 0; i < g.gl_pathc && !found; i++)
					found = look(g.gl_pathv[i], keyword, place, cap, depth + 1);
				globfree(&g);
			}
		}
	}
	free(text);
	return found;
}

void sshd_place(const char *keyword, char *place, size_t cap)
{
	*place = 0;
	(void)look(SSHD_CONFIG, keyword, place, cap, 0);
}

const char *sshd_dropin(bool watch)
{
	return watch ? "# Written by magotpctl enable sshd --observe; magotpctl disable sshd "
		       "removes "
		       "it.\n"
		       "UsePAM yes\nKbdInteractiveAuthentication yes\n"
		     : "# Written by magotpctl enable sshd; magotpctl disable sshd removes it.\n"
		       "UsePAM yes\nKbdInteractiveAuthentication yes\n"
		       "# One prompt for the password and one for the code; this way has only the "
		       "first.\n"
		       "PasswordAuthentication no\n";
}

long sshd_reload(const struct sshd_settings *s)
{
	char path[256], exe[64], self[256] = "";
	const char *base;
	char *text;
	int64_t pid = 0;
	ssize_t n;

	sshd_value(s, "pidfile", path, sizeof path);
	text = *path == '/' ? file_read(path, NULL) : NULL;
	if (text) {
		text[strcspn(text, "\r\n")] = 0;
		if (mag_int_parse(text, 2, INT32_MAX, &pid))
			pid = 0;
	}
	free(text);
	if (!pid)
		return 0;
	/* A stale file must not hit somebody else. */
	snprintf(exe, sizeof exe, "/proc/%lld/exe", (long long)pid);
	n = readlink(exe, self, sizeof self - 1);
	if (n <= 0)
		return 0;
	self[n] = 0;
	base = strrchr(self, '/');
	if (!base || !mag_has_prefix(base + 1, "sshd"))
		return 0;
	return kill((pid_t)pid, SIGHUP) ? 0 : (long)pid;
}
