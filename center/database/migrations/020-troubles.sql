-- What was concluded from the error logs. A trouble's id follows from its rule, key and opening, so concluding it again
-- (after a restart, from an older state) meets the same row. `publish_due`: the retained document is behind this row.
CREATE TABLE troubles (
  id          text COLLATE "C" PRIMARY KEY,
  rule        text COLLATE "C" NOT NULL,
  title       text,
  key         text COLLATE "C" NOT NULL,
  printer     text COLLATE "C",
  unit        text,
  scope       jsonb NOT NULL,
  state       text COLLATE "C" NOT NULL CHECK (state IN ('open', 'escalated', 'cured', 'cleared', 'closed')),
  severity    text NOT NULL,
  count       bigint NOT NULL,
  opened_at   timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  closed_at   timestamptz,
  last_at     timestamptz NOT NULL,
  evidence    jsonb NOT NULL,
  codes       jsonb NOT NULL,
  remedy      jsonb,
  proposal    jsonb,
  note        text,
  explanation text,
  proven_at   timestamptz,
  publish_due boolean NOT NULL DEFAULT true
) WITH (fillfactor = 80);
CREATE INDEX troubles_opened  ON troubles (opened_at DESC, id DESC);
CREATE INDEX troubles_printer ON troubles (printer, opened_at DESC, id DESC);
CREATE INDEX troubles_rule    ON troubles (rule, opened_at DESC, id DESC);
CREATE INDEX troubles_open    ON troubles (opened_at DESC, id DESC) WHERE state IN ('open', 'escalated');
CREATE INDEX troubles_due     ON troubles (id) WHERE publish_due;

-- The rules' memory of each printer ('' : of rules that are kept across printers). It may be older than the entries:
-- what was received since the cursor is judged again, which changes nothing that was judged already.
CREATE TABLE trouble_states (
  printer text COLLATE "C" PRIMARY KEY,
  state   text COLLATE "C" NOT NULL
) WITH (fillfactor = 70);

-- Up to when (by the center's clock) everything received is in the states, and under which rules.
CREATE TABLE trouble_cursor (
  single   boolean PRIMARY KEY DEFAULT true CHECK (single),
  received timestamptz NOT NULL,
  rules    text NOT NULL
);

-- To find what was received since.
CREATE INDEX entries_received ON entries USING brin (received) WITH (pages_per_range = 32);
