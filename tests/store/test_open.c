/* Making, opening and migrating a store; the log; faults on demand. */
#include "tests/store/common.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/store/backend.h"

static void sql(const char *path, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* ---- files and addresses ---- */

static void test_the_files_are_the_owners_alone(void **state)
{
	struct fixture *f = *state;
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	mode_t old = umask(0);

	make_account(f, "alice");
	umask(old);
	for (size_t i = 0; i < 3; i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_string_equal(store_kind(f->s), "sqlite");
	assert_int_equal(store_schema(f->s), STORE_SCHEMA);
}

static void test_a_store_is_not_made_twice(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "";

	make_account(f, "alice");
	assert_int_equal(store_create(f->url, err), MAG_EEXISTS);
	assert_non_null(strstr(err, f->path));
	assert_non_null(strstr(err, "already"));
	reopen(f);
	make_account(f, "bob"); /* still whole */
}

/* As a disk that was full leaves it. Served as a new one it would know nobody. */
static void test_an_empty_file_is_no_store(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "";

	store_close(&f->s);
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(store_open(f->url, &f->s, err), MAG_ESTORE);
	assert_non_null(strstr(err, "is empty"));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(store_create(f->url, err), 0);
	reopen(f);
}

static void test_wrong_addresses_are_named(void **state)
{
	static const struct {
		const char *url;
		int r;
		const char *says;
	} cases[] = {
		{ "", MAG_EINVAL, "sqlite:/absolute/path" },
		{ "store.db", MAG_EINVAL, "\"store.db\"" },
		{ "sqlite:relative.db", MAG_EINVAL, "sqlite:/absolute/path" },
		{ "sqlit:/x", MAG_EINVAL, "expected" },
#ifdef HAVE_POSTGRESQL
		{ "postgresql:///db?host=/nonexistent", MAG_ESTORE, "PostgreSQL" },
		{ "postgresql://127.0.0.1:1/db", MAG_ESTORE, "PostgreSQL" },
#else
		{ "postgresql://host/db", MAG_EINVAL, "expected" },
#endif
		{ "sqlite:/nonexistent/folder/store.db", MAG_ENOTFOUND, "magotpctl restore" },
		{ "sqlite:/dev/null", MAG_ESTORE, "regular file" },
		{ "sqlite:/etc", MAG_ESTORE, "regular file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store *s = NULL;
		char err[STORE_ERROR_MAX] = "";

		assert_int_equal(store_open(cases[i].url, &s, err), cases[i].r);
		assert_null(s);
		assert_non_null(strstr(err, cases[i].says));
	}
}

static void test_making_a_store_needs_a_folder(void **state)
{
	char err[STORE_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(store_create("sqlite:/nonexistent/folder/store.db", err), MAG_ESTORE);
	assert_non_null(strstr(err, "No such file"));
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void test_what_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "", garbage[8192];
	struct store *s = NULL;

	store_close(&f->s);
	memset(garbage, 'x', sizeof garbage);
	write_file(f->path, garbage, sizeof garbage);
	assert_int_equal(store_open(f->url, &s, err), MAG_ESTORE);
	assert_null(s);
	assert_non_null(strstr(err, f->path));
}

/* ---- schemas ---- */

static void test_threat_33_a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "";

	make_account(f, "alice");
	store_close(&f->s);
	sql(f->path, "UPDATE meta SET value = 999 WHERE name = 'schema'");
	assert_int_equal(store_open(f->url, &f->s, err), MAG_ESCHEMA);
	assert_non_null(strstr(err, "999"));
	assert_non_null(strstr(err, "newer"));
	sql(f->path, "UPDATE meta SET value = 3 WHERE name = 'schema'");
	assert_int_equal(store_open(f->url, &f->s, err), 0);
}

/* Every row of schema 1 is there afterwards, and what is new has a value. */
static const char schema_1_rows[] =
	"INSERT INTO account VALUES (11, 3, 'alice', 1000, 2, 1, x'0102', x'', 'A', '', 'B', '',"
	" 'en', '', 100);"
	"INSERT INTO subscription VALUES (21, 1, 11, 1, 1, 2, 0, 5, 5, 1826000000);"
	"INSERT INTO phone VALUES (31, 1, 11, 21, 1, x'03', x'04', '0142', 'US', 1, 0, 1, 2, 5, 6,"
	" 7, 'mine');"
	"INSERT INTO login VALUES (51, 2, 11, 'sshd', 'h', '192.0.2.7', 0, 3, 3, 2, 31, 4, 1, "
	"x'05',"
	" 1794999990, 1794999991, 1794999992);"
	"INSERT INTO session VALUES (61, 1, 'boot', 'host', 7, 1000, 11, 51, 1, 2, 'sshd', '', '',"
	" 3, 2, 31, 8, 0, 0);"
	"INSERT INTO licence VALUES (81, 1, zeroblob(32), 'ABCD', 1, 0, 1, 'order', 9, 9, 0, 0);"
	"INSERT INTO throttle VALUES (11, 2, 20775, 4, 1794999999);"
	"INSERT INTO throttle VALUES (0, 10, 0, 6, 1794999999);";

static const char *const schemas[] = {
#include "otpcore/store/schema.inc"
};

/* The fixture's store becomes one that the first version made and used. */
static void make_schema_1(struct fixture *f)
{
	char err[STORE_ERROR_MAX] = "";
	void *backend = NULL;

	store_close(&f->s);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(backend_sqlite.create(f->path, err), 0);
	assert_int_equal(backend_sqlite.open(f->path, &backend, err), 0);
	assert_int_equal(backend_sqlite.migrate(backend, schemas, 1, err), 0);
	backend_sqlite.close(backend);
	sql(f->path, schema_1_rows);
}

static void decide_session_of_1(struct store_tick *t, struct script *s)
{
	struct session *e = store_session(t, "boot", "host", 7);

	(void)s;
	assert_int_equal(e->row.id, 61);
	assert_int_equal(e->phone, 31);
	assert_int_equal(e->token, 0);
	assert_int_equal(e->since, 8);
	e->token = 71;
	store_mark_session(t, 0, e, ROW_CHANGED);
}

static void test_threat_33_a_store_of_schema_1_is_migrated_with_all_it_holds(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "";
	struct script s = { .decide = decide_session_of_1 };
	struct store_tick *t = NULL;
	struct aggregate *a = NULL;
	struct history h;

	make_schema_1(f);
	for (int i = 0; i < 2; i++) { /* once */
		assert_int_equal(store_open(f->url, &f->s, err), 0);
		a = load(f, "alice");
		assert_true(a->exists);
		assert_int_equal(a->account.row.version, 3);
		assert_int_equal(a->n_subscriptions, 1);
		assert_int_equal(a->n_phones, 1);
		assert_string_equal(a->phones[0].label, "mine");
		h = load_history(f);
		assert_int_equal(h.latest.row.id, 51);
		assert_int_equal(h.latest.phone, 31);
		assert_int_equal(h.latest.token, 0);
		assert_int_equal(h.latest.opened_at, 1794999992);
		assert_int_equal(a->n_tokens + a->n_recoveries, 0);
		assert_int_equal(counter(f, THROTTLE_ACCOUNT, 11, 20775), 4);
		assert_int_equal(counter(f, THROTTLE_DECOY, 0, 0), 6);
		assert_int_equal(counter(f, THROTTLE_TOKEN, 0, 0), 0);
		free(a);
		if (i == 0)
			store_close(&f->s);
	}
	t = begin(f, 1);
	store_want_session(t, "boot", "host", 7);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0]);
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
}

static void test_threat_33_a_migration_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "";

	make_schema_1(f);
	sql(f->path, "CREATE TABLE mail (id INTEGER)"); /* in its way, after others */
	assert_int_equal(store_open(f->url, &f->s, err), MAG_ESTORE);
	assert_non_null(strstr(err, "mail"));
	sql(f->path, "CREATE TABLE token (id INTEGER); DROP TABLE token; DROP TABLE mail");
	assert_int_equal(store_open(f->url, &f->s, err), 0);
	make_token(f, "H1", NULL, TOKEN_STOCK);
}

