/* A folder of this process for readers that take the name of a file. */
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FILES_MAX 64

static char folder[] = "/tmp/magotp-fuzz-XXXXXX";

/* What lies there, so that the same is not written again. */
static struct written {
	char name[64];
	void *data;
	size_t len;
} written[FILES_MAX];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_all(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < FILES_MAX; i++)
		free(written[i].data);
}

static void make_folders(char *path)
{
	for (char *p = path + sizeof folder; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
}

static struct written *find(const char *name)
{
	size_t i = 0;

	while (i < FILES_MAX && written[i].data && strcmp(written[i].name, name) != 0)
		i++;
	FUZZ_CHECK(i < FILES_MAX);
	return &written[i];
}

static void write_file(char *path, const void *data, size_t len)
{
	FILE *f;

	make_folders(path);
	f = fopen(path, "wb");
	FUZZ_CHECK(f && (len == 0 || fwrite(data, 1, len, f) == len) && fclose(f) == 0);
}

const char *fuzz_file(const char *name, const void *data, size_t len)
{
	static char path[sizeof folder + 64];
	struct written *w;

	if (!*path) {
		FUZZ_CHECK(mkdtemp(folder) != NULL);
		atexit(remove_all);
	}
	snprintf(path, sizeof path, "%s/%.62s", folder, name);
	if (!data)
		return path;
	w = find(name);
	if (w->data && w->len == len && memcmp(w->data, data, len) == 0)
		return path;
	free(w->data);
	w->data = malloc(len + 1);
	FUZZ_CHECK(w->data != NULL);
	memcpy(w->data, data, len);
	w->len = len;
	snprintf(w->name, sizeof w->name, "%s", name);
	write_file(path, data, len);
	return path;
}
