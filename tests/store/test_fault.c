/* What goes wrong, and what is true afterwards (security.md 4, 5, 29, 30, 31). */
#include "tests/store/common.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a second connection to the same file ---- */

static void beside(struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Each active request takes the account whose name is its argument; before the
 * first claim somebody else changes alice. */
static void decide_race(struct store_tick *t, struct script *s)
{
	for (size_t i = 0; i < store_n_requests(t); i++) {
		struct aggregate *a = NULL;

		if (!store_active(t, i))
			continue;
		a = store_account(t, store_request_arg(t, i));
		s->charge[i] = store_charge(t, i, THROTTLE_ACCOUNT, a->account.row.id, 1, 1);
		a->account.uid = 4242;
		store_mark_account(t, i, &a->account, ROW_CHANGED);
	}
	if (s->decided == 1)
		beside(s->f, "UPDATE account SET version = version + 1, postal = 'beside'"
			     " WHERE name = 'alice'");
}

static void test_a_lost_race_is_reported_and_takes_nothing_along(void **state)
{
	struct fixture *f = *state;
	static char names[][8] = { "alice", "bob", "alice" };
	struct script s = { .decide = decide_race, .f = f };
	struct store_tick *t = NULL;
	struct aggregate *a = NULL;

	make_account(f, "alice");
	make_account(f, "bob");
	assert_int_equal(store_tick_new(f->s, NOW, &t), 0);
	for (size_t i = 0; i < 3; i++) {
		store_request(t, names[i]);
		store_want_account(t, names[i]);
	}
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_true(s.lost[0] && s.lost[2]);
	assert_false(s.lost[1] || s.failed[0] || s.failed[1] || s.failed[2]);
	assert_int_equal(s.decided, 2);
	a = load(f, "alice");
	assert_int_equal(a->account.uid, 1000);
	assert_string_equal(a->account.postal, "beside");
	/* A loser is decided again and charged then: not twice. */
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, a->account.row.id, 1), 0);
	free(a);
	a = load(f, "bob");
	assert_int_equal(a->account.uid, 4242);
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, a->account.row.id, 1), 1);
	free(a);
}

static void decide_charge_beside(struct store_tick *t, struct script *s)
{
	s->charge[0] = store_charge(t, 0, THROTTLE_ACCOUNT, 50, 1, 1);
	s->charge[1] = store_charge(t, 1, THROTTLE_ACCOUNT, 50, 1, 1);
	beside(s->f, "INSERT INTO throttle (kind, subject, period, count, last_at)"
		     " VALUES (2, 50, 1, 7, 1) ON CONFLICT DO UPDATE SET count = count + 7");
}

static void test_charges_of_others_are_counted(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_charge_beside, .f = f };

	run(begin(f, 2), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(s.charged[0], 8);
	assert_int_equal(s.charged[1], 9);
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, 50, 1), 9);
}

/* ---- a poisoned tick ---- */

#define POISONED 17

/* All guess at one chain; one of them also makes a phone no table takes. */
static void decide_poisoned(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	for (size_t i = 0; i < store_n_requests(t); i++) {
		if (!store_active(t, i))
			continue;
		s->charge[i] = store_charge(t, i, THROTTLE_CHAIN, 7, 0, 1);
		if (i == POISONED) {
			struct phone *p = store_add_phone(t, a);

			fill_phone(p, &a->account, 99); /* slots are 1 to 3 */
			store_mark_phone(t, i, p, ROW_NEW);
		}
	}
}

/* A bystander's right code is written down in settle. */
static void settle_bystander(struct store_tick *t, struct script *s)
{
	struct login *l = store_login(t, 1000);

	(void)s;
	if (!store_active(t, 3))
		return;
	fill_login(l, 1, 1000);
	l->verified_at = NOW;
	store_mark_login(t, 3, l, ROW_NEW);
}

static void test_threat_29_poisoned_tick(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_poisoned, .settle = settle_bystander };
	struct store_tick *t = NULL;
	uint64_t seen = 0;

	make_account(f, "alice");
	t = begin(f, 64);
	store_want_account(t, "alice");
	store_want_login(t, 1000);
	run(t, &s);
	assert_int_equal(s.r, 0);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(s.failed[i], i == POISONED);
		assert_false(s.lost[i]);
		seen |= i == POISONED ? 0 : (uint64_t)1 << (s.charged[i] - 1);
	}
	/* Each has its own count, and none is given twice. */
	assert_true(seen == ~((uint64_t)1 << POISONED));
	assert_int_equal(counter(f, THROTTLE_CHAIN, 7, 0), 64);
	s = (struct script){ 0 };
	t = begin(f, 1);
	store_want_login(t, 1000);
	run(t, &s);
	assert_int_equal(s.r, 0);
}