static void test_another_programs_database_is_refused(void **state)
{
	struct fixture *f = *state;
	char err[STORE_ERROR_MAX] = "", other[128], url[140];
	struct store *s = NULL;

	snprintf(other, sizeof other, "%s/other.db", f->dir);
	snprintf(url, sizeof url, "sqlite:%s", other);
	sql(other, "CREATE TABLE moz_places (id INTEGER PRIMARY KEY)");
	assert_int_equal(store_open(url, &s, err), MAG_ESCHEMA);
	assert_non_null(strstr(err, "not a store of magotp"));
	assert_int_equal(access(other, F_OK), 0);
	snprintf(url, sizeof url, "%s-wal", other); /* nothing of it was changed */
	assert_int_equal(access(url, F_OK), -1);
	snprintf(url, sizeof url, "sqlite:%s", other);
	sql(other, "CREATE TABLE meta (name TEXT, value INTEGER)"); /* no row of ours */
	assert_int_equal(store_open(url, &s, err), MAG_ESCHEMA);
}

/* ---- the log ---- */

static void decide_charge(struct store_tick *t, struct script *s)
{
	static int64_t n;

	s->charge[0] = store_charge(t, 0, THROTTLE_SOURCE, n++ % 500, 1, 1);
}

static off_t log_size(struct fixture *f)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s-wal", f->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Whether the broker finds time for checkpoints or never does. */
static void test_the_log_stays_small(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_charge };
	off_t biggest[2] = { 0 };

	fault_sql(f->s, "PRAGMA synchronous=OFF"); /* the sizes are the same, only sooner */
	for (int i = 0; i < 20000; i++) {
		run(begin(f, 1), &s);
		assert_int_equal(s.r, 0);
		if (i < 10000)
			store_checkpoint(f->s);
		if (log_size(f) > biggest[i >= 10000])
			biggest[i >= 10000] = log_size(f);
	}
	assert_in_range(biggest[0], 1, 9 << 20); /* this writer, which syncs nothing, is ahead */
	assert_in_range(biggest[1], 1, 12 << 20);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 7, 1), 40);
}

