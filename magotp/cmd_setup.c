/* magotpctl setup: otpcored makes its key and store itself; on a terminal the
 * two things that every site decides are asked for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

#define PRESET ".conf.example"

static const char *conf_file(const struct cli *c)
{
	return c->config ? c->config : MAGOTP_CONF;
}

int cmd_run_otpcored(struct cli *c, const char *const *args, const char *id, const char *refusal)
{
	char path[600];
	const char *argv[64] = { path };
	int status, n = 1;

	while (*args && n < 60)
		argv[n++] = *args++;
	if (c->config) {
		argv[n++] = "--config";
		argv[n] = c->config;
	}
	if (cli_own_program("otpcored", path, sizeof path))
		return cli_fail(c, CLI_REFUSED, "failed",
			"otpcored is not installed (looked beside this program and in %s).",
			SBINDIR);
	if (cli_spawn((char *const *)argv, &status))
		return cli_fail(c, CLI_REFUSED, "failed", "%s cannot be run.", path);
	return status ? cli_fail(c, CLI_REFUSED, id, "%s", refusal) : CLI_DONE;
}

/* Key and store. Exit code; what was made is told by otpcored. */
static int make_store(struct cli *c)
{
	const char *args[] = { "--setup", NULL };

	return cmd_run_otpcored(c, args, "setup", "Nothing was overwritten; see above.");
}

int cmd_migrate(struct cli *c)
{
	const char *to = cli_opt(c, "--to");
	const char *args[] = { "--migrate-to", to, NULL };

	if (!to)
		return cli_usage(c, "--to is missing: sqlite:/PATH or postgresql://HOST/DATABASE");
	return cmd_run_otpcored(c, args, "setup", "Nothing was switched; see above.");
}

/* A small file that is not there yet. 0 or -1 (errno). */
static int write_new(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), r = 0;

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd))
		r = -1;
	return close(fd) ? -1 : r;
}

/* [licences] mode, unless the files say it: into a drop-in of its own. */
static int ask_licences(struct cli *c)
{
	static const char prompt[] = "Does a phone need a licence key here? "
				     "Without, magotpctl enroll is enough. [y/n] ";
	struct mag_secret answer = { 0 };
	char dir[400], file[450];
	int r;

	if (!c->settings || opt_get(c->settings->tree, "licences", "", "mode"))
		return CLI_DONE;
	r = cli_ask(c, prompt, "an answer", &answer);
	if (r == CLI_DONE && *mag_secret_text(&answer) == 'n') {
		snprintf(dir, sizeof dir, "%s.d", conf_file(c));
		snprintf(file, sizeof file, "%s/licences.conf", dir);
		if ((mkdir(dir, 0755) && errno != EEXIST) ||
			write_new(file, "[licences]\nmode = automatic\n"))
			r = cli_fail(c, CLI_REFUSED, "failed", "%s: %s", file, strerror(errno));
		else
			cli_note(c, "made %s", file);
	}
	mag_secret_free(&answer);
	return r;
}

/* The presets that stand beside smsd.conf, as one line. */
static size_t list_presets(const char *dir, struct mag_buf *b)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), end = strlen(PRESET);

		if (len <= end || !mag_streq(e->d_name + len - end, PRESET))
			continue;
		mag_buf_printf(b, "%s%.*s", n++ ? " " : "", (int)(len - end), e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

/* Which gateway? Its preset becomes a file to fill in. */
static int ask_gateway(struct cli *c)
{
	const char *conf = conf_file(c), *slash = strrchr(conf, '/');
	char dir[400], from[700], to[700], names[512] = "";
	struct mag_buf b = MAG_BUF(names);
	struct mag_secret answer = { 0 };
	const char *name;
	int r;

	snprintf(dir, sizeof dir, "%.*sgateways.d", slash ? (int)(slash - conf + 1) : 0, conf);
	if (!list_presets(dir, &b))
		return CLI_DONE;
	cli_note(c, "Gateways: %s", names);
	r = cli_ask(c, "Which one sends your messages (Enter: later)? ", "a gateway", &answer);
	name = mag_secret_text(&answer);
	if (r == CLI_DONE && *name &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") < strlen(name))
		r = cli_usage(c, "%s: none of them", name);
	if (r == CLI_DONE && *name) {
		snprintf(from, sizeof from, "%s/%.64s" PRESET, dir, name);
		snprintf(to, sizeof to, "%s/%.64s.conf", dir, name);
		if (access(from, R_OK))
			r = cli_usage(c, "%s: none of them", name);
		else if (config_copy(from, to, 0644))
			r = cli_fail(c, CLI_REFUSED, "failed", "%s: %s", to, strerror(errno));
		else
			cli_note(c, "made %s: fill in your account's values", to);
	}
	mag_secret_free(&answer);
	return r;
}

int cmd_setup(struct cli *c)
{
	int r = make_store(c);

	if (r == CLI_DONE && cli_can_ask() && !c->json) {
		r = cli_settings(c);
		if (r == CLI_DONE)
			r = ask_licences(c);
		if (r == CLI_DONE)
			r = ask_gateway(c);
	}
	if (r == CLI_DONE)
		cli_note(c, "Next: magotpctl config check, then start otpcored and magotp-smsd.");
	return r;
}
