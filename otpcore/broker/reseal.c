/* Rows from old keys under the current one, a page at a time, beside the ticks: each row is
 * written if nobody has changed it meanwhile; otherwise its page is looked at again. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/party.h"
#include "otpcore/store/fault.h"

#define PAGE 128

static const char *const where[SEALED_COLUMNS] = {
	[SEALED_EMAIL] = "account.email",
	[SEALED_NUMBER] = "phone.number",
	[SEALED_SEED] = "token.secret",
	[SEALED_AUTHORITY] = "authority.secret",
	[SEALED_ANSWER] = NULL,
};

struct work {
	struct broker *broker;
	const struct reseal *at;
	struct reseal_page *page;
	struct store_sealed_row rows[PAGE]; /* to be written */
	size_t n;
};

static uint32_t key_of(enum store_sealed column, const struct blob *value)
{
	size_t head = column == SEALED_ANSWER ? PARTY_ANSWER_HEAD : 0;

	return value->len > head ? seal_key_of(value->data + head, value->len - head) : 0;
}

static void count(struct reseal_page *page, uint32_t id)
{
	size_t i = 0;

	while (i < page->n && page->counts[i].id != id)
		i++;
	if (i == sizeof page->counts / sizeof *page->counts)
		i--; /* more than there can be: the database was changed by something else */
	else if (i == page->n)
		page->counts[page->n++].id = id;
	page->counts[i].rows++;
}

/* 0: *row has its new value; 1: nobody can open the old one. */
static int reseal(struct work *w, struct store_sealed_row *row)
{
	const char *at = where[w->at->column];
	struct keyring *k = w->broker->keyring;
	struct mag_secret clear = { 0 };
	int r = seal_open(k, at, row->id, &row->value, &clear);

	if (r == MAG_ECRYPTO)
		return 1;
	if (r == 0)
		r = seal(k, at, row->id, clear.data, clear.len, &row->value);
	mag_secret_free(&clear);
	return r;
}

static int on_row(struct work *w, const struct store_sealed_row *row)
{
	const struct reseal *at = w->at;
	uint32_t id = key_of(at->column, &row->value);
	struct store_sealed_row *next = &w->rows[w->n];
	int r = 0;

	if (!id)
		return 0;
	count(w->page, id);
	if (at->mode == RESEAL_COUNT || id == keyring_current(w->broker->keyring))
		return 0;
	*next = *row;
	if (at->column != SEALED_ANSWER)
		r = reseal(w, next);
	else if (at->mode != RESEAL_LAST || id != at->ending)
		return 0;
	else /* no ticket can ask for it any more */
		next->value.len = PARTY_ANSWER_HEAD;
	w->page->broken += r == 1;
	w->n += r == 0;
	return r < 0 ? r : 0;
}

int reseal_page(struct broker *b, struct reseal *at, struct reseal_page *page_r)
{
	static struct store_sealed_row rows[PAGE]; /* large: not on the stack */
	static struct work w;
	size_t n = 0;
	int r;

	memset(page_r, 0, sizeof *page_r);
	w.broker = b, w.at = at, w.page = page_r, w.n = 0;
	r = store_page_sealed(b->store, at->column, at->after, rows, PAGE, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = on_row(&w, &rows[i]);
	if (r == 0 && FAULT("key.page"))
		r = MAG_ESTORE;
	if (r == 0 && w.n > 0)
		r = store_put_sealed(b->store, at->column, w.rows, w.n, &page_r->resealed);
	(void)keyring_missed(b->keyring); /* said as broken */
	if (r != 0)
		return r;
	page_r->seen = (int64_t)n;
	if (page_r->resealed < (int64_t)w.n) {
		page_r->seen = page_r->n = 0; /* again */
		page_r->broken = 0;
	} else if (n == PAGE) {
		at->after = rows[n - 1].id;
	} else {
		at->column++;
		at->after = 0;
	}
	return 0;
}