/* ---- fault.c ---- */

static void test_faults_are_armed_and_counted(void **state)
{
	static const char *const wrong[] = { "x", "x:fail", "x:fail:0", "x:fail:-1", "x:explode:1",
		"x:fail:1-", "x:fail:1++", "x:delay:1", ":fail:1", "x:delayfoo:1", "x:fail:1,y" };
	int fails = 0;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(fault_arm(wrong[i]), MAG_ESYNTAX);
	assert_int_equal(fault_arm("a:fail:2,b:fail:2+,c:delay1:1,d:stop:1"), 0);
	for (int i = 0; i < 4; i++)
		fails += fault_point("a");
	assert_int_equal(fails, 1);
	for (int i = 0; i < 4; i++)
		fails += fault_point("b");
	assert_int_equal(fails, 4);
	assert_int_equal(fault_point("c"), 0);
	assert_int_equal(fault_point("e"), 0);
	assert_int_equal(fault_arm(""), 0);
	assert_int_equal(fault_point("b"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_ONLY(test_the_files_are_the_owners_alone),
		FILE_ONLY(test_a_store_is_not_made_twice),
		FILE_ONLY(test_an_empty_file_is_no_store),
		cmocka_unit_test(test_wrong_addresses_are_named),
		cmocka_unit_test(test_making_a_store_needs_a_folder),
		FILE_ONLY(test_what_is_no_database_is_refused),
		FILE_ONLY(test_threat_33_a_newer_schema_is_refused),
		FILE_ONLY(test_threat_33_a_store_of_schema_1_is_migrated_with_all_it_holds),
		FILE_ONLY(test_threat_33_a_migration_that_fails_changes_nothing),
		FILE_ONLY(test_another_programs_database_is_refused),
		FILE_ONLY(test_the_log_stays_small),
		cmocka_unit_test(test_faults_are_armed_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
