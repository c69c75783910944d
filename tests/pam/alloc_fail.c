/* Preloaded: the Nth allocation that pam_magotp.so asks for fails, once; calls
 * of libpam that allocate count as one. Those of others (libc, libpam itself, the
 * application) do not count: whether they matter is not the module's to say. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <security/pam_appl.h>
#include <security/pam_modules.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

#define EXPORT __attribute__((visibility("default")))

EXPORT void alloc_fail_arm(long n);
EXPORT long alloc_fail_count(void);

static long countdown, failed;
static bool busy; /* dladdr may allocate */

void alloc_fail_arm(long n)
{
	countdown = n;
	failed = 0;
}

long alloc_fail_count(void)
{
	return failed;
}

static bool fails(void *caller)
{
	Dl_info info;
	if (countdown <= 0 || busy)
		return false;
	busy = true;
	bool ours = dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "pam_magotp");
	busy = false;
	if (!ours || --countdown > 0)
		return false;
	failed++;
	return true;
}

EXPORT void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

EXPORT char *strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(len);
	if (copy)
		memcpy(copy, s, len);
	return copy;
}

/* The next one with this name: pam_wrapper's, or libpam's. */
#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

EXPORT int pam_set_item(pam_handle_t *pamh, int which, const void *value)
{
	return fails(__builtin_return_address(0)) ? PAM_BUF_ERR
						  : NEXT(pam_set_item)(pamh, which, value);
}

EXPORT int pam_putenv(pam_handle_t *pamh, const char *line)
{
	return fails(__builtin_return_address(0)) ? PAM_BUF_ERR : NEXT(pam_putenv)(pamh, line);
}

EXPORT int pam_set_data(pam_handle_t *pamh, const char *name, void *data,
	void (*clean)(pam_handle_t *pamh, void *data, int error_status))
{
	return fails(__builtin_return_address(0)) ? PAM_BUF_ERR
						  : NEXT(pam_set_data)(pamh, name, data, clean);
}

EXPORT int pam_start(
	const char *service, const char *user, const struct pam_conv *conv, pam_handle_t **pamh_r)
{
	return fails(__builtin_return_address(0)) ? PAM_BUF_ERR
						  : NEXT(pam_start)(service, user, conv, pamh_r);
}

EXPORT int pam_get_user(pam_handle_t *pamh, const char **user_r, const char *prompt)
{
	return fails(__builtin_return_address(0)) ? PAM_BUF_ERR
						  : NEXT(pam_get_user)(pamh, user_r, prompt);
}
