-- SQL Server: the two accounts of tradesync. README.md says how to fill it in.
-- Written after Microsoft's documentation; not yet run on a live server.
-- With integrated login, in place of the two passwords:
--     CREATE LOGIN [ACME\tradesync] FROM WINDOWS;

CREATE LOGIN tradesync_reader WITH PASSWORD = '${reader_password}', CHECK_POLICY = ON,
    DEFAULT_DATABASE = ${database};
CREATE LOGIN tradesync_writer WITH PASSWORD = '${writer_password}', CHECK_POLICY = ON,
    DEFAULT_DATABASE = ${database};
GO

USE ${database};
CREATE USER tradesync_reader FOR LOGIN tradesync_reader WITH DEFAULT_SCHEMA = ${schema};
CREATE USER tradesync_writer FOR LOGIN tradesync_writer WITH DEFAULT_SCHEMA = ${schema};
GO

-- No roles such as db_datareader: they reach every table there is and will be.
GRANT SELECT ON OBJECT::${schema}.{read_table} TO tradesync_reader;

-- INSERT … OUTPUT also needs SELECT on what it answers.
GRANT SELECT ON OBJECT::${schema}.{found_table} TO tradesync_writer;
GRANT INSERT ON OBJECT::${schema}.{written_table} TO tradesync_writer;
-- Only where the profile has cancel_order: the one column that its step sets.
GRANT UPDATE (${cancel_column}) ON OBJECT::${schema}.{cancelled_table} TO tradesync_writer;
GRANT EXECUTE ON OBJECT::${schema}.{procedure} TO tradesync_writer;

-- tradesync check looks for the unique index on the external key; that needs to see
-- the definition of its table, and without it check says that it could not look.
GRANT VIEW DEFINITION ON OBJECT::${schema}.{written_table} TO tradesync_writer;

-- What PUBLIC may do by default stays small in a user database: see sys.database_permissions.
GO
