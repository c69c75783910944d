/* Whose password the helper may touch: decided from the system's files alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/broker/helper.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "games:x:5:60:games:/usr/games:/usr/sbin/nologin\n"
			     "alice:x:1000:1000::/home/alice:/bin/sh\n"
			     "twice:x:1001:1001::/home/twice:/bin/sh\n"
			     "twice:x:0:0::/root:/bin/sh\n"
			     "toor:x:0:1002::/root:/bin/sh\n"
			     "boss:x:1003:1003::/home/boss:/bin/sh\n"
			     "first:x:1004:27::/home/first:/bin/sh\n"
			     "gid0:x:1005:0::/home/gid0:/bin/sh\n"
			     "reader:x:1006:1006::/:/bin/sh\n"
			     "locked:x:1007:1007::/:/bin/sh\n"
			     "key:x:1008:1008::/:/bin/sh\n"
			     "empty:x:1009:1009::/:/bin/sh\n"
			     "absent:x:1010:1010::/:/bin/sh\n"
			     "late:x:4000:4000::/:/bin/sh\n"
			     "nobody:x:65534:65534::/:/bin/sh\n";
static const char group[] = "root:x:0:\nadm:x:4:reader\nsudo:x:27:other,boss\nusers:x:100:alice\n"
			    "alice:x:1000:\n";
static const char shadow[] = "root:$y$j9T$aaaaaaaaaaaa:1::::::\n"
			     "games:*:1::::::\n"
			     "alice:$y$j9T$aaaaaaaaaaaa:1:0:99999:7:::\n"
			     "twice:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "toor:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "boss:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "first:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "gid0:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "reader:$6$aaaaaaaaaaaaaa:1::::::\n"
			     "locked:!$6$aaaaaaaaaaaaaa:1::::::\n"
			     "key:*:1::::::\n"
			     "empty::1::::::\n"
			     "late:ab0123456789.:1::::::\n"
			     "nobody:$6$aaaaaaaaaaaaaa:1::::::\n";

static FILE *file(const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(f);
	return f;
}

static enum helper_answer judge(const struct helper_order *o, const char *defs)
{
	struct helper_facts facts = { 0 };
	FILE *f;

	helper_read_passwd(f = file(passwd), o->name, &facts);
	fclose(f);
	helper_read_group(f = file(group), o->name, &facts);
	fclose(f);
	helper_read_shadow(f = file(shadow), o->name, &facts);
	fclose(f);
	helper_read_defs(f = file(defs), &facts);
	fclose(f);
	return helper_judge(o, &facts);
}

static void test_H8_threat_42_whose_password_may_be_touched(void **state)
{
	static const struct {
		struct helper_order order;
		enum helper_answer answer;
	} cases[] = {
		{ { 1000, 0, "alice", "" }, HELPER_DONE },
		{ { 1000, 0, "alice", "abc12-def34-ghj" }, HELPER_DONE },
		{ { 4000, 0, "late", "" }, HELPER_DONE }, /* an old kind of hash */
		{ { 1001, 0, "twice", "" }, HELPER_DONE },
		{ { 1000, 1, "alice", "" }, HELPER_ADMIN },
		{ { 1000, 2, "alice", "" }, HELPER_MALFORMED },
		{ { 1001, 0, "alice", "" }, HELPER_OTHER_UID },
		{ { 0, 0, "alice", "" }, HELPER_OTHER_UID },
		{ { 0, 0, "twice", "" }, HELPER_OTHER_UID }, /* the first line counts */
		{ { 1100, 0, "eve", "" }, HELPER_NOT_LOCAL },
		{ { 0, 0, "root", "" }, HELPER_SYSTEM },
		{ { 0, 0, "toor", "" }, HELPER_SYSTEM },
		{ { 5, 0, "games", "" }, HELPER_SYSTEM },
		{ { 65534, 0, "nobody", "" }, HELPER_SYSTEM },
		{ { 1003, 0, "boss", "" }, HELPER_PRIVILEGED },
		{ { 1004, 0, "first", "" }, HELPER_PRIVILEGED }, /* by its first group */
		{ { 1005, 0, "gid0", "" }, HELPER_PRIVILEGED },
		{ { 1006, 0, "reader", "" }, HELPER_PRIVILEGED },
		{ { 1007, 0, "locked", "" }, HELPER_NO_PASSWORD },
		{ { 1008, 0, "key", "" }, HELPER_NO_PASSWORD },
		{ { 1009, 0, "empty", "" }, HELPER_NO_PASSWORD },
		{ { 1010, 0, "absent", "" }, HELPER_NO_PASSWORD },
		{ { 1000, 0, "", "" }, HELPER_MALFORMED },
		{ { 1000, 0, "-alice", "" }, HELPER_MALFORMED },
		{ { 1000, 0, "1000", "" }, HELPER_MALFORMED },
		{ { 1000, 0, "alice:x", "" }, HELPER_MALFORMED },
		{ { 1000, 0, "alice\nroot", "" }, HELPER_MALFORMED },
		{ { 1000, 0, "alice", "a\nroot:b" }, HELPER_MALFORMED },
		{ { 1000, 0, "alice", "a:b" }, HELPER_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum helper_answer a = judge(&cases[i].order, "");

		if (a != cases[i].answer)
			print_error("case %zu %s: %s\n", i, cases[i].order.name, helper_words(a));
		assert_int_equal(a, cases[i].answer);
	}
}

