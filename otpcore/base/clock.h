/* The only readers of the clock. Everything that decides takes `now`. */
#ifndef MAG_CLOCK_H
#define MAG_CLOCK_H

#include <stdint.h>

int64_t mag_now(void);      /* seconds since the epoch, UTC (CLOCK_REALTIME) */
int64_t mag_now_ms(void);   /* the same in milliseconds */
int64_t mag_ticks_ms(void); /* CLOCK_BOOTTIME, for deadlines */
int64_t mag_ticks_ns(void); /* the same in nanoseconds, to measure with */

#endif