static void decide_who_exists(struct store_tick *t, struct script *s)
{
	static const char *const names[] = { "alice", "bob" };

	for (size_t i = 0; i < 2; i++) {
		if (!store_active(t, i))
			continue;
		s->charge[i] = store_charge(t, i, THROTTLE_CHAIN, (int64_t)i + 1, 0, 1);
		((bool *)s->arg)[i] = store_account(t, names[i])->exists;
	}
}

static void test_a_row_that_cannot_be_read_fails_only_who_needs_it(void **state)
{
	struct fixture *f = *state;
	bool exists[2] = { false };
	struct script s = { .decide = decide_who_exists, .arg = exists };
	struct store_tick *t = NULL;

	make_account(f, "alice");
	make_account(f, "bob");
	assert_int_equal(
		fault_sql(f->s, "UPDATE phone SET masked = 'far too long for this field'"
				" WHERE account = (SELECT id FROM account WHERE name = 'alice')"),
		0);
	t = begin(f, 2);
	store_want_account(t, "alice");
	store_want_account(t, "bob");
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_true(s.failed[0]);
	assert_false(s.failed[1]);
	assert_true(exists[1]);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 1);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 2, 0), 1);
}

/* ---- every statement fails once ---- */

static void decide_work(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	for (size_t i = 0; i < 2; i++) {
		if (!store_active(t, i))
			continue;
		s->charge[i] = store_charge(t, i, THROTTLE_CHAIN, 1, 0, 1);
		a->account.uid++;
		store_mark_account(t, i, &a->account, ROW_CHANGED);
	}
}

static void settle_work(struct store_tick *t, struct script *s)
{
	(void)s;
	for (size_t i = 0; i < 2; i++) {
		struct login *l = store_login(t, 10 + (int64_t)i);

		if (!store_active(t, i))
			continue;
		fill_login(l, 1, 10 + (int64_t)i);
		store_mark_login(t, i, l, ROW_NEW);
	}
}

static int64_t count_logins(struct fixture *f)
{
	struct aggregate *a = load(f, "alice");
	int64_t n = a->account.uid - 1000;

	free(a);
	return n;
}

/* One passing fault: both requests get through, alone. */
static void test_a_passing_fault_costs_nobody_anything(void **state)
{
	static const char *const points[] = { "store.begin", "store.read", "store.charge",
		"store.claim", "store.settle" };
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };

	make_account(f, "alice");
	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
		struct store_tick *t = begin(f, 2);
		char spec[64];

		fault_sql(f->s, "DELETE FROM login");
		store_want_account(t, "alice");
		store_want_login(t, 10);
		store_want_login(t, 11);
		snprintf(spec, sizeof spec, "%s:fail:1", points[i]);
		assert_int_equal(fault_arm(spec), 0);
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.failed[0] || s.failed[1] || s.lost[0] || s.lost[1]);
		assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2 * (i + 1));
		assert_int_equal(count_logins(f), 2 * (i + 1));
	}
}

/* A lasting fault after the charge: nobody gets in, everybody is charged. */
static void test_a_lasting_fault_denies_and_charges(void **state)
{
	static const char *const points[] = { "store.claim:fail:1+", "store.settle:fail:1+" };
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };

	make_account(f, "alice");
	for (size_t i = 0; i < 2; i++) {
		struct store_tick *t = begin(f, 2);

		store_want_account(t, "alice");
		store_want_login(t, 10);
		store_want_login(t, 11);
		assert_int_equal(fault_arm(points[i]), 0);
		run(t, &s);
		fault_arm("");
		assert_int_equal(s.r, 0); /* the charges are committed */
		assert_true(s.failed[0] && s.failed[1]);
		assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2 * (i + 1));
		assert_int_equal(count_logins(f), 0);
	}
}