static void test_threat_42_login_defs_says_where_people_begin(void **state)
{
	const struct helper_order alice = { 1000, 0, "alice", "" }, late = { 4000, 0, "late", "" };

	(void)state;
	assert_int_equal(judge(&alice, "# UID_MIN 1\nUID_MIN\t\t 2000\n"), HELPER_SYSTEM);
	assert_int_equal(judge(&late, "UID_MIN 2000\n"), HELPER_DONE);
	assert_int_equal(judge(&alice, "UID_MIN zero\nUID_MIN 0\nUID_MIN\n"), HELPER_DONE);
}

static void test_threat_42_an_order_without_an_end_is_none(void **state)
{
	struct helper_order o = { 1000, 0, "alice", "" };
	struct helper_facts facts = { true, 1000, 1000, 0, false, true };

	(void)state;
	assert_int_equal(helper_judge(&o, &facts), HELPER_DONE);
	memset(o.new, 'a', sizeof o.new);
	assert_int_equal(helper_judge(&o, &facts), HELPER_MALFORMED);
	memset(&o, 'a', sizeof o);
	assert_int_equal(helper_judge(&o, &facts), HELPER_MALFORMED);
	memset(&o, 0, sizeof o);
	assert_int_equal(helper_judge(&o, &facts), HELPER_MALFORMED);
}

static void test_threat_42_nothing_known_nothing_done(void **state)
{
	const struct helper_order o = { 0, 0, "alice", "" };
	const struct helper_facts facts = { 0 };

	(void)state;
	assert_int_equal(helper_judge(&o, &facts), HELPER_NOT_LOCAL);
}

static void test_threat_42_so_many_and_no_more(void **state)
{
	struct helper_rate rate = { 0 };
	int64_t now = 1;
	int done = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		done += helper_within_rate(&rate, now);
	assert_int_equal(done, HELPER_BURST);
	assert_false(helper_within_rate(&rate, now + HELPER_REFILL - 1));
	assert_true(helper_within_rate(&rate, now + HELPER_REFILL));
	assert_false(helper_within_rate(&rate, now + HELPER_REFILL));
	now += 100 * HELPER_REFILL;
	for (done = 0; helper_within_rate(&rate, now);)
		done++;
	assert_int_equal(done, HELPER_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H8_threat_42_whose_password_may_be_touched),
		cmocka_unit_test(test_threat_42_login_defs_says_where_people_begin),
		cmocka_unit_test(test_threat_42_an_order_without_an_end_is_none),
		cmocka_unit_test(test_threat_42_nothing_known_nothing_done),
		cmocka_unit_test(test_threat_42_so_many_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
