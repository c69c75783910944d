/* Faults on demand, for tests: the Nth pass of a named point fails, kills or stops (until
 * SIGCONT) the process, or delays. Compiled in with -DMAG_FAULT only (otpcored-fault, the
 * unit tests); otherwise the macro is 0.
 *
 * Points of the store: store.begin, store.read, store.charge, store.claim, store.settle (each
 * statement), store.key (does the key still seal?), store.commit (as an I/O error at COMMIT),
 * store.sync (of a copy), store.committed (between COMMIT and done; fail: the outcome is not
 * known). */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#ifdef MAG_FAULT
/* "store.commit:fail:3", "tick.answer:kill:1", "store.claim:fail:2+" (from the
 * second on), "store.read:delay50:1" (milliseconds). Several by commas; replaces
 * what was armed, "" disarms. 0 or MAG_ESYNTAX. */
int fault_arm(const char *spec);
/* Non-zero if the point must fail now. Does not return when it kills. */
int fault_point(const char *name);
/* SQL on the store's own connection, such as PRAGMA max_page_count. */
struct store;
int fault_sql(struct store *s, const char *sql);
#define FAULT(name) fault_point(name)
#else
#define FAULT(name) 0
#endif

#endif
