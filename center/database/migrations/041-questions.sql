-- Campaigns that start by themselves: one question (a misfit's pair, a rule with its software) has one that lives on.
ALTER TABLE campaigns ADD COLUMN question text COLLATE "C";
CREATE INDEX campaigns_question ON campaigns (question, created_at DESC) WHERE question IS NOT NULL;

-- How far things may go by themselves: one row, the members that were set.
CREATE TABLE rollout_settings (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  document jsonb NOT NULL
);

-- Catalogs that change so many verdicts that their corrections wait for a person.
CREATE TABLE catalog_holds (
  catalog  text PRIMARY KEY,
  -- Misfits that it makes; NULL: nobody knows.
  printers integer,
  most     integer NOT NULL,
  at       timestamptz NOT NULL
);

-- Orders of the last minute, over the whole fleet.
CREATE INDEX executions_created ON executions (created_at);
