-- What printers are found by beside their own row.

-- The units of each printer as it reported them last; its apparatus is among them as 'apparatus'.
CREATE TABLE printer_units (
  printer text COLLATE "C" NOT NULL,
  symbol  text COLLATE "C" NOT NULL,
  model   text COLLATE "C" NOT NULL,
  serial  text COLLATE "C",
  PRIMARY KEY (printer, symbol)
);
CREATE INDEX printer_units_model  ON printer_units (model, printer);
CREATE INDEX printer_units_serial ON printer_units (serial, printer) WHERE serial IS NOT NULL;

INSERT INTO printer_units (printer, symbol, model, serial)
SELECT s.printer, 'apparatus', s.document->'apparatus'->>'model', s.document->'apparatus'->>'serial' FROM structures s
UNION ALL
SELECT s.printer, u.value->>'symbol', u.value->>'model', u.value->>'serial'
FROM structures s CROSS JOIN json_array_elements(s.document->'units') u
ON CONFLICT DO NOTHING;

-- What a text search looks through: the id, all serials, host and address. Every printer has a row.
CREATE TABLE printer_search (
  printer text COLLATE "C" PRIMARY KEY REFERENCES printers (id) ON DELETE CASCADE,
  serials text COLLATE "C" NOT NULL DEFAULT '',
  facts   text COLLATE "C" NOT NULL DEFAULT '',
  text    text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(printer || E'\n' || serials || E'\n' || facts)) STORED
);

INSERT INTO printer_search (printer, serials, facts)
SELECT p.id, coalesce(u.serials, ''),
       concat_ws(E'\n', r.document->'facts'->>'hostname', r.document->'facts'->>'address')
FROM printers p
LEFT JOIN (SELECT printer, string_agg(serial, E'\n' ORDER BY symbol) AS serials FROM printer_units GROUP BY 1) u
  ON u.printer = p.id
LEFT JOIN reading_states r ON r.printer = p.id;

CREATE FUNCTION printers_become_searchable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO printer_search (printer) SELECT id FROM fresh ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER printers_become_searchable AFTER INSERT ON printers
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION printers_become_searchable();

-- Finds a text anywhere. The extension comes with Postgres, but not with every installation of it: without it a text
-- search looks at every printer, within a time.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX printer_search_text ON printer_search USING gin (text gin_trgm_ops);
EXCEPTION WHEN feature_not_supported OR undefined_file OR insufficient_privilege OR undefined_object THEN
  RAISE NOTICE 'pg_trgm is not available: text search has no index';
END $$;

-- What lists are sorted by.
DROP INDEX printers_trouble;
CREATE INDEX printers_troubles ON printers (open_troubles, id);
CREATE INDEX printers_seen     ON printers (last_seen, id);
DROP INDEX printers_standing;
CREATE INDEX printers_standing ON printers (standing, id) WHERE standing <> 'active';

CREATE INDEX troubles_open_severity  ON troubles (severity, printer) WHERE state IN ('open', 'escalated');
CREATE INDEX supply_intervals_levels ON supply_intervals (kind, last_left, printer) WHERE until_at IS NULL;
