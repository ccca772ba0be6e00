-- Made for the tests: types, checks, defaults and comments as PostgreSQL writes them.
CREATE TYPE mood AS ENUM ('calm', 'busy', 'cross');
CREATE TABLE "Desk" (
    id uuid PRIMARY KEY,
    "class" varchar(12) NOT NULL,
    "from" date NOT NULL,
    plan text,
    code char(4) NOT NULL CHECK (code ~ '^[A-Z]{2}[0-9]{2}$'),
    mood mood NOT NULL DEFAULT 'busy',
    seats smallint NOT NULL CHECK (seats BETWEEN 2 AND 8),
    ratio double precision NOT NULL CHECK (ratio > 0 AND ratio < 1),
    opens_at time NOT NULL,
    payload jsonb NOT NULL,
    photo bytea,
    token uuid NOT NULL,
    grade text NOT NULL CHECK (grade IN ('a', 'b', 'c')),
    is_open boolean NOT NULL DEFAULT true,
    tags text[],
    CHECK (seats <> 5)
);
COMMENT ON COLUMN "Desk".code IS 'What stands on the desk';
CREATE VIEW open_desks AS SELECT * FROM "Desk" WHERE is_open;
INSERT INTO "Desk" VALUES (1);
INSERT INTO "Desk" VALUES (2);
