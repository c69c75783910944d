/* Files of tokens: CSV, and PSKC's XML (what pskc-import does behind its fence). */
#include <stdbool.h>
#include <stdio.h>

#include "magotp/import/csv.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "tests/fuzz/fuzz.h"

/* ---- CSV ---- */

static void count_fault(void *arg, size_t row, const char *column, const char *what)
{
	FUZZ_CHECK(row >= 1 && column != NULL && *what != '\0');
	++*(size_t *)arg;
}

/* Whatever is taken is a token that the broker can keep. */
static void check_seed(const struct import_seed *s)
{
	const struct wire_seed *w = &s->seed;

	FUZZ_CHECK(s->row >= 2 && *w->serial != '\0');
	for (const char *p = w->serial; *p; p++)
		FUZZ_CHECK(*p > ' ' && *p <= '~');
	FUZZ_CHECK(w->secret.len >= 16 && w->secret.len <= 64);
	FUZZ_CHECK(w->digits >= 6 && w->digits <= 8 && w->algorithm >= 1 && w->algorithm <= 3);
	if (w->type == SEED_TOTP)
		FUZZ_CHECK((w->period == 30 || w->period == 60) && w->counter == 0);
	else
		FUZZ_CHECK(w->type == SEED_HOTP && w->counter >= 0);
}

static bool read_csv(const char *data, size_t len)
{
	FILE *f = len ? fmemopen((void *)(uintptr_t)data, len, "r") : NULL;
	struct import_list list = { 0 };
	size_t faults = 0;
	const struct csv_faults to = { count_fault, &faults };
	int r = MAG_EINVAL;

	if (!f)
		return false;
	r = csv_read(f, &to, &list);
	fclose(f);
	FUZZ_CHECK((r == 0) == (faults == 0) && (r == 0) == (list.n > 0));
	for (size_t i = 0; i < list.n; i++) {
		check_seed(&list.seeds[i]);
		for (size_t k = 0; k < i && i < 100; k++)
			FUZZ_CHECK(strcmp(list.seeds[i].seed.serial, list.seeds[k].seed.serial));
	}
	import_list_free(&list);
	return r == 0;
}

void fuzz_csv(const uint8_t *data, size_t len)
{
	(void)read_csv((const char *)data, len);
}

size_t seed_csv(struct dice *d, uint8_t *out)
{
	static const char *const kinds[] = { "hotp", "TOTP", "totp", "x" };
	static const char *const secrets[] = { "3132333435363738393031323334353637383930",
		"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezdgnbvgy3tqojqgezdgnbvgy======", "00", "" };
	static const char *const moving[] = { "0", "30", "60", "17", "9223372036854775807", "" };
	static const char *const hashes[] = { "sha1", "SHA-256", "sha512", "md5" };
	size_t n = (size_t)sprintf((char *)out, "%sserial,type(hotp|totp),secret,digits,%s,%s\n",
		dice_below(d, 4) ? "" : "\xef\xbb\xbf", dice_below(d, 2) ? "counter|step" : "step",
		dice_below(d, 9) ? "algorithm" : "\"algorithm\"");

	for (size_t i = 0, rows = dice_below(d, 4); i < rows; i++)
		n += (size_t)sprintf((char *)out + n, "A%u,%s, \"%s\" ,%u,%s,%s%s",
			(unsigned)dice_below(d, 1000), kinds[dice_below(d, 4)],
			secrets[dice_below(d, 5)], (unsigned)(5 + dice_below(d, 5)),
			moving[dice_below(d, 6)], hashes[dice_below(d, 4)],
			dice_below(d, 4) ? "\n" : "\r\n\n");
	return n;
}

/* ---- PSKC: one byte that says how it is encrypted, then the file ---- */

#ifdef HAVE_PSKC
#include <libxml/parser.h>

#include "magotp/import/pskc.h"

int pskc_fault(struct pskc_fault *f, const char *key, const char *what)
{
	snprintf(f->text, sizeof f->text, "%.64s: %s", key ? key : "", what);
	return MAG_EINVAL;
}

static const unsigned char key[] = { 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90,
	0x12, 0x34, 0x56, 0x78, 0x90, 0x12 };

/* As import/main.c does it. What comes out, the broker's own reader of CSV judges: it may
 * refuse (a secret too short), but it finds no row of another shape. */
