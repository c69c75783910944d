#include "otpcore/broker/audit_log.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"
#include "otpcore/engine/audit_chain.h"
#include "otpcore/store/fault.h"

#define HEAD_SECONDS 60
#define FILE_MAX     (64 << 20) /* then a new one is begun */

struct audit_log {
	struct broker *broker;
	struct audit_chain chain;
	struct event *timer;
	off_t size;
	int64_t signed_n; /* the head that stands in the file, itself included */
	bool broken;      /* said already */
	int fd;
	char path[256];
};

/* ---- where the file ends ---- */

/* The last line of `tail` goes into the chain. A record that a crash has cut was never
 * answered for; its length is returned, to be taken off. */
static size_t read_tail(struct audit_log *log, char *tail, size_t len)
{
	size_t end = len, start;
	struct audit_record record;

	while (end > 0 && tail[end - 1] != '\n')
		end--;
	if (end == 0)
		return len;
	for (start = end - 1; start > 0 && tail[start - 1] != '\n';)
		start--;
	tail[end - 1] = '\0';
	/* Whether it is the true one is for audit_verify_run to say. */
	if (audit_record_split(tail + start, &record)) {
		log->chain.n = record.n;
		memcpy(log->chain.hash, record.hash, sizeof record.hash);
	} else {
		mag_log(MAG_LOG_ERROR, "%s: its last line is no record: it was changed", log->path);
	}
	return len - end;
}

static int go_on(struct audit_log *log)
{
	char tail[2 * AUDIT_LINE_MAX];
	struct stat st;
	ssize_t n;
	size_t cut;

	if (fstat(log->fd, &st) || !S_ISREG(st.st_mode))
		return MAG_ESYS;
	log->size = st.st_size;
	if (st.st_size == 0)
		return 0;
	n = pread(log->fd, tail, sizeof tail,
		st.st_size > (off_t)sizeof tail ? st.st_size - (off_t)sizeof tail : 0);
	if (n <= 0)
		return MAG_ESYS;
	cut = read_tail(log, tail, (size_t)n);
	if (cut && ftruncate(log->fd, st.st_size - (off_t)cut))
		return MAG_ESYS;
	log->size -= (off_t)cut;
	return 0;
}

