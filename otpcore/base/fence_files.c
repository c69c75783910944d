/* Landlock: files, TCP ports, other processes. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/fence.h"
#include "otpcore/base/text.h"

#ifdef HAVE_LINUX_LANDLOCK_H

/* Newer than some headers: <linux/landlock.h> of Linux 6.12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#endif
#define NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define RULE_NET_PORT   2
#define SCOPE_ALL       3ULL /* abstract sockets, signals: ABI 6 */

struct rules {
	uint64_t fs, net, scoped;
};
struct port_rule {
	uint64_t access, port;
};

struct fence {
	int fd;
	struct rules rules;
};

#define READS  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
/* Nobody here makes or removes these. */
#define NEVER                                                                                      \
	(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR |                            \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |                       \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                     \
		LANDLOCK_ACCESS_FS_MAKE_SYM)

static const struct {
	enum fence_right right;
	uint64_t access;
} meanings[] = {
	{ FENCE_READ, READS },
	{ FENCE_WRITE, WRITES },
	{ FENCE_MAKE, LANDLOCK_ACCESS_FS_MAKE_REG },
	{ FENCE_REMOVE, LANDLOCK_ACCESS_FS_REMOVE_FILE },
	{ FENCE_RUN, LANDLOCK_ACCESS_FS_EXECUTE },
};
#define OF_FILES                                                                                   \
	(LANDLOCK_ACCESS_FS_READ_FILE | WRITES | LANDLOCK_ACCESS_FS_EXECUTE) /* not of folders */

/* How much of struct rules a kernel of this ABI takes. */
static size_t size_at(long abi)
{
	return abi >= 6   ? sizeof(struct rules)
	       : abi >= 4 ? offsetof(struct rules, scoped)
			  : offsetof(struct rules, net);
}

int fence_new(const struct fence_scope *scope, struct fence **f_r)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct fence *f;

	if (abi < 1)
		return MAG_EUNSUPPORTED;
	f = calloc(1, sizeof *f);
	if (!f)
		return MAG_ENOMEM;
	f->rules.fs = NEVER | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_REG |
		      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		      (scope->read ? READS : 0) | (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
		      (abi >= 5 && scope->read ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
	f->rules.net = (scope->bind ? NET_BIND_TCP : 0) | (scope->connect ? NET_CONNECT_TCP : 0);
	f->rules.scoped = scope->others ? SCOPE_ALL : 0;
	f->fd = (int)syscall(SYS_landlock_create_ruleset, &f->rules, size_at(abi), 0);
	if (f->fd < 0) {
		free(f);
		return MAG_ESYS;
	}
	if (abi < 4)
		f->rules.net = 0;
	*f_r = f;
	return 0;
}

void fence_free(struct fence **f)
{
	if (!*f)
		return;
	close((*f)->fd);
	free(*f);
	*f = NULL;
}

int fence_path(struct fence *f, const char *path, unsigned rights)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat st;
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (rights & meanings[i].right)
			rule.allowed_access |= meanings[i].access;
	rule.allowed_access &= f->rules.fs;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (rule.allowed_access &&
		syscall(SYS_landlock_add_rule, f->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = MAG_ESYS;
	close(rule.parent_fd);
	return r;
}

int fence_port(struct fence *f, uint16_t port)
{
	const struct port_rule rule = { NET_CONNECT_TCP, port };

	if (!(f->rules.net & NET_CONNECT_TCP))
		return 0;
	return syscall(SYS_landlock_add_rule, f->fd, RULE_NET_PORT, &rule, 0) ? MAG_ESYS : 0;
}

int fence_close(struct fence *f)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MAG_ESYS;
	return syscall(SYS_landlock_restrict_self, f->fd, 0) ? MAG_ESYS : 0;
}

#else

struct fence {
	int unused;
};

int fence_new(const struct fence_scope *scope, struct fence **f_r)
{
	(void)scope;
	(void)f_r;
	return MAG_EUNSUPPORTED;
}

void fence_free(struct fence **f)
{
	(void)f;
}

int fence_path(struct fence *f, const char *path, unsigned rights)
{
	(void)f;
	(void)path;
	(void)rights;
	return MAG_EUNSUPPORTED;
}

int fence_port(struct fence *f, uint16_t port)
{
	(void)f;
	(void)port;
	return MAG_EUNSUPPORTED;
}

int fence_close(struct fence *f)
{
	(void)f;
	return MAG_EUNSUPPORTED;
}

#endif

int fence_beside(struct fence *f, const char *file, unsigned rights)
{
	char copy[512];

	if (*file != '/' || mag_copy(copy, sizeof copy, file))
		return 0;
	return fence_path(f, dirname(copy), rights);
}
