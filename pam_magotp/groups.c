#include "pam_magotp/groups.h"

#include <grp.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength_group.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "pam_magotp/txn.h"

/* What the login behind the ticket is worth; NONE: the broker does not say. */
static enum strength worth(struct visit *v, int64_t *level_r)
{
	struct wire_strength_req q = { .uid = v->uid };
	struct wire_strength_rep a = { .level = 0 };
	struct wire_result result = { .error = MAG_ESYS };
	struct mag_secret txn = { 0 };
	enum strength have = STRENGTH_NONE;

	if (txn_take(v, &txn) != PAM_SUCCESS || !txn.len || !txn_same_user(v))
		goto out;
	q.txn = txn; /* borrowed */
	mag_copy(q.user, sizeof q.user, v->user);
	mag_copy(q.service, sizeof q.service, v->service);
	if (flow_request(&v->client, true, WIRE_MSG_STRENGTH, &q, &result, &a) || result.error ||
		result.verdict != VERDICT_OK)
		goto out;
	have = strength_from_id(a.strength);
	*level_r = a.level;
out:
	mag_secret_free(&txn);
	return have;
}

static bool among(gid_t gid, const gid_t *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i] == gid)
			return true;
	return false;
}

/* Those that are there stay; twice the same changes nothing. */
static int add(const gid_t *gids, int n_gids)
{
	int n = getgroups(0, NULL), had = n;
	gid_t *list = n < 0 ? NULL : calloc((size_t)n + (size_t)n_gids + 1, sizeof *list);
	int r = -1;

	if (list && (n == 0 || getgroups(n, list) == n)) {
		for (int i = 0; i < n_gids; i++)
			if (!among(gids[i], list, n))
				list[n++] = gids[i];
		r = n == had ? 0 : setgroups((size_t)n, list);
	}
	free(list);
	return r;
}

void groups_add(struct visit *v)
{
	struct strength_group groups[STRENGTH_GROUPS_MAX];
	gid_t gids[STRENGTH_GROUPS_MAX];
	int64_t level = 0;
	int n = strength_groups_read(STRENGTH_GROUPS_FILE, groups), n_gids = 0;

	if (n < 0)
		visit_log(v, LOG_WARNING, "%s: %s; no groups are given", STRENGTH_GROUPS_FILE,
			mag_strerror(n));
	if (n <= 0 || geteuid() != 0 || visit_who(v) != PAM_SUCCESS)
		return;
	enum strength have = worth(v, &level);
	for (int i = 0; i < n && have != STRENGTH_NONE; i++)
		if (strength_group_has(&groups[i], have, level))
			gids[n_gids++] = groups[i].gid;
	if (n_gids && add(gids, n_gids))
		visit_log(v, LOG_WARNING, "user=%s service=%s: the groups cannot be set: %m",
			v->user, v->service);
}
