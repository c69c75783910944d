/* A list that comes in pages, shown as one table. */
#include <string.h>

#include "magotp/cli.h"
#include "otpcore/base/text.h"

int cli_list(struct cli *c, const struct cli_list *l)
{
	struct table *t = table_new(l->columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_settings(c);
	while (r == CLI_DONE) {
		memset(l->page, 0, l->page_size);
		r = cli_request(c, l->message, l->request, l->page);
		if (r == CLI_DONE)
			l->rows(c, t, l->page);
		if (!*l->next)
			break;
		mag_copy(l->cursor, l->cap, l->next);
	}
	if (r == CLI_DONE)
		r = table_print(c, t);
	table_free(&t);
	return r;
}
