/* The groups file of the tests in place of the host's. */
#ifndef TEST_NSS_FILE_H
#define TEST_NSS_FILE_H

#include "otpcore/base/strength_group.h"

#undef STRENGTH_GROUPS_FILE
#define STRENGTH_GROUPS_FILE "test_nss_magotp.groups"

#endif
