-- The lab's databases. Every row follows from its number, so that two labs hold the same data.

CREATE DATABASE orders;
CREATE DATABASE users;
CREATE DATABASE analytics;

\connect orders
CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL, city text NOT NULL);
CREATE TABLE purchase (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer,
    placed_at timestamptz NOT NULL,
    cents integer NOT NULL CHECK (cents > 0)
);
CREATE INDEX purchase_customer ON purchase (customer_id);
INSERT INTO customer
SELECT n, 'customer ' || n, (ARRAY['Lisbon', 'Riga', 'Turin', 'Graz'])[1 + n % 4] FROM generate_series(1, 1000) AS n;
INSERT INTO purchase
SELECT n, 1 + n * 7919 % 1000, timestamptz '2025-01-01 00:00Z' + n * interval '37 minutes', 100 + n * 104729 % 90000
FROM generate_series(1, 8000) AS n;

\connect users
CREATE TABLE account (id integer PRIMARY KEY, email text NOT NULL UNIQUE, digest text NOT NULL);
CREATE TABLE login (account_id integer NOT NULL REFERENCES account, at timestamptz NOT NULL, address inet NOT NULL);
INSERT INTO account SELECT n, 'user' || n || '@example.org', md5('account ' || n) FROM generate_series(1, 3000) AS n;
INSERT INTO login
SELECT 1 + n * 6151 % 3000, timestamptz '2025-06-01 00:00Z' + n * interval '11 minutes', inet '192.0.2.0' + n % 250
FROM generate_series(1, 5000) AS n;

\connect analytics
CREATE TABLE page_view (id bigint PRIMARY KEY, path text NOT NULL, at timestamptz NOT NULL, detail jsonb NOT NULL);
INSERT INTO page_view
SELECT n, '/page/' || n % 97, timestamptz '2025-03-01 00:00Z' + n * interval '5 seconds',
       jsonb_build_object('visitor', md5(n::text), 'milliseconds', n * 31 % 900)
FROM generate_series(1, 20000) AS n;
CREATE MATERIALIZED VIEW views_per_page AS SELECT path, count(*) AS views FROM page_view GROUP BY path;