static void test_without_a_database_all_fail(void **state)
{
	static const char *const points[] = { "store.begin:fail:1+", "store.charge:fail:1+",
		"store.read:fail:1+" };
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };

	make_account(f, "alice");
	for (size_t i = 0; i < 3; i++) {
		struct store_tick *t = begin(f, 2);

		store_want_account(t, "alice");
		store_want_login(t, 10);
		store_want_login(t, 11);
		assert_int_equal(fault_arm(points[i]), 0);
		run(t, &s);
		fault_arm("");
		assert_true(s.failed[0] && s.failed[1]);
		assert_int_equal(count_logins(f), 0);
	}
}

static struct store_tick *work(struct fixture *f)
{
	struct store_tick *t = begin(f, 2);

	store_want_account(t, "alice");
	store_want_login(t, 10);
	store_want_login(t, 11);
	return t;
}

/* Somebody holds the database: nobody is let in, and nobody waits for each of
 * the others. */
static void test_a_held_database_is_an_error_to_all_at_once(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };
	sqlite3 *db = NULL;

	make_account(f, "alice");
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	run(work(f), &s);
	assert_int_equal(s.r, MAG_EBUSY);
	assert_true(s.failed[0] && s.failed[1]);
	assert_int_equal(s.decided, 1);
	sqlite3_close(db);
	run(work(f), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2);
}

/* The second request's handler gives up in settle, the first time or always. */
static void settle_and_give_up(struct store_tick *t, struct script *s)
{
	settle_work(t, s);
	if (store_active(t, 1) && (s->decided == 1 || s->arg != NULL))
		store_spoil(t, 1);
}

/* What it had marked is no half change: once, and it runs again; always, and only its
 * charge is there. The other request is none the wiser. */
static void test_threat_35_a_handler_that_gives_up_uses_up_nothing(void **state)
{
	struct fixture *f = *state;
	struct script once = { .decide = decide_work, .settle = settle_and_give_up };
	struct script always = {
		.decide = decide_work, .settle = settle_and_give_up, .arg = &once
	};

	make_account(f, "alice");
	run(work(f), &once);
	assert_int_equal(once.r, 0);
	assert_false(once.failed[0] || once.failed[1]);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2);
	assert_int_equal(count_logins(f), 2);
	fault_sql(f->s, "DELETE FROM login");
	run(work(f), &always);
	assert_true(!always.failed[0] && always.failed[1]);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 4);
	assert_int_equal(count_logins(f), 3);
}

/* ---- a damaged file ---- */

static unsigned char *slurp(const char *path, size_t *len_r)
{
	FILE *in = fopen(path, "rb");
	unsigned char *data = malloc(1 << 20);

	assert_non_null(in);
	assert_non_null(data);
	*len_r = fread(data, 1, 1 << 20, in);
	fclose(in);
	assert_in_range(*len_r, 4096, (1 << 20) - 1);
	return data;
}

