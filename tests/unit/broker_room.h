/* A broker without a process around it: settings, keys and a store in a
 * directory of its own, for unit tests of its parts. */
#ifndef TESTS_BROKER_ROOM_H
#define TESTS_BROKER_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/decoy.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/elevation.h"
#include "otpcore/broker/twin.h"

#define ROOM_NOW 1800000000

struct room {
	char dir[64];
	struct broker broker;
};

static inline void room_path(const struct room *m, const char *name, char *path, size_t cap)
{
	snprintf(path, cap, "%s/%s", m->dir, name);
}

/* `conf` is what stands in magotp.conf beside the store. */
static inline void room_open(struct room *m, const char *conf)
{
	char path[128], source[160], err[OPT_ERROR_MAX] = "";
	FILE *f;

	memset(m, 0, sizeof *m);
	strcpy(m->dir, "/tmp/magotp-room-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	room_path(m, "magotp.conf", path, sizeof path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(conf, f);
	fclose(f);
	assert_int_equal(settings_load(path, &m->broker.settings, err), 0);
	room_path(m, "key", path, sizeof path);
	assert_int_equal(keyring_create(path), 0);
	snprintf(source, sizeof source, "file:%s", path);
	assert_int_equal(keyring_open(source, &m->broker.keyring), 0);
	room_path(m, "db", path, sizeof path);
	snprintf(source, sizeof source, "sqlite:%s", path);
	assert_int_equal(store_create(source, err), 0);
	assert_int_equal(store_open(source, &m->broker.store, err), 0);
	strcpy(m->broker.host, "host1");
	strcpy(m->broker.boot, "boot");
	assert_int_equal(decoys_new(&m->broker.decoys), 0);
	assert_int_equal(twins_new(&m->broker.twins), 0);
	assert_int_equal(elevations_new(&m->broker.elevations), 0);
}

static inline void room_close(struct room *m)
{
	static const char *const files[] = { "magotp.conf", "key", "db", "db-wal", "db-shm" };
	char path[128];

	twins_free(&m->broker.twins);
	elevations_free(&m->broker.elevations);
	decoys_free(&m->broker.decoys);
	store_close(&m->broker.store);
	keyring_free(&m->broker.keyring);
	settings_free(&m->broker.settings);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		room_path(m, files[i], path, sizeof path);
		unlink(path);
	}
	rmdir(m->dir);
}

/* A request as listen.c makes it, of a peer with this uid. */
static inline struct request *room_request(struct room *m, uint16_t message, uint32_t uid)
{
	const struct wire_message *w = wire_message_by_id(message);
	struct request *r;
	void *body;

	assert_non_null(w);
	body = calloc(1, w->request.size);
	assert_non_null(body);
	r = request_new(&m->broker, w, handler_of(message), body);
	assert_non_null(r);
	r->peer.uid = uid;
	r->peer.sid = r->peer.loginuid = -1;
	r->now = ROOM_NOW;
	return r;
}

#endif
