/* doctor: magotp-smsd, and whether what it has can send. */
#include <stdio.h>
#include <string.h>

#include "magotp/cmd.h"
#include "magotp/doctor.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define FAILED_ALWAYS 3

/* A word of channels. */
static bool has(const char *words, const char *channel)
{
	return strstr(words, channel) != NULL;
}

/* It rests for half a minute; one that never sent anything is not well after it, either. */
static bool fails(const struct wire_gateway *g, const char *channel)
{
	return has(g->resting, channel) || (!g->accepted && g->failed >= FAILED_ALWAYS);
}

/* Of a channel: the error of the last gateway, if all fail. */
static const char *all_fail(const struct wire_gateway_list_rep *p, const char *channel)
{
	const char *why = NULL;

	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct wire_gateway *g = &p->gateways[i];

		if (!has(g->channels, channel))
			continue;
		if (!fails(g, channel))
			return NULL;
		why = g->last_error;
	}
	return why;
}

static void check_resting(struct doctor *d, const struct wire_gateway *g)
{
	const struct finding f = { .id = "gateway-rests",
		.severity = DOCTOR_WARNING,
		.subject = g->name,
		.fix = "magotpctl gateway list" };

	if (*g->resting)
		doctor_found(d, &f, "it fails (%u of %u), and is asked last for %s: %s", g->failed,
			g->failed + g->accepted, g->resting,
			*g->last_error ? g->last_error : "no reason is known");
}

static void check_channel(
	struct doctor *d, const struct wire_gateway_list_rep *p, const char *channel, bool needed)
{
	struct finding f = { .id = "gateway",
		.severity = needed ? DOCTOR_ERROR : DOCTOR_WARNING,
		.subject = channel,
		.fix = "A section in /etc/magotp/gateways.d, see smsd.conf(5)" };
	const char *why = all_fail(p, channel);
	size_t n = 0;

	for (size_t k = 0; k < p->n_gateways; k++)
		n += has(p->gateways[k].channels, channel);
	if (why) {
		f.fix = "Put it right at its provider, or add another gateway";
		doctor_found(d, &f, "%s takes %s, and %s failed of late%s%s",
			n == 1 ? "one alone" : "each of several", channel, n == 1 ? "it" : "all",
			*why ? ": " : "", why);
	} else if (n) {
		doctor_ok(d, "gateway", "%zu for %s", n, channel);
	} else {
		doctor_found(d, &f, "none takes %s", channel);
	}
}

static void check_gateways(struct doctor *d, const struct wire_gateway_list_rep *p)
{
	static const char *const channels[] = { "sms", "voice", "email" };

	for (size_t i = 0; i < 3; i++)
		check_channel(d, p, channels[i], i == 0);
	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct finding f = { .id = "gateway-mail",
			.severity = DOCTOR_WARNING,
			.subject = p->gateways[i].name,
			.fix = "A gateway that sends texts itself" };

		if (mag_streq(p->gateways[i].driver, "smtp") &&
			strstr(p->gateways[i].channels, "sms"))
			doctor_found(d, &f, "codes by e-mail to a carrier are no second factor");
		check_resting(d, &p->gateways[i]);
	}
}

/* It is read again when it is started: a mistake does not show until then. As config check does,
 * with --config and no smsd.conf beside it there is nothing of smsd's to look at. */
static void check_settings(struct doctor *d)
{
	char path[600], conf[512], said[600] = "", check[] = "-t", option[] = "--config";
	char *argv[] = { path, check, NULL, NULL, NULL };
	const char *file = config_smsd(d->c, conf, sizeof conf);
	const struct finding f = { .id = "smsd-config",
		.severity = DOCTOR_ERROR,
		.subject = file ? file : SYSCONFDIR "/magotp/smsd.conf",
		.fix = "Edit what it names, then magotpctl config check" };
	int status = 0;

	if (cli_own_program("magotp-smsd", path, sizeof path) || (d->c->config && !file))
		return;
	if (file) {
		argv[2] = option;
		argv[3] = (char *)file;
	}
	if (cli_capture(argv, said, sizeof said, &status))
		return;
	said[strcspn(said, "\n")] = 0;
	if (status)
		doctor_found(d, &f, "%s", said);
	else
		doctor_ok(d, "smsd-config", "%s is valid", f.subject);
}

void doctor_gateways(struct doctor *d)
{
	static struct wire_gateway_list_rep p;
	struct wire_gateway_list_req q = { 0 };
	struct client client = d->c->client;
	char text[300];
	int r;

	if (doctor_relay(d))
		return;
	check_settings(d);
	memset(&p, 0, sizeof p);
	client.socket = d->c->settings && *d->c->settings->smsd_socket ? d->c->settings->smsd_socket
								       : SMSD_SOCKET;
	client.server_uid = client_server_uid(client.socket);
	r = client_call(&client, WIRE_MSG_GATEWAY_LIST, &q, &d->c->result, &p);
	if (!r)
		r = d->c->result.error;
	if (r) {
		snprintf(text, sizeof text, "no answer on %s: %s", client.socket, mag_strerror(r));
		doctor_error(d, "smsd", "magotp-smsd", text);
		return;
	}
	doctor_ok(d, "smsd", "answers, %zu gateways", p.n_gateways);
	check_gateways(d, &p);
}
