/* A private configuration, a process, and their end. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "smsd/sip/baresip.h"

#define FD_FIRST   3
#define FD_CODE    4
#define FD_ACCOUNT 5
#define FD_ABOVE   10 /* our own numbers of them, out of the way */
#define END_MS     1000

/* ---- files in memory ---- */

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC), above;

	if (fd < 0)
		return -1;
	above = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
	close(fd);
	return above;
}

/* A file in memory is swapped out like any, but for what somebody has locked: this process,
 * as long as it lives. */
static int write_locked(int fd, const void *data, size_t len)
{
	int r = mag_write_all(fd, data, len);
	void *p = r == 0 && len > 0 ? mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (p != MAP_FAILED)
		(void)mlock(p, len); /* smsd has told if there is no room */
	return r;
}

int baresip_write_code(struct baresip *b, const struct mag_secret *wav)
{
	return write_locked(b->code, wav->data, wav->len);
}

/* ---- the configuration ---- */

/* An address of its own on loopback and a port that is free there: two calls at the same time
 * never meet, and nobody can guess where to look. */
static int choose_control(struct baresip *b)
{
	socklen_t len = sizeof b->control;
	unsigned char host[3];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = MAG_ESYS;

	if (fd < 0 || mag_random(host, sizeof host) < 0)
		goto out;
	memset(&b->control, 0, sizeof b->control);
	b->control.sin_family = AF_INET;
	/* Never .0 or .255: some take them for the whole net. */
	b->control.sin_addr.s_addr = htonl(127U << 24 | (uint32_t)host[0] << 16 |
					   (uint32_t)host[1] << 8 | (1 + host[2] % 254U));
	if (bind(fd, (struct sockaddr *)&b->control, sizeof b->control) == 0 &&
		getsockname(fd, (struct sockaddr *)&b->control, &len) == 0)
		r = 0;
out:
	if (fd >= 0)
		close(fd);
	return r;
}

/* The account with its password: in memory, behind a link. */
static int write_account(const struct sip_order *o, struct baresip *b)
{
	char line[1024], auth[256] = "", outbound[192] = "";
	int n, r;

	if (*o->password)
		snprintf(auth, sizeof auth, ";auth_pass=%s", o->password);
	if (strcmp(o->server, o->domain) != 0)
		snprintf(outbound, sizeof outbound, ";outbound=\"sip:%s;transport=%s\"", o->server,
			o->transport);
	n = snprintf(line, sizeof line, "<sip:%s@%s;transport=%s>;auth_user=%s%s%s;regint=%d\n",
		o->from, o->domain, o->transport, o->username, auth, outbound,
		strcmp(o->registers, "yes") == 0 ? 600 : 0);
	r = n < (int)sizeof line ? write_locked(b->account, line, (size_t)n) : MAG_ERANGE;
	mag_wipe(line, sizeof line);
	mag_wipe(auth, sizeof auth);
	return r;
}

static int write_config(
	const struct baresip_place *place, const struct sip_order *o, const struct baresip *b)
{
	char path[64], address[INET_ADDRSTRLEN], any[] = "0.0.0.0";
	struct in_addr parsed;
	FILE *f;
	int bad;

	snprintf(path, sizeof path, "%s/config", b->directory);
	if (!(f = fopen(path, "wxe")))
		return MAG_ESYS;
	inet_ntop(AF_INET, &b->control.sin_addr, address, sizeof address);
	if (*o->interface)
		fprintf(f, "net_interface %s\n", o->interface);
	fprintf(f,
		"sip_listen %s:0\n"
		"audio_source " BARESIP_FIRST "\n"
		"audio_player aubridge,nil\naudio_alert aubridge,nil\n"
		"call_max_calls 1\n"
		"module_path %s\n"
		"module g711.so\nmodule aufile.so\nmodule aubridge.so\n"
		"module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
		"ctrl_tcp_listen %s:%u\n",
		inet_pton(AF_INET, o->interface, &parsed) == 1 ? o->interface : any, place->modules,
		address, ntohs(b->control.sin_port));
	bad = ferror(f);
	return fclose(f) == 0 && !bad ? 0 : MAG_ESYS;
}

static int make_directory(
	const struct baresip_place *place, const struct sip_order *o, struct baresip *b)
{
	char link[64], target[32];
	int r;

	snprintf(b->directory, sizeof b->directory, "/tmp/magotp-sip-XXXXXX");
	if (!mkdtemp(b->directory)) {
		b->directory[0] = '\0';
		return MAG_ESYS;
	}
	snprintf(link, sizeof link, "%s/accounts", b->directory);
	snprintf(target, sizeof target, "/proc/self/fd/%d", FD_ACCOUNT);
	r = write_account(o, b);
	return r < 0 ? r : symlink(target, link) < 0 ? MAG_ESYS : write_config(place, o, b);
}

void baresip_forget(struct baresip *b)
{
	const struct dirent *e;
	DIR *d = b->directory[0] ? opendir(b->directory) : NULL;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(b->directory);
	b->directory[0] = '\0';
}

/* ---- the process ---- */

/* In our own process group: who ends us at the deadline ends it, too. */
static int spawn(const char *program, struct baresip *b)
{
	static char path[] = "PATH=/usr/bin:/bin", lang[] = "LANG=C.UTF-8", flag[] = "-f";
	char *const environment[] = { path, lang, NULL };
	char name[256];
	char *const argv[] = { name, flag, b->directory, NULL };
	posix_spawn_file_actions_t files;
	int error;

	snprintf(name, sizeof name, "%s", program);
	if (posix_spawn_file_actions_init(&files))
		return MAG_ENOMEM;
	error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	for (int fd = 1; fd <= 2 && !error; fd++)
		error = posix_spawn_file_actions_adddup2(&files, 0, fd);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, b->first, FD_FIRST);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, b->code, FD_CODE);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, b->account, FD_ACCOUNT);
	if (!error)
		error = posix_spawn(&b->pid, program, &files, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	if (error)
		b->pid = 0;
	return error ? MAG_ESYS : 0;
}

int baresip_start(const struct baresip_place *place, const struct sip_order *o,
	const struct mag_secret *first, struct baresip *b)
{
	int r;

	memset(b, 0, sizeof *b);
	b->first = memory_file("first");
	b->code = memory_file("code");
	b->account = memory_file("account");
	if (b->first < 0 || b->code < 0 || b->account < 0)
		return MAG_ESYS;
	if ((r = mag_write_all(b->first, first->data, first->len)) < 0 ||
		(r = choose_control(b)) < 0 || (r = make_directory(place, o, b)) < 0)
		return r;
	return spawn(place->program, b);
}

/* It says goodbye to the server first, but not for long. */
void baresip_end(struct baresip *b)
{
	int64_t end = mag_ticks_ms() + END_MS;
	const struct timespec pause = { 0, 10 * 1000 * 1000 };

	if (b->pid > 0) {
		kill(b->pid, SIGTERM);
		while (waitpid(b->pid, NULL, WNOHANG) == 0) {
			if (mag_ticks_ms() >= end)
				kill(b->pid, SIGKILL);
			nanosleep(&pause, NULL);
		}
	}
	b->pid = 0;
	baresip_forget(b);
}
