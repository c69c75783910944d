/* sip-call: one telephone call that says one code. Run by magotp-smsd's helper; what to
 * say and whom to call comes on standard input (order.h), how it ended is the exit
 * status (ending.def). Its arguments are the paths of baresip and of its modules, and for
 * people the network namespace and the user of the call. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/memory.h"
#include "smsd/sip/call.h"
#include "smsd/sip/speech.h"

#define START_MS 5000 /* until baresip listens */
#define SPARE_MS 2500 /* before whoever runs us would end us: to hang up and to go */

struct sounds {
	struct mag_secret first, code;
	int64_t once_ms;
};

/* The code stays out of core files, of the swap and out of other processes' reach. */
static void shut_windows(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef MAG_INSTRUMENTED /* a leak check looks into its own process */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	(void)mag_memory_lock(); /* smsd has told why not */
	signal(SIGPIPE, SIG_IGN);
}

static enum sip_ending prepare(const struct sip_order *o, struct sounds *s)
{
	const struct speech how = { (unsigned)o->repeats, (unsigned)o->pause_ms };
	char err[VOICE_ERROR_MAX], language[VOICE_LANGUAGE_MAX];
	struct voice *voice = NULL;
	int r;

	voice_language(o->voice, o->language, language);
	if (voice_read(o->voice, language, &voice, err) < 0)
		return SIP_NO_VOICE;
	r = speech_code(voice, o->code, &how, &s->code, &s->once_ms);
	if (r == 0)
		r = o->key_wait_ms ? speech_prompt(voice, o->key_wait_ms, &s->first)
				   : speech_silence(10000, &s->first);
	voice_free(&voice);
	return r < 0 ? SIP_FAULT : SIP_HEARD;
}

static enum sip_ending call(
	const struct baresip_place *place, const struct sip_order *o, const struct sounds *s)
{
	int64_t deadline = mag_ticks_ms() + o->timeout_ms - SPARE_MS;
	struct control *control = NULL;
	enum sip_ending ending = SIP_NO_BARESIP;
	struct baresip baresip;

	if (baresip_start(place, o, &s->first, &baresip) == 0 &&
		control_connect(&baresip.control, mag_ticks_ms() + START_MS, &control) == 0) {
		const struct call_parts parts = { o, &baresip, control, &s->code, s->once_ms,
			deadline };

		baresip_forget(&baresip);
		ending = call_make(&parts);
	}
	control_free(&control);
	baresip_end(&baresip);
	return ending;
}

int main(int argc, char **argv)
{
	static char input[4096];
	static struct sip_order order;
	struct sounds sounds = { .once_ms = 0 };
	enum sip_ending ending = SIP_BAD_ORDER;

	shut_windows();
	setvbuf(stdin, input, _IOFBF, sizeof input);
	if (argc != 4 || sip_order_read(stdin, &order) < 0)
		goto out;
	ending = prepare(&order, &sounds);
	if (ending == SIP_HEARD)
		ending = call(&(struct baresip_place){ argv[1], argv[2] }, &order, &sounds);
out:
	mag_wipe(input, sizeof input);
	mag_wipe(&order, sizeof order);
	mag_secret_free(&sounds.first);
	mag_secret_free(&sounds.code);
	return ending;
}
