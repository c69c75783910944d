#include "otpcore/broker/audit_thin.h"

#include <string.h>

static bool same(const struct thin_who *a, const struct thin_who *b)
{
	return a->kind == b->kind && a->uid == b->uid && strcmp(a->host, b->host) == 0;
}

static bool over(int64_t since, int64_t now)
{
	return now - since >= THIN_MS;
}

/* Its own; a free one; that of the longest ago of which nothing is left to tell. A minute that
 * runs is nobody else's: who changes his name would get a new one each time. */
static struct thin_row *row_of(struct thin *t, const struct thin_who *who, int64_t now)
{
	struct thin_row *place = NULL;

	for (struct thin_row *row = t->rows; row < t->rows + THIN_PEERS; row++) {
		if (row->taken && same(&row->who, who))
			return row;
		if (row->taken && (row->more || !over(row->since, now)))
			continue;
		if (!place || (place->taken && (!row->taken || row->since < place->since)))
			place = row;
	}
	if (place)
		*place = (struct thin_row){ .who = *who, .taken = true, .since = now };
	return place ? place : &t->rows[THIN_PEERS];
}

bool thin_take(struct thin *t, const struct thin_who *who, int64_t now)
{
	struct thin_row *row = row_of(t, who, now);

	if (over(t->since, now)) {
		t->since = now;
		t->written = 0;
	}
	if (!row->more && over(row->since, now)) {
		row->since = now;
		row->written = 0;
	}
	if (row->more || row->written >= THIN_EACH || t->written >= THIN_ALL) {
		row->more++;
		return false;
	}
	row->written++;
	t->written++;
	return true;
}

struct thin_row *thin_due(struct thin *t, int64_t now)
{
	for (struct thin_row *row = t->rows; row <= t->rows + THIN_PEERS; row++)
		if (row->more && (now == INT64_MAX || over(row->since, now)))
			return row;
	return NULL;
}

void thin_told(struct thin_row *row)
{
	row->more = 0;
}
