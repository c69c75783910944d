#include "magotp/enabled.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "magotp/replace.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define STATE ".state"

extern char **environ; /* handed on to children as it is */

static void folder_of(const char *config, char *path, size_t cap)
{
	const char *conf = config && *config ? config : MAGOTP_CONF, *slash = strrchr(conf, '/');

	snprintf(path, cap, "%.*senabled", slash ? (int)(slash - conf + 1) : 0, conf);
}

void enabled_path(const char *config, const char *service, const char *what, char *path, size_t cap)
{
	char folder[300];

	folder_of(config, folder, sizeof folder);
	snprintf(path, cap, "%s/%s.%s", folder, service, what);
}

int enabled_folder(const char *config)
{
	char path[300];
	struct stat st;

	folder_of(config, path, sizeof path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return MAG_ESYS;
	/* Who could write here could have root write into /etc/pam.d. */
	if (lstat(path, &st))
		return MAG_ESYS;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
		errno = EPERM;
		return MAG_ESYS;
	}
	return 0;
}

/* ---- the state: lines "key value" ---- */
struct field {
	const char *key;
	char *text;
	size_t cap;
	int64_t *number;
	bool *flag;
};

static void fields_of(struct enabled *e, struct field f[10])
{
	const struct field fields[10] = {
		{ "config", e->config, sizeof e->config, NULL, NULL },
		{ "pam", e->pam, sizeof e->pam, NULL, NULL },
		{ "at", NULL, 0, &e->at, NULL },
		{ "deadline", NULL, 0, &e->deadline, NULL },
		{ "boot", e->boot, sizeof e->boot, NULL, NULL },
		{ "deadline_boot", NULL, 0, &e->deadline_boot, NULL },
		{ "observe", NULL, 0, NULL, &e->observe },
		{ "sshd", NULL, 0, NULL, &e->sshd },
		{ "listed", NULL, 0, NULL, &e->listed },
		{ NULL, NULL, 0, NULL, NULL },
	};

	memcpy(f, fields, sizeof fields);
}

static int parse_line(const struct field *f, char *line)
{
	char *value = strchr(line, ' ');
	int64_t n;

	if (!value)
		return MAG_ESYNTAX;
	*value++ = 0;
	for (; f->key; f++) {
		if (!mag_streq(f->key, line))
			continue;
		if (f->text)
			return mag_copy(f->text, f->cap, value);
		if (mag_int_parse(value, 0, INT64_MAX, &n))
			return MAG_ESYNTAX;
		if (f->number)
			*f->number = n;
		else
			*f->flag = n != 0;
		return 0;
	}
	return MAG_ESYNTAX;
}

int enabled_load(const char *config, const char *service, struct enabled *e_r)
{
	struct enabled e = { 0 };
	struct field f[10];
	char path[400];
	char *text, *save = NULL;
	int r = mag_copy(e.service, sizeof e.service, service);

	if (r || strchr(service, '/'))
		return MAG_EINVAL;
	enabled_path(config, service, "state", path, sizeof path);
	text = file_read(path, NULL);
	if (!text)
		return errno == ENOENT ? MAG_ENOTFOUND : MAG_ESYS;
	fields_of(&e, f);
	for (char *line = strtok_r(text, "\n", &save); line && !r;
		line = strtok_r(NULL, "\n", &save))
		r = parse_line(f, line);
	free(text);
	if (!r)
		*e_r = e;
	return r;
}

int enabled_save(const struct enabled *e)
{
	struct enabled copy = *e;
	struct field f[10];
	char text[1200] = "", path[400];
	size_t len = 0;

	fields_of(&copy, f);
	for (size_t i = 0; f[i].key && len < sizeof text; i++) {
		if (f[i].text && !*f[i].text)
			continue;
		if (f[i].text)
			len += (size_t)snprintf(
				text + len, sizeof text - len, "%s %s\n", f[i].key, f[i].text);
		else
			len += (size_t)snprintf(text + len, sizeof text - len, "%s %lld\n",
				f[i].key, f[i].number ? (long long)*f[i].number : *f[i].flag);
	}
	enabled_path(e->config, e->service, "state", path, sizeof path);
	return len < sizeof text ? file_write(path, text, 0600) : MAG_ERANGE;
}

void enabled_forget(const struct enabled *e)
{
	static const char *const files[] = { "state", "before", "watch1", "watch2", NULL };
	char path[400];

	for (size_t i = 0; files[i]; i++) {
		enabled_path(e->config, e->service, files[i], path, sizeof path);
		unlink(path);
	}
}

