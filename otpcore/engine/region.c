#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/region.h"

/* clang-format off */
/* Area codes of the North American Numbering Plan that are in service or have a
 * date (nanpa.com, cnac.ca; to autumn 2026), a blank after each, by region. What
 * comes later is set by region_overrides until the next release. */
static const struct area_codes {
	const char *region, *codes;
} area_codes[] = {
	/* the 50 states and DC, one state a line */
	{ "US",
		"205 251 256 334 659 938 "                         /* AL */
		"907 "                                             /* AK */
		"480 520 602 623 928 "                             /* AZ */
		"327 479 501 870 "                                 /* AR */
		"209 213 279 310 323 341 350 357 369 408 415 424 " /* CA */
		"442 510 530 559 562 619 626 628 650 657 661 669 "
		"707 714 738 747 760 805 818 820 831 837 840 858 "
		"909 916 925 949 951 "
		"303 719 720 748 970 983 "                         /* CO */
		"203 475 860 959 "                                 /* CT */
		"302 "                                             /* DE */
		"202 771 "                                         /* DC */
		"239 305 321 324 352 386 407 448 561 645 656 689 " /* FL */
		"727 728 754 772 786 813 850 863 904 941 954 "
		"229 404 470 478 678 706 762 770 912 943 "         /* GA */
		"808 "                                             /* HI */
		"208 986 "                                         /* ID */
		"217 224 309 312 331 447 464 618 630 708 730 773 " /* IL */
		"779 815 847 861 872 "
		"219 260 317 463 574 765 812 930 "                 /* IN */
		"319 515 563 641 712 "                             /* IA */
		"316 620 785 913 "                                 /* KS */
		"270 364 502 606 859 "                             /* KY */
		"225 318 337 457 504 985 "                         /* LA */
		"207 "                                             /* ME */
		"227 240 301 410 443 667 "                         /* MD */
		"339 351 413 508 617 774 781 857 978 "             /* MA */
		"231 248 269 313 517 586 616 679 734 810 906 947 " /* MI */
		"989 "
		"218 320 507 612 651 763 924 952 "                 /* MN */
		"228 471 601 662 769 "                             /* MS */
		"235 314 417 557 573 636 660 816 975 "             /* MO */
		"406 "                                             /* MT */
		"308 402 531 "                                     /* NE */
		"702 725 775 "                                     /* NV */
		"603 "                                             /* NH */
		"201 551 609 640 732 848 856 862 908 973 "         /* NJ */
		"505 575 "                                         /* NM */
		"212 315 329 332 347 363 465 516 518 585 607 624 " /* NY */
		"631 646 680 716 718 838 845 914 917 929 934 "
		"252 336 472 704 743 828 910 919 980 984 "         /* NC */
		"701 "                                             /* ND */
		"216 220 234 283 326 330 380 419 436 440 513 567 " /* OH */
		"614 740 937 "
		"405 539 572 580 918 "                             /* OK */
		"458 503 541 971 "                                 /* OR */
		"215 223 267 272 412 445 484 570 582 610 717 724 " /* PA */
		"814 835 878 "
		"401 "                                             /* RI */
		"803 821 839 843 854 864 "                         /* SC */
		"605 "                                             /* SD */
		"423 615 629 729 731 865 901 931 "                 /* TN */
		"210 214 254 281 325 346 361 409 430 432 469 512 " /* TX */
		"621 682 713 726 737 806 817 830 832 903 915 936 "
		"940 945 956 972 979 "
		"385 435 801 "                                     /* UT */
		"802 "                                             /* VT */
		"276 434 540 571 686 703 757 804 826 948 "         /* VA */
		"206 253 360 425 509 564 "                         /* WA */
		"304 681 "                                         /* WV */
		"262 274 353 414 534 608 715 920 "                 /* WI */
		"307 " },                                          /* WY */
	/* territories of the US */
	{ "AS", "684 " },
	{ "GU", "671 " },
	{ "MP", "670 " },
	{ "PR", "787 939 " },
	{ "VI", "340 " },
	{ "CA", "204 226 236 249 250 257 263 289 306 343 354 365 "
		"367 368 382 403 416 418 428 431 437 438 450 468 "
		"474 506 514 519 548 579 581 584 587 604 613 639 "
		"647 672 683 705 709 742 753 778 780 782 807 819 "
		"825 867 873 879 902 905 942 " },
	/* Caribbean and Bermuda */
	{ "AG", "268 " },
	{ "AI", "264 " },
	{ "BB", "246 " },
	{ "BM", "441 " },
	{ "BS", "242 " },
	{ "DM", "767 " },
	{ "DO", "809 829 849 " },
	{ "GD", "473 " },
	{ "JM", "658 876 " },
	{ "KN", "869 " },
	{ "KY", "345 " },
	{ "LC", "758 " },
	{ "MS", "664 " },
	{ "SX", "721 " },
	{ "TC", "649 " },
	{ "TT", "868 " },
	{ "VC", "784 " },
	{ "VG", "284 " },
};

