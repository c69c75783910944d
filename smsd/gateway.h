/* A gateway is a [gateway NAME] section and the driver that serves it. Drivers
 * are const ops structs, registered in one array (gateway.c). */
#ifndef SMSD_GATEWAY_H
#define SMSD_GATEWAY_H

#include "otpcore/base/option.h"
#include "smsd/message.h"

struct event_base;
struct gateway;

struct gateway_result {
	enum sms_outcome outcome;
	int64_t rest_ms; /* the gateway asked for so long a pause; 0: it did not */
	char provider_id[65];
	char error[SMS_ERROR_MAX]; /* made by us or cleaned; no number, code or text */
	/* Of a poll: what the provider says now (SMS_NOTHING: still under way). */
	enum sms_delivery delivery;
	char word[SMS_WORD_MAX];
};

/* How a gateway tells what became of a message. */
enum gateway_receipts { RECEIPTS_NO, RECEIPTS_CALLBACK, RECEIPTS_POLL };

/* Now: `ticks` are milliseconds of a clock that never jumps. */
struct queue_time {
	int64_t ticks, now_ms;
};

/* One try to hand one message to one gateway. */
struct attempt {
	struct gateway *gateway;
	const struct sms_message *message; /* both borrowed until done */
	const struct mag_secret *text;     /* what to say, rendered for the channel */
	const char *subject;               /* of an e-mail; "": it has none */
	const char *receipt_url;           /* where receipts are taken; NULL: none */
	const char *provider_id;           /* of a poll: what is asked for */
	int64_t now_ms;                    /* wall clock at the start */
	int64_t timeout_ms;                /* never beyond the message's deadline */
	void (*done)(struct attempt *a, const struct gateway_result *result);
	void *arg; /* of who made the attempt */
	void *driver;
};

struct gateway_ops {
	const char *name;
	const char *channels; /* what the driver can do: "sms voice email" */
	const struct opt *opts;
	const char *doc;

	/* What all gateways of the driver share; NULL: nothing. */
	int (*setup)(struct event_base *base, void **shared_r);
	void (*teardown)(void **shared);
	/* Take over the way to the process that runs programs: that of one gateway, or
	 * ("") of all gateways of the driver. NULL: not needed. */
	int (*attach)(void *shared, const char *gateway, int fd);

	/* Read the driver's own settings of g->name from `t` into g->driver. Reads
	 * no network. err says what is wrong. */
	int (*open)(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX]);
	void (*close)(struct gateway *g);

	/* Name each file or directory that attempts will need; NULL: none. */
	void (*paths)(const struct gateway *g,
		void (*path)(const char *path, bool write, void *arg), void *arg);

	/* The program that serves a gateway, words with single blanks between; NULL: none. */
	const char *(*command)(const struct gateway *g);
	/* Where that program runs, if not where the daemon does: called in a helper of the
	 * gateway's own while it still is root, becomes another user in another network.
	 * 0, or an error that it has logged. */
	int (*move)(const struct gateway *g);

	/* Starts the attempt. a->done is called exactly once: now, or from the
	 * event loop. */
	void (*send)(struct attempt *a);

	/* The same for a question after a->provider_id; NULL: it cannot be asked. */
	void (*poll)(struct attempt *a);
	/* What a request to a->receipt_url says: fills delivery and word. `url` is the
	 * whole of it. NULL: requests carry no such URL. 0; MAG_EPERM: it is not the
	 * provider's. */
	int (*receipt)(const struct gateway *g, struct wire_receipt_req *q, const char *url,
		struct gateway_result *result_r);
};

struct gateway {
	/* The part of the section that every driver has. */
	char name[33];
	int driver_index;
	char channels[25], countries[129], from[65];
	int64_t priority, weight, timeout;
	int receipts;                     /* enum gateway_receipts */
	int64_t receipt_wait, poll_every; /* seconds */

	const struct gateway_ops *ops;
	void *shared; /* of the driver; borrowed */
	void *driver; /* the driver's settings of this gateway */
	unsigned refs;

	struct gateway_stats {
		uint32_t accepted, failed;
		uint32_t delivered, undelivered, silent; /* of the accepted, by receipts */
		uint32_t waiting;                        /* attempts under way */
		int64_t last_accepted;                   /* wall clock, seconds */
		char last_error[SMS_ERROR_MAX];
		/* The breaker of each channel: a provider's calls may fail while its
		 * texts arrive. */
		struct gateway_health {
			unsigned failures;  /* in a row */
			unsigned silent;    /* in a row: accepted, and no receipt came */
			int64_t rest_until; /* ticks: until then it is asked last, */
			int64_t mute_until; /* and until then not at all: its own wish */
		} health[SMS_CHANNELS];
	} stats;
};

extern const struct gateway_ops gateway_outbox, gateway_http, gateway_smtp, gateway_spool,
	gateway_exec, gateway_sip;

/* The array of drivers, ended by NULL; and the rows of a [gateway NAME]
 * section: the common ones and those of every driver. */
extern const struct gateway_ops *const gateway_drivers[];
extern const struct opt gateway_common_opts[];
const struct opt_section *gateway_section(void);

/* Read [gateway NAME]. shared[i] is what driver i set up (all NULL is fine for
 * checking only). 0 or an error with err. */
int gateway_new(const char *name, const struct opt_tree *t, void *const *shared,
	struct gateway **gateway_r, char err[OPT_ERROR_MAX]);
struct gateway *gateway_ref(struct gateway *g);
void gateway_free(struct gateway **g); /* drops one reference */

/* Who sends it: as the gateway's section says, else as the message does. */
static inline const char *attempt_from(const struct attempt *a)
{
	if (*a->gateway->from)
		return a->gateway->from;
	return a->message->from ? a->message->from : "";
}

/* Book the start and the end of an attempt on a channel. `now` in wall seconds,
 * `ticks` in ms. */
void gateway_started(struct gateway *g, const char *channel, int64_t ticks);
void gateway_finished(struct gateway *g, const char *channel, const struct gateway_result *result,
	struct queue_time t);

/* A receipt came, or (`heard` false) none within the time that it has. */
void gateway_heard(struct gateway *g, const char *channel, bool heard, int64_t ticks);

/* After failures in a row it is asked last, not left out: where all fail, all are
 * still asked. */
bool gateway_rests(const struct gateway *g, const char *channel, int64_t ticks);

/* Until when it asked for a pause (ticks); 0, or in the past: it may be asked. */
int64_t gateway_mute_until(const struct gateway *g, const char *channel);

#endif
