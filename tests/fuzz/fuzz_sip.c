/* What sip-call reads: orders, whose values become lines that baresip obeys, and what comes on
 * baresip's control connection, where anybody on the same loopback may speak. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "smsd/sip/control.h"
#include "smsd/sip/order.h"
#include "smsd/sip/voice.h"
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
	char *text;

	if (!in)
		return;
	if (sip_order_read(in, &o) == 0) {
		check_order(&o);
		FUZZ_CHECK(sip_order_check("Server", o.server) == 0);
		FUZZ_CHECK(sip_order_check("Domain", o.domain) == 0);
	}
	fclose(in);
	text = fuzz_string(data, len);
	if (sip_order_check("Interface", text) == 0)
		FUZZ_CHECK(text[strcspn(text, " \t\r\n;\"<>,\\")] == '\0');
	FUZZ_CHECK(sip_order_check("Module", text) == MAG_ENOTFOUND);
	free(text);
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

/* The same over a connection: as many words, in the same order, until the peer hangs up. */
static void check_connection(const uint8_t *data, size_t len, unsigned words, int end)
{
	const int64_t deadline = mag_ticks_ms() + 10000;
	const struct sockaddr_in anybody = { .sin_family = AF_INET };
	struct control *c = NULL;
	struct control_word w;
	unsigned n = 0;
	int pair[2], r;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fuzz_peer = pair[0];
	FUZZ_CHECK(control_connect(&anybody, deadline, &c) == 0);
	fuzz_peer = -1;
	close(pair[0]);
	FUZZ_CHECK(control_send(c, "dial", "sip:\"+1202\\@h") == 0);
	FUZZ_CHECK(write(pair[1], data, len) == (ssize_t)len && close(pair[1]) == 0);
	while ((r = control_next(c, deadline, &w)) == 0)
		n++;
	if (r == MAG_EGONE)
		FUZZ_CHECK(n == words && end == 0);
	FUZZ_CHECK(n <= words && r != MAG_ETIMEOUT);
	control_free(&c);
}

void fuzz_sip_control(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	size_t at = 0, begin = 0, size = 0;
	unsigned words = 0;
	bool sound = true; /* so far; a connection ends at the first word that is not */
	long n;

	while ((n = control_netstring(text + at, len - at, &begin, &size)) > 0) {
		struct control_word w;

		FUZZ_CHECK((size_t)n <= len - at && begin + size + 1 == (size_t)n);
		if (control_parse(text + at + begin, size, &w) == 0) {
			FUZZ_CHECK(memchr(w.type, 0, sizeof w.type) != NULL);
			FUZZ_CHECK(memchr(w.param, 0, sizeof w.param) != NULL);
			FUZZ_CHECK(!w.response || !*w.type);
			words += sound;
		} else {
			sound = false;
		}
		at += (size_t)n;
	}
	FUZZ_CHECK(n == 0 || n == MAG_EPROTO);
	if (len > 0 && len <= 60000) /* what a socket takes at once */
		check_connection(data, len, words, sound ? (int)n : MAG_EPROTO);
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

/* ---- recorded speech: one of the files of a voice ---- */

static size_t put_wave(uint8_t *out, unsigned rate, size_t samples)
{
	static const uint8_t head[] =
		"RIFF....WAVEfmt \x10\0\0\0\1\0\1\0....\0\0\0\0\2\0\x10\0data";
	size_t n = sizeof head - 1;

	memcpy(out, head, n);
	for (unsigned i = 0; i < 4; i++) {
		out[24 + i] = (uint8_t)(rate >> 8 * i);
		out[n + i] = (uint8_t)(2 * samples >> 8 * i);
	}
	memset(out + n + 4, 'x', 2 * samples);
	return n + 4 + 2 * samples;
}

void fuzz_voice(const uint8_t *data, size_t len)
{
	static const char *const others[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
		"press", "again", "bye" };
	char err[VOICE_ERROR_MAX] = "", name[32], language[VOICE_LANGUAGE_MAX];
	uint8_t good[64];
	size_t n = put_wave(good, VOICE_RATE, 4);
	struct voice *v = NULL;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		snprintf(name, sizeof name, "voice/en/%s.wav", others[i]);
		fuzz_file(name, good, n);
	}
	fuzz_file("voice/en/intro.wav", len ? data : good, len);
	if (voice_read(fuzz_file("voice", NULL, 0), "en", &v, err) < 0) {
		FUZZ_CHECK(v == NULL && *err && memchr(err, 0, sizeof err));
		FUZZ_CHECK(voice_check(fuzz_file("voice", NULL, 0), err) < 0);
	} else {
		for (size_t i = 0; i < VOICE_PIECES; i++)
			FUZZ_CHECK(v->piece[i].len >= 2 && v->piece[i].len % 2 == 0);
		FUZZ_CHECK(v->piece[VOICE_INTRO].len <= len);
	}
	voice_free(&v);
	/* A language is a folder of that place, or English. */
	snprintf(name, sizeof name, "%.*s", (int)(len < 31 ? len : 31),
		len ? (const char *)data : "");
	voice_language(fuzz_file("voice", NULL, 0), name, language);
	FUZZ_CHECK(strcmp(language, "en") == 0);
}

size_t seed_voice(struct dice *d, uint8_t *out)
{
	static const char *const languages[] = { "en", "en_US", "../x", "de" };
	size_t n;

	if (dice_below(d, 6) == 0)
		return fuzz_choose(d, languages, 4, out);
	n = put_wave(out, dice_below(d, 5) ? VOICE_RATE : 44100, dice_below(d, 40));
	if (dice_below(d, 3) == 0) { /* another piece before the samples */
		memmove(out + 46, out + 36, n - 36);
		memcpy(out + 36, "LIST\2\0\0\0ab", 10);
		n += 10;
	}
	return n;
}
