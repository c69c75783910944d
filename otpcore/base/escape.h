/* For test builds only (-DMAG_ESCAPE): the process tries to get out of its sandbox. */
#ifndef MAG_ESCAPE_H
#define MAG_ESCAPE_H

#ifdef MAG_ESCAPE
/* "PROCESS:DIRECTORY:PORT": who tries, what lies outside. 0 or -1. */
int escape_arm(const char *spec);
/* Stands before the sandbox closes. In the process that was named: returns in one child for
 * each attempt, says how it ended, and does not go on itself. */
void escape_before(const char *process);
/* Stands behind it: the child tries, and ends. */
void escape_now(void);
#else
static inline void escape_before(const char *process)
{
	(void)process;
}

static inline void escape_now(void)
{
}
#endif

#endif
