/* What sip-call reads from its standard input: "Name: value" lines. The driver writes
 * them; here each is checked as if it came from somebody else, because values go into
 * baresip's configuration, where a line can load code. */
#ifndef SMSD_SIP_ORDER_H
#define SMSD_SIP_ORDER_H

#include <stdint.h>
#include <stdio.h>

#include "smsd/sip/voice.h"

struct sip_order {
	char to[24];   /* "+12025550134", or without the + */
	char code[16]; /* digits */
	char language[VOICE_LANGUAGE_MAX], voice[VOICE_DIR_MAX];
	char server[128], domain[128]; /* host, perhaps :port */
	char username[64], from[64], password[128];
	char transport[8];  /* udp tcp */
	char interface[48]; /* name or address; "": any */
	char registers[4];  /* yes no */
	int64_t repeats, pause_ms;
	int64_t ring_ms, key_wait_ms; /* key_wait_ms 0: no key is asked for */
	int64_t timeout_ms;           /* of it all */
};

/* 0; MAG_ESYNTAX (unknown, double, missing, or not of its kind), MAG_ERANGE. The order is to be
 * wiped in any case. */
int sip_order_read(FILE *in, struct sip_order *order_r);

/* May `text` be the value of `name`? So that a mistake is told when settings are read. */
int sip_order_check(const char *name, const char *text);

#endif
