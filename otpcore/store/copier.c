#include "otpcore/store/copier.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "otpcore/base/err.h"

struct copier {
	sqlite3 *db; /* the thread's */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct copied state;
	bool fail, stop;
};

/* SQLite syncs the database only when a checkpoint has reached the log's end, which it
 * hardly does while somebody writes. So that the one that does has little left to sync: */
static int sync_database(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (code == SQLITE_OK && (file == NULL || file->pMethods == NULL))
		code = SQLITE_IOERR_FSYNC;
	return code == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : code;
}

static void copy(struct copier *c, bool fail, struct copied *state_r)
{
	int log = 0, pages = 0;
	int code = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &pages);

	if (code == SQLITE_BUSY) { /* the writer's own, or another process: the next time */
		*state_r = (struct copied){ .pages = state_r->pages };
		return;
	}
	if (code == SQLITE_OK)
		code = fail ? SQLITE_IOERR_FSYNC : sync_database(c->db);
	*state_r = (struct copied){ .pages = code == SQLITE_OK ? pages : 0, .code = code };
}

static void *work(void *arg)
{
	struct copier *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		struct copied state = c->state;
		bool fail = c->fail;

		if (!state.busy) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		copy(c, fail, &state);
		pthread_mutex_lock(&c->lock);
		c->state = state;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Signals are for who has the event loop. */
static int start(struct copier *c)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return MAG_ESYS;
	r = pthread_create(&c->thread, NULL, work, c) == 0 ? 0 : MAG_ESYS;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int copier_new(sqlite3 *db, struct copier **c_r)
{
	struct copier *c = calloc(1, sizeof *c);
	int r = MAG_ENOMEM;

	if (c == NULL)
		goto out;
	c->db = db;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	r = start(c);
out:
	if (r != 0) {
		sqlite3_close_v2(db);
		free(c);
	} else {
		*c_r = c;
	}
	return r;
}

void copier_free(struct copier **copier)
{
	struct copier *c = *copier;

	*copier = NULL;
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	sqlite3_close_v2(c->db);
	free(c);
}

void copier_order(struct copier *c, bool fail)
{
	pthread_mutex_lock(&c->lock);
	c->fail = fail;
	c->state.busy = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

struct copied copier_state(struct copier *c, bool wait)
{
	struct copied state;

	pthread_mutex_lock(&c->lock);
	while (wait && c->state.busy)
		pthread_cond_wait(&c->changed, &c->lock);
	state = c->state;
	pthread_mutex_unlock(&c->lock);
	return state;
}
