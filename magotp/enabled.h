/* What `magotpctl enable` did to a service: kept in a folder that is root's alone
 * (/etc/magotp/enabled), so that it can be undone, by whoever finds it overdue. */
#ifndef ENABLED_H
#define ENABLED_H

#include <stdbool.h>
#include <stdint.h>

#include "magotp/cli.h"

struct enabled {
	char service[65];
	char config[256];      /* --config, or "" */
	char pam[256];         /* the folder of PAM's files */
	int64_t at;            /* when; */
	int64_t deadline;      /* goes back then unless confirmed; 0: it stays */
	char boot[40];         /* CLOCK_BOOTTIME and the boot it belongs to: a clock that is set */
	int64_t deadline_boot; /* back does not keep it from going back */
	bool observe, sshd, listed;
};

/* The folder beside the configuration file, and a file of the service in it:
 * "before" (the original), "state", "lock", "watch1", "watch2". */
void enabled_path(
	const char *config, const char *service, const char *what, char *path, size_t cap);
/* Make the folder; 0 or MAG_ESYS (errno). */
int enabled_folder(const char *config);
/* 0; MAG_ENOTFOUND: it is not enabled; MAG_ESYS; MAG_ESYNTAX. */
int enabled_load(const char *config, const char *service, struct enabled *e_r);
int enabled_save(const struct enabled *e);
void enabled_forget(const struct enabled *e);
/* Sets both deadlines, so many seconds from now. */
void enabled_set_deadline(struct enabled *e, int64_t seconds);
bool enabled_overdue(const struct enabled *e);
/* One at a time; a descriptor to close, or -1 (errno EAGAIN: taken). */
int enabled_lock(const char *config, const char *service, const char *what, bool wait);
/* Does somebody hold it? Asking takes nothing away from who is about to. */
bool enabled_held(const char *config, const char *service, const char *what);

/* Each service with a state, in no order. fn != 0 stops. */
typedef int enabled_fn(const struct enabled *e, void *arg);
int enabled_each(const char *config, enabled_fn *fn, void *arg);

/* Start a watcher (1 or 2) that outlives us. 0 or -1. */
int enabled_watch(const struct enabled *e, int number);
/* Run `magotpctl disable SERVICE` and wait. 0 or -1. */
int enabled_revert(const struct enabled *e);
/* What nobody watches any more: undo what is overdue, watch the rest again. Any
 * magotpctl of root's does it first. */
void enabled_tend(const char *config);

#endif
