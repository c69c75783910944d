/* What bare libpq connections do in the same server, without a store above them. */
#ifndef BENCH_PG_BARE_H
#define BENCH_PG_BARE_H

enum pg_bare {
	PG_BARE_UPDATE, /* one row, UPDATE ... RETURNING, durable */
	PG_BARE_LOGIN,  /* the statements of one right code, each waited for */
};

/* How many a second over so many connections, one process each; 0: they can't. */
double pg_bare_rate(const char *url, enum pg_bare kind, int connections, double seconds);

#endif
