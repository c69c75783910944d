#include "otpcore/base/clock.h"

#include <time.h>

/* clock_gettime alone, so that libfaketime moves every decision at once. */
static struct timespec read_clock(clockid_t id)
{
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(id, &ts); /* fails for an unknown id only */
	return ts;
}

static int64_t in_ms(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t mag_now(void)
{
	return (int64_t)read_clock(CLOCK_REALTIME).tv_sec;
}

int64_t mag_now_ms(void)
{
	return in_ms(read_clock(CLOCK_REALTIME));
}

int64_t mag_ticks_ms(void)
{
	return in_ms(read_clock(CLOCK_BOOTTIME));
}

int64_t mag_ticks_ns(void)
{
	struct timespec ts = read_clock(CLOCK_BOOTTIME);

	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
