-- When a campaign's printer began to run the release.
ALTER TABLE campaign_targets ADD COLUMN runs_since timestamptz;
UPDATE campaign_targets t SET runs_since = e.ended_at
  FROM executions e WHERE e.id = t.execution AND t.state = 'ended' AND t.ended = 'proven';

-- Printers whose first event of a code was compared with their own past: whether it came sooner after the update.
CREATE TABLE campaign_compared (
  campaign text COLLATE "C" NOT NULL,
  code     text COLLATE "C" NOT NULL,
  printer  text COLLATE "C" NOT NULL,
  after    boolean NOT NULL,
  PRIMARY KEY (campaign, code, printer)
);

-- On which of the last sixteen days a printer was seen on: bit 0 of `days` is `day`, bit 1 the day before it.
CREATE TABLE presence_days (
  printer text COLLATE "C" PRIMARY KEY,
  day     integer NOT NULL,
  days    integer NOT NULL
) WITH (fillfactor = 80);

-- Evidence about codes is kept in another form.
DELETE FROM campaign_events;
UPDATE campaigns SET record = record || '{"findings": []}' || jsonb_build_object('cohort', jsonb_build_object(
  'alpha', record->'cohort'->'alpha', 'codes', '{}'::jsonb, 'changed', 0, 'paired', 0,
  'draw', '{"early": [0, 0, 0, 0, 0, 0, 0], "late": [0, 0, 0, 0, 0, 0, 0]}'::jsonb));