static void check_import(const char *text, size_t len, const struct pskc_unlock *u)
{
	struct pskc_fault fault = { "" };
	xmlChar *xml = NULL;
	char *csv = NULL;
	size_t csv_len = 0;
	int xml_len = 0;
	xmlDoc *doc = NULL;
	FILE *out;

	if (pskc_scan(text, len, &fault)) {
		FUZZ_CHECK(*fault.text != '\0');
		return;
	}
	FUZZ_CHECK(mag_utf8_valid(text, len));
	doc = xmlReadMemory(text, (int)len, "pskc", "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
	/* Nothing in it declares anything. */
	FUZZ_CHECK(!doc || !doc->intSubset);
	out = open_memstream(&csv, &csv_len);
	FUZZ_CHECK(out != NULL);
	if (doc && !pskc_open(doc, u, &fault)) {
		xmlDocDumpMemory(doc, &xml, &xml_len);
		if (xml && !pskc_rows((const char *)xml, (size_t)xml_len, out, &fault)) {
			fflush(out);
			(void)read_csv(csv, csv_len);
		}
	}
	fclose(out);
	free(csv);
	xmlFree(xml);
	xmlFreeDoc(doc);
}

static void mute(void *arg, const char *format, ...)
{
	(void)arg;
	(void)format;
}

/* Rounds cost time, not paths: libFuzzer would spend it all on them. */
static bool is_slow(const char *text)
{
	for (; (text = strstr(text, "IterationCount")) != NULL; text++) {
		const char *digits = text + strcspn(text, "0123456789");

		if (strspn(digits, "0123456789") > 4)
			return true;
	}
	return false;
}

void fuzz_pskc(const uint8_t *data, size_t len)
{
	struct pskc_unlock unlock = { 0 };
	char *text;

	if (len == 0)
		return;
	xmlSetGenericErrorFunc(NULL, mute);
	text = fuzz_string(data + 1, len - 1);
	if (data[0] % 3 == 1)
		FUZZ_CHECK(mag_secret_set(&unlock.key, key, sizeof key) == 0);
	if (data[0] % 3 == 2 && !is_slow(text))
		FUZZ_CHECK(mag_secret_set_text(&unlock.password, "qwerty") == 0);
	check_import(text, len - 1, &unlock);
	free(text);
	mag_secret_free(&unlock.key);
	mag_secret_free(&unlock.password);
}

static const char plain_key[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n"
	"<KeyPackage><DeviceInfo><Manufacturer>M</Manufacturer><SerialNo>A%u</SerialNo>"
	"</DeviceInfo>\n"
	"<Key Id=\"A%u\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:%s\">\n"
	"<AlgorithmParameters>%s<ResponseFormat Length=\"%u\" Encoding=\"DECIMAL\"/>"
	"</AlgorithmParameters>\n"
	"<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>%s</Data>"
	"%s</Key></KeyPackage></KeyContainer>\n";

/* RFC 6030, figure 6: AES-128-CBC and its MAC. */
static const char sealed_key[] =
	"<?xml version=\"1.0\"?><KeyContainer Version=\"1.0\" "
	"xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\" "
	"xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" "
	"xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\">"
	"<EncryptionKey><ds:KeyName>Pre-shared-key</ds:KeyName></EncryptionKey>"
	"<MACMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"><MACKey>"
	"<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/>"
	"<xenc:CipherData><xenc:CipherValue>"
	"ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX"
	"</xenc:CipherValue></xenc:CipherData></MACKey></MACMethod>"
	"<KeyPackage><DeviceInfo><SerialNo>987654321</SerialNo></DeviceInfo>"
	"<Key Id=\"12345678\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:hotp\">"
	"<AlgorithmParameters><ResponseFormat Length=\"8\" Encoding=\"DECIMAL\"/>"
	"</AlgorithmParameters><Data><Secret><EncryptedValue>"
	"<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/>"
	"<xenc:CipherData><xenc:CipherValue>"
	"AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv"
	"</xenc:CipherValue></xenc:CipherData></EncryptedValue>"
	"<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC></Secret>"
	"<Counter><PlainValue>0</PlainValue></Counter></Data></Key></KeyPackage></KeyContainer>";

/* RFC 6030, figure 7: a password. */
static const char derived_key[] =
	"<pskc:KeyContainer xmlns:pskc=\"urn:ietf:params:xml:ns:keyprov:pskc\" xmlns:xe"
	"nc11=\"http://www.w3.org/2009/xmlenc11#\" xmlns:pkcs5=\"http://www.rsasecurity"
	".com/rsalabs/pkcs/schemas/pkcs-5v2-0#\" xmlns:xenc=\"http://www.w3.org/2001/04"
	"/xmlenc#\" Version=\"1.0\"><pskc:EncryptionKey><xenc11:DerivedKey><xenc11:KeyD"
	"erivationMethod Algorithm=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pk"
	"cs-5v2-0#pbkdf2\"><pkcs5:PBKDF2-params><Salt><Specified>Ej7/PEpyEpw=</Specifie"
	"d></Salt>%s%s%s</pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod><xenc11:Mast"
	"erKeyName>My Password 1</xenc11:MasterKeyName></xenc11:DerivedKey></pskc:Encry"
	"ptionKey><pskc:MACMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sh"
	"a1\"><pskc:MACKey><xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04"
	"/xmlenc#aes128-cbc\"/><xenc:CipherData><xenc:CipherValue>2GTTnLwM3I4e5IO5Fkufo"
	"OEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx</xenc:CipherValue></xenc:CipherDat"
	"a></pskc:MACKey></pskc:MACMethod><pskc:KeyPackage><pskc:DeviceInfo><pskc:Manuf"
	"acturer>TokenVendorAcme</pskc:Manufacturer><pskc:SerialNo>987654321</pskc:Seri"
	"alNo></pskc:DeviceInfo><pskc:CryptoModuleInfo><pskc:Id>CM_ID_001</pskc:Id></ps"
	"kc:CryptoModuleInfo><pskc:Key Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:"
	"hotp\" Id=\"123456\"><pskc:Issuer>Example-Issuer</pskc:Issuer><pskc:AlgorithmP"
	"arameters><pskc:ResponseFormat Length=\"8\" Encoding=\"DECIMAL\"/></pskc:Algor"
	"ithmParameters><pskc:Data><pskc:Secret><pskc:EncryptedValue Id=\"ED\"><xenc:En"
	"cryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/><xen"
	"c:CipherData><xenc:CipherValue>oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZ"
	"u6V+A4aEn032yCr4f</xenc:CipherValue></xenc:CipherData></pskc:EncryptedValue><p"
	"skc:ValueMAC>LP6xMvjtypbfT9PdkJhBZ+D6O4w=</pskc:ValueMAC></pskc:Secret><pskc:C"
	"ounter><pskc:PlainValue>0</pskc:PlainValue></pskc:Counter></pskc:Data></pskc:K"
	"ey></pskc:KeyPackage></pskc:KeyContainer>";

/* Right with a password of figure 7, in five of eight. */
static size_t put_derived(struct dice *d, char *out)
{
	static const char *const rounds[] = { "<IterationCount>1000</IterationCount>",
		"<IterationCount>1</IterationCount>", "" };
	static const char *const lengths[] = { "<KeyLength>16</KeyLength>",
		"<KeyLength>24</KeyLength>", "<KeyLength>17</KeyLength>", "" };
	static const char *const functions[] = { "<PRF/>", "<PRF Algorithm=\"x#hmac-sha256\"/>",
		"<PRF Algorithm=\"y/hmacWithSHA512\"/>", "<PRF Algorithm=\"md5\"/>" };
	bool right = dice_below(d, 8) < 5;

	return (size_t)sprintf(out, derived_key, rounds[right ? 0 : dice_below(d, 3)],
		lengths[right ? 0 : dice_below(d, 4)], functions[right ? 0 : dice_below(d, 4)]);
}

size_t seed_pskc(struct dice *d, uint8_t *out)
{
	static const char *const suites[] = { "", "<Suite>HMAC-SHA256</Suite>",
		"<Suite>MD5</Suite>" };
	static const char *const moving[] = { "<Counter><PlainValue>7</PlainValue></Counter>",
		"<TimeInterval><PlainValue>30</PlainValue></TimeInterval>", "" };
	static const char *const policies[] = { "", "<Policy><KeyUsage>OTP</KeyUsage></Policy>",
		("<Policy><StartDate>2006-05-01T00:00:00Z</StartDate>"
		 "<PINPolicy MinLength=\"4\"/></Policy>") };
	unsigned number = (unsigned)dice_below(d, 1000);

	out[0] = (uint8_t)dice_below(d, 3);
	if (out[0] == 2)
		return 1 + put_derived(d, (char *)out + 1);
	if (out[0] == 1)
		return 1 + (size_t)sprintf((char *)out + 1, "%s", sealed_key);
	return 1 + (size_t)sprintf((char *)out + 1, plain_key, number, number,
			   dice_below(d, 2) ? "hotp" : "totp", suites[dice_below(d, 3)],
			   (unsigned)(5 + dice_below(d, 4)), moving[dice_below(d, 3)],
			   policies[dice_below(d, 3)]);
}
#endif
