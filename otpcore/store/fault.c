#include "otpcore/store/fault.h"

/* A translation unit must not be empty. */
typedef int fault_is_compiled;

#ifdef MAG_FAULT

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"

#define ARMS_MAX 8

enum action { ACTION_FAIL, ACTION_KILL, ACTION_STOP, ACTION_DELAY };

struct arm {
	char name[48];
	long ms; /* of a delay */
	long nth, passed;
	enum action action;
	bool onward; /* "N+" */
};
static struct arm arms[ARMS_MAX];
static size_t n_arms;

static int parse_action(const char *s, struct arm *a)
{
	char *end = NULL;

	static const char *const words[] = {
		[ACTION_FAIL] = "fail", [ACTION_KILL] = "kill", [ACTION_STOP] = "stop"
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(s, words[i]) == 0) {
			a->action = (enum action)i;
			return 0;
		}
	if (strncmp(s, "delay", 5) != 0)
		return MAG_ESYNTAX;
	a->action = ACTION_DELAY;
	a->ms = strtol(s + 5, &end, 10);
	return end != s + 5 && *end == '\0' && a->ms >= 0 ? 0 : MAG_ESYNTAX;
}

/* One "name:action:N" or "name:action:N+". */
static int parse_arm(const char *s, size_t len, struct arm *a_r)
{
	struct arm a = { 0 };
	char action[24] = "", plus = '\0', more = '\0', text[128];
	int n = 0;

	if (len >= sizeof text)
		return MAG_ESYNTAX;
	memcpy(text, s, len);
	text[len] = '\0';
	n = sscanf(text, "%47[^:]:%23[^:]:%9ld%c%c", a.name, action, &a.nth, &plus, &more);
	if (n < 3 || n > 4 || (n == 4 && plus != '+') || a.nth < 1)
		return MAG_ESYNTAX;
	a.onward = n == 4;
	if (parse_action(action, &a) != 0)
		return MAG_ESYNTAX;
	*a_r = a;
	return 0;
}

int fault_arm(const char *spec)
{
	struct arm parsed[ARMS_MAX];
	size_t n = 0;

	while (*spec != '\0') {
		size_t len = strcspn(spec, ",");

		if (n == ARMS_MAX || parse_arm(spec, len, &parsed[n]) != 0)
			return MAG_ESYNTAX;
		n++;
		spec += len + (spec[len] == ',');
	}
	memcpy(arms, parsed, n * sizeof *arms);
	n_arms = n;
	return 0;
}

static int act(const struct arm *a)
{
	struct timespec wait = { a->ms / 1000, a->ms % 1000 * 1000000 };

	if (a->action == ACTION_KILL)
		raise(SIGKILL);
	if (a->action == ACTION_STOP)
		raise(SIGSTOP);
	if (a->action == ACTION_DELAY)
		nanosleep(&wait, NULL);
	return a->action == ACTION_FAIL;
}

int fault_point(const char *name)
{
	int fail = 0;

	for (size_t i = 0; i < n_arms; i++) {
		struct arm *a = &arms[i];

		if (strcmp(a->name, name) != 0)
			continue;
		a->passed++;
		if (a->passed == a->nth || (a->onward && a->passed > a->nth))
			fail |= act(a);
	}
	return fail;
}

#endif
