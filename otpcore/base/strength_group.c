#include "otpcore/base/strength_group.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PREFIX   "mag-"
#define LEVEL    "level"
#define FILE_MAX 4096
#define GID_MAX  4294967294 /* (gid_t)-1 means "no group" to the kernel */

/* The whole file if it is root's alone; its length, or an error. */
static int read_trusted(const char *path, char text[FILE_MAX + 1])
{
	struct stat st;
	ssize_t n = 0;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : errno == ELOOP ? MAG_EPERM : MAG_ESYS;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
		st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return MAG_EPERM;
	}
	while (len < FILE_MAX && (n = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0)
		return MAG_ESYS;
	if (len == FILE_MAX || memchr(text, '\0', len) != NULL)
		return MAG_ESYNTAX;
	text[len] = '\0';
	return (int)len;
}

/* "mag-phone-otp" or "mag-level3". */
static int named(const char *name, struct strength_group *g)
{
	const char *what = name + strlen(PREFIX);

	if (!mag_has_prefix(name, PREFIX) || mag_copy(g->name, sizeof g->name, name))
		return MAG_ESYNTAX;
	g->strength = strength_from_id(what);
	if (g->strength != STRENGTH_NONE)
		return 0;
	if (!mag_has_prefix(what, LEVEL))
		return MAG_ESYNTAX;
	return mag_int_parse(what + strlen(LEVEL), 1, 3, &g->level) ? MAG_ESYNTAX : 0;
}

static int parse_line(char *line, struct strength_group *g_r)
{
	static const char blanks[] = " \t";
	struct strength_group g = { .level = 0 };
	int64_t gid = 0;
	char *number = line + strcspn(line, blanks);

	if (*number != '\0')
		*number++ = '\0';
	number += strspn(number, blanks);
	number[strcspn(number, blanks)] = '\0';
	if (named(line, &g) || mag_int_parse(number, 1, GID_MAX, &gid))
		return MAG_ESYNTAX;
	g.gid = (gid_t)gid;
	*g_r = g;
	return 0;
}

static bool twice(const struct strength_group *groups, int n)
{
	for (int i = 0; i < n; i++)
		if (groups[i].gid == groups[n].gid || mag_streq(groups[i].name, groups[n].name))
			return true;
	return false;
}

int strength_groups_parse(char *text, struct strength_group groups_r[STRENGTH_GROUPS_MAX])
{
	char *next = text;
	int n = 0;

	while (*next != '\0') {
		char *line = next;

		next += strcspn(next, "\n");
		if (*next != '\0')
			*next++ = '\0';
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		if (n == STRENGTH_GROUPS_MAX || parse_line(line, &groups_r[n]) ||
			twice(groups_r, n))
			return MAG_ESYNTAX;
		n++;
	}
	return n;
}

int strength_groups_read(const char *path, struct strength_group groups_r[STRENGTH_GROUPS_MAX])
{
	char text[FILE_MAX + 1];
	int len = read_trusted(path, text);

	return len <= 0 ? len : strength_groups_parse(text, groups_r);
}

bool strength_group_has(const struct strength_group *g, enum strength have, int64_t level)
{
	return g->strength != STRENGTH_NONE ? strength_satisfies(have, g->strength)
					    : g->level > 0 && level >= g->level;
}
