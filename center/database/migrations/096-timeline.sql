-- The past of one printer: when it came and went, and when its verdict changed. Both are written by the statement that
-- writes the printer, by the center's clock.
CREATE TABLE presence_history (
  printer text COLLATE "C" NOT NULL,
  at      timestamptz NOT NULL,
  id      bigint GENERATED ALWAYS AS IDENTITY,
  online  boolean NOT NULL
);
CREATE INDEX presence_history_printer ON presence_history (printer, at DESC);
CREATE INDEX presence_history_at      ON presence_history USING brin (at);

CREATE TABLE verdict_history (
  printer  text COLLATE "C" NOT NULL,
  at       timestamptz NOT NULL,
  id       bigint GENERATED ALWAYS AS IDENTITY,
  status   text NOT NULL,
  -- NULL: it was the first verdict.
  previous text,
  catalog  text NOT NULL,
  session  text NOT NULL,
  revision bigint NOT NULL
);
CREATE INDEX verdict_history_printer ON verdict_history (printer, at DESC);
CREATE INDEX verdict_history_at      ON verdict_history USING brin (at);

-- What happened before the record began: the present verdict.
INSERT INTO verdict_history (printer, at, status, catalog, session, revision)
  SELECT printer, at, status, catalog, session, revision FROM verdicts;

CREATE INDEX troubles_printer_ended ON troubles (printer, closed_at DESC) WHERE closed_at IS NOT NULL;
CREATE INDEX readings_changes ON readings (printer, received DESC) WHERE document->>'reason' = 'change';
-- What operators did to one printer: named alone, among others, or by one of its troubles.
CREATE INDEX audit_printer  ON audit ((params->>'printer'), at DESC) WHERE params ? 'printer';
CREATE INDEX audit_printers ON audit USING gin ((params->'printers') jsonb_path_ops) WHERE params ? 'printers';
CREATE INDEX audit_trouble  ON audit ((params->>'id' COLLATE "C"), at DESC) WHERE method LIKE 'troubles.%';
