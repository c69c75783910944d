#include "pam_magotp/member.h"

#include <security/pam_modutil.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

#define GROUP_NAME_MAX 257

void member_of(void *visit, const char *asked, char *buf, size_t cap)
{
	struct visit *v = visit;
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	/* A name without a number is nobody's on this host, and in no group of it. */
	while (v->uid != WIRE_UID_UNKNOWN && *(asked += strspn(asked, " \t,"))) {
		char name[GROUP_NAME_MAX];
		size_t len = strcspn(asked, " \t,");

		if (len < sizeof name) {
			memcpy(name, asked, len);
			name[len] = '\0';
			if (pam_modutil_user_in_group_nam_nam(v->pamh, v->user, name) == 1)
				mag_buf_printf(&b, "%s%s", b.len ? " " : "", name);
		}
		asked += len;
	}
}
