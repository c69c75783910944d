# The texts of the login in other languages: po/*.po, checked against texts.def, become a
# C table. An entry is found by its context (msgctxt): the id of a text in texts.def, with
# "/short" behind it for the short form.
#
#   awk -f texts.awk -v out=c texts.def de.po fr.po ...   the tables
#   awk -f texts.awk -v out=pot texts.def                 the template
#   awk -f texts.awk -v out=missing texts.def de.po ...   what is not translated, if anything
#
# Refused, by file and line: an entry that no text knows, or twice; words in English that
# are no longer those of texts.def; a place in braces that the English words do not have, or
# one of theirs that is left out; control characters but \n; other escapes than \n \" \\.
# An entry that is fuzzy, or empty, is said in English.

function fail(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	failed = 1
}

# The strings of a C or PO line joined, as they are written (escapes and all).
function strings(line,    all, one) {
	all = ""
	while (match(line, /"([^"\\]|\\.)*"/)) {
		one = substr(line, RSTART + 1, RLENGTH - 2)
		all = all one
		line = substr(line, RSTART + RLENGTH)
	}
	return all
}

# The set of {places} of a text, as "{a}{b}", each once, in the order of the alphabet.
function places(words,    n, i, j, list, have, all, swap) {
	n = 0
	while (match(words, /\{[^}]*\}/)) {
		list[++n] = substr(words, RSTART, RLENGTH)
		words = substr(words, RSTART + RLENGTH)
	}
	for (i = 1; i <= n; i++)
		for (j = i + 1; j <= n; j++)
			if (list[j] < list[i]) {
				swap = list[i]; list[i] = list[j]; list[j] = swap
			}
	all = ""
	for (i = 1; i <= n; i++)
		if (!(list[i] in have)) {
			have[list[i]] = 1
			all = all list[i]
		}
	return all
}

function add_text(key, words) {
	if (words == "")
		return
	if (key in english)
		fail("twice: " key)
	english[key] = words
	keys[++n_keys] = key
}

