-- Outcomes that say nothing of a release are counted apart.
UPDATE campaigns SET record = jsonb_set(record, '{guard,neither}', '0')
                              || '{"unrelated": {}, "unrelatedSince": 0}';
