-- What a printer is made of, by a short name that printers share which are judged and updated alike; it is filled in for
-- printers that are there already when it is asked for first. And labels that operators set over those that printers
-- report: `labels` holds both.
ALTER TABLE printers
  ADD COLUMN configuration text COLLATE "C",
  ADD COLUMN set_labels    jsonb NOT NULL DEFAULT '{}';
CREATE INDEX printers_configuration ON printers (configuration, id);