/* In place of the database and of what a failed one left beside it. */
static void spill(const char *path, const unsigned char *data, size_t len)
{
	char log[120];
	FILE *out = fopen(path, "wb");

	snprintf(log, sizeof log, "%s-wal", path);
	unlink(log);

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

static uint64_t drawn(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* One bit, sometimes a few; twice is as if never. */
static void flip(unsigned char *data, size_t len, uint64_t seed)
{
	uint64_t x = seed;

	for (uint64_t n = drawn(&x) % 4 ? 1 : 1 + drawn(&x) % 8; n > 0; n--) {
		uint64_t bit = drawn(&x) % (len * 8);

		data[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

/* Whatever bits are wrong: an answer, in good order, from the same process. */
static void test_threat_32_flipped_bits_end_in_an_answer(void **state)
{
	struct fixture *f = *state;
	size_t len = 0;
	unsigned char *data = NULL;
	uint64_t x = 88172645463325252u;
	int refused = 0, failed = 0, flips = getenv("MAGOTP_LONG") ? 100000 : 500;

	make_challenge(f, "alice");
	make_token(f, "M0001", "alice", TOKEN_ACTIVE);
	make_token(f, "H0001", NULL, TOKEN_STOCK);
	store_close(&f->s);
	data = slurp(f->path, &len);
	for (int i = 0; i < flips; i++) {
		char err[STORE_ERROR_MAX] = "";
		struct script s = { .decide = decide_work, .settle = settle_work };
		uint64_t seed = drawn(&x);

		flip(data, len, seed);
		spill(f->path, data, len);
		flip(data, len, seed);
		if (store_open(f->url, &f->s, err) != 0) {
			assert_true(err[0] != '\0');
			refused++;
			continue;
		}
		run(work(f), &s);
		failed += s.r != 0 || s.failed[0];
		store_close(&f->s);
	}
	printf("%d databases with flipped bits: %d not opened, %d ticks refused\n", flips, refused,
		failed);
	assert_true(refused > 0);
	assert_true(refused + failed < flips); /* most bits of a young store are unused */
	spill(f->path, data, len);
	free(data);
	reopen(f);
	run(work(f), &(struct script){ .decide = decide_work, .settle = settle_work });
}

/* ---- COMMIT ---- */

static void test_a_failed_commit_is_an_error_to_all(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };

	make_account(f, "alice");
	assert_int_equal(fault_arm("store.commit:fail:1"), 0);
	run(work(f), &s);
	assert_int_equal(s.r, MAG_ESTORE);
	assert_true(s.failed[0] && s.failed[1]);
	assert_int_equal(s.decided, 1); /* nobody knows: not decided again */
	/* The next tick has a database again. */
	run(work(f), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2);
}

static void test_an_unknown_outcome_is_an_error_though_it_is_durable(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };

	make_account(f, "alice");
	assert_int_equal(fault_arm("store.committed:fail:1"), 0);
	run(work(f), &s);
	assert_int_equal(s.r, MAG_ESTORE);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), 2);
}

/* A sync that really fails: below SQLite, in a VFS whose files are the usual
 * ones but for xSync. */
static bool sync_fails;
static sqlite3_io_methods shaky_methods[2]; /* of databases, of logs */
static int (*true_sync)(sqlite3_file *, int);
static int (*true_open)(sqlite3_vfs *, sqlite3_filename, sqlite3_file *, int, int *);

static int shaky_sync(sqlite3_file *file, int flags)
{
	return sync_fails ? SQLITE_IOERR_FSYNC : true_sync(file, flags);
}

static int shaky_open(
	sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_r)
{
	int code = true_open(vfs, name, file, flags, flags_r);
	sqlite3_io_methods *methods = &shaky_methods[(flags & SQLITE_OPEN_WAL) != 0];

	if (code == SQLITE_OK && file->pMethods != NULL) {
		true_sync = file->pMethods->xSync;
		*methods = *file->pMethods;
		methods->xSync = shaky_sync;
		file->pMethods = methods;
	}
	return code;
}

static void test_threat_29_a_failed_sync_opens_the_store_again(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_work, .settle = settle_work };
	sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
	sqlite3_vfs shaky = *usual;
	int64_t n = 0;

	make_account(f, "alice");
	true_open = usual->xOpen;
	shaky.xOpen = shaky_open;
	shaky.zName = "shaky";
	sqlite3_vfs_register(&shaky, 1);
	reopen(f);
	sync_fails = true;
	run(work(f), &s);
	sync_fails = false;
	assert_int_equal(s.r, MAG_ESTORE);
	assert_true(s.failed[0] && s.failed[1]);
	/* Durable or not: one of both, never half. */
	n = counter(f, THROTTLE_CHAIN, 1, 0);
	assert_true(n == 0 || n == 2);
	assert_int_equal(count_logins(f), n);
	fault_sql(f->s, "DELETE FROM login");
	run(work(f), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), n + 2);
	store_close(&f->s);
	sqlite3_vfs_unregister(&shaky);
	sqlite3_vfs_register(usual, 1);
	reopen(f);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), n + 2);
}

/* ---- a full disk ---- */

static void decide_big(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	for (size_t i = 0; i < store_n_requests(t); i++) {
		struct licence *l = NULL;

		if (!store_active(t, i))
			continue;
		s->charge[i] = store_charge(t, i, THROTTLE_ACCOUNT, a->account.row.id, 1, 1);
		for (int k = 0; k < 256; k++) {
			l = store_add_licence(t);
			l->row.id = store_new_id();
			l->hash.len = HASH_LEN;
			memcpy(l->hash.data, &l->row.id, sizeof l->row.id);
			l->product = PRODUCT_PHONE_US;
			l->state = LICENCE_FREE;
			store_mark_licence(t, i, l, ROW_NEW);
		}
	}
}

