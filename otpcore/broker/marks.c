#include "otpcore/broker/marks.h"

#include <stdlib.h>

#include "otpcore/base/err.h"

#define FIRST 256

struct mark {
	int64_t id, value; /* id 0: free */
};

/* Where it is, or would be; ids are random, so that their low bits spread. */
static struct mark *place(const struct marks *m, int64_t id)
{
	size_t i = (size_t)id & (m->cap - 1);

	while (m->items[i].id != 0 && m->items[i].id != id)
		i = (i + 1) & (m->cap - 1);
	return &m->items[i];
}

int64_t marks_get(const struct marks *m, int64_t id)
{
	return m->cap ? place(m, id)->value : 0;
}

static int grow(struct marks *m)
{
	struct marks wider = { .n = m->n, .cap = m->cap ? 2 * m->cap : FIRST };

	wider.items = calloc(wider.cap, sizeof *wider.items);
	if (!wider.items)
		return MAG_ENOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->items[i].id != 0)
			*place(&wider, m->items[i].id) = m->items[i];
	free(m->items);
	*m = wider;
	return 0;
}

int marks_raise(struct marks *m, int64_t id, int64_t value)
{
	struct mark *mark;

	/* A quarter stays free: searches end. */
	if (4 * m->n >= 3 * m->cap && grow(m))
		return MAG_ENOMEM;
	mark = place(m, id);
	if (mark->id == 0)
		m->n++;
	mark->id = id;
	if (mark->value < value)
		mark->value = value;
	return 0;
}

void marks_free(struct marks *m)
{
	free(m->items);
	*m = (struct marks){ 0 };
}
