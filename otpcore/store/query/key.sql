-- The store's own keys, and what they have sealed (seal.h).

--: list_keys
SELECT {data_key} FROM data_key ORDER BY id;

-- Does the key $1 seal still? If not, the transaction fails: a division by nothing.
--: key_holds i
SELECT 1 / count(*) AS n FROM data_key WHERE id = $1 AND kind = 1 AND state = 2;

-- Has anything been written that the keys of older versions may have sealed or signed?
--: sealed_before
SELECT (SELECT count(*) FROM (SELECT 1 FROM account LIMIT 1) AS a)
	+ (SELECT count(*) FROM (SELECT 1 FROM token LIMIT 1) AS t)
	+ (SELECT count(*) FROM (SELECT 1 FROM login LIMIT 1) AS l)
	+ (SELECT count(*) FROM authority) + (SELECT count(*) FROM audit_head) AS n;

-- Pages: id, version and sealed value of the rows after the id $1, at most $2.
--: page_emails ii
SELECT id, version, email FROM account WHERE id > $1 ORDER BY id LIMIT $2;
--: page_numbers ii
SELECT id, version, number FROM phone WHERE id > $1 ORDER BY id LIMIT $2;
--: page_seeds ii
SELECT id, version, secret FROM token WHERE id > $1 ORDER BY id LIMIT $2;
--: page_authorities ii
SELECT id, version, secret FROM authority WHERE id > $1 ORDER BY id LIMIT $2;
--: page_answers ii
SELECT id, version, answer FROM login WHERE id > $1 ORDER BY id LIMIT $2;

-- A new value $4 for the row $1, if it still has the version $2; it gets $3.
--: put_email iiib
UPDATE account SET version = $3, email = $4 WHERE id = $1 AND version = $2;
--: put_number iiib
UPDATE phone SET version = $3, number = $4 WHERE id = $1 AND version = $2;
--: put_seed iiib
UPDATE token SET version = $3, secret = $4 WHERE id = $1 AND version = $2;
--: put_authority iiib
UPDATE authority SET version = $3, secret = $4 WHERE id = $1 AND version = $2;
--: put_answer iiib
UPDATE login SET version = $3, answer = $4 WHERE id = $1 AND version = $2;

--: count_sealed
SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM phone)
	+ (SELECT count(*) FROM token) + (SELECT count(*) FROM authority)
	+ (SELECT count(*) FROM login) AS n;
