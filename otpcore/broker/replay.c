#include "otpcore/broker/replay.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/place.h"

/* ---- do the journals cover it? ---- */

static void doubt(struct replay *p, const char *what, const char *name)
{
	if (p->covered)
		snprintf(p->why, sizeof p->why, "%s%s%s", what, *name ? ": " : "", name);
	p->covered = false;
}

/* Journals that otpcored has set aside, as where an empty store stood for a while. */
static void name_others(const char *journal)
{
	char pattern[400];
	glob_t g;

	snprintf(pattern, sizeof pattern, "%s.[0-9]*", journal);
	if (glob(pattern, 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		fprintf(stderr, "otpcored: %s was set aside; if it is the one: --journal %s\n",
			g.gl_pathv[i], g.gl_pathv[i]);
	globfree(&g);
}

static int read_one(struct replay *p, struct replay_journal *j)
{
	int r = journal_load_last(j->fd, p->keyring, &j->facts, &j->n_facts, &j->reading);

	if (r)
		return place_fail(r, j->name, "");
	if (j->reading.end == JOURNAL_TORN)
		fprintf(stderr,
			"otpcored: %s: its last record was never finished; nobody was answered on "
			"it\n",
			j->name);
	if (j->reading.end == JOURNAL_DAMAGED && !j->reading.chain.begun) {
		name_others(j->name);
		return place_fail(MAG_ECRYPTO, j->name, "no journal, or of another master key");
	}
	if (j->reading.end == JOURNAL_DAMAGED)
		doubt(p, "it is damaged, and what stood behind is not known", j->name);
	return 0;
}

static const struct replay_journal *journal_of(const struct replay *p, int64_t id)
{
	for (size_t i = 0; i < p->n_journals; i++)
		if (p->journals[i].reading.chain.begun && p->journals[i].reading.chain.id == id)
			return &p->journals[i];
	return NULL;
}

struct hosts {
	size_t n;
	char names[RESTORE_JOURNALS * 4][65];
};

static int on_host(const char *host, void *arg)
{
	struct hosts *h = arg;

	if (h->n == sizeof h->names / sizeof *h->names)
		return MAG_ENOSPACE;
	snprintf(h->names[h->n++], sizeof h->names[0], "%.64s", host);
	return 0;
}

static bool has_gap_after(const struct replay_journal *j, int64_t n)
{
	for (size_t i = 0; i < j->n_facts; i++)
		if (j->facts[i].kind == JOURNAL_GAP && j->facts[i].n > n)
			return true;
	return false;
}

static const struct replay_journal *follower_of(const struct replay *p, int64_t id)
{
	for (size_t i = 0; i < p->n_journals; i++)
		if (p->journals[i].n_facts > 0 && p->journals[i].facts[0].value == id)
			return &p->journals[i];
	return NULL;
}

/* What was written before m was remembered is in the store as well. */
static void look_at_one(struct replay *p, const char *host, const struct journal_memory *m)
{
	const struct replay_journal *j = journal_of(p, m->id), *follower = follower_of(p, m->id);

	if (m->gap)
		doubt(p, "no journal was written for a while on", host);
	else if (!j) {
		doubt(p, "the journal is missing of host", host);
		if (p->n_journals)
			name_others(p->journals[0].name);
	} else if (j->reading.chain.n < m->n)
		doubt(p, "it is older than the backup", j->name);
	else if (has_gap_after(j, m->n))
		doubt(p, "it was not written for a while, or set aside, after the backup", j->name);
	else if (follower)
		doubt(p, "it was begun after the backup, without what came before", follower->name);
}

/* The store names the journals that were written when it was copied, and how far each
 * was. All must be here, be no older than that, and have no gap since. */
static int look_at_hosts(struct replay *p, const struct hosts *h)
{
	struct journal_memory m;
	int r = 0;

	if (h->n == 0)
		doubt(p, "no journal was written when this was copied", "");
	for (size_t i = 0; !r && i < h->n; i++) {
		r = journal_recall(p->store, h->names[i], &m);
		if (!r)
			look_at_one(p, h->names[i], &m);
	}
	return r;
}

int replay_read(struct replay *p)
{
	int r = 0;

	p->covered = true;
	if (p->snapshot)
		doubt(p, "--snapshot says that the journals went back as well", "");
	for (size_t i = 0; !r && i < p->n_journals; i++)
		r = read_one(p, &p->journals[i]);
	/* A clock that is behind must not make old codes of this moment. */
	for (size_t i = 0; !r && i < p->n_journals; i++)
		for (size_t k = 0; k < p->journals[i].n_facts; k++)
			if (p->journals[i].facts[k].at > p->now)
				p->now = p->journals[i].facts[k].at;
	return r;
}

/* ---- done once more ---- */

static int again(struct replay *p, const struct journal_fact *f)
{
	int64_t n = 0;
	int r = store_spend_again(p->store, f, p->now, &n);

	if (r)
		return r;
	if (f->kind == JOURNAL_COUNTER)
		p->counters += n;
	else if (f->kind == JOURNAL_STATE && f->about != JOURNAL_HOST)
		p->states += n;
	else if (f->about > 0 && f->about < JOURNAL_ABOUT_N)
		p->spent[f->about] += n;
	return 0;
}

/* How far the store was with this journal when it was copied; 0: nobody knows. */
static int known_of(
	struct replay *p, const struct hosts *h, const struct replay_journal *j, int64_t *n_r)
{
	struct journal_memory m;
	int r = 0;

	*n_r = 0;
	for (size_t i = 0; !r && i < h->n; i++) {
		r = journal_recall(p->store, h->names[i], &m);
		if (!r && j->reading.chain.begun && m.id == j->reading.chain.id)
			*n_r = m.n;
	}
	return r;
}

static int again_all(struct replay *p, const struct hosts *h, const struct replay_journal *j)
{
	int64_t known;
	int r = known_of(p, h, j, &known);

	for (size_t i = 0; !r && i < j->n_facts; i++) {
		struct journal_fact f = j->facts[i];

		if (f.n <= known)
			store_spent_known(&f);
		r = again(p, &f);
		if (i % 64 == 0)
			place_progress("journal", (int64_t)i, (int64_t)j->n_facts, NULL);
	}
	place_progress_end();
	return r;
}

/* Brokers go on with journals that were taken in; all others begin anew, and know that. */
static int remember(struct replay *p, const char *host)
{
	struct journal_memory m;
	const struct replay_journal *j;
	int r = journal_recall(p->store, host, &m);

	if (r)
		return r;
	j = journal_of(p, m.id);
	if (p->covered && j)
		m.n = j->reading.chain.n;
	else
		m.gap = 1;
	if (!m.id)
		m.id = JOURNAL_NONE;
	return journal_remember(p->store, host, &m);
}

int replay_run(struct replay *p)
{
	struct hosts hosts = { 0 };
	int r = journal_hosts(p->store, on_host, &hosts);

	if (!r)
		r = look_at_hosts(p, &hosts);
	for (size_t i = 0; !r && i < p->n_journals; i++)
		r = again_all(p, &hosts, &p->journals[i]);
	if (!r && !p->covered)
		r = store_void_all(p->store, p->now, &p->voided);
	if (!r)
		r = store_end_all(p->store, p->now, p->window, &p->ended);
	for (size_t i = 0; !r && i < hosts.n; i++)
		r = remember(p, hosts.names[i]);
	if (!r && !p->covered)
		r = remember(p, p->host);
	return r;
}

void replay_free(struct replay *p)
{
	for (size_t i = 0; i < p->n_journals; i++)
		free(p->journals[i].facts);
}
