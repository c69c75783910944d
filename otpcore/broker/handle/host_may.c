#include "otpcore/broker/handle/host.h"

#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/remote_gate.h"

#define NAME_MAX_LEN 256

/* Commas and blanks set words apart; single blanks are kept. */
static void words(char *to, size_t cap, const char *from)
{
	struct mag_buf b;
	size_t len;

	mag_buf_init(&b, to, cap);
	for (const char *p = from + strspn(from, " ,"); *p; p += strspn(p, " ,")) {
		len = strcspn(p, " ,");
		mag_buf_printf(&b, "%s%.*s", b.len ? " " : "", (int)len, p);
		p += len;
	}
}

/* The next word at *p. False: no more. One that is too long is no name, and is "". */
static bool next_name(const char **p, char name_r[NAME_MAX_LEN + 1])
{
	const char *start = *p + strspn(*p, " ,");
	size_t len = strcspn(start, " ,");

	*p = start + len;
	name_r[0] = '\0';
	if (len <= NAME_MAX_LEN) {
		memcpy(name_r, start, len);
		name_r[len] = '\0';
	}
	return len > 0;
}

int host_may_want(struct request *r, const char *name, const struct host_may *m)
{
	const char *p = m->offline ? m->offline : "";
	char account[NAME_MAX_LEN + 1];
	int res = store_want_host(r->tick, name);

	while (!res && next_name(&p, account))
		res = store_want_account(r->tick, account);
	return res;
}

const char *host_may_wrong(const struct host_may *m)
{
	return m->offline && strpbrk(m->offline, "*?@")
		       ? "offline takes names of accounts, one by one, and no patterns"
		       : NULL;
}

void host_may_put(struct host *h, const struct host_may *m)
{
	if (m->services)
		words(h->services, sizeof h->services, m->services);
	if (m->accounts)
		words(h->accounts, sizeof h->accounts, m->accounts);
	if (m->offline)
		words(h->offline, sizeof h->offline, m->offline);
	if (m->self_service >= 0)
		h->self_service = m->self_service;
}

/* Of an account that was not looked at, only its name is judged. */
static bool outside(const struct host *h, const char *name, const struct aggregate *a)
{
	static const struct aggregate nobody;

	switch (remote_account_fit(h->accounts, name, a ? a : &nobody)) {
	case REMOTE_REFUSED:
		return true;
	case REMOTE_UNKNOWN:
		return a && a->exists;
	case REMOTE_FITS:
		break;
	}
	return false;
}

void host_may_idle(struct request *r, const struct host *h, const struct host_idle *idle)
{
	const char *p = h->offline;
	char name[NAME_MAX_LEN + 1];
	struct mag_buf unknown, outsiders;

	mag_buf_init(&unknown, idle->unknown, idle->cap);
	mag_buf_init(&outsiders, idle->outside, idle->cap);
	while (next_name(&p, name)) {
		const struct aggregate *a = store_account(r->tick, name);

		if (a && !a->exists)
			mag_buf_printf(&unknown, "%s%s", unknown.len ? " " : "", name);
		else if (outside(h, name, a))
			mag_buf_printf(&outsiders, "%s%s", outsiders.len ? " " : "", name);
	}
}
