/* What the helper that sets passwords as root reads: an order of a broker that somebody may
 * have taken over, and the system's own files. Parts of the input are parted by form feeds:
 * name, uid and new password; passwd; group; shadow; login.defs. */
#include <stdio.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/helper.h"
#include "tests/fuzz/fuzz.h"

#define PARTS 5

static void cut(const uint8_t *data, size_t len, char *parts_r[PARTS])
{
	char *p = fuzz_string(data, len), *rest = p;

	for (size_t i = 0; i < PARTS; i++) {
		const char *part = rest ? strsep(&rest, "\f") : NULL;

		parts_r[i] = strdup(part ? part : "");
		FUZZ_CHECK(parts_r[i] != NULL);
	}
	free(p);
}

static FILE *open_text(char *text)
{
	return *text ? fmemopen(text, strlen(text), "r") : fopen("/dev/null", "re");
}

static void read_facts(char *parts[PARTS], const char *name, struct helper_facts *facts)
{
	static void (*const readers[])(FILE *, const char *, struct helper_facts *) = {
		helper_read_passwd, helper_read_group, helper_read_shadow
	};
	FILE *f;

	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
		f = open_text(parts[i + 1]);
		FUZZ_CHECK(f != NULL);
		readers[i](f, name, facts);
		fclose(f);
	}
	f = open_text(parts[4]);
	FUZZ_CHECK(f != NULL);
	helper_read_defs(f, facts);
	fclose(f);
}

void fuzz_helper(const uint8_t *data, size_t len)
{
	struct helper_order o = { .uid = 0 };
	struct helper_facts facts = { .local = false };
	char *parts[PARTS], *save = NULL, *word;
	int64_t uid = 0;

	cut(data, len, parts);
	word = strtok_r(parts[0], " ", &save);
	mag_copy(o.name, sizeof o.name, word ? word : "");
	word = strtok_r(NULL, " ", &save);
	if (word && mag_int_parse(word, 0, UINT32_MAX, &uid) == 0)
		o.uid = (uint32_t)uid;
	word = strtok_r(NULL, "", &save);
	mag_copy(o.new, sizeof o.new, word ? word : "");
	read_facts(parts, o.name, &facts);
	/* Never root, never who could become root, never a name or password that begins
	 * another line. */
	if (helper_judge(&o, &facts) == HELPER_DONE) {
		FUZZ_CHECK(facts.local && facts.uid == o.uid && o.uid != 0 && facts.gid != 0);
		FUZZ_CHECK(o.uid >= (facts.uid_min ? facts.uid_min : 1000));
		FUZZ_CHECK(facts.password && !facts.privileged);
		FUZZ_CHECK(!strpbrk(o.name, ":\n \t\r,") && !strpbrk(o.new, ":\n \t\r"));
	}
	FUZZ_CHECK(*helper_words(helper_judge(&o, &facts)) != '\0');
	for (size_t i = 0; i < PARTS; i++)
		free(parts[i]);
}

size_t seed_helper(struct dice *d, uint8_t *out)
{
	static const char *const orders[] = { "alice 1000 abc-def", "root 0 x", "bob 1001 x:y",
		"-x 1000 y", "alice 1001 a", "bob 1001 abc" };
	static const char *const groups[] = { "root:x:0:\nalice:x:1000:\nusers:x:100:alice,bob\n",
		"sudo:x:27:alice\nbob:x:1001:\n", "x:x:5:a,b,,c\nalice:x:1000:alice\n", "" };
	static const char *const hashes[] = { "$y$j9T$abcdefgh$ijklmnop", "!$6$abcdefghijklmn", "*",
		"" };

	return (size_t)sprintf((char *)out,
		"%s\froot:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"
		"bob:x:1001:%u:B:/"
		":\n\f%s\froot:*:1::::::\nalice:%s:19000:0:99999:7:::\nbob:%s:1:\n\f%s",
		orders[dice_below(d, 6)], (unsigned)(dice_below(d, 3) ? 1001 : 27),
		groups[dice_below(d, 4)], hashes[dice_below(d, 4)], hashes[dice_below(d, 4)],
		dice_below(d, 2) ? "# x\nUID_MIN 1001\nUID_MAX 60000\n" : "UID_MIN\t 500\n");
}
