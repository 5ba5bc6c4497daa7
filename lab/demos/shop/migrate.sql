-- Money in cents becomes an exact amount. Four batches, each a transaction of its own, as one does with a large table:
-- so a failure in the middle leaves half of it done. `halfway` is a statement that is run there.
ALTER TABLE invoice ADD COLUMN amount numeric(12, 2);
UPDATE invoice SET amount = cents / 100.0 WHERE id <= 50000;
\echo 50000 of 200000 rows
UPDATE invoice SET amount = cents / 100.0 WHERE id > 50000 AND id <= 100000;
\echo 100000 of 200000 rows
:halfway;
UPDATE invoice SET amount = cents / 100.0 WHERE id > 100000 AND id <= 150000;
\echo 150000 of 200000 rows
UPDATE invoice SET amount = cents / 100.0 WHERE id > 150000;
\echo 200000 of 200000 rows
ALTER TABLE invoice ALTER COLUMN amount SET NOT NULL;
