/* What a process gives up for good: files and ports (Landlock), calls (seccomp). What is
 * not named is refused. Both need no_new_privs, which they set. */
#ifndef MAG_FENCE_H
#define MAG_FENCE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- files and ports ---- */

/* Of a path and of all that lies beneath it. */
enum fence_right {
	FENCE_READ = 1,
	FENCE_WRITE = 2, /* into what is there */
	FENCE_MAKE = 4,  /* regular files */
	FENCE_REMOVE = 8,
	FENCE_RUN = 16,
};
#define FENCE_STATE (FENCE_READ | FENCE_WRITE | FENCE_MAKE | FENCE_REMOVE)

struct fence;

/* What is fenced at all, beside writing, making, removing and running. */
struct fence_scope {
	bool read;    /* reading, too */
	bool bind;    /* listening on a TCP port */
	bool connect; /* to a TCP port */
	bool others;  /* signals to other processes, abstract sockets of theirs */
};

/* MAG_EUNSUPPORTED: this kernel or build has no Landlock. Ports need Linux 6.7,
 * `others` 6.12; before, they stay open. */
int fence_new(const struct fence_scope *scope, struct fence **f_r);
void fence_free(struct fence **f);
/* What is not there needs no rule. 0 or MAG_ESYS. */
int fence_path(struct fence *f, const char *path, unsigned rights);
/* The directory that `file`, an absolute path, is in; "" and others are left out. */
int fence_beside(struct fence *f, const char *file, unsigned rights);
int fence_port(struct fence *f, uint16_t port); /* may be connected to */
int fence_close(struct fence *f);               /* from now on; 0 or MAG_ESYS */

/* ---- calls ---- */

/* Beside memory, time, what is open already, and the process itself. */
enum fence_calls {
	FENCE_FILES = 1,   /* opens files, changes directories */
	FENCE_SOCKETS = 2, /* makes sockets: Unix ones, and netlink's */
	FENCE_NETWORK = 4, /* and those of the internet */
	FENCE_THREADS = 8,
};

/* An allow list. A call of a group that is not in `groups` fails with EPERM, as does one
 * with arguments that nothing here has, and one of a few that libraries may try; any other
 * ends the process.
 * 0, MAG_ENOMEM, MAG_ESYS; MAG_EUNSUPPORTED: built without libseccomp. */
int fence_calls(unsigned groups);

/* For a process whose work is to run programs of the system's or the administrator's: what
 * they call is theirs to know, so that here is a list of what they may not. `network`:
 * sockets of the internet. The same. */
int fence_calls_of_programs(bool network);

#endif