/* ---- time ---- */
static int64_t boot_seconds(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

static void boot_id(char *id, size_t cap)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char line[64] = "";

	if (f && fgets(line, sizeof line, f))
		line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
	mag_copy(id, cap, line);
}

void enabled_set_deadline(struct enabled *e, int64_t seconds)
{
	boot_id(e->boot, sizeof e->boot);
	e->deadline = mag_now() + seconds;
	e->deadline_boot = boot_seconds() + seconds;
}

bool enabled_overdue(const struct enabled *e)
{
	char boot[40];

	if (!e->deadline)
		return false;
	boot_id(boot, sizeof boot);
	/* Another boot: nobody was left to confirm in. */
	return mag_now() >= e->deadline || !mag_streq(boot, e->boot) ||
	       boot_seconds() >= e->deadline_boot;
}

/* ---- locks ---- */
static int lock_file(const char *config, const char *service, const char *what)
{
	char path[400];

	enabled_path(config, service, what, path, sizeof path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int enabled_lock(const char *config, const char *service, const char *what, bool wait)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = lock_file(config, service, what), e;

	if (fd < 0 || fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

bool enabled_held(const char *config, const char *service, const char *what)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = lock_file(config, service, what), r;

	if (fd < 0)
		return false;
	r = fcntl(fd, F_OFD_GETLK, &l);
	close(fd);
	return r == 0 && l.l_type != F_UNLCK;
}

int enabled_each(const char *config, enabled_fn *fn, void *arg)
{
	char folder[300], service[65];
	struct dirent *d;
	struct enabled e;
	DIR *dir;
	int r = 0;

	folder_of(config, folder, sizeof folder);
	dir = opendir(folder);
	while (dir && !r && (d = readdir(dir))) {
		size_t len = strlen(d->d_name), end = strlen(STATE);

		if (len <= end || !mag_streq(d->d_name + len - end, STATE) ||
			len - end >= sizeof service || *d->d_name == '.')
			continue;
		snprintf(service, sizeof service, "%.*s", (int)(len - end), d->d_name);
		if (!enabled_load(config, service, &e))
			r = fn(&e, arg);
	}
	if (dir)
		closedir(dir);
	return r;
}

/* ---- processes ---- */

/* A session of its own, nothing of ours open. */
static int spawn_apart(char *const argv[])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	pid_t pid;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&files))
		return -1;
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&files);
		return -1;
	}
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_adddup2(&files, 0, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn(&pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r ? -1 : 0;
}

/* Under systemd the watcher is a unit of its own: else it would end with the session
 * of the person who enabled (KillUserProcesses=). */
static int spawn_as_unit(const struct enabled *e, char *const argv[])
{
	static const char program[] = "/usr/bin/systemd-run";
	char unit[128];
	char *line[10] = { (char *)program, (char *)"--quiet", (char *)"--collect", unit };
	size_t n = 4;
	int status;

	if (access("/run/systemd/system", F_OK) || access(program, X_OK))
		return -1;
	snprintf(unit, sizeof unit, "--unit=magotp-watch-%s-%s", e->service, argv[2]);
	for (; *argv && n < 9; argv++)
		line[n++] = *argv;
	return cli_spawn(line, &status) || status ? -1 : 0;
}

int enabled_watch(const struct enabled *e, int number)
{
	char program[600], word[4];
	char *argv[] = { program, (char *)e->service, word, NULL, NULL };

	if (cli_own_program("enable-watch", program, sizeof program))
		return -1;
	snprintf(word, sizeof word, "%d", number & 3);
	if (*e->config)
		argv[3] = (char *)e->config;
	return spawn_as_unit(e, argv) == 0 ? 0 : spawn_apart(argv);
}

int enabled_revert(const struct enabled *e)
{
	char program[600];
	char *argv[8] = { program, (char *)"disable", (char *)e->service };
	int status;

	if (cli_own_program("magotpctl", program, sizeof program))
		return -1;
	if (*e->config) {
		argv[3] = (char *)"--config";
		argv[4] = (char *)e->config;
	}
	return cli_spawn(argv, &status) || status ? -1 : 0;
}

static int tend_one(const struct enabled *e, void *arg)
{
	static const char *const names[] = { "watch1", "watch2" };

	(void)arg;
	if (!e->deadline)
		return 0;
	if (enabled_overdue(e)) {
		(void)enabled_revert(e);
		return 0;
	}
	for (int i = 0; i < 2; i++)
		if (!enabled_held(e->config, e->service, names[i]))
			(void)enabled_watch(e, i + 1);
	return 0;
}

void enabled_tend(const char *config)
{
	if (geteuid() == 0)
		(void)enabled_each(config, tend_one, NULL);
}
