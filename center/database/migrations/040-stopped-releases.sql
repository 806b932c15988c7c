-- What a person or the guard stopped. A stop holds until a person lifts it: nothing starts such a release again by itself.
CREATE TABLE release_stops (
  id            text COLLATE "C" PRIMARY KEY,
  kind          text NOT NULL CHECK (kind IN ('guard', 'person')),
  -- `software@version`; `symbol>spare` for a unit that is switched.
  releases      text[] NOT NULL,
  -- Configurations for which it holds; NULL: every one.
  strata        text[],
  campaign      text COLLATE "C",
  cause         jsonb NOT NULL,
  reason        text NOT NULL,
  stopped_by    text NOT NULL,
  at            timestamptz NOT NULL,
  lifted_at     timestamptz,
  lifted_by     text,
  lifted_reason text
);
CREATE INDEX release_stops_held     ON release_stops (at) WHERE lifted_at IS NULL;
CREATE INDEX release_stops_campaign ON release_stops (campaign);

-- When each meaning of a rule was put in force first: one that is newer than a stop is another question.
CREATE TABLE rule_questions (
  rule     text COLLATE "C" NOT NULL,
  question text NOT NULL,
  since    timestamptz NOT NULL,
  PRIMARY KEY (rule, question)
);

-- What a printer is to get in this campaign, as a stop names it.
ALTER TABLE campaign_targets ADD COLUMN releases text[] NOT NULL DEFAULT '{}';
