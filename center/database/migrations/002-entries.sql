-- A stream is one log memory of one printer. `received` is the exact set of entries that are stored, so that one that
-- is sent again is known before it is written, whatever partition the first one went to and whether that still exists.
-- `version` grows with every change: a writer that worked from an older one starts over.
CREATE TABLE log_streams (
  id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  printer    text COLLATE "C" NOT NULL,
  log        text COLLATE "C" NOT NULL,
  first_seq  bigint NOT NULL DEFAULT 1,
  up_to      bigint NOT NULL DEFAULT 0,
  lost       bigint NOT NULL DEFAULT 0,
  received   int8multirange NOT NULL DEFAULT '{}',
  version    bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (printer, log)
) WITH (fillfactor = 60);

-- Order in which batches were committed: who follows the entries remembers how far they came.
CREATE SEQUENCE entry_batches;

-- Partitioned by the center's clock, because printers' clocks may say anything. Partitions are made ahead and dropped
-- whole when they are older than the retention.
CREATE TABLE entries (
  stream   integer NOT NULL,
  seq      bigint NOT NULL,
  at       timestamptz NOT NULL,
  received timestamptz NOT NULL,
  batch    bigint NOT NULL,
  pages    bigint,
  severity smallint NOT NULL,
  code     text COLLATE "C" NOT NULL,
  unit     text COLLATE "C",
  detail   jsonb,
  PRIMARY KEY (stream, at, seq, received)
) PARTITION BY RANGE (received);
CREATE INDEX entries_batch ON entries USING brin (batch) WITH (pages_per_range = 32);

CREATE VIEW error_entries AS
  SELECT s.printer, s.log, e.seq, e.at, e.received, e.batch, e.pages,
         (ARRAY['info', 'warning', 'error', 'fatal'])[e.severity + 1] AS severity,
         e.code, e.unit, e.detail
  FROM entries e JOIN log_streams s ON s.id = e.stream;

-- Lets one statement undo itself when rows were changed by somebody else first.
CREATE FUNCTION platen_expect(actual bigint, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF actual <> expected THEN
    RAISE EXCEPTION 'another writer was first: % of % rows', actual, expected USING ERRCODE = 'PL001';
  END IF;
END $$;