/* Area codes that are services. 822 and 880-887, 889 are set aside for more
 * toll-free numbers. */
static const struct {
	enum region_service service;
	const char *codes;
} services[] = {
	{ REGION_TOLL_FREE, "800 822 833 844 855 866 877 880 881 882 883 884 885 886 887 888 "
			"889 " },
	{ REGION_PREMIUM, "900 " },
	{ REGION_OTHER, "456 500 521 522 523 524 525 526 527 528 529 532 533 535 538 542 "
			"543 544 545 546 547 549 550 552 553 554 556 558 566 569 577 578 "
			"588 589 600 622 633 644 655 688 700 710 " },
};

/* Calling codes of ITU-T E.164 with their main region; "" belongs to no country:
 * 800 freephone, 808 shared cost, 87x and 88x satellites and networks, 979 premium. */
static const struct calling_code {
	const char *code, *region;
} calling_codes[] = {
	{ "1", "US" }, { "7", "RU" }, { "20", "EG" }, { "27", "ZA" }, { "30", "GR" },
	{ "31", "NL" }, { "32", "BE" }, { "33", "FR" }, { "34", "ES" }, { "36", "HU" },
	{ "39", "IT" }, { "40", "RO" }, { "41", "CH" }, { "43", "AT" }, { "44", "GB" },
	{ "45", "DK" }, { "46", "SE" }, { "47", "NO" }, { "48", "PL" }, { "49", "DE" },
	{ "51", "PE" }, { "52", "MX" }, { "53", "CU" }, { "54", "AR" }, { "55", "BR" },
	{ "56", "CL" }, { "57", "CO" }, { "58", "VE" }, { "60", "MY" }, { "61", "AU" },
	{ "62", "ID" }, { "63", "PH" }, { "64", "NZ" }, { "65", "SG" }, { "66", "TH" },
	{ "81", "JP" }, { "82", "KR" }, { "84", "VN" }, { "86", "CN" }, { "90", "TR" },
	{ "91", "IN" }, { "92", "PK" }, { "93", "AF" }, { "94", "LK" }, { "95", "MM" },
	{ "98", "IR" }, { "211", "SS" }, { "212", "MA" }, { "213", "DZ" }, { "216", "TN" },
	{ "218", "LY" }, { "220", "GM" }, { "221", "SN" }, { "222", "MR" }, { "223", "ML" },
	{ "224", "GN" }, { "225", "CI" }, { "226", "BF" }, { "227", "NE" }, { "228", "TG" },
	{ "229", "BJ" }, { "230", "MU" }, { "231", "LR" }, { "232", "SL" }, { "233", "GH" },
	{ "234", "NG" }, { "235", "TD" }, { "236", "CF" }, { "237", "CM" }, { "238", "CV" },
	{ "239", "ST" }, { "240", "GQ" }, { "241", "GA" }, { "242", "CG" }, { "243", "CD" },
	{ "244", "AO" }, { "245", "GW" }, { "246", "IO" }, { "247", "AC" }, { "248", "SC" },
	{ "249", "SD" }, { "250", "RW" }, { "251", "ET" }, { "252", "SO" }, { "253", "DJ" },
	{ "254", "KE" }, { "255", "TZ" }, { "256", "UG" }, { "257", "BI" }, { "258", "MZ" },
	{ "260", "ZM" }, { "261", "MG" }, { "262", "RE" }, { "263", "ZW" }, { "264", "NA" },
	{ "265", "MW" }, { "266", "LS" }, { "267", "BW" }, { "268", "SZ" }, { "269", "KM" },
	{ "290", "SH" }, { "291", "ER" }, { "297", "AW" }, { "298", "FO" }, { "299", "GL" },
	{ "350", "GI" }, { "351", "PT" }, { "352", "LU" }, { "353", "IE" }, { "354", "IS" },
	{ "355", "AL" }, { "356", "MT" }, { "357", "CY" }, { "358", "FI" }, { "359", "BG" },
	{ "370", "LT" }, { "371", "LV" }, { "372", "EE" }, { "373", "MD" }, { "374", "AM" },
	{ "375", "BY" }, { "376", "AD" }, { "377", "MC" }, { "378", "SM" }, { "380", "UA" },
	{ "381", "RS" }, { "382", "ME" }, { "383", "XK" }, { "385", "HR" }, { "386", "SI" },
	{ "387", "BA" }, { "389", "MK" }, { "420", "CZ" }, { "421", "SK" }, { "423", "LI" },
	{ "500", "FK" }, { "501", "BZ" }, { "502", "GT" }, { "503", "SV" }, { "504", "HN" },
	{ "505", "NI" }, { "506", "CR" }, { "507", "PA" }, { "508", "PM" }, { "509", "HT" },
	{ "590", "GP" }, { "591", "BO" }, { "592", "GY" }, { "593", "EC" }, { "594", "GF" },
	{ "595", "PY" }, { "596", "MQ" }, { "597", "SR" }, { "598", "UY" }, { "599", "CW" },
	{ "670", "TL" }, { "672", "NF" }, { "673", "BN" }, { "674", "NR" }, { "675", "PG" },
	{ "676", "TO" }, { "677", "SB" }, { "678", "VU" }, { "679", "FJ" }, { "680", "PW" },
	{ "681", "WF" }, { "682", "CK" }, { "683", "NU" }, { "685", "WS" }, { "686", "KI" },
	{ "687", "NC" }, { "688", "TV" }, { "689", "PF" }, { "690", "TK" }, { "691", "FM" },
	{ "692", "MH" }, { "800", "" }, { "808", "" }, { "850", "KP" }, { "852", "HK" },
	{ "853", "MO" }, { "855", "KH" }, { "856", "LA" }, { "870", "" }, { "878", "" },
	{ "880", "BD" }, { "881", "" }, { "882", "" }, { "883", "" }, { "886", "TW" },
	{ "888", "" }, { "960", "MV" }, { "961", "LB" }, { "962", "JO" }, { "963", "SY" },
	{ "964", "IQ" }, { "965", "KW" }, { "966", "SA" }, { "967", "YE" }, { "968", "OM" },
	{ "970", "PS" }, { "971", "AE" }, { "972", "IL" }, { "973", "BH" }, { "974", "QA" },
	{ "975", "BT" }, { "976", "MN" }, { "977", "NP" }, { "979", "" }, { "992", "TJ" },
	{ "993", "TM" }, { "994", "AZ" }, { "995", "GE" }, { "996", "KG" }, { "998", "UZ" },
	/* regions that share the code of a bigger one; found by name only */
	{ "7", "KZ" }, { "39", "VA" }, { "44", "GG" }, { "44", "IM" }, { "44", "JE" },
	{ "47", "SJ" }, { "61", "CC" }, { "61", "CX" }, { "212", "EH" }, { "262", "YT" },
	{ "290", "TA" }, { "358", "AX" }, { "590", "BL" }, { "590", "MF" }, { "599", "BQ" },
};

