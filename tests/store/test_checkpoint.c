/* The thread that copies the log into the database: it is there when there is something to
 * copy, it is gone when the store is closed, and nothing of it can lose what was committed. */
#include "tests/store/common.h"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4120 /* of the log, with its head */

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static off_t log_size(const struct fixture *f)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s-wal", f->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Counters all over the table: most of them make a page of their own dirty. */
static void decide_spread(struct store_tick *t, struct script *s)
{
	int64_t *n = s->arg;

	for (int i = 0; i < 8; i++, ++*n)
		store_charge(t, 0, THROTTLE_SOURCE, 1 + *n * 7919 % 40000, 1, 1);
	store_charge(t, 0, THROTTLE_SOURCE, 50000, 1, 1);
}

/* So many ticks; the greatest size of the log meanwhile. */
static off_t write_much(struct fixture *f, int ticks, int64_t *n)
{
	struct script s = { .decide = decide_spread, .arg = n };
	off_t biggest = 0;

	for (int i = 0; i < ticks; i++) {
		run(begin(f, 1), &s);
		assert_int_equal(s.r, 0);
		store_checkpoint(f->s);
		if (log_size(f) > biggest)
			biggest = log_size(f);
	}
	return biggest;
}

static int64_t ask(const struct fixture *f, const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	int64_t n = -1;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static bool sound(const struct fixture *f)
{
	return ask(f, "SELECT count(*) FROM pragma_integrity_check"
		      " WHERE integrity_check = 'ok'") == 1;
}

static void test_a_thread_copies_and_ends_with_the_store(void **state)
{
	struct fixture *f = *state;
	int64_t n = 0;

	fault_sql(f->s, "PRAGMA synchronous=OFF");
	assert_int_equal(threads(), 1);
	/* 2,000 pages, and what comes while the thread is at work. */
	assert_in_range(write_much(f, 3000, &n), 1, 2200 * PAGE);
	assert_int_equal(threads(), 2);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 50000, 1), 3000);
	store_close(&f->s);
	assert_int_equal(threads(), 1);
	assert_int_equal(log_size(f), 0);
	assert_true(sound(f));
	assert_int_equal(ask(f, "SELECT sum(count) FROM throttle"), 9 * 3000);
}

/* Another process reads for long: the log can't start anew, and that is no error. */
static void test_a_reader_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;
	int64_t n = 0;

	fault_sql(f->s, "PRAGMA synchronous=OFF");
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM throttle", NULL, NULL, NULL),
		SQLITE_OK);
	assert_true(write_much(f, 600, &n) > 2000 * PAGE);
	sqlite3_close(db);
	write_much(f, 600, &n);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 50000, 1), 1200);
}

/* As after a COMMIT whose sync failed: the store is opened again, and copies all of the
 * log again. */
static void test_a_copy_whose_sync_fails_is_worth_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t n = 0;

	fault_sql(f->s, "PRAGMA synchronous=OFF");
	assert_int_equal(fault_arm("store.sync:fail:1,store.sync:fail:3"), 0);
	write_much(f, 1500, &n);
	fault_arm("");
	assert_int_equal(threads(), 2);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 50000, 1), 1500);
	store_close(&f->s);
	assert_int_equal(threads(), 1);
	assert_true(sound(f));
	assert_int_equal(ask(f, "SELECT sum(count) FROM throttle"), 9 * 1500);
}

/* ---- kill -9 ---- */

/* Writes until it is killed, and says how often it has. */
static void write_and_tell(struct fixture *f, int fd)
{
	struct script s = { .decide = decide_spread };
	int64_t n = 0;

	s.arg = &n;
	reopen(f);
	for (;;) {
		run(begin(f, 1), &s);
		store_checkpoint(f->s);
		if (s.r != 0 || write(fd, "+", 1) != 1)
			_exit(1);
	}
}

/* Kills it after so many; how many it has told of. */
static int64_t killed_after(struct fixture *f, int64_t ticks)
{
	int fds[2], status = 0;
	int64_t told = 0;
	pid_t child;
	char c;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_and_tell(f, fds[1]);
	close(fds[1]);
	while (told < ticks && read(fds[0], &c, 1) == 1)
		told++;
	kill(child, SIGKILL);
	while (read(fds[0], &c, 1) == 1)
		told++;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return told;
}

static void test_threat_30_kill_9_amid_a_copy_loses_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t told = 0;

	store_close(&f->s); /* no connection is carried across fork */
	for (int64_t i = 0; i < 8; i++) {
		char err[STORE_ERROR_MAX] = "";
		int64_t kept;

		told += killed_after(f, 20 + i * 17);
		assert_int_equal(store_open(f->url, &f->s, err), 0);
		kept = counter(f, THROTTLE_SOURCE, 50000, 1);
		store_close(&f->s);
		assert_true(sound(f));
		/* The one under way may have been committed, and not told of. */
		assert_in_range(kept, told, told + 1);
		told = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_ONLY(test_a_thread_copies_and_ends_with_the_store),
		FILE_ONLY(test_a_reader_holds_nobody_up),
		FILE_ONLY(test_a_copy_whose_sync_fails_is_worth_nothing),
		FILE_ONLY(test_threat_30_kill_9_amid_a_copy_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
