/* The only C++ of the house: a shim over libphonenumber. */
#include <cstring>
#include <string>

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumberutil.h>

#include "otpcore/engine/number_lib.h"

using i18n::phonenumbers::Logger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

/* The library would write numbers to stdout. */
class Silent : public Logger
{
	void WriteMessage(const std::string &) override
	{
	}
};

const PhoneNumberUtil &library()
{
	static const PhoneNumberUtil *util;

	if (!util) {
		PhoneNumberUtil *made = PhoneNumberUtil::GetInstance();

		made->SetLogger(new Silent); /* the library owns it */
		util = made;
	}
	return *util;
}

number_kind kind_of(PhoneNumberUtil::PhoneNumberType type)
{
	switch (type) {
	case PhoneNumberUtil::MOBILE:
		return NUMBER_MOBILE;
	case PhoneNumberUtil::FIXED_LINE:
		return NUMBER_FIXED;
	case PhoneNumberUtil::FIXED_LINE_OR_MOBILE:
		return NUMBER_FIXED_OR_MOBILE;
	case PhoneNumberUtil::VOIP:
		return NUMBER_VOIP;
	case PhoneNumberUtil::UNKNOWN: /* possible, but newer than the metadata */
		return NUMBER_UNKNOWN;
	default:
		return NUMBER_PREMIUM;
	}
}

int parse(const char *typed, const char *region, struct number_lib *r)
{
	const PhoneNumberUtil &util = library();
	PhoneNumber number;
	std::string e164, country;

	if (util.Parse(typed, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR)
		return -1;
	if (number.has_extension())
		return -1;
	if (util.IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE)
		return -1;
	util.Format(number, PhoneNumberUtil::E164, &e164);
	util.GetRegionCodeForNumber(number, &country);
	if (e164.size() >= sizeof(r->e164) || country.size() >= sizeof(r->region))
		return -1;
	std::memcpy(r->e164, e164.c_str(), e164.size() + 1);
	std::memcpy(r->region, country.c_str(), country.size() + 1);
	r->kind = kind_of(util.GetNumberType(number));
	return 0;
}

} // namespace

extern "C" int number_lib_parse(const char *typed, const char *region, struct number_lib *r)
{
	try {
		return parse(typed, region, r);
	} catch (...) {
		return -1;
	}
}