static int open_file(struct audit_log *log)
{
	log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->fd < 0)
		return MAG_ESYS;
	/* Two that go on from the same record make a chain that nobody can verify. */
	if (flock(log->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		mag_log(MAG_LOG_ERROR,
			"%s is in use by another otpcored; each needs its own [audit] file",
			log->path);
	close(log->fd);
	log->fd = -1;
	return MAG_ESYS;
}

/* After a new file was begun the last record stands in the one before. */
static void go_on_from_store(struct audit_log *log)
{
	struct store_audit_head head;

	if (log->chain.n == 0 &&
		store_audit_head(log->broker->store, log->broker->host, &head) == 0 && head.n > 0) {
		log->chain.n = head.n;
		memcpy(log->chain.hash, head.hash, sizeof head.hash);
	}
}

int audit_log_open(struct broker *b, struct audit_log **log_r)
{
	struct audit_log *log;
	int r;

	if (mag_streq(b->settings->audit_file, "none")) {
		*log_r = NULL;
		return 0;
	}
	log = calloc(1, sizeof *log);
	if (!log)
		return MAG_ENOMEM;
	log->broker = b;
	log->fd = -1;
	mag_copy(log->path, sizeof log->path, b->settings->audit_file);
	r = open_file(log);
	if (!r)
		r = go_on(log);
	if (r) {
		audit_log_close(&log);
		return r;
	}
	go_on_from_store(log);
	*log_r = log;
	return 0;
}

/* ---- records ---- */

static int append(struct audit_log *log, const char *text)
{
	struct audit_chain next = log->chain;
	char bytes[AUDIT_LINE_MAX + 2];
	struct mag_buf line = MAG_BUF(bytes);
	int r = audit_chain_append(&next, mag_now(), text, &line);
	struct stat st;
	int e;

	if (r)
		return r;
	/* A disk that is full takes a part, and says why only when it is offered the rest. */
	if (FAULT("audit.write"))
		errno = EIO, r = MAG_ESYS;
	else
		r = mag_write_all(log->fd, line.data, line.len);
	if (r) {
		e = errno;
		/* Half a record would be read as a changed one. */
		if (fstat(log->fd, &st) == 0 && st.st_size > log->size &&
			ftruncate(log->fd, log->size))
			mag_log(MAG_LOG_ERROR, "%s: half a record stays", log->path);
		errno = e;
		return r;
	}
	log->size += (off_t)line.len;
	log->chain = next;
	return 0;
}

int audit_log_write(struct audit_log *log, const char *text)
{
	int r = append(log, text);

	if (r && !log->broken)
		mag_log(MAG_LOG_ERROR,
			"%s: nothing can be written (%s); who is let in must stand there, so "
			"nobody is",
			log->path, r == MAG_ESYS ? strerror(errno) : mag_strerror(r));
	else if (!r && log->broken)
		mag_log(MAG_LOG_NOTICE, "%s: is written again", log->path);
	log->broken = r != 0;
	return r;
}

/* ---- heads ---- */

/* Into the file first: the store must never know of more than there is. */
static int sign(struct audit_log *log)
{
	struct broker *b = log->broker;
	struct store_audit_head head = { .at = mag_now() };
	unsigned char signature[AUDIT_HASH_LEN];
	char claim[AUDIT_CLAIM_MAX], bytes[256];
	struct mag_buf text = MAG_BUF(bytes);
	size_t len = audit_chain_claim(&log->chain, b->host, claim);
	int r = seal_hash(b->keyring, PEPPER_AUDIT, claim, len, signature);

	if (r)
		return r;
	audit_head_text(b->host, signature, &text);
	r = append(log, text.data);
	if (r)
		return r;
	if (fdatasync(log->fd))
		return MAG_ESYS;
	log->signed_n = head.n = log->chain.n;
	memcpy(head.hash, log->chain.hash, sizeof head.hash);
	return store_set_audit_head(b->store, b->host, &head);
}

/* audit.log.000000012345: the number of its last record, so that names sort. */
static void next_file(struct audit_log *log)
{
	char old[300];
	int fd = log->fd;

	snprintf(old, sizeof old, "%s.%012" PRId64, log->path, log->chain.n);
	if (link(log->path, old) || unlink(log->path)) {
		mag_log(MAG_LOG_WARNING, "%s: no new file can be begun: %s", log->path,
			strerror(errno));
		return;
	}
	if (open_file(log)) {
		mag_log(MAG_LOG_ERROR, "%s: %s", log->path, strerror(errno));
		log->fd = fd; /* the old one, under its new name */
		return;
	}
	close(fd);
	log->size = 0;
}

void audit_log_head(struct audit_log *log)
{
	int r;

	/* With a tick under way the next minute will do. */
	if (log->chain.n == log->signed_n || !ticker_idle(log->broker->ticker))
		return;
	r = sign(log);
	if (r)
		mag_log(MAG_LOG_WARNING, "%s: is not signed: %s", log->path, mag_strerror(r));
	else if (log->size > FILE_MAX || FAULT("audit.full"))
		next_file(log);
}

static void on_minute(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	audit_log_head(arg);
}

int audit_log_start(struct audit_log *log)
{
	const struct timeval tv = { HEAD_SECONDS, 0 };

	log->timer = event_new(log->broker->base, -1, EV_PERSIST, on_minute, log);
	return log->timer && event_add(log->timer, &tv) == 0 ? 0 : MAG_ENOMEM;
}

void audit_log_stop(struct audit_log *log)
{
	if (log->timer)
		event_free(log->timer);
	log->timer = NULL;
}

void audit_log_close(struct audit_log **log)
{
	if (!*log)
		return;
	if ((*log)->fd >= 0) {
		if ((*log)->chain.n > (*log)->signed_n && (*log)->chain.n > 0 && sign(*log))
			mag_log(MAG_LOG_WARNING, "%s: its end is not signed", (*log)->path);
		close((*log)->fd);
	}
	free(*log);
	*log = NULL;
}
