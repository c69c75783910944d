# SQL texts -> C. With -v mode=query: QUERY(NAME, "types", "text") lines from
# query/*.sql; with -v mode=schema: one string per schema/NNN.sql, in order.
function quoted(s) {
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	gsub(/\t/, " ", s)
	return s
}
function flush_query(    id, by_name, by_uid, text2) {
	if (name == "")
		return
	if (name in seen) {
		printf "%s:%d: statement %s is there twice\n", file, line, name > "/dev/stderr"
		failed = 1
		exit 1
	}
	seen[name] = 1
	sub(/; *$/, "", text)
	id = toupper(name)
	if (text !~ /[{]account_id[}]/) {
		printf "QUERY(%s, \"%s\", \"%s\")\n", id, types, text
	} else {
		by_name = "(SELECT id FROM account WHERE name = $1)"
		by_uid = "(SELECT min(id) FROM account WHERE uid = $1 HAVING count(*) = 1)"
		text2 = text
		gsub(/[{]account_id[}]/, by_name, text)
		gsub(/[{]account_id[}]/, by_uid, text2)
		printf "QUERY(%s, \"%s\", \"%s\")\n", id, types, text
		printf "QUERY(%s_UID, \"i%s\", \"%s\")\n", id, substr(types, 2), text2
	}
	name = ""
}
BEGIN {
	print "/* Made by sql.awk; change the .sql files. */"
	name = ""
	failed = 0
}
mode == "schema" {
	if (FNR == 1)
		printf "%s", (NR == 1 ? "" : ",\n")
	printf "\"%s\\n\"\n", quoted($0)
	next
}
/^--: / {
	flush_query()
	name = $2
	types = $3
	text = ""
	file = FILENAME
	line = FNR
	next
}
/^--/ || /^[ \t]*$/ { next }
{ text = text (text == "" ? "" : " ") quoted($0) }
END {
	if (!failed && mode == "query")
		flush_query()
	exit failed
}
