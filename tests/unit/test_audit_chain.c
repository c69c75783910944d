/* The audit log as a chain (security.md 34): what is changed, left out, moved or put in
 * does not follow any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/audit_chain.h"

#define NOW 1795269720 /* 2026-11-21T14:02:00Z */
#define N   5

struct log {
	char line[N][AUDIT_LINE_MAX];
};

/* Five records, without their newlines. */
static void write_log(struct log *l)
{
	struct audit_chain c = { 0 };

	for (int i = 0; i < N; i++) {
		char text[64];
		struct mag_buf line;

		mag_buf_init(&line, l->line[i], sizeof l->line[i]);
		snprintf(text, sizeof text, "verify account=user%d code-wrong", i);
		assert_int_equal(audit_chain_append(&c, NOW + i, text, &line), 0);
		assert_int_equal(c.n, i + 1);
		assert_int_equal(line.data[line.len - 1], '\n');
		line.data[line.len - 1] = '\0';
	}
}

/* Reads it; the number of the first line that does not follow, and why. */
static int read_log(const struct log *l, enum audit_fault *fault_r)
{
	struct audit_chain c = { 0 };
	struct audit_record record;

	for (int i = 0; i < N; i++) {
		*fault_r = audit_chain_follow(&c, l->line[i], &record);
		if (*fault_r != AUDIT_SOUND)
			return i;
		assert_int_equal(record.n, i + 1);
	}
	return N;
}

static void threat_34_what_was_written_follows(void **state)
{
	struct log *l = calloc(1, sizeof *l);
	enum audit_fault fault;

	(void)state;
	write_log(l);
	assert_int_equal(read_log(l, &fault), N);
	assert_string_equal(l->line[0],
		"1 2026-11-21T14:02:00Z "
		"1c2b9b455461ec745c7f5a7e0fbf4d5a9d5870da0bb23b7fc0171b894b5ca78b "
		"verify account=user0 code-wrong");
	free(l);
}

static void threat_34_edit_delete_reorder_and_insert_are_found(void **state)
{
	struct log *l = calloc(1, sizeof *l), *good = calloc(1, sizeof *good);
	enum audit_fault fault;

	(void)state;
	write_log(good);
	/* Each character of each line, one after the other. */
	for (int i = 0; i < N; i++)
		for (size_t at = 0; good->line[i][at]; at++) {
			*l = *good;
			l->line[i][at] ^= 1;
			assert_int_equal(read_log(l, &fault), i);
		}
	*l = *good; /* left out */
	memcpy(l->line[2], good->line[3], sizeof l->line[2]);
	assert_int_equal(read_log(l, &fault), 2);
	assert_int_equal(fault, AUDIT_MISSING);
	*l = *good; /* twice */
	memcpy(l->line[3], good->line[2], sizeof l->line[3]);
	assert_int_equal(read_log(l, &fault), 3);
	assert_int_equal(fault, AUDIT_MISSING);
	*l = *good; /* one blank more */
	memmove(l->line[1] + 2, l->line[1] + 1, sizeof l->line[1] - 2);
	assert_int_equal(read_log(l, &fault), 1);
	assert_int_equal(fault, AUDIT_UNREADABLE);
	free(l);
	free(good);
}

/* Whoever makes the record anew must make all that follow anew, and has no head. */
static void threat_34_a_record_made_anew_breaks_the_next(void **state)
{
	struct log *l = calloc(1, sizeof *l);
	struct audit_chain c = { 0 };
	struct audit_record record;
	enum audit_fault fault;
	struct mag_buf line;

	(void)state;
	write_log(l);
	assert_int_equal(audit_chain_follow(&c, l->line[0], &record), AUDIT_SOUND);
	mag_buf_init(&line, l->line[1], sizeof l->line[1]);
	assert_int_equal(audit_chain_append(&c, NOW + 1, "verify account=user1 ok", &line), 0);
	l->line[1][line.len - 1] = '\0';
	assert_int_equal(read_log(l, &fault), 2);
	assert_int_equal(fault, AUDIT_CHANGED);
	free(l);
}

static void test_a_long_text_is_cut_and_a_dirty_one_cleaned(void **state)
{
	char *text = malloc(2 * AUDIT_LINE_MAX), data[AUDIT_LINE_MAX];
	struct audit_chain c = { 0 }, again = { 0 };
	struct mag_buf line = MAG_BUF(data);
	struct audit_record record;

	(void)state;
	memset(text, 'x', 2 * AUDIT_LINE_MAX);
	text[2 * AUDIT_LINE_MAX - 1] = '\0';
	assert_int_equal(audit_chain_append(&c, NOW, text, &line), 0);
	data[line.len - 1] = '\0';
	assert_int_equal(audit_chain_follow(&again, data, &record), AUDIT_SOUND);
	assert_int_equal(audit_chain_append(&c, NOW, "two\nlines", &line), 0);
	data[line.len - 1] = '\0';
	assert_null(strchr(data, '\n'));
	assert_int_equal(audit_chain_follow(&again, data, &record), AUDIT_SOUND);
	assert_string_equal(record.text, "two?lines");
	free(text);
}

static void test_no_room_leaves_the_chain_where_it_was(void **state)
{
	char data[40];
	struct audit_chain c = { 0 }, before = c;
	struct mag_buf line = MAG_BUF(data);

	(void)state;
	assert_int_equal(audit_chain_append(&c, NOW, "too long for this", &line), MAG_ENOSPACE);
	assert_memory_equal(&c, &before, sizeof c);
}

static void test_heads_are_told_from_other_records(void **state)
{
	unsigned char signature[AUDIT_HASH_LEN], got[AUDIT_HASH_LEN];
	char data[256], host[65], claim[AUDIT_CLAIM_MAX], other[AUDIT_CLAIM_MAX];
	struct mag_buf text = MAG_BUF(data);
	struct audit_chain c = { .n = 7 };

	(void)state;
	memset(signature, 0xa5, sizeof signature);
	audit_head_text("web1", signature, &text);
	assert_true(audit_head_parse(data, host, got));
	assert_string_equal(host, "web1");
	assert_memory_equal(got, signature, sizeof got);
	assert_false(audit_head_parse("begin account=head host=x", host, got));
	assert_false(audit_head_parse("head host=web1 signature=12", host, got));
	assert_false(audit_head_parse("head host=web1", host, got));
	/* Another number, hash or host is another claim. */
	assert_true(audit_chain_claim(&c, "web1", claim) < sizeof claim);
	c.n = 8;
	audit_chain_claim(&c, "web1", other);
	assert_string_not_equal(claim, other);
	c.n = 7;
	audit_chain_claim(&c, "web2", other);
	assert_string_not_equal(claim, other);
	c.hash[31] = 1;
	audit_chain_claim(&c, "web1", other);
	assert_string_not_equal(claim, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_34_what_was_written_follows),
		cmocka_unit_test(threat_34_edit_delete_reorder_and_insert_are_found),
		cmocka_unit_test(threat_34_a_record_made_anew_breaks_the_next),
		cmocka_unit_test(test_a_long_text_is_cut_and_a_dirty_one_cleaned),
		cmocka_unit_test(test_no_room_leaves_the_chain_where_it_was),
		cmocka_unit_test(test_heads_are_told_from_other_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
