-- A table of 200,000 rows to be migrated. Every row follows from its number, so that two labs hold the same data.
CREATE TABLE invoice (
    id integer PRIMARY KEY,
    customer text NOT NULL,
    cents integer NOT NULL CHECK (cents > 0),
    paid boolean NOT NULL
);
INSERT INTO invoice
SELECT n, 'customer ' || n * 7919 % 5000, 100 + n * 104729::bigint % 90000, n % 7 <> 0 FROM generate_series(1, 200000) AS n;
