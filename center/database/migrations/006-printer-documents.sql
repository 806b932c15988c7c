-- Structures and verdicts are written often and read whole: `json` keeps the text as it came.
ALTER TABLE structures        ALTER COLUMN document TYPE json USING document::json;
ALTER TABLE verdicts          ALTER COLUMN document TYPE json USING document::json;
-- The current structure isn't kept twice: its entry in the history gets the document when another one comes.
ALTER TABLE structure_history ALTER COLUMN document TYPE json USING document::json,
                              ALTER COLUMN document DROP NOT NULL;
-- Nothing was looked for by it.
DROP INDEX verdicts_catalog;
