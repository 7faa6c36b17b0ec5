-- PostgreSQL: the two accounts of tradesync. README.md says how to fill it in.

CREATE ROLE tradesync_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT
    CONNECTION LIMIT 20 PASSWORD '${reader_password}';
CREATE ROLE tradesync_writer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT
    CONNECTION LIMIT 20 PASSWORD '${writer_password}';

-- A second fence: even a function that writes, called by a read, is stopped.
ALTER ROLE tradesync_reader SET default_transaction_read_only = on;

-- PUBLIC may connect and make temporary tables, and before version 15 tables too.
REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${database} TO tradesync_reader, tradesync_writer;
GRANT USAGE ON SCHEMA ${schema} TO tradesync_reader, tradesync_writer;

GRANT SELECT ON ${schema}.{read_table} TO tradesync_reader;

-- INSERT … RETURNING also needs SELECT on what it returns.
GRANT SELECT ON ${schema}.{found_table} TO tradesync_writer;
GRANT INSERT ON ${schema}.{written_table} TO tradesync_writer;
-- Only where the profile has cancel_order: the one column that its step sets.
GRANT UPDATE (${cancel_column}) ON ${schema}.{cancelled_table} TO tradesync_writer;
GRANT EXECUTE ON PROCEDURE ${schema}.{procedure} TO tradesync_writer;

-- A serial column, other than an identity column, takes its number from a sequence, which
-- `tradesync check` names:
-- GRANT USAGE ON SEQUENCE ${schema}.orders_order_no_seq TO tradesync_writer;
