/* libnss_magotp.so.2: names for the strength groups, from the file that pam_magotp takes
 * their numbers from. Members are not told (they change with every login), there is no
 * initgroups_dyn, no socket is opened: it cannot hang and cannot add anybody anywhere.
 *
 *   nsswitch.conf    group: files magotp
 *
 * The functions are glibc's (nss.h; "Extending NSS" in its manual). */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pthread.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength_group.h"
#include "otpcore/base/text.h"

#define ENTRY __attribute__((visibility("default")))

/* Where the caller wants the answer: a struct and room for what it points to. */
struct room {
	struct group *group;
	char *buffer;
	size_t len;
	int *errnop;
};

static enum nss_status fill(const struct strength_group *g, const struct room *to)
{
	size_t name = strlen(g->name) + 1, pad = (size_t) - (uintptr_t)to->buffer % sizeof(char *);
	char **members = (char **)(void *)(to->buffer + pad);
	char *text = to->buffer + pad + sizeof(char *);

	/* The list of members (its end alone), the name, an empty password. */
	if (to->len < pad + sizeof(char *) + name + sizeof "x") {
		*to->errnop = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	*members = NULL;
	memcpy(text, g->name, name);
	memcpy(text + name, "x", sizeof "x");
	*to->group = (struct group){
		.gr_name = text, .gr_passwd = text + name, .gr_gid = g->gid, .gr_mem = members
	};
	return NSS_STATUS_SUCCESS;
}

static enum nss_status not_found(int *errnop)
{
	*errnop = ENOENT;
	return NSS_STATUS_NOTFOUND;
}

/* By name, or by number where name is NULL. */
static enum nss_status find(const char *name, gid_t gid, const struct room *to)
{
	struct strength_group groups[STRENGTH_GROUPS_MAX];
	int n = strength_groups_read(STRENGTH_GROUPS_FILE, groups);

	for (int i = 0; i < n; i++)
		if (name != NULL ? mag_streq(groups[i].name, name) : groups[i].gid == gid)
			return fill(&groups[i], to);
	return not_found(to->errnop);
}

ENTRY enum nss_status _nss_magotp_getgrnam_r(
	const char *name, struct group *group, char *buffer, size_t len, int *errnop);
ENTRY enum nss_status _nss_magotp_getgrgid_r(
	gid_t gid, struct group *group, char *buffer, size_t len, int *errnop);
ENTRY enum nss_status _nss_magotp_setgrent(int stayopen);
ENTRY enum nss_status _nss_magotp_endgrent(void);
ENTRY enum nss_status _nss_magotp_getgrent_r(
	struct group *group, char *buffer, size_t len, int *errnop);

enum nss_status _nss_magotp_getgrnam_r(
	const char *name, struct group *group, char *buffer, size_t len, int *errnop)
{
	return find(name, 0, &(struct room){ group, buffer, len, errnop });
}

enum nss_status _nss_magotp_getgrgid_r(
	gid_t gid, struct group *group, char *buffer, size_t len, int *errnop)
{
	return find(NULL, gid, &(struct room){ group, buffer, len, errnop });
}

/* ---- one after the other: the list as it was at setgrent ---- */

static struct {
	pthread_mutex_t lock; /* glibc calls these from any thread */
	struct strength_group groups[STRENGTH_GROUPS_MAX];
	int n, next;
	bool read;
} walk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void start(void)
{
	walk.n = strength_groups_read(STRENGTH_GROUPS_FILE, walk.groups);
	walk.next = 0;
	walk.read = true;
}

enum nss_status _nss_magotp_setgrent(int stayopen)
{
	(void)stayopen;
	pthread_mutex_lock(&walk.lock);
	start();
	pthread_mutex_unlock(&walk.lock);
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_magotp_endgrent(void)
{
	pthread_mutex_lock(&walk.lock);
	walk.read = false;
	pthread_mutex_unlock(&walk.lock);
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_magotp_getgrent_r(struct group *group, char *buffer, size_t len, int *errnop)
{
	enum nss_status status;

	pthread_mutex_lock(&walk.lock);
	if (!walk.read)
		start();
	status = walk.next < walk.n ? fill(&walk.groups[walk.next],
					      &(struct room){ group, buffer, len, errnop })
				    : not_found(errnop);
	if (status == NSS_STATUS_SUCCESS) /* TRYAGAIN: the same one, with more room */
		walk.next++;
	pthread_mutex_unlock(&walk.lock);
	return status;
}
