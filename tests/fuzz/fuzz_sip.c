/* What sip-call reads: orders, whose values become lines that baresip obeys, and what comes on
 * baresip's control connection, where anybody on the same loopback may speak. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "smsd/sip/control.h"
#include "smsd/sip/order.h"
#include "tests/fuzz/fuzz.h"

/* No value ends its line, its parameter or its word. */
static void check_order(const struct sip_order *o)
{
	const char *const texts[] = { o->to, o->code, o->language, o->voice, o->server, o->domain,
		o->username, o->from, o->password, o->transport, o->interface, o->registers };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		FUZZ_CHECK(texts[i][strcspn(texts[i], " \t\r\n;\"<>,\\")] == '\0');
	FUZZ_CHECK(!strchr(o->language, '/') && o->code[strspn(o->code, "0123456789")] == '\0');
	FUZZ_CHECK(o->repeats >= 2 && o->repeats <= 5 && o->timeout_ms >= 1);
	FUZZ_CHECK(o->key_wait_ms >= 0 && o->key_wait_ms <= 120000 && o->ring_ms > 0);
}

void fuzz_sip_order(const uint8_t *data, size_t len)
{
	FILE *in = len ? fmemopen((void *)(uintptr_t)data, len, "r") : NULL;
	struct sip_order o;

	if (!in)
		return;
	if (sip_order_read(in, &o) == 0)
		check_order(&o);
	fclose(in);
}

size_t seed_sip_order(struct dice *d, uint8_t *out)
{
	static const char *const interfaces[] = { "", "eth0", "[::1]", "a b", "x\nmodule evil.so" };

	return (size_t)snprintf((char *)out, FUZZ_INPUT_MAX,
		"To: +12025550134\nCode: %06u\nVoice: /usr/share/magotp/voice\nServer: h:5060\n"
		"Domain: h\nUsername: u\nFrom: +1\nPassword: p%c\nTransport: udp\n"
		"Interface: %s\nRegister: no\nRepeats: %u\nPause: 450\nRing: 25000\n"
		"Key-Wait: 0\nTimeout: 75000\n",
		(unsigned)dice_below(d, 1000000), (int)('!' + dice_below(d, 90)),
		interfaces[dice_below(d, 5)], (unsigned)dice_below(d, 7));
}

void fuzz_sip_control(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	size_t at = 0, begin = 0, size = 0;
	long n;

	while ((n = control_netstring(text + at, len - at, &begin, &size)) > 0) {
		struct control_word w;

		FUZZ_CHECK((size_t)n <= len - at && begin + size + 1 == (size_t)n);
		if (control_parse(text + at + begin, size, &w) == 0) {
			FUZZ_CHECK(memchr(w.type, 0, sizeof w.type) != NULL);
			FUZZ_CHECK(memchr(w.param, 0, sizeof w.param) != NULL);
			FUZZ_CHECK(!w.response || !*w.type);
		}
		at += (size_t)n;
	}
	FUZZ_CHECK(n == 0 || n == MAG_EPROTO);
}

size_t seed_sip_control(struct dice *d, uint8_t *out)
{
	static const char *const words[] = { "{\"event\":true,\"type\":\"CALL_CLOSED\","
					     "\"direction\":\"outgoing\",\"param\":\"486 "
					     "Busy Here\"}",
		"{\"response\":true,\"ok\":true,\"data\":\"\\u001B[32mOK\"}",
		"{\"event\":true,\"type\":\"CALL_DTMF_START\",\"direction\":\"incoming\"}",
		"{\"type\":[[[[[]]]]],\"param\":1e999}", "" };
	size_t len = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *word = words[dice_below(d, 5)];

		len += (size_t)snprintf(
			(char *)out + len, FUZZ_INPUT_MAX - len, "%zu:%s,", strlen(word), word);
	}
	return len;
}