static void test_threat_31_a_full_database_denies_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_big };
	struct store_tick *t = NULL;
	struct aggregate *a = NULL;
	int64_t before = 0;

	make_account(f, "alice");
	a = load(f, "alice");
	before = a->account.row.version;
	free(a);
	assert_int_equal(
		fault_sql(f->s, "PRAGMA max_page_count = 1"), 0); /* as many as there are */
	t = begin(f, 4);
	store_want_account(t, "alice");
	run(t, &s);
	for (size_t i = 0; i < 4; i++)
		assert_true(s.failed[i]);
	a = load(f, "alice");
	assert_int_equal(a->account.row.version, before);
	assert_int_equal(a->n_phones, 1);
	/* A counter's row needs no new page. */
	assert_int_equal(s.r, 0);
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, a->account.row.id, 1), 4);
	assert_int_equal(fault_sql(f->s, "PRAGMA max_page_count = 100000"), 0);
	t = begin(f, 4);
	store_want_account(t, "alice");
	run(t, &s);
	assert_int_equal(s.r, 0);
	for (size_t i = 0; i < 4; i++)
		assert_false(s.failed[i]);
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, a->account.row.id, 1), 8);
	free(a);
}

/* On a real full file system, in a mount namespace of its own. Exit: 0 right,
 * 77 not allowed to mount. */
static int full_tmpfs(const char *dir)
{
	char url[112], err[STORE_ERROR_MAX] = "";
	struct fixture f = { .file = true };
	struct script s = { .decide = decide_big };
	int denied = 0, committed = 0;

	if (unshare(CLONE_NEWNS) != 0 ||
		mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", dir, "tmpfs", 0, "size=600k") != 0)
		return 77;
	snprintf(url, sizeof url, "sqlite:%s/full.db", dir);
	if (store_create(url, err) != 0 || store_open(url, &f.s, err) != 0)
		return 1;
	make_account(&f, "alice");
	for (int i = 0; i < 40; i++) {
		struct store_tick *t = begin(&f, 1);

		store_want_account(t, "alice");
		run(t, &s);
		denied += s.failed[0];
		committed += !s.failed[0];
	}
	store_close(&f.s);
	if (denied == 0 || committed == 0)
		return 2;
	umount2(dir, MNT_DETACH);
	return 0;
}

static void test_threat_31_a_full_file_system_denies(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(full_tmpfs(f->dir));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- kill -9 ---- */

static int die_at(struct fixture *f, const char *spec)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct script s = { .decide = decide_work, .settle = settle_work };

		reopen(f);
		fault_arm(spec);
		run(work(f), &s);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_threat_30_kill_9_leaves_what_was_committed(void **state)
{
	static const struct {
		const char *spec;
		int64_t charges;
	} cases[] = { { "store.read:kill:2", 0 }, { "store.begin:kill:1", 0 },
		{ "store.charge:kill:1", 0 }, { "store.claim:kill:1", 0 },
		{ "store.settle:kill:2", 0 }, { "store.commit:kill:1", 0 },
		{ "store.committed:kill:1", 2 } };
	struct fixture *f = *state;

	make_account(f, "alice");
	store_close(&f->s); /* no connection is carried across fork */
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char err[STORE_ERROR_MAX] = "";

		assert_int_equal(die_at(f, cases[i].spec), SIGKILL);
		assert_int_equal(store_open(f->url, &f->s, err), 0);
		assert_int_equal(counter(f, THROTTLE_CHAIN, 1, 0), cases[i].charges);
		assert_int_equal(count_logins(f), cases[i].charges);
		store_close(&f->s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_ONLY(test_a_lost_race_is_reported_and_takes_nothing_along),
		FILE_ONLY(test_charges_of_others_are_counted),
		BOTH(test_threat_29_poisoned_tick),
		BOTH(test_a_row_that_cannot_be_read_fails_only_who_needs_it),
		BOTH(test_a_passing_fault_costs_nobody_anything),
		BOTH(test_a_lasting_fault_denies_and_charges),
		BOTH(test_without_a_database_all_fail),
		FILE_ONLY(test_a_held_database_is_an_error_to_all_at_once),
		BOTH(test_threat_35_a_handler_that_gives_up_uses_up_nothing),
		FILE_ONLY(test_threat_32_flipped_bits_end_in_an_answer),
		BOTH(test_a_failed_commit_is_an_error_to_all),
		BOTH(test_an_unknown_outcome_is_an_error_though_it_is_durable),
		FILE_ONLY(test_threat_29_a_failed_sync_opens_the_store_again),
		FILE_ONLY(test_threat_31_a_full_database_denies_and_loses_nothing),
		FILE_ONLY(test_threat_31_a_full_file_system_denies),
		FILE_ONLY(test_threat_30_kill_9_leaves_what_was_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