/* clang-format on */

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Does a list of three-digit codes, a blank after each, hold this one? */
static bool list_has(const char *codes, const char *digits)
{
	for (; *codes; codes += 4)
		if (memcmp(codes, digits, 3) == 0)
			return true;
	return false;
}

const char *region_of_area_code(const char *digits)
{
	size_t i;

	for (i = 0; i < N(area_codes); i++)
		if (list_has(area_codes[i].codes, digits))
			return area_codes[i].region;
	return "";
}

enum region_service region_service_of(const char *digits)
{
	size_t i;

	for (i = 0; i < N(services); i++)
		if (list_has(services[i].codes, digits))
			return services[i].service;
	return REGION_GEOGRAPHIC;
}

unsigned region_calling_code(const char *digits, const char **region_r)
{
	size_t i;

	for (i = 0; i < N(calling_codes); i++) {
		if (!mag_has_prefix(digits, calling_codes[i].code))
			continue;
		*region_r = calling_codes[i].region;
		return (unsigned)strlen(calling_codes[i].code);
	}
	return 0;
}

const char *region_code_for(const char *region)
{
	size_t i;

	for (i = 0; i < N(calling_codes); i++)
		if (*calling_codes[i].region && mag_streq(calling_codes[i].region, region))
			return calling_codes[i].code;
	for (i = 0; i < N(area_codes); i++)
		if (mag_streq(area_codes[i].region, region))
			return "1";
	return NULL;
}

bool region_override(const char *overrides, const char *e164, char region_r[3])
{
	const char *p = overrides ? overrides : "", *equals;
	size_t len, best = 0;

	for (; *p; p += len) {
		p += strspn(p, " \t,");
		len = strcspn(p, " \t,");
		equals = memchr(p, '=', len);
		if (!equals || p + len - equals != 3 || (size_t)(equals - p) <= best)
			continue;
		if (strncmp(p, e164, (size_t)(equals - p)) != 0)
			continue;
		best = (size_t)(equals - p);
		memcpy(region_r, equals + 1, 2);
		region_r[2] = '\0';
	}
	return best > 0;
}
