/* enable-watch SERVICE 1|2 [CONFIG]: undoes an `enable --confirm` that nobody
 * confirmed. There are two of them; each holds a lock as long as it lives and starts
 * the other again when that one's is free. Killing one is not enough. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "magotp/enabled.h"
#include "otpcore/base/text.h"

#define REST 500000 /* between looks, microseconds */

static const char *const names[] = { "watch1", "watch2" };

/* The other one ended, and it was not us who waited for that: start it again. */
static void look_after(const struct enabled *e, int other)
{
	if (!enabled_held(e->config, e->service, names[other]))
		(void)enabled_watch(e, other + 1);
}

int main(int argc, char **argv)
{
	const char *config = argc > 3 ? argv[3] : "";
	int64_t number;
	struct enabled e;
	int lock;

	if (argc < 3 || argc > 4 || mag_int_parse(argv[2], 1, 2, &number)) {
		fprintf(stderr, "magotpctl enable --confirm starts this; see magotpctl(8)\n");
		return 2;
	}
	lock = enabled_lock(config, argv[1], names[number - 1], false);
	if (lock < 0)
		return 0; /* there is one already */
	while (enabled_load(config, argv[1], &e) == 0 && e.deadline) {
		if (!enabled_overdue(&e))
			look_after(&e, (int)(2 - number));
		else if (enabled_revert(&e))
			sleep(5); /* what could not be undone is tried again */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(REST);
	}
	return 0;
}
