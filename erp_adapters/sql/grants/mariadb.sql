-- MariaDB and MySQL: the two accounts of tradesync. README.md says how to fill it in.
-- Narrow the host ('%') to the machine that tradesync runs on.

CREATE USER tradesync_reader@'%' IDENTIFIED BY '${reader_password}'
    WITH MAX_USER_CONNECTIONS 20;
CREATE USER tradesync_writer@'%' IDENTIFIED BY '${writer_password}'
    WITH MAX_USER_CONNECTIONS 20;

GRANT SELECT ON ${database}.{read_table} TO tradesync_reader@'%';

GRANT SELECT ON ${database}.{found_table} TO tradesync_writer@'%';
GRANT INSERT ON ${database}.{written_table} TO tradesync_writer@'%';
-- Only where the profile has cancel_order: the one column that its step sets.
GRANT UPDATE (${cancel_column}) ON ${database}.{cancelled_table} TO tradesync_writer@'%';
GRANT EXECUTE ON PROCEDURE ${database}.{procedure} TO tradesync_writer@'%';