# TEXT(NAME, "...", "...") may go over lines.
function read_def(line,    name, rest, separate, at) {
	if (collect == "" && line !~ /^TEXT\(/)
		return
	collect = collect line
	if (collect !~ /\)[ \t]*$/)
		return
	name = collect
	sub(/^TEXT\(/, "", name)
	sub(/,.*/, "", name)
	rest = collect
	collect = ""
	sub(/^[^,]*,/, "", rest)
	# the comma between the two forms stands outside of quotes
	at = 1
	while (match(substr(rest, at), /^[ \t]*"([^"\\]|\\.)*"/))
		at += RLENGTH
	separate = substr(rest, 1, at - 1)
	ids[++n_ids] = name
	add_text(name, strings(separate))
	add_text(name "/short", strings(substr(rest, at)))
}

function language_of(file) {
	sub(/.*\//, "", file)
	sub(/\.po$/, "", file)
	return file
}

# An entry of a .po file is complete.
function end_entry(    key) {
	key = entry["msgctxt"]
	if (!has["msgid"])
		return
	if (key != "") {
		if (!(key in english))
			fail("no text is called " key)
		else if ((language, key) in said)
			fail("twice: " key)
		else {
			said[language, key] = 1
			if (entry["msgid"] != english[key]) {
				if (!fuzzy)
					fail(key ": the English words have changed; msgmerge")
			} else if (entry["msgstr"] != "" && !fuzzy)
				take(key, entry["msgstr"])
		}
	} else if (entry["msgid"] != "")
		fail("an entry without msgctxt")
	begin_entry()
}

function begin_entry() {
	entry["msgctxt"] = entry["msgid"] = entry["msgstr"] = ""
	has["msgctxt"] = has["msgid"] = has["msgstr"] = 0
	fuzzy = 0
	part = ""
}

function take(key, words,    plain) {
	plain = words
	gsub(/\\[n"\\]/, "", plain)
	if (plain ~ /\\/)
		fail(key ": only \\n, \\\" and \\\\ are known")
	else if (plain ~ /[\001-\037\177]/)
		fail(key ": a control character")
	else if (places(words) != places(english[key]))
		fail(key ": places " places(words) " where English has " places(english[key]))
	else if ((english[key] ~ /\\n$/) != (words ~ /\\n$/))
		fail(key ": only one of both ends in a new line")
	else
		table[language, key] = words
}

function read_po(line) {
	if (line ~ /^[ \t]*$/) {
		end_entry()
	} else if (line ~ /^#~/) {
		return
	} else if (line ~ /^#/) {
		if (part == "msgstr")
			end_entry()
		if (line ~ /^#,.*fuzzy/)
			fuzzy = 1
	} else if (match(line, /^msg(ctxt|id|str) /)) {
		if (substr(line, 1, RLENGTH - 1) != "msgstr" && part == "msgstr")
			end_entry()
		part = substr(line, 1, RLENGTH - 1)
		has[part] = 1
		entry[part] = strings(line)
	} else if (line ~ /^"/ && part != "") {
		entry[part] = entry[part] strings(line)
	} else {
		fail("not understood: " line)
	}
}

FNR == 1 && NR != 1 {
	if (language != "")
		end_entry()
}
FNR == 1 {
	language = ""
	if (FILENAME ~ /\.po$/) {
		language = language_of(FILENAME)
		languages[++n_languages] = language
		begin_entry()
	}
}
language == "" { read_def($0) }
language != "" { read_po($0) }

# The member that has these words; what English says without words needs none.
function member(language, id, form) {
	return (language, id form) in table ? id (form == "" ? "_separate" : "_brief") : ""
}

function place(language, id, form,    m) {
	m = member(language, id, form)
	return m == "" ? 0 : "offsetof(struct " language "_words, " m ")"
}

function write_language(language,    j, k, m, forms) {
	split(",/short", forms, ",")
	print "static const struct " language "_words {\n\tchar nothing;"
	for (j = 1; j <= n_ids; j++)
		for (k = 1; k <= 2; k++)
			if ((m = member(language, ids[j], forms[k])) != "")
				print "\tchar " m "[sizeof(\"" table[language, ids[j] forms[k]] "\")];"
	print "} " language "_words = {\n\t0,"
	for (j = 1; j <= n_ids; j++)
		for (k = 1; k <= 2; k++)
			if (member(language, ids[j], forms[k]) != "")
				print "\t\"" table[language, ids[j] forms[k]] "\","
	print "};\nstatic const struct text_words " language "_at[TEXT_N] = {"
	for (j = 1; j <= n_ids; j++)
		print "\t[TEXT_" ids[j] "] = { " place(language, ids[j], "") ", " \
			place(language, ids[j], "/short") " },"
	print "};\n"
}

function write_c(    i) {
	print "/* Made by texts.awk from po; not edited. */"
	print "#include <stddef.h>\n\n#include \"otpcore/login/texts_table.h\"\n"
	for (i = 1; i <= n_languages; i++)
		write_language(languages[i])
	print "const struct text_table text_tables[] = {"
	for (i = 1; i <= n_languages; i++)
		print "\t{ \"" languages[i] "\", (const char *)&" languages[i] "_words, " \
			languages[i] "_at },"
	print "\t{ \"\", NULL, NULL },\n};"
}

# Lines as msgfmt likes them: broken behind \n.
function po_string(words,    all, at) {
	if (words !~ /\\n./)
		return "\"" words "\""
	all = "\"\""
	while (at = index(words, "\\n")) {
		all = all "\n\"" substr(words, 1, at + 1) "\""
		words = substr(words, at + 2)
	}
	return words == "" ? all : all "\n\"" words "\""
}

function write_pot(    i) {
	print "# The texts of a login with magotp; po/README says what they are about."
	print "msgid \"\"\nmsgstr \"\""
	print "\"Project-Id-Version: magotp\\n\"\n\"MIME-Version: 1.0\\n\""
	print "\"Content-Type: text/plain; charset=UTF-8\\n\""
	print "\"Content-Transfer-Encoding: 8bit\\n\""
	for (i = 1; i <= n_keys; i++) {
		print "\nmsgctxt \"" keys[i] "\""
		print "msgid " po_string(english[keys[i]]) "\nmsgstr \"\""
	}
}

function write_missing(    i, j) {
	for (i = 1; i <= n_languages; i++)
		for (j = 1; j <= n_keys; j++)
			if (!((languages[i], keys[j]) in table))
				print languages[i] ": " keys[j] ": " english[keys[j]]
}

END {
	if (language != "")
		end_entry()
	if (collect != "")
		fail("a TEXT without its end")
	if (failed)
		exit 1
	if (out == "c")
		write_c()
	else if (out == "pot")
		write_pot()
	else
		write_missing()
}
